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
from evaluation.statistics.timing_tests import edge_statistics, harm_statistics

EDGE, NO_EDGE, HARM = "evidence of an edge", "no evidence of an edge", "evidence of harm"
FALSE_EDGE = 0.05
"""chance of a false edge that is allowed over all openings of the test range together"""
ONE_LOOK = 0.045
"""... and for a single opening: of all traders in `benchmarks.verdict` those who sell into a rise need what is left to 5 %"""
FALSE_HARM = 0.01
"""no openings are counted against harm: of many agents nobody shows the worst"""
MIN_FILLS = 12
"""six round trips: to win all of five, chance needs 32 tries, and a single opening allows it 22"""
CONFIDENCE = 0.90
"""of the interval: its lower end leaves out the 5 % that a false edge is allowed"""
MAX_OVERFITTING = 0.5
FULLY_INVESTED = 0.99
"""mean exposure of a buy and hold that spent all of its cash; rounding to lots leaves less"""
DRAWS = 2_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Evidence:
    """The numbers that a verdict rests on, and those that are said beside it.

    Args:
        active_log_growth: log growth beyond the market's at the same exposure, after costs; `interval`: its 90 %. Of the two ways
            to match the exposure, the mean of the range and the mean so far, the one that says less for the agent.
        p_value: the chance that luck at the same exposure does as well, by the most doubtful of four tests (`TimingStatistics`).
        level: how small the p-value must be with so many openings.
        timing: what the positions made beyond the same exposure before costs, in net worths, summed over the bars, of the way
            that says less for harm; `timing_interval`: its 98 %.
        harm_p_value: the chance that luck does as badly before costs.
        costs: log growth lost to fees, spread, slippage, interest, funding and delay.
        sharpe: of the active return, annualised.
        psr: the probability that the true one lies above 0.
        dsr: the same if the agent had been chosen among the trials by this range. It was not, so it decides nothing.
        min_track_record_bars: bars that such returns must go on for until `psr` reaches 0.95; None if it never does.
        trials: searched on validation; None if unknown.
        overfitting: the trials' probability of backtest overfitting; None if unknown.
        openings: of the test range, this one included; None if unknown.
        fills, bars, exposure: of the agent's episode; the exposure is a mean, signed.
        other_looks: at the test ranges of the agent's other coins; 0 for an agent of one series.
    """

    active_log_growth: float
    interval: Interval
    p_value: float
    level: float
    timing: float
    timing_interval: Interval
    harm_p_value: float
    costs: float
    sharpe: float
    psr: float
    dsr: float
    min_track_record_bars: float | None
    trials: int | None
    overfitting: float | None
    openings: int | None
    fills: int
    bars: int
    exposure: float
    other_looks: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a range shows of an agent's timing.

    Args:
        verdict: "evidence of an edge", "no evidence of an edge" or "evidence of harm".
        rule: which rule decided, such as "luck does as well too often".
        reasons: sentences: what decided, and what must be known beside it.
        evidence: the numbers.
    """

    verdict: str
    rule: str
    reasons: tuple[str, ...]
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        """All of it in one level, for `metrics.json`; `other_looks` where there are any."""
        evidence = {name: value for name, value in asdict(self.evidence).items() if name != "other_looks" or value}
        return {"verdict": self.verdict, "rule": self.rule, "reasons": self.reasons, **evidence}


def judge(
    agent: Episode,
    hold: Episode,
    *,
    trials: int | None,
    openings: int | None,
    sharpe_spread: float | None = None,
    overfitting: float | None = None,
    other_looks: int = 0,
    seed: int = 0,
) -> Verdict:
    """Hold an agent's timing against what luck brings.

    The rules, in order; the first that applies decides:

    1. An agent that never traded has no timing.
    2. Orders that filled at a price known when they were decided prove nothing.
    3. Harm: luck does as badly, before costs, at most 1 % of the time; 12 fills or more. Costs are left out, since whoever trades
       as much pays as much.
    4. Fewer than 12 fills cannot tell timing from luck.
    5. Without a count of the openings of the test range nobody knows how much luck was looked for.
    6. Edge: luck does as well, after costs, at most so often as the openings allow (`level_of`), and the timing left more than
       the same exposure would have.
    7. All else is no evidence.

    The trials of a search were chosen on validation and have not seen this range, so they take nothing from its evidence. They
    are reported beside it, as the deflated Sharpe ratio and the probability of overfitting.

    Args:
        agent: the agent's episode.
        hold: buy and hold's over the same bars; the reference is the market itself, so it need not have been able to trade.
        trials: searched on these data before; None if unknown.
        openings: of the test range, this one included; each is a look at it. None if unknown.
        sharpe_spread: standard deviation of the trials' Sharpe ratios of a bar; None, or less than that of trials without skill,
            takes that one.
        overfitting: `probability_of_overfitting` of the trials.
        other_looks: at the test ranges of the agent's other coins. Who reads the best of several coins has looked at all of them,
            so they count as openings do.
        seed: of the bootstrap.

    Raises:
        InputError: other bars.
    """
    returns = active_return_of(agent, hold)
    edge, harm = edge_statistics(returns), harm_statistics(returns)
    least, most = (
        (0 if edge.whole_mean <= edge.mean_so_far else edge.way),
        (0 if harm.whole_mean >= harm.mean_so_far else harm.way),
    )
    growth, gross, active = returns.growth[:, least], returns.gross[:, most], returns.active[:, least]
    sums = _resampled_sums(np.column_stack([growth, gross]), seed)
    sharpe, skew, kurtosis = sharpe_moments(active)
    floor = 1 / math.sqrt(max(len(active) - 1, 1))
    evidence = Evidence(
        active_log_growth=float(growth.sum()),
        interval=_interval(growth, sums[:, 0], CONFIDENCE),
        p_value=edge.edge_p_value,
        level=level_of((openings or 1) + other_looks),
        timing=float(gross.sum()),
        timing_interval=_interval(gross, sums[:, 1], 1 - 2 * FALSE_HARM),
        harm_p_value=harm.harm_p_value,
        costs=returns.costs,
        sharpe=sharpe * math.sqrt(agent.bars_per_year),
        psr=probabilistic_sharpe(sharpe, len(active), skew, kurtosis),
        dsr=deflated_sharpe(sharpe, len(active), trials or 1, max(sharpe_spread or 0.0, floor), skew, kurtosis),
        min_track_record_bars=min_track_record_length(sharpe, skew, kurtosis),
        trials=trials,
        overfitting=overfitting,
        openings=openings,
        fills=len(agent.trades),
        bars=len(active),
        exposure=returns.exposure,
        other_looks=other_looks,
    )
    verdict, rule, sentence = _decide(evidence, agent.optimistic)
    return Verdict(verdict, rule, (sentence, _beside(evidence), *_of_hold(hold)), evidence)


def level_of(openings: int) -> float:
    """How small the p-value of each opening must be, so that one of them is a false edge at most 5 % of the time (Sidak 1967).

    1 - 0.95^(1/n), and 4.5 % for a single one. It holds whatever the openings have to do with each other: alike agents, or a file
    that grew by a week, leave it on the safe side.
    """
    return min(ONE_LOOK, 1 - (1 - FALSE_EDGE) ** (1 / openings))


def _decide(evidence: Evidence, optimistic: bool) -> tuple[str, str, str]:
    """The verdict, the rule that made it, and the sentence."""
    luck = _luck(evidence)
    if not evidence.fills:
        return NO_EDGE, "no trade", "The agent never traded, so there is no timing to judge."
    if optimistic:
        rule = "fills at a known price"
        return NO_EDGE, rule, f"The orders filled at a price that was known when they were decided, so nothing is shown. {luck}"
    if evidence.harm_p_value <= FALSE_HARM and evidence.fills >= MIN_FILLS:
        low, high = (_factor(bound) for bound in evidence.timing_interval)
        return HARM, "luck hardly ever does as badly", (
            f"Before any cost, the timing multiplied the net worth by {_factor(evidence.timing)} (98%: {low} to {high}); luck "
            f"at the same exposure does as badly in {_share(evidence.harm_p_value)} of ranges, and {_share(FALSE_HARM)} is harm."
        )  # fmt: skip
    if evidence.fills < MIN_FILLS:
        return NO_EDGE, "too few fills", f"{luck} Fewer than {MIN_FILLS} fills cannot tell timing from luck."
    if evidence.openings is None:
        return NO_EDGE, "openings unknown", f"{luck} How often the test range was opened before is unknown."
    others = f" and {_count(evidence.other_looks, 'look')} at those of the other coins" if evidence.other_looks else ""
    opened = f"{_count(evidence.openings, 'opening')} of the test range{others}"
    allowed = f"With {opened} {_share(evidence.level)} or less is an edge."
    if evidence.p_value > evidence.level:
        return NO_EDGE, "luck does as well too often", f"{luck} {allowed}"
    if evidence.active_log_growth <= 0:
        return NO_EDGE, "nothing gained", f"{luck} The timing left no more than the same exposure would have."
    return EDGE, "luck hardly ever does as well", f"{luck} {allowed}"


def _luck(evidence: Evidence) -> str:
    low, high = (_factor(bound) for bound in evidence.interval)
    return (
        f"Against the market at the same exposure, the timing multiplied the net worth by {_factor(evidence.active_log_growth)} "
        f"after costs (90%: {low} to {high}); luck does as well in {_share(evidence.p_value)} of ranges."
    )


def _beside(evidence: Evidence) -> str:
    taken = max(-math.expm1(-evidence.costs), 0.0)
    opened = "an unknown number of times" if evidence.openings is None else _count(evidence.openings, "time")
    searched = "an unknown number of trials" if evidence.trials is None else _count(evidence.trials, "trial")
    luck = evidence.overfitting is not None and evidence.overfitting >= MAX_OVERFITTING
    words = f" whose choice was luck (probability of overfitting {evidence.overfitting:.2f})" if luck else ""
    return (
        f"Costs took {taken:.1%} of the net worth over {_count(evidence.fills, 'fill')}, as of anyone who trades as much; the "
        f"test range has been opened {opened}, after a search of {searched} on validation{words}."
    )


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


def _of_hold(hold: Episode) -> tuple[str, ...]:
    """What must be known of a benchmark that was not in the market with all of its cash; the verdict does not rest on it."""
    held = float(hold.table["position"].iloc[1:].mean())
    reference = "the verdict holds the agent against the market itself"
    if not len(hold.trades):
        refused = ", ".join(hold.refused) or "it never ordered"
        return (f"Buy and hold could not trade ({refused}): {reference}, less one purchase.",)
    return (f"Buy and hold had {held:.0%} of its net worth in the market: {reference}.",) if held < FULLY_INVESTED else ()


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _share(chance: float) -> str:
    """A small chance in percent, with its first digits; never as 0 %."""
    return "less than 0.001%" if chance < 1e-5 else f"{100 * chance:.2g}%"


def _factor(log_growth: float) -> str:
    return f"{math.exp(min(log_growth, 700.0)):,.3g}"
