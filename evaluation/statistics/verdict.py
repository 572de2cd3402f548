"""The sentence that a backtest ends in: whether its range shows an edge, harm, or neither. See docs/evaluation.md."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.episode import Episode
from evaluation.statistics.active_return import active_return_of
from evaluation.statistics.bootstrap import block_length, resampled_means
from evaluation.statistics.sharpe_tests import (
    NORMAL,
    deflated_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    sharpe_moments,
)

EDGE, NO_EDGE, HARM = "evidence of an edge", "no evidence of an edge", "evidence of harm"
CONFIDENCE = 0.95
HARM_CONFIDENCE = 0.99
"""stricter, since nothing is deflated for harm: of many trials nobody shows the worst"""
MIN_FILLS = 12
"""six round trips: to win all of five, chance needs 32 tries, and the interval asks it for 40"""
MAX_OVERFITTING = 0.5
DRAWS = 2_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Evidence:
    """The numbers that a verdict rests on, all of the matched exposure that speaks less for the claim.

    Args:
        active_log_growth: log growth beyond buy and hold's at the same exposure, after costs; `interval`: its 95 %.
        timing: what the positions made beyond the same exposure before costs, in net worths, summed over the bars;
            `timing_interval`: its 99 %.
        costs: log growth lost to fees, spread, slippage, interest, funding and delay.
        sharpe: of the active return, annualised; `psr`, `dsr`: the probability that the true one lies above 0, before and after
            the trials are counted.
        min_track_record_bars: bars that such returns must go on for until `psr` reaches 0.95; None if it never does.
        trials_counted: trials searched and openings of the test range; None if the trials are unknown.
        overfitting: probability of backtest overfitting of the trials; None if unknown.
        openings: of the test range so far.
        fills, bars, exposure: of the agent's episode; the exposure is a mean, signed.
    """

    active_log_growth: float
    interval: Interval
    timing: float
    timing_interval: Interval
    costs: float
    sharpe: float
    psr: float
    dsr: float
    min_track_record_bars: float | None
    trials_counted: int | None
    overfitting: float | None
    openings: int
    fills: int
    bars: int
    exposure: float


@dataclass(frozen=True)
class Verdict:
    """What a range shows of an agent's timing.

    Args:
        verdict: "evidence of an edge", "no evidence of an edge" or "evidence of harm".
        reasons: two sentences: what decided, and what must be known beside it.
        evidence: the numbers.
    """

    verdict: str
    reasons: tuple[str, str]
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        """All of it in one level, for `metrics.json`."""
        return {"verdict": self.verdict, "reasons": self.reasons, **asdict(self.evidence)}


def judge(
    agent: Episode,
    hold: Episode,
    *,
    trials: int | None,
    openings: int,
    sharpe_spread: float | None = None,
    overfitting: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Hold an agent's timing against what luck brings.

    Evidence of an edge needs the deflated Sharpe ratio of the active return at 0.95 or more, the 95 % interval of the active log
    growth above 0, 12 fills or more, and prices that can be had. A probability of overfitting of 1/2 or more is said beside it
    and decides nothing: that the best of many good trials is no better than the others does not make it bad.
    Evidence of harm needs the 99 % interval of the timing before costs below 0, and 12 fills: what costs alone have taken,
    anyone who trades as much would have lost.

    Args:
        agent, hold: the agent's episode, and buy and hold's over the same bars.
        trials: searched on these data before; None if unknown, and then nothing is evidence of an edge.
        openings: of the test range, this one included; each is a look, and counts as a trial.
        sharpe_spread: standard deviation of the trials' Sharpe ratios of a bar; None takes that of trials without skill.
        overfitting: `probability_of_overfitting` of the trials.
        seed: of the bootstrap.

    Raises:
        InputError: other bars.
    """
    returns = active_return_of(agent, hold)
    counted = None if trials is None else max(trials + openings, 1)
    least, most = _weakest(returns.active), _strongest(returns.gross)
    active, growth, gross = returns.active[:, least], returns.growth[:, least], returns.gross[:, most]
    sums = _resampled_sums(np.column_stack([growth, gross]), seed)
    sharpe, skew, kurtosis = sharpe_moments(active)
    evidence = Evidence(
        active_log_growth=float(growth.sum()),
        interval=_interval(growth, sums[:, 0], CONFIDENCE),
        timing=float(gross.sum()),
        timing_interval=_interval(gross, sums[:, 1], HARM_CONFIDENCE),
        costs=returns.costs,
        sharpe=sharpe * math.sqrt(agent.bars_per_year),
        psr=probabilistic_sharpe(sharpe, len(active), skew, kurtosis),
        dsr=deflated_sharpe(sharpe, len(active), counted or 1, sharpe_spread, skew, kurtosis),
        min_track_record_bars=min_track_record_length(sharpe, skew, kurtosis),
        trials_counted=counted,
        overfitting=overfitting,
        openings=openings,
        fills=len(agent.trades),
        bars=len(active),
        exposure=returns.exposure,
    )
    missing = _missing(evidence, agent.optimistic)
    harmful = evidence.timing_interval[1] < 0 and evidence.fills >= MIN_FILLS
    verdict = EDGE if not missing else HARM if harmful else NO_EDGE
    return Verdict(verdict, (_what_decided(verdict, evidence, missing), _beside(evidence, trials)), evidence)


def _weakest(ways: np.ndarray) -> int:
    """Of (T, n) the column with the lowest Sharpe ratio: the matched exposure that leaves least to an edge."""
    return int(np.argmin([sharpe_moments(column)[0] for column in ways.T]))


def _strongest(ways: np.ndarray) -> int:
    """The highest: the one that leaves least to harm."""
    return int(np.argmax([sharpe_moments(column)[0] for column in ways.T]))


def _resampled_sums(series: np.ndarray, seed: int) -> np.ndarray:
    """(T, n) -> (DRAWS, n), in blocks as long as the column with the longest memory needs."""
    memory = max(block_length(column) for column in series.T)
    return resampled_means(series, memory, DRAWS, seed) * len(series)


def _interval(values: np.ndarray, sums: np.ndarray, confidence: float) -> Interval:
    """Of a sum: of the stationary bootstrap and the normal law, the lower low and the higher high.

    The bootstrap sees what bars have to do with each other, and the normal law does not; but of a series that is 0 except for a
    few bars the bootstrap makes too narrow an interval.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(sums, [tail, 1 - tail])
    total, reach = float(values.sum()), NORMAL.inv_cdf(1 - tail) * float(values.std()) * math.sqrt(len(values))
    return min(float(low), total - reach), max(float(high), total + reach)


def _missing(evidence: Evidence, optimistic: bool) -> list[str]:
    """What keeps this from being evidence of an edge, in words."""
    found = []
    if evidence.fills < MIN_FILLS:
        found.append(f"fewer than {MIN_FILLS} fills cannot tell timing from luck")
    if optimistic:
        found.append("the orders filled at a price that was known when they were decided")
    if evidence.trials_counted is None:
        found.append("how many trials were searched before is unknown")
    if not evidence.interval[0] > 0:
        found.append("the interval does not lie above 1")
    if evidence.dsr < CONFIDENCE:
        found.append(
            f"the deflated Sharpe ratio, {evidence.dsr:.3f} with {_count(evidence.trials_counted or 1, 'trial')} counted, "
            f"falls short of {CONFIDENCE}"
        )
    return found


def _what_decided(verdict: str, evidence: Evidence, missing: list[str]) -> str:
    low, high = evidence.timing_interval
    if verdict == HARM:
        return (
            f"Before any cost, the timing multiplied the net worth by {_factor(evidence.timing)} (99 %: {_factor(low)} to "
            f"{_factor(high)}), where chance at the same exposure and turnover makes 1."
        )
    if not evidence.fills:
        return "The agent never traded, so there is no timing to judge."
    low, high = evidence.interval
    made = (
        f"Against buy and hold at the same exposure, the timing multiplied the net worth by "
        f"{_factor(evidence.active_log_growth)} after costs (95 %: {_factor(low)} to {_factor(high)})"
    )
    if missing:
        return f"{made}, but {_listed(missing)}."
    counted = _count(evidence.trials_counted or 1, "trial")
    return f"{made}, and the deflated Sharpe ratio is {evidence.dsr:.3f} with {counted} counted."


def _beside(evidence: Evidence, trials: int | None) -> str:
    searched = "an unknown number of trials" if trials is None else _count(trials, "trial")
    taken = max(-math.expm1(-evidence.costs), 0.0)
    overfitting = evidence.overfitting
    luck = (
        f" whose choice was luck (probability of overfitting {overfitting:.2f})" if (overfitting or 0) >= MAX_OVERFITTING else ""
    )
    return (
        f"Costs took {taken:.1%} of the net worth over {_count(evidence.fills, 'fill')}, as of anyone who trades as much; the "
        f"test range has been opened {_count(evidence.openings, 'time')}, after a search of {searched}{luck}."
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _factor(log_growth: float) -> str:
    return f"{math.exp(min(log_growth, 700.0)):,.3g}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
