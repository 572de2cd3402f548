"""A candle file as it is: what each column holds, as numbers and times. Nothing is judged or mended here."""

import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from common import one_line, option, printable
from market.bar_grid import usual_bar
from market.candles import COLUMNS, CandleError
from market.column_names import (
    BASE,
    CLOSE_TIME,
    FILLED,
    PRICES,
    QUOTE,
    SYMBOL,
    TICKS,
    TIME,
    VOLUME,
    WITHIN,
    is_bare,
    roles_of,
    words_of,
)
from market.file_table import FileTable
from market.layouts import known_layouts, read_table
from market.number_cells import has_decimal_comma, number_cells
from market.read_options import NOTHING_SAID, ReadOptions
from market.symbols import UNNAMED, money_of, one_coin, plain
from market.time_columns import open_times
from market.times import are_times
from market.volumes import Volumes, find_volumes

ABOUT_VOLUMES = r"vol|quantity|qty|amount|contracts|turnover"
NO_VOLUME = "none: the file has no volumes, so columns made of them are left out"


@dataclass
class Raw:
    """A candle file as it is.

    Args:
        frame: float64 `COLUMNS`, NaN where a cell is empty or unreadable; `quote_volume` is NaN throughout if there is none, and
            both volumes are 0 if the file has none at all.
        time: datetime64[ns], UTC, at which a bar opens, NaT where unreadable; the order is the file's.
        place: what a row is called: `line` (CSV), `row` (Parquet, Feather) or `element` (JSON), counted from 1.
        numbers: int64 (T,) the line, row or element of each bar.
        filled: bool (T,), bars that an earlier repair filled in.
        source: what the file says of its origin (our own Parquet does).
        extra: float64 columns of the file beside those of a candle, NaN where empty.
        unreadable: cells that are no time or no number: row of the frame -> (column, text).
        read_as: by the file's column, what it was read as, or why it was not, in words.
        volume_unit: of the column `volume`, in words.
        naive: whether times name no zone, and were taken for UTC.
        notes: what was found out or turned into something else, in words.
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
    extra: pd.DataFrame = field(default_factory=pd.DataFrame)
    unreadable: dict[int, tuple[str, str]] = field(default_factory=dict)
    read_as: dict[str, str] = field(default_factory=dict)
    volume_unit: str = "coin"
    naive: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def has_volumes(self) -> bool:
        return self.volume_unit != NO_VOLUME


def read_raw(path: Path, options: ReadOptions = NOTHING_SAID) -> Raw:
    """Read a candle file of any known layout.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: what holds candles cannot be found in it, or can be read in two ways.
    """
    try:
        return raw_of(path, read_table(path), options)
    except (CandleError, OSError):
        raise
    except Exception as error:  # a foreign file can be wrong in ways that no list holds; its name and one line serve the user
        raise CandleError(f"{path} cannot be read ({one_line(error)}); {known_layouts()}") from error


def raw_of(path: Path, table: FileTable, options: ReadOptions) -> Raw:
    """Find out what each column holds, then turn it into numbers and times.

    Raises:
        CandleError: columns that are no candles', fewer than 2 bars, several coins, times that do not agree, or two volumes.
    """
    table = one_coin(path, table, options.symbol)
    roles = roles_of(table.columns)
    _require_candles(path, table, roles)
    times = open_times(path, table.cells, roles, options)
    numeric = [name for role in (*PRICES, BASE, VOLUME, QUOTE) for name in roles.get(role, [])]
    comma = has_decimal_comma([table.cells.column(name) for name in numeric])
    raw = Raw(path, table.layout, pd.DataFrame(), times.times, table.place, table.numbers, printable(table.symbol),
              np.zeros(len(table.cells), bool), table.source)  # fmt: skip
    raw.naive = times.naive
    raw.read_as, raw.notes = dict(times.read_as), [*table.notes, *times.notes]
    values = {name: _column(raw, table.cells.column(roles[name][0]), name, comma) for name in PRICES}
    raw.read_as |= {roles[name][0]: name for name in PRICES}
    frame = pd.DataFrame(values, copy=False)
    volumes = _volumes(raw, table, roles, frame, comma, options)
    raw.frame = frame.assign(**_amounts(raw, table, volumes, frame, comma))[list(COLUMNS)]
    _keep_extra(raw, table, roles, volumes, comma)
    if FILLED in roles:
        raw.filled = _flags(path, table.cells.column(roles[FILLED][0]))
    raw.unreadable |= {row: ("time", text) for row, text in times.odd.items()}
    if table.symbol == UNNAMED:
        raw.notes.append(f"the file names no coin; {option('market.symbol', 'BTC/USD')} would")
    return raw


def _require_candles(path: Path, table: FileTable, roles: dict[str, list[str]]) -> None:
    lacking = [name for name in PRICES if name not in roles]
    if not {TIME, CLOSE_TIME} & roles.keys():
        found = _times_by_value(table, roles)
        roles |= {TIME: [found]} if found else {}
        lacking = lacking if found else ["time", *lacking]
    if lacking:
        raise CandleError(
            f"candles need a time, open, high, low and close, but {path} has the columns {table.columns}, and none of them is "
            f"the {lacking[0]}; give that column this name"
        )
    if len(table.cells) < 2:
        raise CandleError(f"candles need at least 2 bars, but {path} has {len(table.cells)}; give a longer file")


def _times_by_value(table: FileTable, roles: dict[str, list[str]]) -> str:
    """The first column of an unknown name whose cells are all times; empty if there is none."""
    known = {name for role, names in roles.items() if role != TICKS for name in names}
    for name in table.columns:
        column = table.cells.column(name).slice(0, 1_000)
        if name not in known and len(column) > 1 and are_times(column):
            return name
    return ""


def _column(raw: Raw, column: pa.ChunkedArray, name: str, comma: bool | None) -> np.ndarray:
    """float64 (T,); what cannot be read is written down."""
    values, odd = number_cells(column, comma)
    raw.unreadable |= {row: (name, text) for row, text in odd.items()}
    return values


def _volumes(
    raw: Raw, table: FileTable, roles: dict[str, list[str]], frame: pd.DataFrame, comma: bool | None, options: ReadOptions
) -> Volumes:  # fmt: skip
    named = [name for role in (BASE, VOLUME, QUOTE, TICKS) for name in roles.get(role, [])]
    numbers = {name: number_cells(table.cells.column(name), comma)[0] for name in named}
    known = np.sort(raw.time[~np.isnat(raw.time)])
    bar = usual_bar(known)
    per_day = pd.Timedelta("1D") / bar if bar else 1.0
    found = find_volumes(raw.path, roles, numbers, frame, per_day, money_of(raw.symbol), options, table.columns)
    raw.read_as |= found.read_as
    raw.volume_unit = found.unit or ("coin" if found.base else NO_VOLUME)
    raw.notes += found.notes
    return found


def _amounts(raw: Raw, table: FileTable, found: Volumes, frame: pd.DataFrame, comma: bool | None) -> dict[str, np.ndarray]:
    """`volume` and `quote_volume`, float64 (T,)."""
    base, quote = (
        None if name is None else _column(raw, table.cells.column(name), role, comma)
        for name, role in ((found.base, "volume"), (found.quote, "quote_volume"))
    )
    if base is None and quote is None:
        return {"volume": np.zeros(len(frame)), "quote_volume": np.zeros(len(frame))}
    if base is None:
        base = quote / frame[list(PRICES)].mean(axis=1).to_numpy()
    return {"volume": base, "quote_volume": np.full(len(frame), np.nan) if quote is None else quote}


def _keep_extra(raw: Raw, table: FileTable, roles: dict[str, list[str]], volumes: Volumes, comma: bool | None) -> None:
    """Every further column of numbers is kept; what is no number is named."""
    used = {name for role in (TIME, CLOSE_TIME, WITHIN, FILLED) for name in roles.get(role, [])} | {volumes.base, volumes.quote}
    used |= {roles[name][0] for name in PRICES} | raw.read_as.keys()
    kept: dict[str, np.ndarray] = {}
    for name in table.columns:
        if name in used:
            continue
        if name in roles.get(SYMBOL, []) and plain(str(table.cells.column(name)[0].as_py())) == plain(raw.symbol):
            raw.read_as[name] = "symbol"
            continue
        values, odd = number_cells(table.cells.column(name), comma)
        if why := _useless(name, values, odd, raw.frame["close"].to_numpy()):
            raw.read_as[name] = f"not used: {why}"
            continue
        if odd:
            raw.notes.append(f"cells of `{name}` that are no number, left empty: {len(odd):,}")
        called = extra_name(name)
        called = next(other for k in count(1) if (other := called if k == 1 else f"{called}_{k}") not in (*kept, *COLUMNS))
        kept[called] = values
        raw.read_as[name] = f"extra column `{called}`"
    if not raw.has_volumes and (like := [name for name in kept if re.search(ABOUT_VOLUMES, name)]):
        raw.notes.append(f"no column is the volume, but `{like[0]}` may be one; call it `volume` to use it")
    raw.extra = pd.DataFrame(kept, index=pd.RangeIndex(len(raw)))


def extra_name(column: str) -> str:
    """`Funding Rate` -> `funding_rate`."""
    return re.sub(r"\W+", "_", words_of(column)).strip("_") or "extra"


def _useless(name: str, values: np.ndarray, odd: dict[int, str], close: np.ndarray) -> str:
    """Why a column is not kept, empty if it is."""
    finite = values[np.isfinite(values)]
    if not len(finite) or len(odd) * 2 > len(values):
        return f"no numbers but text such as {next(iter(odd.values()))[:20]!r}" if odd else "empty"
    if (finite == finite[0]).all():
        return f"{finite[0]:g} throughout"
    if np.array_equal(values, close):
        return "the same as the close"
    if is_bare(name) and (np.diff(values) == 1).all():
        return "numbers of rows"
    return ""


def _flags(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """bool (T,) of a `filled` column."""
    words = column.cast(pa.string()).to_pandas().astype(object).str.strip().str.lower()
    wrong = words[~words.isin(["true", "false"])]
    if len(wrong):
        raise CandleError(f"`filled` must be true or false, but {path} has {wrong.iloc[0]!r}; drop the column")
    return (words == "true").to_numpy(bool)
