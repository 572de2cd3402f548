"""Measures how many bars back each column remembers: what must be at hand to compute the newest row alone."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from features.progress import OnProgress, quiet

TOLERANCE = 1e-7  # of the column's scale; float32 itself resolves no better than 5e-7 at the bounds
MARGIN = 1.25  # an exponential average forgets a start that is ten times as far off in an eighth more bars
STARTS = 12
FIRST_RUN = 1_024
LONGER = 4
USUAL_RUNS = 4
"""as many runs, each `LONGER` times as long as the one before, are held ready for"""


def lookback_in_words(bars: int) -> str:
    """How many bars the newest row needs, and whether that asks for something."""
    return f"look-back {bars:,} bars (live, keep as many at hand; in training and backtests nothing is to be done)"


def measure_memory(
    columns: Callable[[int, int], pd.DataFrame], bars: int, scale: np.ndarray, on_progress: OnProgress = quiet
) -> np.ndarray:
    """Computes the columns anew from several later starts, and looks when they come to agree with the whole series for good.

    Args:
        columns: the columns of the candles [first, last) alone, float64 (last - first, F), causal to the bit; NaN in warm-ups.
        bars: T, of the whole series.
        scale: float64 (F,), what a difference is measured by.
        on_progress: is told of each start.

    Returns:
        int64 (F,): bars that give the newest value to a ten-millionth of its scale, the bar itself included, with a margin of a
        quarter for what exceeds the warm-up; T where a column still differed at the end.
    """
    starts = np.unique(np.linspace(1, max(bars // 3, 1), STARTS).astype(int))
    memory, whole = np.ones(len(scale), np.int64), _Whole(columns, bars)
    on_progress("look-back", 0, len(starts))
    whole.until(int(starts[-1]) + FIRST_RUN * LONGER ** (USUAL_RUNS - 1))
    for done, start in enumerate(starts):
        memory = np.maximum(memory, _memory_from(int(start), whole, scale))
        on_progress("look-back", done + 1, len(starts))
    return np.minimum(memory, bars)


class _Whole:
    """The columns of the whole series, as far as they were needed: what they are up to a bar depends on no later one."""

    def __init__(self, columns: Callable[[int, int], pd.DataFrame], bars: int) -> None:
        self.columns, self.bars = columns, bars
        self._table: pd.DataFrame | None = None

    def until(self, last: int) -> pd.DataFrame:
        """The first `last` bars or more; all of them if those at hand don't do."""
        if self._table is None:
            self._table = self.columns(0, min(last, self.bars))
        elif len(self._table) < last:
            self._table = None  # before the longer one is made
            self._table = self.columns(0, self.bars)
        return self._table


def _memory_from(start: int, whole: _Whole, scale: np.ndarray) -> np.ndarray:
    """As above, from one start: in a longer and longer run, until the last quarter of the run shows no difference."""
    run = FIRST_RUN
    while True:
        last = min(start + run, whole.bars)
        part, true = whole.columns(start, last), whole.until(last)
        needed, warm = np.ones((2, len(scale)), np.int64)
        for k in range(len(scale)):
            needed[k], warm[k] = _column_from(part.iloc[:, k].to_numpy(), true.iloc[start:last, k].to_numpy(), scale[k])
        settled = needed <= 0.75 * len(part)
        if last == whole.bars or settled.all():
            return np.where(settled, warm + np.ceil(MARGIN * (needed - warm)).astype(np.int64), whole.bars)
        run *= LONGER


def _column_from(part: np.ndarray, true: np.ndarray, scale: float) -> tuple[int, int]:
    """After how many bars a column came to agree with the true one for good, and after how many it had a value at all."""
    apart = ~(np.abs(part - true) <= TOLERANCE * scale)  # a NaN is apart
    needed = len(part) - int(np.argmax(apart[::-1])) if apart.any() else 0
    return needed + 1, int(np.argmin(np.isnan(part))) + 1
