"""The open time of each bar, from all columns of times that a file has: they must agree."""

from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from market.bar_grid import MONTH, bar_name, months_of, usual_bar
from market.candles import CandleError
from market.column_names import CLOSE_TIME, TIME, WITHIN
from market.read_options import ReadOptions
from market.times import ParsedTimes, is_clock, localized, parse_times, with_clock

JUST_BEFORE = (1, 1_000, 1_000_000, 1_000_000_000)
"""nanoseconds by which sources let a bar close before the next one opens: 19:59:59.999"""
SAME_EVERYWHERE = 0.95
"""share of rows in which two columns must differ alike if that is to be a rule and no fault of single rows"""
MINUTE, DAY = 60_000_000_000, 86_400_000_000_000


@dataclass
class TimeColumn:
    """What was read from the columns of times.

    Args:
        times: datetime64[ns] (T,), UTC, at which each bar opens; NaT where unreadable.
        odd: by row, what is written where no time could be read.
        read_as: by the file's column, what it was read as.
        naive: whether any of the times names no zone, and was taken for UTC.
        notes: what was done, in words.
    """

    times: np.ndarray
    odd: dict[int, str]
    naive: bool = False
    read_as: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def open_times(path: Path, cells: pa.Table, roles: dict[str, list[str]], options: ReadOptions) -> TimeColumn:
    """The times at which bars open.

    Raises:
        CandleError: two columns of times do not agree, or the time zone is none.
    """
    columns, found = _columns(cells, roles)
    parsed = {name: _parsed(path, column, options) for name, column in columns.items()}
    opens = [name for name in columns if name in found["open"]]
    closes = [name for name in columns if name in found["close"]]
    first, *others = [*opens, *closes]
    result = TimeColumn(
        parsed[first].times.copy(), dict(parsed[first].odd), bool(parsed[first].naive.any()), {}, list(parsed[first].notes)
    )
    result.read_as = dict.fromkeys(roles.get(WITHIN, []), "time within the bar, not used")
    closing = first in closes
    result.read_as[first] = "time at which a bar closes" if closing else "time at which a bar opens"
    for name in others:
        closing |= _compare(path, result, first, name, parsed[name].times, name in closes, first in closes)
    _from_closes(result, closing, options)
    _from_month_ends(result)
    return result


def _columns(cells: pa.Table, roles: dict[str, list[str]]) -> tuple[dict[str, pa.ChunkedArray], dict[str, list[str]]]:
    """The columns of times by name, a day and its clock as one; and which of them mean opens and which closes."""
    names = {name: cells.column(name) for role in (TIME, CLOSE_TIME) for name in roles.get(role, [])}
    clocks = [name for name in names if is_clock(names[name])]
    if clocks and (days := [name for name in names if name not in clocks and _are_days(names[name])]):
        joined = f"{days[0]} {clocks[0]}"
        column = with_clock(names[days[0]], names[clocks[0]])
        names = {joined: column} | {name: names[name] for name in names if name not in (days[0], *clocks)}
        return names, {"open": [joined, *roles.get(TIME, [])], "close": roles.get(CLOSE_TIME, [])}
    names = {name: column for name, column in names.items() if name not in clocks or len(names) == 1}
    return names, {"open": roles.get(TIME, []), "close": roles.get(CLOSE_TIME, [])}


def _are_days(column: pa.ChunkedArray) -> bool:
    """Whether it holds days without a time of day."""
    times = parse_times(column.slice(0, 1_000)).times
    times = times[~np.isnat(times)].astype(np.int64)
    return bool(len(times) and (times % DAY == 0).all()) or pa.types.is_date(column.type)


def _parsed(path: Path, column: pa.ChunkedArray, options: ReadOptions) -> ParsedTimes:
    parsed = parse_times(column, options.dates)
    if options.timezone is None or not parsed.naive.any():
        return parsed
    try:
        ZoneInfo(options.timezone)
        times = localized(parsed, options.timezone)
    except (KeyError, ValueError, OSError) as error:
        raise CandleError(
            f"the times of {path} cannot be read as {options.timezone} ({error}); name another zone, or give them in UTC"
        ) from None
    odd = parsed.odd | {
        int(row): str(pd.Timestamp(parsed.times[row])) for row in np.flatnonzero(np.isnat(times) & ~np.isnat(parsed.times))
    }
    return ParsedTimes(
        times, np.zeros(len(times), bool), odd, [*parsed.notes, f"times without a zone read as {options.timezone}"]
    )


def _compare(
    path: Path, result: TimeColumn, first: str, name: str, times: np.ndarray, named_close: bool, first_closes: bool
) -> bool:  # fmt: skip
    """Hold a further column against the first one; whether it shows that the first one means closes.

    Raises:
        CandleError: they differ in most rows, and not as an open time and a close time do.
    """
    both = ~np.isnat(result.times) & ~np.isnat(times)
    if not both.any():
        result.read_as[name] = "no readable time, not used"
        return False
    apart = (times - result.times)[both].astype(np.int64)
    bar = usual_bar(np.sort(result.times[both]))
    lengths = bar.value - np.array([0, *JUST_BEFORE] if named_close or first_closes else JUST_BEFORE)
    if _mostly(apart == 0):
        result.read_as[name] = "the same times"
        for row in np.flatnonzero(both)[apart != 0]:
            result.odd[int(row)] = f"{pd.Timestamp(result.times[row])}, but its `{name}` says {pd.Timestamp(times[row])}"
            result.times[row] = np.datetime64("NaT")
        return False
    if _mostly(np.isin(apart, lengths)) or (named_close and months_of(bar) and (apart > 0).all()):
        result.read_as[name] = "time at which a bar closes"
        return False
    if _mostly(np.isin(-apart, lengths)) and not named_close:
        result.read_as[first], result.read_as[name] = "time at which a bar closes", "time at which a bar opens"
        return True
    if _mostly(
        (times[both].astype("datetime64[D]") == result.times[both].astype("datetime64[D]"))
        & (times[both].astype(np.int64) % DAY == 0)
    ):
        result.read_as[name] = "the same days"
        return False
    values, counts = np.unique(apart, return_counts=True)
    row, usual = int(np.flatnonzero(both)[0]), pd.Timedelta(int(values[counts.argmax()]), "ns")
    raise CandleError(
        f"two columns of times must agree, but `{first}` of {path} has {pd.Timestamp(result.times[row]):%Y-%m-%d %H:%M:%S} where "
        f"`{name}` has {pd.Timestamp(times[row]):%Y-%m-%d %H:%M:%S} ({_hours(usual)} apart in {counts.max():,} of "
        f"{len(apart):,} rows); drop the column that is wrong"
    )


def _mostly(fits: np.ndarray) -> bool:
    return bool(fits.mean() >= SAME_EVERYWHERE)


def _hours(apart: pd.Timedelta) -> str:
    return f"{apart / pd.Timedelta('1h'):g} h"


def _from_closes(result: TimeColumn, closing: bool, options: ReadOptions) -> None:
    """Turn times at which bars close into those at which they open."""
    known = ~np.isnat(result.times)
    nanoseconds = result.times[known].astype(np.int64)
    tick = next((tick for tick in JUST_BEFORE if len(nanoseconds) and ((nanoseconds + tick) % MINUTE == 0).all()), 0)
    if options.times == "open" or not (closing or tick or options.times == "close"):
        return
    ends = (nanoseconds + tick).astype("datetime64[ns]")
    bar = usual_bar(np.sort(ends))
    result.times[known] = _earlier(ends, bar)
    result.notes.append(f"times at which bars close turned into those at which they open, {bar_name(bar)} earlier")


def _earlier(times: np.ndarray, bar: pd.Timedelta) -> np.ndarray:
    if months := months_of(bar):
        return (times.astype("datetime64[M]") - months).astype("datetime64[ns]")
    return times - np.timedelta64(bar.value, "ns")


def _from_month_ends(result: TimeColumn) -> None:
    """A month that is named by its last day, as pandas does, opens on its first."""
    known = ~np.isnat(result.times)
    times = result.times[known]
    if len(times) < 2 or not (times.astype(np.int64) % DAY == 0).all():
        return
    months = times.astype("datetime64[M]")
    next_day = (times + np.timedelta64(DAY, "ns")).astype("datetime64[M]")
    if not (next_day > months).all() or len(np.unique(months)) != len(months):
        return
    result.times[known] = months.astype("datetime64[ns]")
    bar = usual_bar(np.sort(result.times[known]))
    named = "months" if bar == MONTH else "spans of months"
    if months_of(bar) > 1:
        result.times[known] = (months - (months_of(bar) - 1)).astype("datetime64[ns]")
    result.notes.append(f"{named} named by their last day open on their first")
