"""Measures how many bars back each column remembers: what must be at hand to compute the newest row alone."""

from collections.abc import Callable

import numpy as np

TOLERANCE = 1e-7  # of the column's scale; float32 itself resolves no better than 5e-7 at the bounds
MARGIN = 1.25  # an exponential average forgets a start that is ten times as far off in an eighth more bars
STARTS = 12
FIRST_RUN = 1_024


def measure_memory(whole: np.ndarray, rows_from: Callable[[int, int], np.ndarray], scale: np.ndarray) -> np.ndarray:
    """Computes the columns anew from several later starts, and looks when they come to agree with the whole series for good.

    Args:
        whole: float64 (T, F), computed from all candles; NaN in warm-ups.
        rows_from: the same columns of the candles [first, last) alone, float64 (last - first, F).
        scale: float64 (F,), what a difference is measured by.

    Returns:
        int64 (F,): bars that give the newest value to a ten-millionth of its scale, the bar itself included, with a margin of a
        quarter for what exceeds the warm-up; T where a column still differed at the end.
    """
    bars = len(whole)
    starts = np.unique(np.linspace(1, max(bars // 3, 1), STARTS).astype(int))
    memory = np.ones(whole.shape[1], np.int64)
    for start in starts:
        memory = np.maximum(memory, _memory_from(int(start), whole, rows_from, scale))
    return np.minimum(memory, bars)


def _memory_from(start: int, whole: np.ndarray, rows_from: Callable[[int, int], np.ndarray], scale: np.ndarray) -> np.ndarray:
    """As above, from one start: in a longer and longer run, until the last quarter of the run shows no difference."""
    run = FIRST_RUN
    while True:
        last = min(start + run, len(whole))
        part = rows_from(start, last)
        apart = ~(np.abs(part - whole[start:last]) <= TOLERANCE * scale)  # a NaN is apart
        needed = np.where(apart.any(axis=0), len(part) - np.argmax(apart[::-1], axis=0), 0) + 1
        if last == len(whole) or (needed <= 0.75 * len(part)).all():
            warm = np.argmin(np.isnan(part), axis=0) + 1
            settled = needed <= 0.75 * len(part)
            return np.where(settled, warm + np.ceil(MARGIN * (needed - warm)).astype(np.int64), len(whole))
        run *= 4
