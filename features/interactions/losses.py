"""Losses of margins, in float64."""

import numpy as np


def losses_of(margins: np.ndarray, labels: np.ndarray, loss: str) -> np.ndarray:
    """float64 (n,): log(1 + exp(-m)) for label 1 and log(1 + exp(m)) for label 0, or half the squared difference."""
    wide, labels = margins.astype(np.float64), labels.astype(np.float64)
    if loss == "squared":
        return (wide - labels) ** 2 / 2
    return np.logaddexp(0.0, np.where(labels > 0.5, -wide, wide))


def probabilities_of(margins: np.ndarray) -> np.ndarray:
    """float64 (n,): 1 / (1 + exp(-m))."""
    wide = margins.astype(np.float64)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), small / (1 + small))
