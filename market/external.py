"""Series from other files beside the candles: each bar gets the last value that was known when it closed."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc

from common import spelled
from market.bar_grid import bar_ends, bar_name, later, parse_bar, usual_bar
from market.candles import COLUMNS, CandleError, Candles
from market.column_names import BASE, CLOSE_TIME, PRICES, QUOTE, SYMBOL, TIME, VOLUME, of_coins, role_of, roles_of, words_of
from market.file_table import FileTable
from market.layouts import read_series_table
from market.number_cells import NO_NUMBER, has_decimal_comma, number_cells, text_cells
from market.raw_table import extra_name
from market.read import read_candles
from market.settings import ExternalFile
from market.times import EXAMPLE, are_times, is_clock, parse_times, with_clock

CANDLE_WIDTH = 5
"""columns without names from which on a file may be one of candles: a time and four prices"""
NOTHING = (*NO_NUMBER, ".", "..", "nd", "#n/a")
"""cells without a value, as FRED and others write them"""
OF_A_BAR = {"open", "high", "low", "close", "closing", "volume", "vol"}
"""words in the name of a column that is known when its bar has ended"""


@dataclass(frozen=True)
class Known:
    """What a file says.

    Args:
        values: float64 columns by the time at which they are known, UTC, rising.
        notes: what was left out, in words.
    """

    values: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def with_external(candles: Candles, files: dict[str, ExternalFile]) -> Candles:
    """The candles with further extra columns: at each bar the newest value whose time, and delay, lie at its close or before.

    A file of one column of numbers gives the column of that name; one of several gives `name_column`; one of candles gives
    `name_close` and `name_volume`. An empty cell leaves the value before it.

    Args:
        candles: the bars.
        files: by name.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: a file without times or numbers, with a time twice, or without any value before the last bar closes; a value
            that is known when its bar has ended, stamped by its open, without a delay; a name that is taken.
    """
    extra, notes = candles.extra, []
    for name, given in files.items():
        known = _known_values(name, given)
        _require_free(name, list(known.values.columns), extra)
        closing = bar_ends(candles.index, candles.bar).as_unit("ns")
        joined = pd.merge_asof(pd.DataFrame(index=closing), known.values.ffill(), left_index=True, right_index=True)
        joined = joined.set_axis(candles.index)
        if joined.isna().all().any():
            raise CandleError(
                f"an external series must begin before the candles end, but {given.file} begins at "
                f"{known.values.index[0]:%Y-%m-%d %H:%M} and {candles.source} ends at {candles.index[-1]:%Y-%m-%d %H:%M}; "
                "give values of that time"
            )
        extra = joined if extra is None else extra.join(joined)
        said = [f"{len(known.values):,} values of {given.file.name}", *([f"{given.delay} later"] if given.delay else [])]
        notes.append(f"{name}: " + ", ".join([*said, *known.notes]))
    if not files:
        return candles
    return replace(candles, source="; ".join([candles.source, *notes]), extra=extra)


def _require_free(name: str, columns: list[str], extra: pd.DataFrame | None) -> None:
    taken = {*COLUMNS, *([] if extra is None else map(str, extra.columns))}
    if again := [column for column in columns if column in taken]:
        raise CandleError(
            f"an external series needs a name of its own, but `{again[0]}` is a column of the candles already; "
            f"call {name!r} something else"
        )


def _known_values(name: str, given: ExternalFile) -> Known:
    """The columns under their names beside the candles, at the times at which they are known."""
    if not given.file.is_file():
        raise FileNotFoundError(f"there is no file {given.file} for the external series {name!r}; check the path")
    table = read_series_table(given.file)
    known = _of_candles(name, given.file) if _may_be_candles(table) else _of_series(given, table)
    values = known.values
    delay = parse_bar(given.delay) if given.delay else pd.Timedelta(0)
    names = [name] if len(values.columns) == 1 else [f"{name}_{column}" for column in values.columns]
    times = later(pd.DatetimeIndex(values.index), delay).as_unit("ns")
    return Known(values.set_axis(names, axis=1).set_axis(times), known.notes)


def _may_be_candles(table: FileTable) -> bool:
    """Candles are never read as a series, in which each value is known at once: at a bar's open its close is not."""
    named = set(PRICES) <= roles_of(table.columns).keys() or bool(of_coins(table.columns))
    nameless = all(column.startswith("column ") for column in table.columns)
    return named or (nameless and len(table.columns) >= CANDLE_WIDTH)


def _of_candles(name: str, path: Path) -> Known:
    """Another market's close and volume, at the end of each of its bars."""
    try:
        with spelled(partial(_for_repair, path)):
            candles = read_candles(path)
    except CandleError as error:
        raise CandleError(f"the external candles `{name}` cannot be read as they are: {error}") from None
    return Known(candles.frame[["close", "volume"]].set_axis(bar_ends(candles.index, candles.bar)))


def _for_repair(path: Path, setting: str, value: object) -> str:
    """How that file is mended before it is an external one, for which there are no such settings."""
    command = f"python -m market repair {path} OUT.parquet"
    if setting == "market.repair":
        return command
    return f"{command} --{setting.removeprefix('market.').replace('_', '-')} {value}"


def _of_series(given: ExternalFile, table: FileTable) -> Known:
    path = given.file
    times, used = _times(path, table)
    columns, left_out = _numbers(path, table, used)
    if not columns:
        raise CandleError(f"an external series needs a column of numbers, but {path} has {table.columns}; name another file")
    values = pd.DataFrame(columns, index=pd.DatetimeIndex(times, tz="UTC")).sort_index()
    if values.index.has_duplicates:
        again = values.index[values.index.duplicated()][0]
        raise CandleError(
            f"an external series has one value a time, but {path} has {again:%Y-%m-%d %H:%M} twice; "
            + (_one_coin_of(table) or "drop one")
        )
    if not given.delay and not any(role_of(name) == CLOSE_TIME for name in used):
        _require_known_at_once(path, [name for name in table.columns if name not in (*used, *left_out)], values)
    return Known(values, [f"not used: {', '.join(f'`{name}`' for name in left_out)}"] if left_out else [])


def _one_coin_of(table: FileTable) -> str:
    """What to do where rows are of several coins; empty where they are not."""
    for name in roles_of(table.columns).get(SYMBOL, []):
        coins = [str(coin) for coin in pc.unique(table.cells.column(name)).to_pylist()]
        if len(coins) > 1:
            return f"keep the rows of one `{name}` of {', '.join(coins[:5])}"
    return ""


def _times(path: Path, table: FileTable) -> tuple[np.ndarray, list[str]]:
    """The time at which each row is known, datetime64[ns] (T,), and the columns that say so; of several the latest.

    Raises:
        CandleError: no column holds times, or one of its cells is none.
    """
    roles = roles_of(table.columns)
    named = [*roles.get(TIME, []), *roles.get(CLOSE_TIME, [])] or _times_by_value(table)
    names = named[:1] + [name for name in named[1:] if _are_further_times(table.cells.column(name))]
    if not names:
        raise CandleError(f"an external series needs a column of times, but {path} has {table.columns}; name it `time`")
    columns = {name: table.cells.column(name) for name in names}
    clocks = [name for name, column in columns.items() if is_clock(column)]
    days = [name for name in names if name not in clocks]
    if clocks and days:
        joined = {f"{days[0]} {clocks[0]}": with_clock(columns[days[0]], columns[clocks[0]])}
        columns = joined | {name: columns[name] for name in days[1:]}
    parsed = [_readable(path, table, column) for column in columns.values()]
    return np.maximum.reduce(parsed), names


def _times_by_value(table: FileTable) -> list[str]:
    """The first column whose cells are times, of those that are called so if there are any."""
    found = [name for name in table.columns if are_times(table.cells.column(name))]
    called = [name for name in found if set(words_of(name).split()) & {"time", "date", "timestamp", "day", "month"}]
    return [*called, *found][:1]


def _are_further_times(column: pa.ChunkedArray) -> bool:
    """Whether a column beside one of times holds times or clocks, too: not all the same one, as that of a download is."""
    parsed = parse_times(column)
    return is_clock(column) or (not parsed.odd and len(np.unique(parsed.times)) > 1)


def _readable(path: Path, table: FileTable, column: pa.ChunkedArray) -> np.ndarray:
    parsed = parse_times(column)
    if parsed.odd:
        row, text = next(iter(parsed.odd.items()))
        said = text.partition(" (")[0]  # what stands behind it is advice on candles
        raise CandleError(
            f"a time must be readable, but {table.place} {table.numbers[row]} of {path} has {said!r}; write it as {EXAMPLE}, or "
            "drop it"
        )
    return parsed.times


def _numbers(path: Path, table: FileTable, used: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """float64 (T,) by the name of an extra column; and the columns that hold no numbers.

    Raises:
        CandleError: a cell among numbers is none.
    """
    cells = {name: _bare(table.cells.column(name)) for name in table.columns if name not in used}
    comma = has_decimal_comma(list(cells.values()))
    columns: dict[str, np.ndarray] = {}
    left_out = []
    for name, column in cells.items():
        numbers, odd = number_cells(column, comma)
        readable = np.isfinite(numbers).sum()
        if readable == 0 or len(odd) > readable:
            if any("comma may" in text for text in odd.values()):
                _refuse_cell(path, table, name, odd)
            left_out.append(name)
            continue
        if odd:
            _refuse_cell(path, table, name, odd)
        called = extra_name(name)
        columns[called if called not in columns else f"{called}_{len(columns) + 1}"] = numbers
    return columns, left_out


def _refuse_cell(path: Path, table: FileTable, name: str, odd: dict[int, str]) -> None:
    row, text = next(iter(odd.items()))
    raise CandleError(
        f"a value must be a number, but `{name}` in {table.place} {table.numbers[row]} of {path} has {text!r}; correct it, or "
        "leave it empty"
    )


def _bare(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells without a value empty; `12%` as 12 where all have the sign."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    text = text_cells(column)
    text = text.where(~text.str.lower().isin(NOTHING), "")
    if (text.str.endswith("%") | (text == "")).all():
        text = text.str.removesuffix("%").str.rstrip()
    return pa.chunked_array([pa.array(text, pa.string())])


def _require_known_at_once(path: Path, names: list[str], values: pd.DataFrame) -> None:
    """A close is stamped by the day or the bar that it ends, and so is known later than its time says."""
    roles = (*PRICES, BASE, QUOTE, VOLUME)
    of_a_bar = [name for name in names if role_of(name) in roles and set(words_of(name).split()) & OF_A_BAR]
    bar = usual_bar(pd.DatetimeIndex(values.index).tz_localize(None).to_numpy()) or pd.Timedelta("1D")
    if of_a_bar:
        raise CandleError(
            f"a value is known from its time on, but `{of_a_bar[0]}` of {path} is known when its day or bar ends; give a delay, "
            f"such as {{file: {path.name}, delay: {bar_name(bar)}}}, or another name if it is known at its time"
        )
