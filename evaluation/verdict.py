"""The sentence that a backtest ends in: whether its range shows an edge, harm, or neither. See docs/evaluation.md."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.bootstrap import block_length, resampled_means
from evaluation.episode import Episode
from evaluation.significance import deflated_sharpe, min_track_record_length, probabilistic_sharpe, sharpe_moments
from evaluation.timing import Timing, timing_of

EDGE, NO_EDGE, HARM = "evidence of an edge", "no evidence of an edge", "evidence of harm"
CONFIDENCE = 0.95
HARM_CONFIDENCE = 0.99
"""stricter, since nothing is deflated for harm: of many trials nobody shows the worst"""
MIN_FILLS = 20
"""fewer decisions cannot tell skill from luck, however many bars they were held"""
MAX_OVERFITTING = 0.5
DRAWS = 4_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Verdict:
    """What a range shows of an agent's timing. All numbers are of the matched exposure that speaks less for the claim.

    Args:
        verdict: "evidence of an edge", "no evidence of an edge" or "evidence of harm".
        reasons: two sentences: what decided, and what must be known beside it.
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

    verdict: str
    reasons: tuple[str, str]
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

    def as_json(self) -> dict[str, Any]:
        """All of it, for `metrics.json`."""
        return asdict(self)


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
    growth above 0, a probability of overfitting below 1/2 where it is known, 20 fills or more, and prices that can be had.
    Evidence of harm needs the 99 % interval of the timing before costs below 0, and 20 fills: what costs alone have taken,
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
    timing = timing_of(agent, hold)
    counted = None if trials is None else max(trials + openings, 1)
    numbers = _after_costs(timing, counted or 1, sharpe_spread, seed) | _before_costs(timing, seed)
    numbers |= {"trials_counted": counted, "overfitting": overfitting, "openings": openings}
    numbers |= {"fills": len(agent.trades), "bars": len(timing.active), "exposure": timing.exposure, "costs": timing.costs}
    numbers["sharpe"] *= math.sqrt(agent.bars_per_year)
    missing = _missing(numbers, agent.optimistic)
    harmful = numbers["timing_interval"][1] < 0 and numbers["fills"] >= MIN_FILLS
    verdict = EDGE if not missing else HARM if harmful else NO_EDGE
    return Verdict(verdict, (_what_decided(verdict, numbers, missing), _beside(numbers, trials)), **numbers)


def _after_costs(timing: Timing, counted: int, spread: float | None, seed: int) -> dict[str, Any]:
    """The active return, by the matched exposure that leaves less of it."""
    moments = [sharpe_moments(column) for column in timing.active.T]
    way = min(range(len(moments)), key=lambda column: moments[column][0])
    sharpe, skew, kurtosis = moments[way]
    bars = len(timing.active)
    growth = timing.growth[:, way]
    return {
        "active_log_growth": float(growth.sum()),
        "interval": _interval_of_sum(growth, CONFIDENCE, seed),
        "sharpe": sharpe,
        "psr": probabilistic_sharpe(sharpe, bars, skew, kurtosis),
        "dsr": deflated_sharpe(sharpe, bars, counted, spread, skew, kurtosis),
        "min_track_record_bars": min_track_record_length(sharpe, skew, kurtosis),
    }


def _before_costs(timing: Timing, seed: int) -> dict[str, Any]:
    """The timing, by the matched exposure that leaves more of it."""
    way = max(range(timing.gross.shape[1]), key=lambda column: sharpe_moments(timing.gross[:, column])[0])
    gross = timing.gross[:, way]
    return {"timing": float(gross.sum()), "timing_interval": _interval_of_sum(gross, HARM_CONFIDENCE, seed)}


def _interval_of_sum(values: np.ndarray, confidence: float, seed: int) -> Interval:
    """By the stationary bootstrap."""
    sums = resampled_means(values[:, None], block_length(values), DRAWS, seed)[:, 0] * len(values)
    low, high = np.quantile(sums, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _missing(numbers: dict[str, Any], optimistic: bool) -> list[str]:
    """What keeps the numbers from being evidence of an edge, in words."""
    found = []
    if numbers["fills"] < MIN_FILLS:
        found.append(f"fewer than {MIN_FILLS} fills cannot tell timing from luck")
    if optimistic:
        found.append("the orders filled at a price that was known when they were decided")
    if numbers["trials_counted"] is None:
        found.append("how many trials were searched before is unknown")
    if not numbers["interval"][0] > 0:
        found.append("the interval does not lie above 1")
    if numbers["dsr"] < CONFIDENCE:
        found.append(
            f"the deflated Sharpe ratio, {numbers['dsr']:.3f} with {numbers['trials_counted'] or 1:,} counted, "
            f"falls short of {CONFIDENCE}"
        )
    if numbers["overfitting"] is not None and not numbers["overfitting"] < MAX_OVERFITTING:
        found.append(f"the probability of overfitting, {numbers['overfitting']:.2f}, is not below {MAX_OVERFITTING}")
    return found


def _what_decided(verdict: str, numbers: dict[str, Any], missing: list[str]) -> str:
    low, high = numbers["timing_interval"]
    if verdict == HARM:
        return (
            f"Before any cost, the timing multiplied the net worth by {_factor(numbers['timing'])} (99 %: {_factor(low)} to "
            f"{_factor(high)}), where chance at the same exposure and turnover makes 1."
        )
    if not numbers["fills"]:
        return "The agent never traded, so there is no timing to judge."
    low, high = numbers["interval"]
    made = (
        f"Against buy and hold at the same exposure, the timing multiplied the net worth by "
        f"{_factor(numbers['active_log_growth'])} after costs (95 %: {_factor(low)} to {_factor(high)})"
    )
    if missing:
        return f"{made}, but {_listed(missing)}."
    return f"{made}, and the deflated Sharpe ratio is {numbers['dsr']:.3f} with {numbers['trials_counted']:,} counted."


def _beside(numbers: dict[str, Any], trials: int | None) -> str:
    searched = "an unknown number of trials" if trials is None else _count(trials, "trial")
    taken = max(-math.expm1(-numbers["costs"]), 0.0)
    return (
        f"Costs took {taken:.1%} of the net worth over {_count(numbers['fills'], 'fill')}, as of anyone who trades as much; the "
        f"test range has been opened {_count(numbers['openings'], 'time')}, after a search of {searched}."
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _factor(log_growth: float) -> str:
    return f"{math.exp(min(log_growth, 700.0)):,.3g}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
