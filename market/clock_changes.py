"""Tells local times by the hours at which clocks are changed: one is missing in spring, and one occurs twice in autumn."""

import numpy as np
import pandas as pd

HOUR = pd.Timedelta("1h")
SUNDAY = 6
NIGHT = (0, 4)
"""hours at which clocks are changed"""
FORWARD, BACK = (3, 4, 9, 10), (9, 10, 11, 3, 4)
"""months in which clocks go forward or back, north and south of the equator"""


def hours_twice(times: np.ndarray, again: np.ndarray) -> bool:
    """Whether the times that occur twice are all in nights in which clocks go back.

    Args:
        times: datetime64[ns] (T,), sorted.
        again: int64 (n,), places of times that equal the one before.
    """
    nights = [night for time in times[again] if (night := _night(time, BACK))]
    return bool(len(again)) and len(nights) == len(again) and len(set(nights)) <= _years(times) * 1.0 + 1


def hour_lacks(before: np.datetime64, after: np.datetime64, bar: pd.Timedelta) -> bool:
    """Whether two bars are an hour too far apart, in a night in which clocks go forward."""
    gap = pd.Timedelta(after - before) - bar
    return gap == HOUR and bool(_night(before, FORWARD) or _night(after, FORWARD))


def beside_by_an_hour(times: np.ndarray, stray: np.ndarray, bar: pd.Timedelta) -> bool:
    """Whether all bars beside the grid are one hour off it, as local days are for half of a year.

    Args:
        times: datetime64[ns] (T,).
        stray: bool (T,), those beside the grid.
    """
    if bar <= HOUR or stray.all() or not stray.any():
        return False
    phases = np.unique(times.astype(np.int64) % bar.value)
    return len(phases) == 2 and int(phases[1] - phases[0]) in (HOUR.value, bar.value - HOUR.value)


def _night(time: np.datetime64, months: tuple[int, ...]) -> str:
    stamp = pd.Timestamp(time)
    inside = stamp.weekday() == SUNDAY and NIGHT[0] <= stamp.hour <= NIGHT[1] and stamp.month in months
    return f"{stamp:%Y-%m-%d}" if inside else ""


def _years(times: np.ndarray) -> float:
    return float((times[-1] - times[0]) / np.timedelta64(365, "D"))
