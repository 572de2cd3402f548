"""What the best long/flat policy earns on each simulated market, whose state an oracle, and nothing else, may read.

`cost` is always the whole one-way cost as a fraction of a trade's value, `EnvSettings.cost_fraction`. Growth is of log wealth.
An oracle trades through the one kernel: `play(candles, features, settings, OraclePolicy(best_policy(candles, cost).positions))`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, vectorize

from agents import SignalStrategy
from common import InputError, cached, unknown
from envs import BUY, HOLD, SELL
from evaluation.oracles.value_iteration import SwitchingPolicy, log_cost_of, switching_policy
from market import SimulatedCandles


@dataclass(frozen=True, eq=False)
class BestPolicy:
    """What `best_policy` finds on one market.

    Args:
        gain: expected log growth a bar, costs included, over an endless run. On `bitcoin` it is that of the Gaussian model that
            the positions are best for; heavy tails and clustering leave about 79 % of it.
        positions: int64 (T,), 1 or 0: what to hold from the close of bar t on; causal in the state.
    """

    gain: float
    positions: np.ndarray


class OraclePolicy(SignalStrategy):
    """Plays a series of positions, so that an oracle trades under the same rules as everyone.

    Args:
        positions: int64 (T,), 1 or 0, wanted after the k-th decision of an episode, which begins in cash.
    """

    def __init__(self, positions: np.ndarray) -> None:
        change = np.diff(positions, prepend=0)
        super().__init__(np.select([change > 0, change < 0], [BUY, SELL], HOLD).astype(np.int64))


def best_policy(candles: SimulatedCandles, cost: float) -> BestPolicy:
    """The best long/flat policy of a simulated market, and its positions on these very candles.

    Raises:
        InputError: a market without an oracle, or a cost outside of 0 to 1.
    """
    if candles.name not in ORACLES:
        raise InputError(unknown("oracle for a market", candles.name, ORACLES))
    return ORACLES[candles.name](candles, cost)


def ou_policy(reversion: float, volatility: float, cost: float) -> SwitchingPolicy:
    """Value iteration for x' = x (1 - k) + s e, the log price's distance from its mean, on a grid of x.

    The grid spans 6 stationary deviations either way, in steps of at most s / 8 (1,001 points at most); a cell's transition
    probabilities are exact for a shock from its middle.
    """
    spread = volatility / np.sqrt(1 - (1 - reversion) ** 2)
    states = _grid(6 * spread, volatility / 8)
    return switching_policy(states, -reversion * states, _gaussian_steps((1 - reversion) * states, volatility, states), cost)


def hidden_regimes_policy(drift: float, volatility: float, persistence: float, cost: float) -> SwitchingPolicy:
    """Value iteration over the belief: the states are P(the next bar drifts up), as `regime_beliefs` filters it.

    The grid is even in the log odds l of the regime just seen: from the belief b = q p(l) + (1 - q)(1 - p(l)), Bayes' rule takes
    them to logit(b) + 2 m r / s^2, and r is a mixture of N(m, s^2) and N(-m, s^2), weighted b and 1 - b.
    """
    shift, spread = 2 * drift**2 / volatility**2, 2 * drift / volatility
    reach = abs(np.log(persistence / (1 - persistence))) + shift + 6 * spread
    odds = _grid(reach, min(spread, 1.0) / 20)
    seen = (1 + np.tanh(odds / 2)) / 2
    belief = persistence * seen + (1 - persistence) * (1 - seen)
    prior = np.log(belief / (1 - belief))
    up, down = (_gaussian_steps(prior + sign * shift, spread, odds) for sign in (1, -1))
    transition = belief[:, None] * up + (1 - belief[:, None]) * down
    order = np.argsort(belief, kind="stable")  # with q < 1/2 a rise speaks for a fall
    return switching_policy(belief[order], (drift * (2 * belief - 1))[order], transition[order][:, order], cost)


@cached(njit)
def regime_beliefs(log_returns: np.ndarray, drift: float, volatility: float, persistence: float) -> np.ndarray:
    """Bayes filter of a hidden drift of +m or -m under Gaussian noise (Hamilton 1989; Wonham 1965 in continuous time).

    Args:
        log_returns: float64 (T - 1,), of bars 1 to T - 1.

    Returns:
        float64 (T,): after bar t's close, the probability that bar t + 1 drifts up; 1/2 before the first return.
    """
    beliefs = np.empty(len(log_returns) + 1)
    beliefs[0] = 0.5
    for t in range(len(log_returns)):
        against = np.exp(-2 * drift * log_returns[t] / volatility**2) * (1 - beliefs[t]) / beliefs[t]
        seen = 1 / (1 + against)
        beliefs[t + 1] = persistence * seen + (1 - persistence) * (1 - seen)
    return beliefs


def regimes_gain(drift: float, persistence: float, cost: float) -> float:
    """Log growth a bar on observed regimes: m/2 - c (1 - q), or 0 where trading does not pay, that is c >= m / (2 (1 - q)).

    Half of the bars are held, each for m, and a share of 1 - q of all bars brings a switch, each for the log cost c.
    """
    return max(0.0, drift / 2 - log_cost_of(cost) * (1 - persistence))


def sine_gain(amplitude: float, cost: float) -> float:
    """Log growth a period on 1 + A sin: from the trough to the peak, ln((1 + A) / (1 - A)) + 2 ln(1 - cost), or 0."""
    return max(0.0, float(np.log1p(amplitude) - np.log1p(-amplitude)) - 2 * log_cost_of(cost))


def _grid(reach: float, step: float) -> np.ndarray:
    """An odd number of points, even from -reach to reach, at most `step` apart unless that takes more than 1,001."""
    half = min(int(np.ceil(reach / step)), 500)
    return np.linspace(-reach, reach, 2 * half + 1)


@cached(vectorize, ["float64(float64)"])
def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _gaussian_steps(means: np.ndarray, deviation: float, grid: np.ndarray) -> np.ndarray:
    """(n, n): probability that N(means[i], deviation^2) falls into the cell around grid[j]; the outer cells reach to infinity."""
    edges = (grid[1:] + grid[:-1]) / 2
    below = _normal_cdf((edges - means[:, None]) / deviation)
    return np.diff(below, prepend=0.0, append=1.0, axis=1)


def _best_on_ou(candles: SimulatedCandles, cost: float) -> BestPolicy:
    policy = ou_policy(candles.params["reversion"], candles.params["volatility"], cost)
    return BestPolicy(policy.gain, policy.positions(candles.state))


def _best_on_bitcoin(candles: SimulatedCandles, cost: float) -> BestPolicy:
    """The planted component alone, as an `ou` of constant volatility: nothing is made of the clustering and the heavy tails."""
    edge, half_life = candles.params["edge"], candles.params["half_life_bars"]
    if edge == 0:
        return BestPolicy(0.0, np.zeros(len(candles), np.int64))
    policy = ou_policy(1 - 0.5 ** (1 / half_life), np.sqrt(edge) * candles.params["volatility"], cost)
    return BestPolicy(policy.gain, policy.positions(candles.state))


def _best_on_regimes(candles: SimulatedCandles, cost: float) -> BestPolicy:
    gain = regimes_gain(candles.params["drift"], candles.params["persistence"], cost)
    return BestPolicy(gain, ((candles.state > 0) & (gain > 0)).astype(np.int64))


def _best_on_hidden_regimes(candles: SimulatedCandles, cost: float) -> BestPolicy:
    params = candles.params
    policy = hidden_regimes_policy(params["drift"], params["volatility"], params["persistence"], cost)
    beliefs = regime_beliefs(
        np.diff(np.log(candles.column("close"))), params["drift"], params["volatility"], params["persistence"]
    )
    return BestPolicy(policy.gain, policy.positions(beliefs))


def _best_on_sine(candles: SimulatedCandles, cost: float) -> BestPolicy:
    gain = sine_gain(candles.params["amplitude"], cost) / candles.params["period_bars"]
    rising = (candles.state >= 0.75) | (candles.state < 0.25)
    return BestPolicy(gain, (rising & (gain > 0)).astype(np.int64))


def _best_on_martingale(candles: SimulatedCandles, cost: float) -> BestPolicy:
    log_cost_of(cost)
    return BestPolicy(0.0, np.zeros(len(candles), np.int64))


ORACLES: dict[str, Callable[[SimulatedCandles, float], BestPolicy]] = {
    "ou": _best_on_ou,
    "regimes": _best_on_regimes,
    "hidden_regimes": _best_on_hidden_regimes,
    "sine": _best_on_sine,
    "martingale": _best_on_martingale,
    "bitcoin": _best_on_bitcoin,
}
