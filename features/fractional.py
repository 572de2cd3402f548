"""Fractional differences of log prices and log volumes: between the level (order 0) and the log difference (order 1).

After Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 5, with a fixed-width window, made level-free.
"""

import numpy as np
import pandas as pd
from numba import njit

from common import InputError, cached
from features.log_differences import HELD_BARS, log_differences
from market import Candles

SMALLEST_THRESHOLD = 1e-6
"""a window of at most 36,000 bars"""


def fractional_differences(candles: Candles, order: float, threshold: float = 1e-4, volumes: bool = True) -> pd.DataFrame:
    """`(1 - L)^order` of the logs of the six columns, over a window of `warmup(order, threshold) + 1` bars.

    The sum of `weights(order, threshold)` times the logs, computed as a weighted sum of `log_differences`, whose rule for bars
    without trades it takes over: a silence of up to `HELD_BARS` keeps the volume before it, a longer one starts afresh.

    Args:
        candles: T bars.
        order: above 0 (the log itself) and at most 1 (exactly the log difference).
        threshold: weights smaller than this are cut off, which ends the window.
        volumes: also of the two volumes, not of the four prices alone.

    Returns:
        float64 (T, 6), columns `frac_log_open` and so on; the first `warmup(order, threshold)` rows are NaN, no other value is.

    Raises:
        InputError: an order or a threshold out of its range.
    """
    table = log_differences(candles, volumes)
    values = filter_differences(table.to_numpy(), order, threshold)
    names = [name.replace("d_log_", "frac_log_") for name in table.columns]
    return pd.DataFrame(values, index=table.index, columns=names, copy=False)


def filter_differences(differences: np.ndarray, order: float, threshold: float = 1e-4) -> np.ndarray:
    """The fractional differences, float64 (T, F), of series whose first differences are the columns of float64 (T, F).

    Row t has the difference between bars t-1 and t, so row 0 is not used. The weights of the differences are the running sums of
    `weights` (summation by parts), which end at 0: no level enters, and none is left. Every row is summed in the same order, so
    its bits depend neither on the rows after it nor on the start.
    """
    running = np.cumsum(weights(order, threshold))[:-1]
    return _filter(np.ascontiguousarray(differences, np.float64), running)


def weights(order: float, threshold: float = 1e-4) -> np.ndarray:
    """Weights of x_t, x_{t-1}, ..., float64: w_0 = 1, w_k = -w_{k-1} (order - k + 1) / k, down to the last one of `threshold`.

    What was cut off is put on the oldest one, so that they sum to 0 as the endless series does. If it were left out, as in the
    book, 7 % of the level would stay at order 0.4 and threshold 1e-4, and that is most of what the column would show: see
    docs/features.md.

    Raises:
        InputError: `order` is not in (0, 1], or `threshold` not in [`SMALLEST_THRESHOLD`, order].
    """
    if not 0 < order <= 1:
        raise InputError(f"`0 < order <= 1` must hold, but got {order=}; 0 is the level itself, 1 the log difference")
    if not SMALLEST_THRESHOLD <= threshold <= order:
        raise InputError(
            f"`{SMALLEST_THRESHOLD:g} <= threshold <= order` must hold, but got {threshold=} and {order=}; "
            "below, the window is too long, and above, no past bar has a weight"
        )
    series, following = [1.0], -order
    while abs(following) >= threshold:
        series.append(following)
        following *= (len(series) - 1 - order) / len(series)
    kept = np.array(series)
    kept[-1] -= kept.sum()
    return kept


def warmup(order: float, threshold: float = 1e-4) -> int:
    """Bars in front that have no fractional difference: the window less one."""
    return len(weights(order, threshold)) - 1


def lookback(order: float, threshold: float = 1e-4) -> int:
    """Bars before its own that a row may depend on: its window, and what the oldest difference in it looks back to."""
    return warmup(order, threshold) - 1 + HELD_BARS


@cached(njit, error_model="numpy")
def _filter(differences: np.ndarray, running: np.ndarray) -> np.ndarray:
    out = np.full_like(differences, np.nan)
    for t in range(len(running), len(differences)):
        out[t] = 0.0
        for k in range(len(running)):
            for column in range(differences.shape[1]):
                out[t, column] += running[k] * differences[t - k, column]
    return out
