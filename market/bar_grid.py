"""Where bars open: on a grid of one length, or on the first day of calendar months."""

import re

import numpy as np
import pandas as pd

from common import InputError

MONTH = pd.Timedelta(days=365.25 / 12)
"""length of a calendar month's bar: the mean one, so that a year has 12; its bars open on the first day of each month, UTC"""


def months_of(bar: pd.Timedelta) -> int:
    """Months of a calendar bar: 1, 3 (a quarter), 12 (a year); 0 for a bar of one length."""
    months = bar / MONTH
    return int(months) if months in (1, 3, 12) else 0


def grid_numbers(times: np.ndarray, bar: pd.Timedelta) -> tuple[np.ndarray, np.ndarray]:
    """The number of the grid's bar in which each time lies, and whether it is the time at which that bar opens.

    Args:
        times: datetime64[ns] (T,), none of them NaT.

    Returns:
        int64 (T,) numbers that rise by 1 from a bar to the next; bool (T,). The grid of a bar of one length lies where most
        times lie.
    """
    if not len(times):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    if months := months_of(bar):
        numbers = times.astype("datetime64[M]").astype(np.int64) // months
        return numbers, _months_from(numbers, months) == times
    nanoseconds = times.astype("datetime64[ns]").astype(np.int64)
    phase = most_frequent(nanoseconds % bar.value)
    return (nanoseconds - phase) // bar.value, nanoseconds % bar.value == phase


def grid_times(first: np.datetime64, count: int, bar: pd.Timedelta) -> np.ndarray:
    """datetime64[ns] (count,): the times at which bars open, from `first`, which is on the grid, onwards."""
    if months := months_of(bar):
        number = first.astype("datetime64[M]").astype(np.int64) // months
        return _months_from(number + np.arange(count), months)
    return (first.astype("datetime64[ns]").astype(np.int64) + bar.value * np.arange(count)).astype("datetime64[ns]")


def bar_ends(index: pd.DatetimeIndex, bar: pd.Timedelta) -> pd.DatetimeIndex:
    """The times at which bars end: those at which the next ones open.

    A month is not `MONTH` long but has 28 to 31 days, so that `index + bar` would be up to two days beside its end.

    >>> bar_ends(pd.DatetimeIndex(["2024-02-01"], tz="UTC"), MONTH)[0]
    Timestamp('2024-03-01 00:00:00+0000', tz='UTC')
    """
    months = months_of(bar)
    if not months:
        return index + bar
    numbers, _ = grid_numbers(index.tz_localize(None).to_numpy(), bar)
    return pd.DatetimeIndex(_months_from(numbers + 1, months)).tz_localize(index.tz)


def later(times: pd.DatetimeIndex, delay: pd.Timedelta) -> pd.DatetimeIndex:
    """Times that much later; by calendar months if the delay is one or several of `MONTH`: 31 January is then 28 February."""
    months = months_of(delay)
    return pd.DatetimeIndex(times + (pd.DateOffset(months=months) if months else delay))


def bars_between(first: pd.Timestamp, last: pd.Timestamp, bar: pd.Timedelta) -> int:
    """How many bars after `first` the bar of `last` opens."""
    if months := months_of(bar):
        return ((last.year - first.year) * 12 + last.month - first.month) // months
    return int((last - first) / bar)


def usual_bar(times: np.ndarray) -> pd.Timedelta:
    """The most frequent distance of two times in order, or that many calendar months; 0 if there are fewer than two times.

    Args:
        times: datetime64[ns] (T,), rising.
    """
    steps = np.diff(times.astype("datetime64[ns]").astype(np.int64))
    steps = steps[steps > 0]
    if not len(steps):
        return pd.Timedelta(0)
    bar = pd.Timedelta(most_frequent(steps), "ns")
    for months in (1, 3, 12):
        if abs(bar - MONTH * months) <= pd.Timedelta(days=3) and grid_numbers(times, MONTH * months)[1].all():
            return MONTH * months
    return bar


def most_frequent(values: np.ndarray) -> int:
    """Of integers, the smallest of equally frequent ones; at once where all are the same, as in most files."""
    if (values == values[0]).all():
        return int(values[0])
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def bar_name(bar: pd.Timedelta) -> str:
    """`1h`, `15min`, `1d`, `1month`."""
    if months := months_of(bar):
        return f"{months}month"
    for length, name in (("1D", "d"), ("1h", "h"), ("1min", "min"), ("1s", "s")):
        count = bar / pd.Timedelta(length)
        if count == int(count):
            return f"{int(count)}{name}"
    return str(bar)


def parse_bar(text: str) -> pd.Timedelta:
    """`15min`, `4h`, `1d`, `1month` as a length of time; `15m` is fifteen minutes and `1M` a month, as exchanges write them.

    Raises:
        InputError: the text is no positive length.
    """
    if months := re.fullmatch("(1|3|12) ?(M|month|months|mo)", text):
        return MONTH * int(months.group(1))
    try:
        bar = pd.Timedelta(re.sub("m$", "min", re.sub("[dw]$", lambda unit: unit[0].upper(), text)))
    except ValueError:
        bar = pd.Timedelta(0)
    if not bar > pd.Timedelta(0):
        raise InputError(f"a bar must be a length of time such as 15min, 1h, 1d or 1month, but got {text!r}")
    return bar


def _months_from(numbers: np.ndarray, months: int) -> np.ndarray:
    return (numbers * months).astype("datetime64[M]").astype("datetime64[ns]")
