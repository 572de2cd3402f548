"""`read_candles`: any known candle file becomes candles that can be trusted, or one line that says what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from common import one_line
from market.bar_grid import bar_name
from market.candles import CandleError, Candles
from market.checks import check
from market.file_table import FileTable, unique_names
from market.layouts import read_table
from market.raw_table import Raw, raw_of, read_raw
from market.read_options import MAX_FILLED_BARS, NOTHING_SAID, DateOrder, ReadOptions, TimeMeaning, VolumeUnit
from market.repair import Change, repair as mend
from market.symbols import coins_of
from market.unnamed_columns import named_by_values


def read_candles(
    path: str | Path,
    repair: bool = False,
    *,
    symbol: str | None = None,
    volume: VolumeUnit | None = None,
    timezone: str | None = None,
    times: TimeMeaning | None = None,
    dates: DateOrder | None = None,
    max_fill: int = MAX_FILLED_BARS,
) -> Candles:
    """Read a candle file, sorted by real time, and check it.

    Args:
        path: CSV with a line of names or without one, Parquet, Feather, or JSON, each also packed; what its columns hold is found
            out from names and values (docs/candles.md). Times without a zone are UTC.
        repair: mend what the rules of `market.repair` can mend, and say so in `source`. Without it, such a file is refused.
        symbol: which coin of a file of several, or the name of the one in a file that names none.
        volume: whether the column `volume` is in coin (`base`) or in money (`quote`), where the file does not say.
        timezone: of times without a zone, such as `America/New_York`.
        times: whether a bar's time is that at which it opens or closes, where the file does not say.
        dates: `day_first` or `month_first`, where dates such as 03/04/2019 can be both.
        max_fill: longest gap that `repair` fills, in bars.

    Returns:
        Candles whose `bar` is the most frequent distance of two rows. Where the file has no quote volume, it is volume * close,
        and `source` says so. Further columns of numbers are in `extra`.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout, or the first broken rule: the value, the line and its time, and what to do.
    """
    options = ReadOptions(symbol, volume, timezone, times, dates)
    candles, _ = read_and_repair(Path(path), max_fill, options) if repair else (to_candles(read_raw(Path(path), options), []), [])
    return candles


def read_all_candles(path: str | Path, repair: bool = False, **told: Any) -> dict[str, Candles]:
    """All coins of a file, by symbol.

    Args:
        path, repair: as `read_candles`.
        told: further arguments of `read_candles`, such as `timezone`.

    Raises:
        FileNotFoundError, CandleError: as `read_candles`; the message names the coin.
    """
    coins = coins_of(read_table(Path(path)))
    if not coins:
        candles = read_candles(path, repair, **told)
        return {candles.symbol: candles}
    return {coin: read_candles(path, repair, symbol=coin, **told) for coin in coins}


def candles_of_frame(frame: pd.DataFrame, options: ReadOptions, bar: pd.Timedelta | None, repair: bool) -> Candles:
    """See `Candles.from_frame`."""
    changes: list[Change] = []
    try:
        raw = raw_of(Path("the DataFrame"), _table_of_frame(frame), options)
    except (CandleError, OSError):
        raise
    except Exception as error:  # anything can be in a DataFrame; one line serves the user
        raise CandleError(f"the DataFrame cannot be read ({one_line(error)}); keep times, prices and numbers alone") from error
    if repair:
        raw, changes = mend(raw, MAX_FILLED_BARS)
    candles = to_candles(raw, changes)
    if bar is not None and candles.bar != bar:
        raise CandleError(
            f"bars of {bar_name(bar)} were asked for, but those of the DataFrame are {bar_name(candles.bar)} apart; resample them"
        )
    return candles


def _table_of_frame(frame: pd.DataFrame) -> FileTable:
    """Its columns and, unless it only counts rows, its index; columns without names are told by their values."""
    names = [_flat(name) for name in frame.columns]
    flat = frame.set_axis(unique_names(names), axis=1)
    if not isinstance(flat.index, pd.RangeIndex):
        index = flat.index.to_frame(index=False)
        index.columns = pd.Index([_index_name(name, k, flat) for k, name in enumerate(flat.index.names)])
        flat = pd.concat([index, flat.reset_index(drop=True)], axis=1)
    columns = {str(name): _arrow(flat.iloc[:, k]) for k, name in enumerate(flat.columns)}
    table = FileTable("DataFrame", pa.table(columns), "row")
    if names and all(name.isdigit() for name in names):
        found, note = named_by_values(Path("the DataFrame"), table.cells)
        return FileTable("DataFrame", table.cells.rename_columns(unique_names(found)), "row", notes=(note,))
    return table


def _index_name(name: object, place: int, frame: pd.DataFrame) -> str:
    said = str(name) if name is not None and str(name) not in frame.columns else "index"
    return said if place == 0 or said != "index" else f"level_{place}"


def _arrow(values: "pd.Series[Any]") -> pa.Array:
    """Periods by their start; what Arrow has no type for as text."""
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    try:
        return pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if isinstance(value, float) and np.isnan(value) else str(value) for value in values])


def read_and_repair(path: Path, max_fill: int, options: ReadOptions = NOTHING_SAID) -> tuple[Candles, list[Change]]:
    """The mended candles, and what was done to them."""
    raw, changes = mend(read_raw(path, options), max_fill)
    return to_candles(raw, changes), changes


def to_candles(raw: Raw, changes: list[Change]) -> Candles:
    """Candles of a raw file without errors."""
    report = check(raw)
    report.refuse()
    rising = (raw.time[1:] > raw.time[:-1]).all()
    order = slice(None) if rising else np.argsort(raw.time, kind="stable")
    index = pd.DatetimeIndex(raw.time[order], tz="UTC", name="time")
    frame = raw.frame.iloc[order].set_axis(index)
    notes = [
        f"file {raw.path.name}" + (f" ({raw.source})" if raw.source else ""),
        *raw.notes,
        *(str(change) for change in changes),
    ]
    disorder = [problem for problem in report.problems if "in one order" in problem.rule]
    if disorder:
        notes.append(f"rows out of order, sorted by time: {disorder[0].count:,}")
    if frame["quote_volume"].isna().all():
        frame = frame.assign(quote_volume=frame["volume"] * frame["close"])
        notes.append("quote volume = volume * close")
    if not raw.has_volumes:
        notes.append("no volumes")
    extra = raw.extra.iloc[order].set_axis(index) if len(raw.extra.columns) else None
    return Candles(frame, report.bar, raw.symbol, "; ".join(notes), raw.filled[order], extra)


def _flat(name: object) -> str:
    """A column of several levels, as yfinance gives them: `('Close', 'BTC-USD')` -> `Close:BTC-USD`."""
    return ":".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
