"""The open time of each bar, from all columns of times that a file has: they must agree."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from market import time_relations
from market.bar_grid import MONTH, bar_name, months_of, usual_bar
from market.candles import CandleError
from market.column_names import CLOSE_TIME, TIME, WITHIN, words_of
from market.read_options import ReadOptions
from market.time_relations import DAY, JUST_BEFORE
from market.times import ParsedTimes, is_clock, localized, parse_times, with_clock

ENDS_OF_BARS = ("home notional", "foreign notional")
"""columns that BitMEX alone gives, whose timestamps are ends of bars"""
SAID = r"open|start|begin"
"""in the name of a column that is of the bar's open, and not of a trade or a download"""
MINUTE = 60_000_000_000


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
    _leave_out_what_is_no_time(cells, roles)
    columns, found = _columns(cells, roles)
    parsed = {name: _parsed(path, column, options) for name, column in columns.items()}
    opens = [name for name in columns if name in found["open"]]
    opens.sort(key=lambda name: (_are_days(columns[name]), not re.search(SAID, words_of(name))))  # what says most comes first
    closes = [name for name in columns if name in found["close"]]
    first, *others = [*opens, *closes]
    result = TimeColumn(
        parsed[first].times.copy(), dict(parsed[first].odd), bool(parsed[first].naive.any()), {}, list(parsed[first].notes)
    )
    result.read_as = dict.fromkeys(roles.get(WITHIN, []), "time within the bar, not used")
    closing = first in closes or {words_of(name) for name in cells.column_names} >= set(ENDS_OF_BARS)
    result.read_as[first] = "time at which a bar closes" if closing else "time at which a bar opens"
    for name in others:
        closing |= _compare(path, result, first, name, parsed[name].times, first in closes or name in closes)
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


def _leave_out_what_is_no_time(cells: pa.Table, roles: dict[str, list[str]]) -> None:
    """A column that is called `data` may hold anything; where another one holds times, it is left to the extra columns."""
    named = [name for role in (TIME, CLOSE_TIME) for name in roles.get(role, [])]
    heads = {name: cells.column(name).slice(0, 1_000) for name in named}
    readable = {name for name, head in heads.items() if is_clock(head) or not np.isnat(parse_times(head).times).all()}
    if readable:
        for role in (TIME, CLOSE_TIME):
            roles[role] = [name for name in roles.get(role, []) if name in readable]


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


READ_AS = {
    time_relations.SAME: "the same times", time_relations.CLOSES: "time at which a bar closes",
    time_relations.OPENS: "time at which a bar opens", time_relations.DAYS: "the same days",
    time_relations.WITHIN: "time within the bar, not used",
    time_relations.OTHER: "another time, which varies from row to row, not used",
}  # fmt: skip


def _compare(path: Path, result: TimeColumn, first: str, name: str, times: np.ndarray, named_close: bool) -> bool:
    """Hold a further column against the first one; whether it shows that the first one means closes.

    Raises:
        CandleError: they differ in most rows, and not as an open time and a close time do.
    """
    both = ~np.isnat(result.times) & ~np.isnat(times)
    if not both.any():
        result.read_as[name] = "no readable time, not used"
        return False
    found = time_relations.relation(result.times[both], times[both], named_close)
    if found == time_relations.APART:
        raise CandleError(_contradiction(path, first, result.times, name, times))
    result.read_as[name] = READ_AS[found]
    if found == time_relations.SAME:
        for row in np.flatnonzero(both & (times != result.times)):
            result.odd[int(row)] = f"{pd.Timestamp(result.times[row])}, but its `{name}` says {pd.Timestamp(times[row])}"
            result.times[row] = np.datetime64("NaT")
    if found == time_relations.OPENS:
        result.read_as[first] = READ_AS[time_relations.CLOSES]
    return found == time_relations.OPENS


def _contradiction(path: Path, first: str, one: np.ndarray, name: str, two: np.ndarray) -> str:
    both = np.flatnonzero(~np.isnat(one) & ~np.isnat(two))
    values, counts = np.unique((two - one)[both].astype(np.int64), return_counts=True)
    row, usual = int(both[0]), pd.Timedelta(int(values[counts.argmax()]), "ns")
    return (
        f"two columns of times must agree, but `{first}` of {path} has {pd.Timestamp(one[row]):%Y-%m-%d %H:%M:%S} where "
        f"`{name}` has {pd.Timestamp(two[row]):%Y-%m-%d %H:%M:%S} ({_hours(usual)} apart in {counts.max():,} of "
        f"{len(both):,} rows); drop the column that is wrong"
    )


def _hours(apart: pd.Timedelta) -> str:
    return f"{apart / pd.Timedelta('1h'):g} h"


def _from_closes(result: TimeColumn, closing: bool, options: ReadOptions) -> None:
    """Turn times at which bars close into those at which they open."""
    known = ~np.isnat(result.times)
    nanoseconds = result.times[known].astype(np.int64)
    tick = next((tick for tick in JUST_BEFORE if len(nanoseconds) and ((nanoseconds + tick) % MINUTE == 0).all()), 0)
    length = usual_bar(np.sort(result.times[known])).value
    if not tick and MINUTE < length <= DAY and ((nanoseconds + MINUTE) % length == 0).all():
        tick = MINUTE  # 00:59 of an hour, 23:59 of a day
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
