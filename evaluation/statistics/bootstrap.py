"""The stationary bootstrap: what a statistic of a series could have been, had its stretches come in another order and number."""

import math

import numpy as np
from numba import njit

from common import cached

CALM_LAGS = 5
"""autocorrelations in a row that must be insignificant: K of Politis & White, max(5, sqrt(log10 n))"""


def resampled_means(values: np.ndarray, mean_block: float, draws: int, seed: int) -> np.ndarray:
    """Means of resampled series: blocks of geometric length, begun anywhere and running on around the end.

    Neighbours stay together, so means of correlated values vary as much as they should; all columns are resampled alike, so
    what they have in common stays, too. Source: Politis & Romano (1994), "The Stationary Bootstrap".

    Args:
        values: float64 (n, m), one row a time.
        mean_block: expected length of a block, 1 or more; 1 draws every row by itself.

    Returns:
        float64 (draws, m).
    """
    return _resampled_means(np.ascontiguousarray(values, np.float64), 1 / mean_block, draws, np.random.default_rng(seed))


def block_length(values: np.ndarray) -> float:
    """The mean block that is best, by squared error, for the variance of the mean of a series; 1 for white noise.

    b = (2 G^2 n / D)^(1/3) with G = sum of w(k / M) |k| R(k), D = 2 (sum of w(k / M) R(k))^2, R the autocovariance, and the
    flat-top window w, 1 to |x| = 1/2, then falling to 0 at 1. M is twice the lag after which five autocorrelations in a row lie
    within 2 sqrt(log10(n) / n). At most min(3 sqrt(n), n / 3). Source: Politis & White (2004), "Automatic Block-Length Selection
    for the Dependent Bootstrap", with the D of the correction by Patton, Politis & White (2009).

    Args:
        values: float64 (n,). Fewer than 10 of them, or all alike, have a block of 1.
    """
    n = len(values)
    if n < 10 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return 1.0
    centred = values - values.mean()
    most = math.ceil(math.sqrt(n)) + CALM_LAGS
    covariance = np.array([centred[lag:] @ centred[: n - lag] for lag in range(min(most + CALM_LAGS, n - 1) + 1)]) / n
    window = min(2 * _last_correlated(covariance, n, most), most, len(covariance) - 1)
    lags = np.arange(1, window + 1)
    weighted = np.minimum(1.0, 2 * (1 - lags / window)) * covariance[1 : window + 1]
    spread, total = 2 * (lags @ weighted), covariance[0] + 2 * weighted.sum()
    if total <= 0:
        return 1.0
    best = ((spread / total) ** 2 * n) ** (1 / 3)
    return float(np.clip(best, 1.0, math.ceil(min(3 * math.sqrt(n), n / 3))))


def iqm(values: np.ndarray, draws: int = 2_000, seed: int = 0) -> tuple[float, float, float]:
    """Interquartile mean over seeds, and its 95 % percentile bootstrap interval: (mean, low, high).

    The mean of the values without the lowest and the highest quarter, each rounded down, as `scipy.stats.trim_mean(values, 0.25)`
    has it: up to three values make their plain mean. More robust than a mean, more efficient than a median. Source: Agarwal et
    al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice".

    Args:
        values: float64 (seeds,), or (seeds, tasks): then seeds are drawn anew within each task (stratified), and all values of a
            draw share one mean.
    """
    scores = np.asarray(values, np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    seeds, tasks = scores.shape
    chosen = np.random.default_rng(seed).integers(0, seeds, (draws, seeds, tasks))
    resampled = np.take_along_axis(scores[None], chosen, axis=1)  # (draws, seeds, tasks)
    low, high = np.quantile(_interquartile_mean(resampled.reshape(draws, -1)), [0.025, 0.975])
    return float(_interquartile_mean(scores.reshape(1, -1))[0]), float(low), float(high)


def _interquartile_mean(rows: np.ndarray) -> np.ndarray:
    """(n, m) -> (n,)"""
    cut = rows.shape[1] // 4
    return np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)


def _last_correlated(covariance: np.ndarray, n: int, most: int) -> int:
    """The lag, 1 or more, after which `CALM_LAGS` autocorrelations in a row are insignificant; else the last significant one."""
    loud = np.abs(covariance[1:] / covariance[0]) >= 2 * math.sqrt(math.log10(n) / n)
    for lag in range(most + 1):
        if not loud[lag : lag + CALM_LAGS].any():
            return max(lag, 1)
    return int(np.flatnonzero(loud)[-1]) + 1


@cached(njit)
def _resampled_means(values: np.ndarray, jump: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = values.shape
    means = np.zeros((draws, columns))
    for draw in range(draws):
        place = -1
        for row in range(rows):
            begins = row == 0 or rng.random() < jump
            place = int(rng.random() * rows) if begins else (place + 1) % rows
            for column in range(columns):
                means[draw, column] += values[place, column]
    return means / rows
