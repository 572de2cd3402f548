"""The leak audit of fills: an order decided at the close of a bar gets a price of the next one, and earns what that bar does."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from evaluation.audit.next_bars import DEEP, FAR_GAPS, GAPS, HIGH, LOW, NARROW, SHOWN, STILL, WIDE, NextBar, bodies
from evaluation.audit.outcomes import Decision, Outcomes, play
from evaluation.audit.payoffs import (
    chosen_by_wicks,
    fill_prices,
    followed,
    one_sided,
    paid_for_gaps,
    paid_for_known_bars,
    paid_for_wicks,
)
from evaluation.audit.rare import rare_bars
from evaluation.audit.report import Tally
from evaluation.audit.stage import Stage
from evaluation.audit.tried import seldom_decisions, some, sticky, tried_actions
from evaluation.audit.waiting import LONGEST, Wait

QUICK = (STILL, *GAPS.values(), *bodies(NARROW))
STOPS = (*QUICK, *bodies(WIDE), *DEEP[0], *DEEP[1])
WICKS = (*QUICK, *LOW, *HIGH, *SHOWN.values())
ALL = (*STOPS, *FAR_GAPS.values(), *LOW, *HIGH, *SHOWN.values())
SPREAD_BARS = 14
"""decisions on all weekdays"""
HELD_BARS = (12, 48, 100, 300)
"""bars that one action was repeated for before the decision"""
LATE_BARS = (500, 1_000)
"""bars of an episode before a late decision"""
SELDOM = 0.25
"""part of the decisions: where actions make a difference at fewer of them, a note says so"""
MANY_CUTS = 3
"""from that many `cuts` on, more actions are held, and for longer"""


RULES = (paid_for_gaps, one_sided, paid_for_wicks, chosen_by_wicks, paid_for_known_bars)


class Tried(NamedTuple):
    """How many decisions were played, at how many of them the action made a difference, and whether the next bar was paid."""

    decisions: int
    varied: int
    felt: bool


def next_bar_fills(stage: Stage, tally: Tally) -> None:
    """Vary the bar after a decision, and require that it alone decides what the order earns.

    Candles up to the decision stay, and so does what was done before. Then each action is tried with the next bar in many shapes.
    The gap between both bars is earned by the position from before, so it is the same for all actions. The body is earned by the
    position after the order, up and down alike: an account that gains when the bar closes higher and loses less when it closes
    lower has chosen its order, its price or its stop after the close. Wicks are earned by nobody, and choose no order. What the
    known bar did is paid to no new order. And whatever was ordered, some bar after it must pay.
    """
    wait = Wait(stage)
    tried = _tried(stage, tally, wait, _decisions(stage))
    if not tried.varied:
        seldom = _tried(stage, tally, wait, ((decision, STOPS) for decision in seldom_decisions(stage)))
        tried = Tried(tried.decisions + seldom.decisions, seldom.varied, seldom.felt)
        part = f"an action made a difference at {tried.varied} of {tried.decisions} decisions"
        never = "no action that was tried made a difference" if tried.decisions else "no decision could be played"
        tally.unjudged = part if tried.varied else never
    elif tried.varied < SELDOM * tried.decisions:
        tally.notes.append(f"an action made a difference at {tried.varied} of {tried.decisions} decisions: no more is judged")
    if tried.varied and not tried.felt and not tally.findings and not wait.steps:
        _nothing_was_felt(tally, seldom=tried.varied < SELDOM * tried.decisions)


def _tried(stage: Stage, tally: Tally, wait: Wait, decisions: Iterable[tuple[Decision, tuple[NextBar, ...]]]) -> Tried:
    """Play these decisions, and judge what came of them."""
    played, varied, felt = 0, 0, False
    for decision, shapes in decisions:
        outcomes = play(stage, decision, shapes)
        if outcomes is None:
            continue
        tally.cases += len(shapes) * len(decision.actions)
        told = _judged(stage, tally, outcomes, wait)
        felt = felt or any(map(followed, told))
        played, varied = played + 1, varied + any(outcomes.differ for outcomes in told)
        if tally.knows(outcomes.worth) and (tally.knows("fill_price") or not np.isfinite(outcomes.fill).any()):
            break  # every other decision could only repeat it
    return Tried(played, varied, felt)


def _nothing_was_felt(tally: Tally, seldom: bool) -> None:
    """A finding, unless the reward comes so seldom that it may pay for these bars later than anything was played."""
    if seldom:
        tally.unjudged = f"whatever the bars after a decision did, it was not paid within {LONGEST} steps"
    else:
        tally.found(
            "reward", "it depends on the action, but no bar after the decision moves it: it pays for bars that were known"
        )


def _judged(stage: Stage, tally: Tally, outcomes: Outcomes, wait: Wait) -> list[Outcomes]:
    """Every rule, on the worth; where none is told on the reward, which some environments pay when a trade ends.

    So a rule must be broken whatever action is repeated next, as long as any of that pays for the bars that are varied.

    Returns:
        the outcomes that were judged.
    """
    index, bar = stage.scene.index, outcomes.decision.bar
    for column, detail in fill_prices(outcomes):
        tally.found(column, detail, index, bar)
    by_reward = outcomes.worth == "reward"
    later = wait.patiently(outcomes) if by_reward and not outcomes.moved else []
    for rule in () if tally.knows(outcomes.worth) else RULES:
        words: str | None = rule(outcomes)
        if words and by_reward:
            later = later or wait.later(outcomes, wait.steps or LONGEST)
        if later:
            words = _broken(rule, [outcomes, *later])
        if words and later and wait.is_long:  # another trade may end later still
            words = _broken(rule, [outcomes, *wait.later(outcomes, LONGEST)])
        if words:
            tally.found(outcomes.worth, words, index, bar)
    return [outcomes, *later]


def _broken(rule: Callable[[Outcomes], str | None], told: list[Outcomes]) -> str | None:
    words = [rule(outcomes) for outcomes in told if outcomes.moved]
    return words[0] if words and all(words) else None


def _decisions(stage: Stage) -> Iterator[tuple[Decision, tuple[NextBar, ...]]]:
    """Where an order is tried: at once, after each other action, after a long hold, late, on rare bars and on all weekdays."""
    actions = tried_actions(stage)
    last, rng = stage.total - 4, np.random.default_rng(stage.scene.seed)
    for k, bar in enumerate(sorted({stage.first + 1, min(stage.scene.train_bars, last), last})):
        yield Decision(bar, (), actions), ALL
        for before in actions if k == 0 else some(actions, 3, k):
            yield Decision(bar, (before,), actions if k == 0 else some(actions, 4, k)), STOPS if k == 0 else WICKS
    spread = np.linspace(stage.first + 8, last, SPREAD_BARS).astype(int)
    bars = [min(int(bar) + (k % 7) * 24, last) for k, bar in enumerate(spread)]
    bars += [min(bar, last) for bar in rare_bars(stage.scene.candles, stage.first + 8, stage.scene.seed, each=1)]
    for k, bar in enumerate(dict.fromkeys(bars)):
        yield Decision(bar, sticky(actions, k % 7, rng), some(actions, 5, k)), QUICK
    few = 2 if stage.scene.cuts < MANY_CUTS else 3
    for k, held in enumerate(HELD_BARS):
        bar = min(stage.first + held + 5, last)
        for before in some(actions, few, k):
            others = tuple(action for action in some(actions, few, 0) if action is not before)
            yield Decision(bar, (before,) * (bar - stage.first - 5), (before, *others[: few - 1])), STOPS if k % 2 else QUICK
    for late in LATE_BARS[: few - 1]:
        bar = min(stage.first + late, last)
        yield Decision(bar, sticky(actions, bar - stage.first, rng), some(actions, few, bar)), QUICK
