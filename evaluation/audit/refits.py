"""Where a column is fitted anew: the bars at which it begins to answer to a change of bars that lie some way back."""

import numpy as np
import pandas as pd

from evaluation.audit.compare import Rows, unequal
from evaluation.audit.futures import like
from market import Candles

SHAKEN = 6
"""neighbouring bars that are changed"""
QUIET = 4
"""bars without an answer before a refit: by then no window of the column's own holds what was changed"""
LASTING = 40
"""bars that a new model is used for; a lag of 24 bars, say, answers at a few bars alone"""


def shaken(candles: Candles, bar: int, seed: int) -> Candles:
    """The same candles, but for other prices and volumes from `bar` on for `SHAKEN` bars."""
    values = candles.frame.to_numpy(np.float64, copy=True)  # (T, 6): open, high, low, close, volume, quote_volume
    place = slice(bar, bar + SHAKEN)
    rng = np.random.default_rng([seed, bar])
    price, volume = np.exp(rng.normal(0, 0.05, (2, len(values[place]), 1)))
    values[place, :4] *= price
    values[place, 4:] *= volume
    return like(candles, pd.DataFrame(values, candles.frame.index, candles.frame.columns), len(candles))


def next_refit(true: Rows, other: Rows, bar: int) -> int | None:
    """The first bar from which on a column answers for long to what was shaken at `bar`, after it did not; None without one."""
    if true.names != other.names or true.first != other.first or len(true) != len(other):
        return None
    start = bar + SHAKEN - true.first
    answers = unequal(true.values, other.values)[max(start, 0) :]  # (R, F)
    found = [first for column in answers.T if (first := _onset(column)) is not None]
    return bar + SHAKEN + min(found) if found else None


def _onset(answers: np.ndarray) -> int | None:
    """The first True after `QUIET` False ones, if most of the `LASTING` bars after it are True as well."""
    changed = np.append(0, np.cumsum(answers))
    for first in np.flatnonzero(answers).tolist():
        after = answers[first : first + LASTING]
        if first >= QUIET and changed[first] == changed[first - QUIET] and len(after) > QUIET and after.mean() > 0.5:
            return int(first)
    return None
