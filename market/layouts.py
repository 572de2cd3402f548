"""Reads the bytes of any known candle file into one raw table. Nothing is judged or mended here: see `checks` and `repair`.

The layout is found by looking at the content, never at the file's name.
"""

import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv, parquet

from market.candles import COLUMNS, CandleError
from market.times import parse_times

KNOWN = (
    "CryptoDataDownload CSV (Date or Unix, Symbol, Open, High, Low, Close, Volume BTC, Volume USD, or VolumeFrom, VolumeTo), "
    "Kaggle CSV (Timestamp, ..., Volume_(BTC)), Binance kline CSV, any CSV or Parquet with time, open, high, low, close, volume, "
    "Poloniex returnChartData JSON; each also gzipped"
)
BINANCE = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker", "taker_q", "x"]
ALIASES = {
    "time": ("time", "timestamp", "date", "datetime", "open time", "date time", "candle time"),
    "unix": ("unix", "unix timestamp", "unix time", "epoch"),
    "symbol": ("symbol", "pair", "ticker"),
    "open": ("open", "o", "open price"),
    "high": ("high", "h", "high price"),
    "low": ("low", "l", "low price"),
    "close": ("close", "c", "close price"),
    "volume": ("volume", "vol", "v", "volumefrom", "volume from", "base volume", "volume base"),
    "quote_volume": ("volumeto", "volume to", "quote volume", "quotevolume", "quote asset volume", "volume currency", "turnover"),
    "filled": ("filled",),
}
NAMES = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
QUOTES = (
    "usd", "usdt", "usdc", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "aud", "cad", "chf", "try", "brl", "inr",
    "rub", "uah", "zar", "mxn", "sgd", "hkd", "nzd", "pln", "sek",
)  # fmt: skip
COINS = (
    "btc", "xbt", "eth", "ltc", "xrp", "bch", "sol", "ada", "doge", "dot", "link", "xlm", "xmr", "etc", "dash", "zec", "eos",
    "trx", "bnb", "avax",
)  # fmt: skip
NO_NUMBER = ("", "nan", "na", "null", "none", "n/a")


@dataclass
class Raw:
    """A candle file as it is.

    Args:
        frame: float64 `COLUMNS`, NaN where a cell is empty or unreadable; `quote_volume` is NaN throughout if there is none.
        time: datetime64[ns], UTC, NaT where unreadable; the order is the file's.
        place: what a row is called: `line` (CSV), `row` (Parquet) or `element` (JSON), counted from 1.
        numbers: int64 (T,) the line, row or element of each bar.
        unreadable: cells that are no time or no number: row of the frame -> (column, text).
        filled: bool (T,), bars that an earlier repair filled in.
        source: what the file says of its origin (our own Parquet does).
        notes: what the reader derived, in words.
    """

    path: Path
    layout: str
    frame: pd.DataFrame
    time: np.ndarray
    place: str
    numbers: np.ndarray
    symbol: str
    filled: np.ndarray
    source: str = ""
    unreadable: dict[int, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.time)


def read_raw(path: Path) -> Raw:
    """Read a candle file of any known layout.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout; the message names the columns seen and the layouts known.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no candle file {path}; check the path, or leave it out for the simulated market")
    try:
        return _from_content(path, path.read_bytes())
    except (CandleError, OSError):
        raise
    except Exception as error:  # a foreign file can be wrong in ways that no list holds; its name and one line serve the user
        raise CandleError(f"{path} cannot be read ({_first_line(error)}); {_known()}") from error


def _from_content(path: Path, content: bytes) -> Raw:
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise CandleError(f"{path} is damaged gzip ({error}); fetch it again") from None
    if content[:4] == b"PAR1":
        try:
            return _from_table(path, "Parquet", parquet.read_table(io.BytesIO(content)), "row", None)
        except (pa.ArrowException, OSError) as error:
            raise CandleError(f"{path} is damaged Parquet ({_first_line(error)}); fetch it again") from None
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"[", b"{"):
        return _from_json(path, content)
    return _from_csv(path, content)


def _from_json(path: Path, content: bytes) -> Raw:
    """Poloniex `returnChartData`: its `volume` is in the quote currency, its `quoteVolume` in coin."""
    try:
        bars = json.loads(content)
    except ValueError as error:
        raise CandleError(f"{path} is damaged JSON ({error}); fetch it again") from None
    if isinstance(bars, dict):
        raise CandleError(f"{path} holds no candles but the answer {json.dumps(bars)[:120]}; ask the exchange again")
    if not bars or not all(isinstance(bar, dict) for bar in bars):
        raise CandleError(f"{path} must hold a JSON list of candles, but it has {len(bars)} elements of another kind; {_known()}")
    if len(bars) == 1 and not any(bars[0].values()):
        raise CandleError(f"{path} is Poloniex's empty answer, one bar of zeros; ask for a range in which there was trading")
    columns = {name: [bar.get(name) for bar in bars] for name in dict.fromkeys(key for bar in bars for key in bar)}
    if "volume" in columns and "weightedAverage" in columns and "quoteVolume" not in columns:
        raise CandleError(f"{path} has no quoteVolume, and Poloniex's volume is not in coin; fetch both")
    if {"volume", "quoteVolume"} <= columns.keys():
        columns["volume"], columns["quoteVolume"] = columns["quoteVolume"], columns["volume"]
    try:
        table = pa.table(columns)
    except pa.ArrowException:
        table = pa.table({name: [None if v is None else str(v) for v in values] for name, values in columns.items()})
    return _from_table(path, "Poloniex JSON", table, "element", None)


def _from_csv(path: Path, content: bytes) -> Raw:
    text = content[:8192].removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    if "\0" in text or text[:-1].count("\ufffd") > len(text) // 20:
        raise CandleError(f"{path} is no text and no Parquet file; {_known()}")
    head = text.splitlines()
    skipped, delimiter = _header_line(path, head)
    cells = [cell.strip().strip('"') for cell in head[skipped].split(delimiter)]
    headless = len(cells) in (11, 12) and all(_is_number(cell) for cell in cells)
    names = BINANCE[: len(cells)] if headless else _unique(cells)
    table, problems = None, ""
    for as_text in (False, True):  # text is slower, but every odd cell can then be named
        try:
            table = _read_csv(content, names, skipped if headless else skipped + 1, delimiter, as_text)
            break
        except pa.ArrowInvalid as error:
            problems = _first_line(error)
    numbers = _line_numbers(content, skipped if headless else skipped + 1)
    if table is None or len(numbers) != len(table):
        raise CandleError(_ragged_line(path, content, numbers, len(names), delimiter, problems))
    return _from_table(path, "Binance CSV" if headless else "CSV", table, "line", numbers)


def _read_csv(content: bytes, names: list[str], skip: int, delimiter: str, as_text: bool) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=names, skip_rows=skip, block_size=8 << 20),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()) if as_text else {},
            strings_can_be_null=not as_text,
            null_values=[*NO_NUMBER, *(word.upper() for word in NO_NUMBER), "NaN", "None"],
        ),
    )


def _header_line(path: Path, head: list[str]) -> tuple[int, str]:
    """How many lines stand before the header (a banner is a line without a delimiter), and the delimiter."""
    for number, line in enumerate(head[:3]):
        for delimiter in (",", ";", "\t", "|"):
            if line.count(delimiter) >= 4:
                return number, delimiter
    seen = [cell.strip()[:30] for cell in (head or [""])[0].split(",")][:20]
    raise CandleError(f"{path} has the columns {seen}; {_known()}")


def _line_numbers(content: bytes, skip: int) -> np.ndarray:
    """The line of each data row; blank lines hold no row."""
    breaks = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    ends = breaks if content.endswith(b"\n") else np.append(breaks, len(content))
    starts = np.concatenate([[0], ends[:-1] + 1])
    written = np.ones(len(ends), bool)
    for line in np.flatnonzero(ends - starts <= 2):
        written[line] = content[starts[line] : ends[line]].strip() != b""
    lines = np.flatnonzero(written) + 1
    return lines[lines > skip]


def _ragged_line(path: Path, content: bytes, numbers: np.ndarray, width: int, delimiter: str, problems: str) -> str:
    lines = content.decode("utf-8", errors="replace").split("\n")
    for number in numbers:
        found = lines[number - 1].count(delimiter) + 1
        if found != width:
            return (
                f"each line must have {width} cells like the header, but line {number} of {path} has {found}; correct or drop it"
            )
    return f"{path} cannot be read as a table ({problems or 'quoted cells span lines'}); {_known()}"


def _from_table(path: Path, layout: str, table: pa.Table, place: str, numbers: np.ndarray | None) -> Raw:
    """Name the columns, then turn each into numbers or times."""
    names = _named(path, table.column_names)
    numbers = np.arange(1, len(table) + 1) if numbers is None else numbers
    lacking = {"open", "high", "low", "close", "volume"} - names.keys()
    if lacking or not {"time", "unix"} & names.keys():
        raise CandleError(f"{path} has the columns {table.column_names}; {_known()}")
    if len(table) < 2:
        raise CandleError(f"candles need at least 2 bars, but {path} has {len(table)}; give a longer file")
    raw = Raw(
        path, layout, pd.DataFrame(), np.empty(0), place,
        numbers, _symbol(path, table, names, place, numbers), np.zeros(len(table), bool),
    )  # fmt: skip
    raw.source = (table.schema.metadata or {}).get(b"source", b"").decode(errors="replace")
    values = np.full((len(table), len(COLUMNS)), np.nan, order="F")  # pandas takes such an array as it is
    for k, name in enumerate(COLUMNS):
        if name in names:
            values[:, k], odd = _numbers(table.column(names[name]))
            raw.unreadable |= {row: (name, text) for row, text in odd.items()}
    raw.frame = pd.DataFrame(values, columns=list(COLUMNS), copy=False)
    if "filled" in names:
        raw.filled = _flags(path, table.column(names["filled"]))
    raw.time, odd = _times(table, names)
    raw.unreadable |= {row: ("time", text) for row, text in odd.items()}
    return raw


def _times(table: pa.Table, names: dict[str, str]) -> tuple[np.ndarray, dict[int, str]]:
    """Times of the date column, or of the Unix column where there is no date; where both are, they must agree."""
    chosen = names.get("time", names.get("unix", ""))
    times, odd = parse_times(table.column(chosen))
    if "time" in names and "unix" in names:
        other, _ = parse_times(table.column(names["unix"]))
        differ = np.flatnonzero((times != other) & ~np.isnat(times) & ~np.isnat(other))
        for row in differ:
            odd[int(row)] = f"{pd.Timestamp(times[row])}, but its Unix time says {pd.Timestamp(other[row])}"
        times[differ] = np.datetime64("NaT")
    return times, odd


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, dict[int, str]]:
    """float64 values, NaN for empty cells; and the text of the cells that are neither empty nor a number."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.float64()).to_numpy(), {}
    text = column.cast(pa.string()).to_pandas().astype(object).where(lambda cells: cells.notna(), "")
    values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    missing = np.flatnonzero(np.isnan(values))
    odd = {int(row): str(text.iloc[row]) for row in missing if str(text.iloc[row]).strip().lower() not in NO_NUMBER}
    return values, odd


def _named(path: Path, columns: list[str]) -> dict[str, str]:
    """Our name -> the file's name. `Volume BTC` is a base volume and `Volume USD` a quote volume, by the currency's name; a
    `Volume MA` is neither."""
    found: dict[str, list[str]] = {}
    for column in columns:
        key = " ".join("".join(c if c.isalnum() else " " for c in column.lower()).split())
        name, currency = NAMES.get(key), key.removeprefix("volume ")
        if name is None and currency != key and currency in (*QUOTES, *COINS):
            name = "quote_volume" if currency in QUOTES else "volume"
        if name:
            found.setdefault(name, []).append(column)
    for name in COLUMNS:
        if len(found.get(name, [])) > 1:
            raise CandleError(f"one column must be the {name}, but {path} has {found[name]}; rename or drop all but one")
    return {name: claims[0] for name, claims in found.items()}


def _flags(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """bool (T,) of a `filled` column."""
    words = column.cast(pa.string()).to_pandas().astype(object).str.strip().str.lower()
    wrong = words[~words.isin(["true", "false"])]
    if len(wrong):
        raise CandleError(f"`filled` must be true or false, but {path} has {wrong.iloc[0]!r}; drop the column")
    return (words == "true").to_numpy(bool)


def _symbol(path: Path, table: pa.Table, names: dict[str, str], place: str, numbers: np.ndarray) -> str:
    """The one symbol of the file; what its Parquet metadata says, or BTC/USD, where no column does."""
    if "symbol" in names:
        cells = table.column(names["symbol"]).cast(pa.string()).fill_null("")
        first = cells[0].as_py()
        others = np.flatnonzero(pc.not_equal(cells, first).to_numpy())
        if len(others):
            row = int(others[0])
            raise CandleError(
                f"a file must hold one symbol, but {place} {numbers[row]} of {path} has {cells[row].as_py()!r} after {first!r}; "
                "keep the rows of one"
            )
        return first or "BTC/USD"
    return (table.schema.metadata or {}).get(b"symbol", b"BTC/USD").decode(errors="replace")


def _unique(cells: list[str]) -> list[str]:
    """Arrow wants unique names; a repeated or empty one is an unknown column."""
    return [cell if cell and cells.index(cell) == i else f"column {i + 1}" for i, cell in enumerate(cells)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _known() -> str:
    return f"the known layouts are {KNOWN}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
