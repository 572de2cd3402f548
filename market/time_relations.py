"""How a further column of times stands to the first one: the same, a bar's other end, the day alone, or something else."""

import numpy as np

from market.bar_grid import months_of, usual_bar

JUST_BEFORE = (1, 1_000, 1_000_000, 1_000_000_000)
"""nanoseconds by which sources let a bar close before the next one opens: 19:59:59.999"""
SAME_EVERYWHERE = 0.95
"""share of rows in which two columns must differ alike if that is to be a rule and no fault of single rows"""
VARIED = 0.5
"""share of rows at one distance from which on a column is no time of a trade or a download"""
DAY = 86_400_000_000_000
SAME, CLOSES, OPENS, DAYS, WITHIN, OTHER, APART = "same", "closes", "opens", "days", "within", "other", "apart"


def relation(first: np.ndarray, other: np.ndarray, named_close: bool) -> str:
    """One of the names above; `OPENS` says that the first column holds the ends of bars, `APART` that the two contradict.

    Args:
        first, other: datetime64[ns] (T,), none of them NaT.
        named_close: whether one of them has the name of a bar's end: then it may lie a whole bar later. Without such a name only
            19:59:59.999 shows it; a whole hour may be a time zone.
    """
    apart, bar = (other - first).astype(np.int64), usual_bar(np.sort(first))
    lengths = bar.value - np.array([0, *JUST_BEFORE] if named_close else JUST_BEFORE)
    if _mostly(apart == 0):
        return SAME
    if _mostly(np.isin(apart, lengths)) or (named_close and months_of(bar) and (apart > 0).all()):
        return CLOSES
    if _mostly(np.isin(-apart, lengths)):
        return OPENS
    if _mostly((other.astype("datetime64[D]") == first.astype("datetime64[D]")) & (other.astype(np.int64) % DAY == 0)):
        return DAYS
    if np.unique(apart, return_counts=True)[1].max() < VARIED * len(apart):
        return WITHIN if (np.abs(apart) <= bar.value).all() else OTHER
    return APART


def _mostly(fits: np.ndarray) -> bool:
    return bool(fits.mean() >= SAME_EVERYWHERE)
