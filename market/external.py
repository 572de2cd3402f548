"""Series from other files beside the candles: each bar gets the last value that was known when it closed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from market.bar_grid import parse_bar
from market.candles import CandleError, Candles
from market.column_names import PRICES, TIME, is_bare, roles_of
from market.file_table import FileTable
from market.layouts import read_series_table
from market.number_cells import number_cells
from market.raw_table import extra_name
from market.read import read_candles
from market.settings import ExternalFile
from market.times import parse_times


def with_external(candles: Candles, files: dict[str, ExternalFile]) -> Candles:
    """The candles with further extra columns: at each bar the newest value whose time, and delay, lie at its close or before.

    A file of one column of numbers gives the column of that name; one of several gives `name_column`; one of candles gives
    `name_close` and `name_volume`.

    Args:
        candles: the bars.
        files: by name.

    Raises:
        CandleError: a file without times or numbers, with a time twice, or without any value before the last bar closes.
    """
    extra, notes = candles.extra, []
    for name, given in files.items():
        values = _known_values(name, given)
        closing = (candles.index + candles.bar).as_unit("ns")
        joined = pd.merge_asof(pd.DataFrame(index=closing), values, left_index=True, right_index=True).set_axis(candles.index)
        if joined.isna().all().any():
            raise CandleError(
                f"an external series must begin before the candles end, but {given.file} begins at "
                f"{values.index[0]:%Y-%m-%d %H:%M} and {candles.source} ends at {candles.index[-1]:%Y-%m-%d %H:%M}; "
                "give values of that time"
            )
        extra = joined if extra is None else extra.join(joined)
        notes.append(f"{name}: {len(values):,} values of {given.file.name}" + (f", {given.delay} later" if given.delay else ""))
    if not files:
        return candles
    return replace(candles, source="; ".join([candles.source, *notes]), extra=extra)


def _known_values(name: str, given: ExternalFile) -> pd.DataFrame:
    """float64 columns by the time at which they are known, UTC, rising."""
    table = read_series_table(given.file)
    values = _of_candles(given.file) if set(PRICES) <= roles_of(table.columns).keys() else _of_series(given.file, table)
    delay = parse_bar(given.delay) if given.delay else pd.Timedelta(0)
    names = [name] if len(values.columns) == 1 else [f"{name}_{column}" for column in values.columns]
    return values.set_axis(names, axis=1).set_axis((pd.DatetimeIndex(values.index) + delay).as_unit("ns"))


def _of_candles(path: Path) -> pd.DataFrame:
    """Another market's close and volume, at the end of each of its bars."""
    candles = read_candles(path)
    return candles.frame[["close", "volume"]].set_axis(candles.index + candles.bar)


def _of_series(path: Path, table: FileTable) -> pd.DataFrame:
    roles = roles_of(table.columns)
    named = roles.get(TIME) or [column for column in table.columns if is_bare(column) or column.startswith("column ")]
    if not named:
        raise CandleError(f"an external series needs a column of times, but {path} has {table.columns}; name it `time`")
    parsed = parse_times(table.cells.column(named[0]))
    if parsed.odd:
        row, text = next(iter(parsed.odd.items()))
        raise CandleError(
            f"a time must be readable, but {table.place} {table.numbers[row]} of {path} has {text!r}; correct or drop it"
        )
    columns = {}
    for column in table.columns:
        numbers, odd = number_cells(table.cells.column(column), False)
        if column not in roles.get(TIME, named) and len(odd) * 2 <= len(numbers) and np.isfinite(numbers).any():
            columns[extra_name(column)] = numbers
    if not columns:
        raise CandleError(f"an external series needs a column of numbers, but {path} has {table.columns}; name another file")
    values = pd.DataFrame(columns, index=pd.DatetimeIndex(parsed.times, tz="UTC")).sort_index()
    if values.index.has_duplicates:
        again = values.index[values.index.duplicated()][0]
        raise CandleError(f"an external series has one value a time, but {path} has {again:%Y-%m-%d %H:%M} twice; drop one")
    return values
