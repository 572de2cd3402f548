"""Rewards of the net worth's returns, compiled. A new one is a function, or a fold, and a line in `REWARDS`.

A reward is called once after every step, as `reward(returns, account, annualization)`:

    returns         float64 (n,), oldest first: the simple returns of the net worth over the trailing window, or over what
                    there is of it since the episode began (1 <= n <= `reward_window`)
    account         the kernel's record of the account: `account.net_worth`, `.coin`, `.fees`, ... to read, and
                    `account.memory`, 4 float64 to write, 0 when the episode begins, that the kernel itself never touches
    annualization   bars in a year

and gives a float, 0 while nothing has moved. NaN is an error; what is paid is cut off at +-1e9, as float32. The ratios are also
`Fold`s: they cost the same however long the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from common import cached

Parts = tuple[float, float, float, float]

WORST_LOG_RETURN = float(np.log(1e-3))
DIFFERENTIAL_BOUND = 10.0
FLAT = 1e-12  # a deviation below this fraction of the size is rounding

compiled = cached(njit, error_model="numpy")


@dataclass(frozen=True)
class Fold:
    """A reward of a whole window that is put together from its parts, so that a sliding window costs the same at any length.

    The parts of a window are 4 floats. Nothing is ever subtracted from them, so nothing drifts: the window is cut at a fixed bar,
    the parts of what lies before it are known for every first bar, and those of what lies after it grow by a bar at each step
    (van Herk 1992; Gil & Werman 1993).

    Args:
        lift: parts of a single return.
        combine: parts of two neighbouring stretches, the older one first; associative.
        value: the reward, from the parts, their number of bars, and the bars in a year.
    """

    lift: Callable[[float], Parts]
    combine: Callable[[Parts, Parts], Parts]
    value: Callable[[Parts, int, float], float]

    def __call__(self, returns: np.ndarray, account: Any, annualization: float) -> float:
        """The reward of one window, from all its bars anew."""
        parts = self.lift(returns[0])
        for r in returns[1:]:
            parts = self.combine(parts, self.lift(r))
        return self.value(parts, len(returns), annualization)


Reward = Fold | Callable[[np.ndarray, Any, float], float]


@compiled
def profit(returns: np.ndarray, account: Any, annualization: float) -> float:
    """The last bar's simple return of the net worth."""
    return returns[-1]


@compiled
def log_return(returns: np.ndarray, account: Any, annualization: float) -> float:
    """The last bar's log return, ln(1 + r); no less than ln 0.001 = -6.9, which stands for ruin and debt."""
    return max(np.log(max(1.0 + returns[-1], 1e-300)), WORST_LOG_RETURN)


@compiled
def lift_sums(r: float) -> Parts:
    """Sum, sum of squares, sum of squared losses, nothing."""
    loss = min(r, 0.0)
    return r, r * r, loss * loss, 0.0


@compiled
def add(older: Parts, newer: Parts) -> Parts:
    """Sums over both stretches."""
    return older[0] + newer[0], older[1] + newer[1], older[2] + newer[2], older[3] + newer[3]


@compiled
def sortino(parts: Parts, n: int, annualization: float) -> float:
    """Sortino ratio: mean / sqrt(mean(min(r, 0)^2)) * sqrt(annualization) (Sortino & van der Meer, 1991).

    Equals `empyrical.sortino_ratio` wherever that is finite; its lower end is -sqrt(annualization), all bars losing alike.
    Without a losing bar the ratio is infinite or undefined; then the mirror image stands in, mean / sqrt(mean(r^2)) *
    sqrt(annualization): at most +sqrt(annualization), and 0 when nothing moved.
    """
    total, squares, losses, _ = parts
    below = losses if losses > 0.0 else squares
    return total * np.sqrt(annualization / (n * below)) if below > 0.0 else 0.0


@compiled
def lift_moments(r: float) -> Parts:
    """Count, mean, scatter around the mean, sum of squares."""
    return 1.0, r, 0.0, r * r


@compiled
def pool(older: Parts, newer: Parts) -> Parts:
    """Moments of both stretches, without cancellation (Chan, Golub & LeVeque, 1983)."""
    n = older[0] + newer[0]
    apart = newer[1] - older[1]
    share = newer[0] / n
    return n, older[1] + apart * share, older[2] + newer[2] + apart * apart * older[0] * share, older[3] + newer[3]


@compiled
def sharpe(parts: Parts, n: int, annualization: float) -> float:
    """Sharpe ratio without a riskless rate: mean / sd * sqrt(annualization), sd with n - 1 (Sharpe, 1994).

    Equals `empyrical.sharpe_ratio` wherever that is finite. A single bar, or bars that are all alike, have no deviation;
    then mean / sqrt(mean(r^2)) stands in, as in `sortino`: + or -sqrt(annualization), and 0 when nothing moved.
    """
    _, mean, scatter, squares = parts
    if scatter > FLAT * FLAT * squares:
        return mean * np.sqrt(annualization * (n - 1) / scatter)
    return mean * np.sqrt(annualization * n / squares) if squares > 0.0 else 0.0


@compiled
def lift_gains(r: float) -> Parts:
    """Sum of gains, sum of losses (above 0), number of gains, nothing."""
    return max(r, 0.0), max(-r, 0.0), 1.0 if r > 0.0 else 0.0, 0.0


@compiled
def omega(parts: Parts, n: int, annualization: float) -> float:
    """Omega ratio at a threshold of 0: the sum of the gains over the sum of the losses (Keating & Shadwick, 2002).

    Equals `empyrical.omega_ratio` wherever that is finite: 1 is break-even, and the worst is 0. Without a losing bar it is the
    number of gaining bars, as if one bar had lost what the others gained on average; 0 when nothing moved. Mind that any trading
    so pays at least what cash pays, which is 0: that is the ratio's shape.
    """
    gains, losses, winners, _ = parts
    return gains / losses if losses > 0.0 else winners


@compiled
def lift_path(r: float) -> Parts:
    """Growth factor; highest, lowest worth on the way (the start, 1, included); deepest drawdown."""
    growth = 1.0 + r
    return growth, max(growth, 1.0), min(growth, 1.0), max(-r, 0.0)


@compiled
def follow(older: Parts, newer: Parts) -> Parts:
    """The path of both stretches: the deepest fall is in one of them, or from the older's peak to the newer's trough."""
    growth = older[0]
    across = 1.0 - growth * newer[2] / older[1]
    return (
        growth * newer[0],
        max(older[1], growth * newer[1]),
        min(older[2], growth * newer[2]),
        max(max(older[3], newer[3]), across),
    )


@compiled
def calmar(parts: Parts, n: int, annualization: float) -> float:
    """Calmar ratio: compound annual return over the depth of the deepest drawdown (Young, 1991).

    Equals `empyrical.calmar_ratio` wherever that is finite. Without a drawdown the climb stands in for it, not compounded:
    annualization / n after a gain, 0 when nothing moved. A window that loses everything returns -100 % a year. Over a short
    window compounding makes it huge: 2 % in 64 hours is 1,400 % a year.
    """
    growth, _, _, drawdown = parts
    if drawdown > 0.0:
        return (max(growth, 0.0) ** (annualization / n) - 1.0) / drawdown
    return annualization / n if growth > 1.0 else 0.0


@compiled
def differential_sharpe(returns: np.ndarray, account: Any, annualization: float) -> float:
    """Differential Sharpe ratio: what this bar's return adds to an exponential Sharpe ratio (Moody & Saffell, 2001).

    (B dA - A dB / 2) / (B - A^2)^(3/2), where A and B are the moving means of r and r^2 before this bar, dA = r - A and
    dB = r^2 - B. Their rate is 1 / n, so they begin as plain means and decay over `reward_window` bars once it is full. Per
    bar, not annualised. Cut off at +-10, which is also what a first return after no variance earns. It is a first-order
    term: after a stretch with a mean below 0, a crash far beyond the variance so far comes out positive.
    """
    r = returns[-1]
    mean, square = account.memory[0], account.memory[1]
    rate = 1.0 / len(returns)
    account.memory[0] += rate * (r - mean)
    account.memory[1] += rate * (r * r - square)
    variance = square - mean * mean
    if variance <= FLAT * square:
        return bounded(r - mean, 0.0)
    return bounded(square * (r - mean) - 0.5 * mean * (r * r - square), variance * np.sqrt(variance))


@compiled
def differential_sortino(returns: np.ndarray, account: Any, annualization: float) -> float:
    """Differential downside deviation ratio: the same for the Sortino ratio (Moody & Saffell, 2001).

    (r - A / 2) / D after a gain, (D^2 (r - A / 2) - A r^2 / 2) / D^3 after a loss, where A and D^2 are the moving means of r and
    min(r, 0)^2 before this bar. Until a bar has lost, the mean of r^2 stands in for D^2. Cut off at +-10, and with
    the same weakness for a crash.
    """
    r = returns[-1]
    mean, downside, square = account.memory[0], account.memory[1], account.memory[2]
    rate = 1.0 / len(returns)
    loss = min(r, 0.0)
    account.memory[0] += rate * (r - mean)
    account.memory[1] += rate * (loss * loss - downside)
    account.memory[2] += rate * (r * r - square)
    below = downside if downside > 0.0 else square
    if r > 0.0 or below == 0.0:
        return bounded(r - 0.5 * mean, np.sqrt(below))
    return bounded(below * (r - 0.5 * mean) - 0.5 * mean * r * r, below * np.sqrt(below))


@compiled
def bounded(numerator: float, denominator: float) -> float:
    """The quotient, within +-DIFFERENTIAL_BOUND; 0 / 0 is 0."""
    if abs(numerator) >= DIFFERENTIAL_BOUND * denominator:
        return DIFFERENTIAL_BOUND * np.sign(numerator)
    return numerator / denominator


REWARDS: dict[str, Reward] = {
    "profit": profit,
    "log_return": log_return,
    "sortino": Fold(lift_sums, add, sortino),
    "calmar": Fold(lift_path, follow, calmar),
    "omega": Fold(lift_gains, add, omega),
    "sharpe": Fold(lift_moments, pool, sharpe),
    "differential_sharpe": differential_sharpe,
    "differential_sortino": differential_sortino,
}
