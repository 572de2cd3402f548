"""Trailing windows and recursions over a column of T bars, compiled; every number uses its bar and the bars before it.

A window is summed anew at each bar: it costs `window` additions, and the bars that left it leave no rounding errors behind.
All take float64 arrays or `pandas.Series` (T,) and return float64 (T,), NaN where a window is not full or holds a NaN.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numba import njit

from common import cached

Result = TypeVar("Result")

compiled = cached(njit, error_model="numpy")


def on_arrays(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let a function of arrays take Series too: a column reaches it contiguous and read-only, so that it is compiled once."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Result:
        return function(*(_read_only(a) if isinstance(a, np.ndarray | pd.Series) else a for a in arguments), **options)

    return call


def _read_only(values: np.ndarray | pd.Series) -> np.ndarray:
    column = np.ascontiguousarray(values, np.float64).view()  # no copy of what is contiguous already
    column.flags.writeable = False
    return column


@on_arrays
def shift(values: np.ndarray, bars: int = 1) -> np.ndarray:
    """The value so many bars ago."""
    shifted = np.full(len(values), np.nan)
    shifted[bars:] = values[: max(len(values) - bars, 0)]
    return shifted


def change(values: np.ndarray | pd.Series, bars: int = 1) -> np.ndarray:
    """The difference from the value so many bars ago."""
    return np.asarray(values) - shift(values, bars)


@on_arrays
@compiled
def rolling_sum(values: np.ndarray, window: int) -> np.ndarray:
    """Sum of the last `window` values."""
    sums = np.full(len(values), np.nan)
    for bar in range(window - 1, len(values)):
        total = 0.0
        for past in range(bar - window + 1, bar + 1):
            total += values[past]
        sums[bar] = total
    return sums


def rolling_mean(values: np.ndarray | pd.Series, window: int) -> np.ndarray:
    """The simple moving average."""
    return rolling_sum(values, window) / window


@on_arrays
@compiled
def rolling_max(values: np.ndarray, window: int) -> np.ndarray:
    """The highest of the last `window` values."""
    highest = np.full(len(values), np.nan)
    for bar in range(window - 1, len(values)):
        top = values[bar]
        for past in range(bar - window + 1, bar):
            if values[past] > top or np.isnan(values[past]):
                top = values[past]
        highest[bar] = top
    return highest


def rolling_min(values: np.ndarray | pd.Series, window: int) -> np.ndarray:
    """The lowest of the last `window` values."""
    return -rolling_max(-np.asarray(values), window)


@on_arrays
@compiled
def rolling_argmax(values: np.ndarray, window: int) -> np.ndarray:
    """Place of the highest of the last `window` values, the earliest if there are several: 0 the oldest, window - 1 this bar."""
    places = np.full(len(values), np.nan)
    for bar in range(window - 1, len(values)):
        first = bar - window + 1
        top = first
        for past in range(first + 1, bar + 1):
            if values[past] > values[top] or np.isnan(values[past]):
                top = past
        places[bar] = np.nan if np.isnan(values[top]) else top - first
    return places


@on_arrays
@compiled
def rolling_std(values: np.ndarray, window: int) -> np.ndarray:
    """Population standard deviation; exactly 0 where all values of the window are equal."""
    deviations = np.full(len(values), np.nan)
    for bar in range(window - 1, len(values)):
        total, squares = 0.0, 0.0
        for past in range(bar - window + 1, bar + 1):
            total += values[past] - values[bar]  # equal values differ by exactly 0; their mean may be off by a rounding error
        mean = total / window
        for past in range(bar - window + 1, bar + 1):
            squares += (values[past] - values[bar] - mean) ** 2
        deviations[bar] = np.sqrt(squares / window)
    return deviations


@on_arrays
@compiled
def rolling_deviation(values: np.ndarray, window: int) -> np.ndarray:
    """This value less the window's mean, over the window's mean absolute deviation; NaN where all values are equal."""
    ratios = np.full(len(values), np.nan)
    for bar in range(window - 1, len(values)):
        total, distance = 0.0, 0.0
        for past in range(bar - window + 1, bar + 1):
            total += values[past] - values[bar]
        mean = total / window
        for past in range(bar - window + 1, bar + 1):
            distance += abs(values[past] - values[bar] - mean)
        ratios[bar] = -mean / (distance / window)
    return ratios


@on_arrays
@compiled
def smooth(values: np.ndarray, alphas: np.ndarray, seed_bars: int) -> np.ndarray:
    """`level += alpha * (value - level)`, begun with the mean of the first `seed_bars` values that are not NaN.

    A NaN leaves the level as it is, and the old level's weight decays all the same, as in `pandas.Series.ewm`.

    Args:
        values: float64 (T,).
        alphas: float64 (T,) in (0, 1]: the weight of each new value.
        seed_bars: number of values that the first level averages.
    """
    levels = np.full(len(values), np.nan)
    seen, level, weight = 0, 0.0, 1.0
    for bar in range(len(values)):
        alpha = 1 / (seen + 1) if seen < seed_bars else alphas[bar]
        weight *= 1 - alpha
        if not np.isnan(values[bar]):
            level += alpha / (alpha + weight) * (values[bar] - level)
            seen, weight = seen + 1, 1.0
        if seen >= seed_bars:
            levels[bar] = level
    return levels


def ema(values: np.ndarray | pd.Series, span: int) -> np.ndarray:
    """Exponential moving average with alpha = 2 / (span + 1) from the first value on; NaN until `span` values are known."""
    levels = smooth(values, np.full(len(values), 2 / (span + 1)), 1)
    start = int(np.argmax(~np.isnan(levels))) if len(levels) else 0
    levels[: start + span - 1] = np.nan
    return levels


def wilder(values: np.ndarray | pd.Series, window: int) -> np.ndarray:
    """Wilder's moving average: alpha = 1 / window, begun with the mean of the first `window` values."""
    return smooth(values, np.full(len(values), 1 / window), window)
