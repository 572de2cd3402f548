"""Rewards: njit functions of the latest net-worth returns. A new one is a function and a line in `REWARDS`.

A reward takes `returns` (float64, oldest first: the simple returns of the net worth over the trailing window, or over what
there is of it since the episode began) and `annualization` (bars in a year), and gives a finite float; 0 while nothing moves.
"""

from collections.abc import Callable

import numpy as np
from numba import njit


@njit(cache=True)
def profit(returns: np.ndarray, annualization: float) -> float:
    """The last bar's simple return of the net worth."""
    return returns[-1]


@njit(cache=True)
def sortino(returns: np.ndarray, annualization: float) -> float:
    """Sortino ratio over the window: mean / sqrt(mean(min(r, 0)^2)) * sqrt(annualization) (Sortino & van der Meer, 1991).

    Equals `empyrical.sortino_ratio` wherever that is finite; its lower end is -sqrt(annualization), all bars losing alike.
    Without a losing bar the ratio is infinite or undefined; then the mirror image stands in, mean / sqrt(mean(r^2)) *
    sqrt(annualization): at most +sqrt(annualization), and 0 when nothing moved.
    """
    total = 0.0
    losses = 0.0
    squares = 0.0
    for r in returns:
        total += r
        squares += r * r
        if r < 0.0:
            losses += r * r
    below = losses if losses > 0.0 else squares
    if below == 0.0:
        return 0.0
    n = len(returns)
    return total / n / np.sqrt(below / n) * np.sqrt(annualization)


REWARDS: dict[str, Callable[[np.ndarray, float], float]] = {"profit": profit, "sortino": sortino}
