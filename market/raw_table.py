"""A candle file as it is: the columns of a table named, and turned into numbers and times. Nothing is judged or mended here."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc

from market.candles import COLUMNS, CandleError
from market.times import parse_times

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


def from_table(path: Path, layout: str, table: pa.Table, place: str, known: str, numbers: np.ndarray | None = None) -> Raw:
    """Name the columns, then turn each into numbers or times.

    Args:
        path: of the file, for messages.
        layout: its name, for people.
        place: what a row is called, see `Raw`.
        known: the layouts that are known, in words, for a refusal.
        numbers: int64 (T,) the line, row or element of each bar; None counts from 1.

    Raises:
        CandleError: columns that are no candles', fewer than 2 bars, or several symbols.
    """
    names = _named(path, table.column_names)
    numbers = np.arange(1, len(table) + 1) if numbers is None else numbers
    lacking = {"open", "high", "low", "close", "volume"} - names.keys()
    if lacking or not {"time", "unix"} & names.keys():
        raise CandleError(f"{path} has the columns {table.column_names}; {known}")
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
