"""Losses of margins, in float64."""

import numpy as np
from scipy.stats import rankdata

from common import InputError


def losses_of(margins: np.ndarray, labels: np.ndarray, loss: str) -> np.ndarray:
    """float64 (n,): log(1 + exp(-m)) for label 1 and log(1 + exp(m)) for label 0, or half the squared difference."""
    wide, labels = margins.astype(np.float64), labels.astype(np.float64)
    if loss == "squared":
        return (wide - labels) ** 2 / 2
    with np.errstate(invalid="ignore"):  # what is not finite is for the training to refuse
        return np.logaddexp(0.0, np.where(labels > 0.5, -wide, wide))


def auc_of(margins: np.ndarray, labels: np.ndarray) -> float:
    """Share of the pairs of a row of each label whose margins are in the right order, ties half (Hanley & McNeil 1982).

    Raises:
        InputError: rows of one label alone.
    """
    ranks, ones = rankdata(margins), labels > 0.5
    count = int(ones.sum())
    if count in (0, len(labels)):
        raise InputError(f"an AUC needs rows of both labels, but all {len(labels):,} are {count and 1}; set stop_by to loss")
    return float((ranks[ones].sum() - count * (count + 1) / 2) / (count * (len(labels) - count)))


def probabilities_of(margins: np.ndarray) -> np.ndarray:
    """float64 (n,): 1 / (1 + exp(-m))."""
    wide = margins.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), small / (1 + small))
