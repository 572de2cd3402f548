"""How much of a Sharpe ratio, or of the best of many trials, luck alone would have brought.

Sharpe ratios here are of one bar, mean / standard deviation, not annualised; kurtosis is not in excess of the normal's 3.
"""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()
EULER = 0.5772156649015329
FLAT = 1e-12
"""a spread below this fraction of the largest value is rounding"""


def sharpe_moments(returns: np.ndarray) -> tuple[float, float, float]:
    """Sharpe ratio of a bar, skewness and kurtosis of returns, float64 (T,), all by the moments of the sample (divided by T).

    (0, 0, 3), as of a normal without a mean, for a series that is flat, or too short to tell: T < 2.
    """
    size = np.abs(returns).max(initial=0.0)
    if len(returns) < 2 or np.ptp(returns) <= FLAT * size:
        return 0.0, 0.0, 3.0
    centred = (returns - returns.mean()) / returns.std()
    return float(returns.mean() / returns.std()), float((centred**3).mean()), float((centred**4).mean())


def probabilistic_sharpe(sharpe: float, bars: int, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio lies above the benchmark's.

    PSR(SR*) = Phi[(SR - SR*) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)]. Source: Bailey & Lopez de Prado (2012), "The
    Sharpe Ratio Efficient Frontier", eq. 11.

    Args:
        sharpe: of a bar, over `bars` of them. benchmark: SR*, of a bar.

    Returns:
        0 to 1; 1/2 where fewer than two bars say nothing.
    """
    if bars < 2:
        return 0.5
    return NORMAL.cdf((sharpe - benchmark) * math.sqrt((bars - 1) / _spread(sharpe, skew, kurtosis)))


def expected_max_sharpe(trials: int, spread: float = 1.0) -> float:
    """What the best of independent trials without skill comes to, SR0: their Sharpes vary, and the highest is chosen.

    spread * [(1 - e) Phi^-1(1 - 1/N) + e Phi^-1(1 - 1/(N exp 1))], e = 0.5772...; 0 for one trial, who was not chosen.
    Source: Bailey & Lopez de Prado (2014), "The Deflated Sharpe Ratio", eq. 1.

    Args:
        trials: N. spread: standard deviation of the trials' Sharpe ratios.
    """
    if trials < 2:
        return 0.0
    return spread * ((1 - EULER) * NORMAL.inv_cdf(1 - 1 / trials) + EULER * NORMAL.inv_cdf(1 - 1 / (trials * math.e)))


def deflated_sharpe(
    sharpe: float, bars: int, trials: int, spread: float | None = None, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio lies above 0, though it is that of the best of `trials`: PSR(SR0).

    Source: Bailey & Lopez de Prado (2014), eq. 2.

    Args:
        spread: standard deviation of the trials' Sharpe ratios of a bar; None takes that of trials without skill over as many
            bars, 1 / sqrt(T - 1).
    """
    if bars < 2:
        return 0.5
    noise = 1 / math.sqrt(bars - 1)
    return probabilistic_sharpe(sharpe, bars, skew, kurtosis, expected_max_sharpe(trials, noise if spread is None else spread))


def min_track_record_length(
    sharpe: float, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0, confidence: float = 0.95
) -> float | None:
    """Bars that such returns must go on for, until PSR(SR*) reaches the confidence; None where it never does, SR <= SR*.

    1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (Phi^-1(confidence) / (SR - SR*))^2. Source: Bailey & Lopez de Prado (2012), eq. 13.
    """
    if sharpe <= benchmark:
        return None
    return 1 + _spread(sharpe, skew, kurtosis) * (NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def probability_of_overfitting(returns: np.ndarray, blocks: int = 16) -> float | None:
    """How often the trial that does best on one half of the range does no better than the median trial on the other half.

    Combinatorially symmetric cross-validation: the bars are cut into an even number of equal blocks (bars that are left over in
    front are dropped); for every choice of half of the blocks, the trial with the best Sharpe ratio there is ranked by its Sharpe
    ratio on the others, omega = rank / (N + 1), and counts where logit(omega) <= 0. Trials of the same Sharpe ratio share their
    mean rank, so a choice among equals counts. Source: Bailey, Borwein, Lopez de Prado & Zhu (2017), "The Probability of Backtest
    Overfitting".

    Args:
        returns: float64 (T, N), a column a trial, over the same bars.
        blocks: even; fewer are made of fewer than two bars a block.

    Returns:
        About 1/2 for trials without skill, near 0 where the choice carries over. None for N < 2, for nothing was chosen, and for
        T < 4, which have no halves.
    """
    bars, trials = returns.shape
    blocks = min(blocks, bars // 2) // 2 * 2
    if trials < 2 or blocks < 2:
        return None
    cut = returns[bars % blocks :].reshape(blocks, -1, trials)
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, half in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, half] = 1.0
    return float(np.concatenate([_overfits(part, cut) for part in np.array_split(chosen, len(chosen) // 1_000 + 1)]).mean())


def _overfits(chosen: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """(C, blocks) choices of half of the blocks, (blocks, bars, N) -> bool (C,): logit(omega) <= 0."""
    inside, outside = _sharpes(chosen, cut), _sharpes(1 - chosen, cut)
    best = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
    below, equal = (outside < best).sum(axis=1), (outside == best).sum(axis=1)
    rank = below + (equal + 1) / 2
    return rank / (cut.shape[2] + 1) <= 0.5


def _spread(sharpe: float, skew: float, kurtosis: float) -> float:
    """Variance of an estimated Sharpe ratio, times T - 1; above 0, since kurtosis >= skew^2 + 1."""
    return max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, FLAT)


def _sharpes(halves: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """(C, blocks), (blocks, bars, N) -> (C, N): Sharpe ratios of a bar; 0 for who never moved."""
    bars = cut.shape[1] * halves[0].sum()
    mean, square = halves @ cut.sum(axis=1) / bars, halves @ (cut**2).sum(axis=1) / bars
    variance = np.maximum(square - mean**2, FLAT * square)
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 0)
