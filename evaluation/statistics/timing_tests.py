"""How well luck alone would have timed the market: t-statistics of an active return, the weakest of which decides.

Without skill an active return is a bet at even odds on every bar, whose stake may depend on all bets before it. Then
t = sum(x) / sqrt(sum(x^2)) is about normal, unless the stakes depend on how the bets went. Who stops while ahead, doubles after a
loss, or sells into a rise, as a grid does, has seen to it that sum(x^2) is small where sum(x) is large. So a third statistic
measures each stake by the stakes before it.
"""

import math
from typing import NamedTuple

import numpy as np

from evaluation.statistics.active_return import ActiveReturn
from evaluation.statistics.sharpe_tests import NORMAL

SMALLEST_SHARE = 0.01
"""of the bars: a stake counts as if it had been held for so many of them at least. Without it the first bars after a long rest
would outweigh all others; with five times as much, traders who bet on one bar in fifty lose power (benchmarks.verdict)."""
WAYS = (1, 2)
"""columns of `ActiveReturn` that hold a mean so far"""


class TimingStatistics(NamedTuple):
    """t-statistics, each standard normal where nothing but luck decides; see `ActiveReturn` for the means.

    Args:
        whole_mean: against the mean exposure of the range. Wrong for traders who go against the price, or with it.
        mean_so_far: against the mean exposure before each bar. Wrong for traders who come in late where the price has a drift.
        even_stakes: as `mean_so_far`, with each bar divided by the root mean square of the stakes up to it, and a standard error
            of the whole range even if the trader has stopped early.
        without_drift: as `even_stakes`, with the market's mean return taken off each bar: whoever goes in for good while ahead
            gains nothing from a rising price.
        way: which of the two means so far, 1 or 2.
    """

    whole_mean: float
    mean_so_far: float
    even_stakes: float
    without_drift: float
    way: int

    @property
    def least(self) -> float:
        """The one that speaks least for an edge."""
        return min(self[:4])

    @property
    def most(self) -> float:
        """The one that speaks least for harm."""
        return max(self[:4])

    @property
    def edge_p_value(self) -> float:
        """The chance that luck does as well or better, by the statistic that says so most."""
        return NORMAL.cdf(-self.least)

    @property
    def harm_p_value(self) -> float:
        """The chance that luck does as badly or worse, by the statistic that says so most."""
        return NORMAL.cdf(self.most)


def edge_statistics(returns: ActiveReturn) -> TimingStatistics:
    """Of the returns after costs, by the mean so far that speaks more for an edge: each is valid, and each is weak for some."""
    return max((timing_statistics(returns.active, returns.bets, way, returns.drift) for way in WAYS), key=lambda one: one.least)


def harm_statistics(returns: ActiveReturn) -> TimingStatistics:
    """Of the returns before costs, by the mean so far that speaks more for harm."""
    return min((timing_statistics(returns.gross, returns.bets, way, returns.drift) for way in WAYS), key=lambda one: one.most)


def timing_statistics(returns: np.ndarray, bets: np.ndarray, way: int, drift: float = 0.0) -> TimingStatistics:
    """Test active returns, or gross ones.

    Args:
        returns: float64 (T, 3), `ActiveReturn.active` or `.gross`.
        bets: float64 (T, 3), `ActiveReturn.bets`.
        way: column of the mean so far.
        drift: mean return of the market, of a bar.

    The weights of `even_stakes` are known before each bar: w_t = sqrt(t / max(Q_t, 0.01 T b_t^2)) with Q_t = b_1^2 + ... + b_t^2.
    So a stake of ordinary size weighs 1, and no bar's weight depends on how a bet ended. The standard error is
    sqrt(sum((w x)^2) / min(1, mean((w b)^2))): a trader who bet for a quarter of the range and then stopped is held to the spread
    of four quarters. Self-normalised sums of fair bets: de la Pena, Lai & Shao (2009), "Self-Normalized Processes"; stakes that
    are divided by what is known of their size: So & Shin (1999), "Cauchy estimators for autoregressive processes".
    """
    stakes, made = bets[:, way], returns[:, way]
    squares = stakes**2
    size = np.maximum(np.cumsum(squares), SMALLEST_SHARE * len(stakes) * squares)
    weights = np.sqrt(np.divide(np.arange(1, len(stakes) + 1), size, out=np.zeros(len(stakes)), where=squares > 0))
    went_on = min(1.0, float(np.mean((weights * stakes) ** 2)))
    spread = math.sqrt(went_on)
    even, without_drift = _t(weights * made) * spread, _t(weights * (made - stakes * drift)) * spread
    return TimingStatistics(_t(returns[:, 0]), _t(made), even, without_drift, way)


def _t(values: np.ndarray) -> float:
    """sum(x) / sqrt(sum(x^2)); 0 for a series that never moved."""
    size = float(np.linalg.norm(values))
    return float(values.sum()) / size if size > 0 else 0.0
