"""The best long/flat policy on any Markov chain of known drifts, by value iteration over (state, position).

An account is all in coin (position 1) or all in cash (0). Growth is counted in log wealth, where it adds up: a long bar adds
the log return, a trade takes -ln(1 - cost) off.
"""

from dataclasses import dataclass

import numpy as np

from common import InputError

MAX_SWEEPS = 100_000


@dataclass(frozen=True, eq=False)
class SwitchingPolicy:
    """Buy where the long position is worth more than a trade, sell where it is worth less than minus a trade, else stay.

    Args:
        gain: expected log growth a bar.
        states: float64 (n,), increasing: the grid.
        advantage: float64 (n,): at each, how much log wealth a long position, from the next bar on, is ahead of a flat one.
        log_cost: of a trade.
    """

    gain: float
    states: np.ndarray
    advantage: np.ndarray
    log_cost: float

    def target(self, state: np.ndarray | float, position: np.ndarray | int) -> np.ndarray:
        """The position to hold next, int64 of the inputs' common shape; between the grid's states by interpolation."""
        advantage = np.interp(state, self.states, self.advantage)
        return np.where(np.asarray(position) > 0, advantage >= -self.log_cost, advantage > self.log_cost).astype(np.int64)

    def positions(self, states: np.ndarray) -> np.ndarray:
        """int64 (T,): the targets along a series of states (T,), from flat."""
        buys, holds = self.target(states, 0), self.target(states, 1)
        decided = np.where(buys == holds, np.arange(len(states)), -1)  # whatever is held, the target is the same
        last = np.maximum.accumulate(decided)
        return np.where(last >= 0, buys[last], 0)


def switching_policy(states: np.ndarray, drift: np.ndarray, transition: np.ndarray, cost: float) -> SwitchingPolicy:
    """Average-reward value iteration over (state, position), where trades do not move the states.

    With h(s, p) the relative value and c the log cost of a trade, the long side's advantage is
    G(s) = drift(s) + E[D(s')], D = h(., 1) - h(., 0). Both positions may trade, so D = clip(G, -c, c): one equation in place
    of two. From h(s, 0) + gain = E[h(s', 0)] + max(0, G(s) - c) the gain is the stationary mean of max(0, G - c).
    (Puterman 1994, Markov Decision Processes, 8.4-8.5.)

    Args:
        states: float64 (n,), increasing.
        drift: float64 (n,), expected log return of the next bar in each.
        transition: float64 (n, n), rows sum to 1; one recurrent class.
        cost: fraction of a trade's value.
    """
    log_cost = log_cost_of(cost)
    value = np.zeros(len(states))
    for _ in range(MAX_SWEEPS):
        before = value
        value = np.clip(drift + transition @ before, -log_cost, log_cost)
        if np.abs(value - before).max() <= 1e-13:
            break
    else:
        raise InputError(f"value iteration did not settle in {MAX_SWEEPS:,} sweeps; the market forgets its state too slowly")
    advantage = drift + transition @ value
    gain = stationary_distribution(transition) @ np.maximum(0, advantage - log_cost)
    return SwitchingPolicy(float(gain), states, advantage, log_cost)


def stationary_distribution(transition: np.ndarray) -> np.ndarray:
    """float64 (n,): how much of its time a chain of one recurrent class, (n, n), spends in each state."""
    equations = transition.T - np.eye(len(transition))
    equations[-1] = 1.0  # one of them follows from the others; the shares sum to 1
    return np.linalg.solve(equations, np.eye(len(transition))[-1])


def log_cost_of(cost: float) -> float:
    """What a trade takes off the log wealth, -ln(1 - cost), of a cost given as a fraction."""
    if not 0 <= cost < 1:
        raise InputError(f"`0 <= cost < 1` must hold for the cost of a trade, but got {cost=}; 10 basis points are 0.001")
    return float(-np.log1p(-cost))
