"""What all forecasters of a rise share: the label, and the path that follows from a probability.

The label of a bar is 1 if one of the next `future_bars` closes lies more than `rise_bps` above its own close. From the
probability p follows a path: p times the mean path of train's bars with label 1, plus 1 - p times that of the others.
"""

import numpy as np

from common import InputError
from features.forecasters.scaling import Estimates, windows_of
from features.forecasters.settings import ForecastSettings
from market import Candles

MEANS, RISING = "mean_paths", "share_rising"


def rises(close: np.ndarray, ends: np.ndarray, settings: ForecastSettings) -> np.ndarray:
    """float32 (n,): 1 where the highest of the closes of the bars after `ends` (n,) exceeds the close by more than the costs."""
    future = close[ends[:, None] + np.arange(1, settings.future_bars + 1)]
    return (future.max(axis=1) > close[ends] * (1 + settings.rise_bps / 1e4)).astype(np.float32)


def labelled_bars(candles: Candles, settings: ForecastSettings) -> tuple[np.ndarray, np.ndarray]:
    """The bars whose window, past and future, holds no gap, and their labels.

    Raises:
        InputError: too few bars for a window.
    """
    ends = windows_of(candles, settings).ends
    return ends, rises(candles.column("close"), ends, settings)


def require_both_labels(labels: np.ndarray, settings: ForecastSettings) -> None:
    """Raise `InputError` if all bars of train rise or all do not."""
    if labels.min() == labels.max():
        raise InputError(
            f"a rise of more than {settings.rise_bps:g} bps within {settings.future_bars} bars must come now and then, but "
            f"{'every' if labels[0] else 'none'} of the {len(labels):,} training bars has one; change rise_bps or future_bars"
        )


def mean_paths(train: Candles, ends: np.ndarray, labels: np.ndarray, settings: ForecastSettings) -> Estimates:
    """`mean_paths` float64 (2, K), log returns after bars with label 0 and 1, and `share_rising`, of train."""
    close = np.log(train.column("close"))
    paths = close[ends[:, None] + np.arange(1, settings.future_bars + 1)] - close[ends, None]
    return {
        MEANS: np.stack([paths[labels == label].mean(axis=0) for label in (0, 1)]),
        RISING: labels.mean(dtype=np.float64),
    }


def paths_of_rises(told: np.ndarray, estimates: Estimates) -> np.ndarray:
    """float64 (T,) probabilities -> (T, K), the log returns that are expected to each of the next bars."""
    usual, rising = estimates[MEANS]
    return (1 - told[:, None]) * usual + told[:, None] * rising


def require_mean_paths(settings: ForecastSettings, estimates: Estimates) -> None:
    """Raise `InputError` if the mean paths are missing or have another length."""
    shape = np.shape(estimates.get(MEANS, ()))
    if shape != (2, settings.future_bars):
        raise InputError(f"`{MEANS}` must have the shape (2, {settings.future_bars}), but has {shape}")


def below(arrays: Estimates, prefix: str) -> Estimates:
    """The arrays whose names begin so, without that beginning."""
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
