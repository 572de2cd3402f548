"""The stationary bootstrap: what a mean over a series could have been, had its stretches come in another order and number."""

import numpy as np
from numba import njit


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


@njit(cache=True)
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
