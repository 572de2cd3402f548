"""Reads candle files. So far one layout: CryptoDataDownload CSV, in the generations that its columns and dates show."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from market.candles import COLUMNS, CandleError, Candles

# Column names of all generations of the layout, lower case -> ours.
NAMES = {
    "date": "time",
    "symbol": "symbol",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volumefrom": "volume",
    "volume btc": "volume",
    "volumeto": "quote_volume",
    "volume usd": "quote_volume",
}
DATE_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %I-%p", "%Y-%m-%d")
MAX_FILLED_BARS = 24


def read_candles(path: str | Path, repair: bool = False) -> Candles:
    """Read a candle file, sorted by real time, and check it.

    Args:
        path: a CryptoDataDownload CSV (`Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo` or its siblings), with or
            without a banner line, in any row order, dates as `2019-07-04 13:00` or `2019-07-04 01-PM`, UTC.
        repair: drop exact duplicates and fill gaps of up to 24 bars with flat bars of zero volume. What was done stands in
            `source`. Without it, such a file is refused.

    Returns:
        Candles whose `bar` is the most frequent distance of two rows.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout, an unreadable date or number, or a broken rule of the candle contract.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no candle file {path}; check the path, or leave it out for the simulated market")
    table = _read_table(path)
    times = _parse_times(table["time"], path)
    frame = pd.DataFrame({name: _parse_numbers(table[name], path) for name in COLUMNS})
    frame.index = pd.DatetimeIndex(times, name="time")
    frame = frame.sort_index(kind="stable")
    bar = _bar_length(frame.index, path)
    done: list[str] = []
    if repair:
        frame, done = _repair(frame, bar, path)
    _refuse_duplicates(frame, path)
    symbol = str(table["symbol"].iloc[0]) if "symbol" in table else "BTCUSD"
    return Candles(frame, bar, symbol, "; ".join([f"file {path.name}", *done]))


def _read_table(path: Path) -> pd.DataFrame:
    """The file as text cells under our column names; the row label is the line number in the file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CandleError(
            f"{path} is no text file ({error.reason} at byte {error.start}); the known layout is CryptoDataDownload CSV"
        ) from None
    header = 1 if len(lines) > 1 and "," not in lines[0] else 0  # the banner line is a bare address
    if len(lines) < header + 3:
        raise CandleError(f"a candle file needs a header and at least 2 bars, but {path} has {len(lines)} lines")
    try:
        table = pd.read_csv(io.StringIO("\n".join(lines[header:])), dtype=str, keep_default_na=False, index_col=False)
    except pd.errors.ParserError as error:
        raise CandleError(f"{path} is not a table: {str(error).strip()}") from None
    seen = list(table.columns)
    table.columns = [NAMES.get(str(name).strip().lower(), str(name)) for name in table.columns]
    missing = {"time", *COLUMNS} - set(table.columns)
    if missing or not table.columns.is_unique:
        raise CandleError(
            f"{path} has the columns {seen}; the known layout is CryptoDataDownload: Date, Symbol, Open, High, Low, Close, "
            "and VolumeFrom, VolumeTo or Volume BTC, Volume USD"
        )
    table.index = pd.RangeIndex(header + 2, header + 2 + len(table))
    return table


def _parse_times(cells: pd.Series, path: Path) -> pd.Series:
    """UTC times; each cell may be in any of the known formats, and means what it says wherever it stands."""
    times = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[ns, UTC]")
    for form in DATE_FORMATS:
        unread = times.isna()
        if not unread.any():
            break
        times[unread] = pd.to_datetime(cells[unread], format=form, errors="coerce", utc=True).dt.as_unit("ns")
    if times.isna().any():
        line = times.index[times.isna()][0]
        raise CandleError(
            f"a date must look like `2019-07-04 13:00` or `2019-07-04 01-PM`, but line {line} of {path} has {cells[line]!r}"
        )
    return times


def _parse_numbers(cells: pd.Series, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        line = numbers.index[numbers.isna()][0]
        raise CandleError(
            f"`{cells.name}` must be a number, but line {line} of {path} has {cells[line]!r}; correct it or drop the row"
        )
    return numbers.to_numpy(np.float64)


def _bar_length(index: pd.Index, path: Path) -> pd.Timedelta:
    steps = pd.Series(index[1:] - index[:-1])
    steps = steps[steps > pd.Timedelta(0)]
    if steps.empty:
        raise CandleError(f"the bar length is the distance of two rows, but all rows of {path} have the time {index[0]}")
    return pd.Timedelta(steps.mode().iloc[0])


def _refuse_duplicates(frame: pd.DataFrame, path: Path) -> None:
    twice = frame.index.duplicated()
    if twice.any():
        raise CandleError(
            f"each time must occur once, but {frame.index[twice][0]} occurs again in {path} ({int(twice.sum())} such rows); "
            "read it with repair=True if the rows are equal, else correct the file"
        )


def _repair(frame: pd.DataFrame, bar: pd.Timedelta, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Drop exact duplicates, fill short gaps with flat bars; returns what was done in words."""
    done = []
    same = frame.reset_index().duplicated().to_numpy()
    if same.any():
        frame = frame[~same]
        done.append(f"dropped {int(same.sum())} duplicate rows")
    _refuse_duplicates(frame, path)
    steps = np.diff(pd.DatetimeIndex(frame.index).as_unit("ns").asi8) / (bar / pd.Timedelta(1, "ns"))  # in bars
    if (steps % 1 != 0).any():
        return frame, done  # off the grid: no rule mends that, and the check names the place
    if len(steps) and steps.max() > MAX_FILLED_BARS + 1:
        row = int(steps.argmax())
        raise CandleError(
            f"repair fills gaps of up to {MAX_FILLED_BARS} bars, but {path} has {steps[row] - 1:.0f} missing "
            f"after {frame.index[row]}; cut the file there"
        )
    whole = pd.date_range(frame.index[0], frame.index[-1], freq=bar, name="time")
    missing = len(whole) - len(frame)
    if missing:
        frame = frame.reindex(whole)
        # The last trade's price stands while nothing trades; this looks back only.
        frame["close"] = frame["close"].ffill()
        for name in ("open", "high", "low"):
            frame[name] = frame[name].fillna(frame["close"])
        frame = frame.fillna({"volume": 0.0, "quote_volume": 0.0})
        done.append(f"filled {missing} missing bars with flat ones")
    return frame, done
