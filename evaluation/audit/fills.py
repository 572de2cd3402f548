"""The leak audit of fills: an order decided at the close of a bar gets a price of the next one, and earns what that bar does."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from evaluation.audit.environments import probes
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


def next_bar_fills(stage: Stage, tally: Tally) -> None:
    """Vary the bar after a decision, and require that it alone decides what the order earns.

    Candles up to the decision stay, and so does what was done before. Then each action is tried with the next bar in many shapes.
    The gap between both bars is earned by the position from before, so it is the same for all actions. The body is earned by the
    position after the order, up and down alike: an account that gains when the bar closes higher and loses less when it closes
    lower has chosen its order, its price or its stop after the close. Wicks are earned by nobody, and choose no order. What the
    known bar did is paid to no new order. And whatever was ordered, some bar after it must pay.
    """
    felt, varied, decisions = False, 0, 0
    for decision, shapes in _decisions(stage):
        outcomes = play(stage, decision, shapes)
        if outcomes is None:
            continue
        tally.cases += len(shapes) * len(decision.actions)
        felt = felt or followed(outcomes)
        decisions, varied = decisions + 1, varied + outcomes.differ
        _judge(stage, tally, outcomes)
    if varied and not felt and not tally.findings and not _felt_later(stage):
        tally.found(
            "reward", "it depends on the action, but no bar after the decision moves it: it pays for bars that were known"
        )
    if not varied:
        tally.unjudged = "no action that was tried made a difference" if decisions else "no decision could be played"
    elif varied < SELDOM * decisions:
        tally.notes.append(f"an action made a difference at {varied} of {decisions} decisions: no more is judged")


def _judge(stage: Stage, tally: Tally, outcomes: Outcomes) -> None:
    """Every rule, on the worth; where none is told on the reward, which some environments pay when a trade ends.

    So a rule must be broken whatever action is repeated next, as long as any of that pays for the bars that are varied.
    """
    index, bar = stage.scene.index, outcomes.decision.bar
    for column, detail in fill_prices(outcomes):
        tally.found(column, detail, index, bar)
    later: list[Outcomes] | None = None
    for rule in () if tally.knows(outcomes.worth) else RULES:
        words: str | None = rule(outcomes)
        if outcomes.worth == "reward" and (words or not outcomes.moved):
            later = _whatever_is_next(stage, outcomes) if later is None else later
            told = [rule(other) for other in (outcomes, *later) if other.moved]
            words = told[0] if told and all(told) else None
        if words:
            tally.found(outcomes.worth, words, index, bar)


def _whatever_is_next(stage: Stage, outcomes: Outcomes) -> list[Outcomes]:
    """The outcomes of the same decision, each with another action that is repeated afterwards."""
    later = (play(stage, outcomes.decision, outcomes.shapes, then) for then in _some(outcomes.decision.actions, 4, 0))
    return [outcomes for outcomes in later if outcomes is not None]


def _decisions(stage: Stage) -> Iterator[tuple[Decision, tuple[NextBar, ...]]]:
    """Where an order is tried: at once, after each other action, after a long hold, late, on rare bars and on all weekdays."""
    actions = _actions(stage)
    last, rng = stage.total - 4, np.random.default_rng(stage.scene.seed)
    for k, bar in enumerate(sorted({stage.first + 1, min(stage.scene.train_bars, last), last})):
        yield Decision(bar, (), actions), ALL
        for before in actions if k == 0 else _some(actions, 3, k):
            yield Decision(bar, (before,), actions if k == 0 else _some(actions, 4, k)), STOPS if k == 0 else WICKS
    spread = np.linspace(stage.first + 8, last, SPREAD_BARS).astype(int)
    bars = [min(int(bar) + (k % 7) * 24, last) for k, bar in enumerate(spread)]
    bars += [min(bar, last) for bar in rare_bars(stage.scene.candles, stage.first + 8, stage.scene.seed, each=1)]
    for k, bar in enumerate(dict.fromkeys(bars)):
        yield Decision(bar, _sticky(actions, k % 7, rng), _some(actions, 5, k)), QUICK
    few = 2 if stage.scene.cuts < MANY_CUTS else 3
    for k, held in enumerate(HELD_BARS):
        bar = min(stage.first + held + 5, last)
        for before in _some(actions, few, k):
            others = tuple(action for action in _some(actions, few, 0) if action is not before)
            yield Decision(bar, (before,) * (bar - stage.first - 5), (before, *others[: few - 1])), STOPS if k % 2 else QUICK
    for late in LATE_BARS[: few - 1]:
        bar = min(stage.first + late, last)
        yield Decision(bar, _sticky(actions, bar - stage.first, rng), _some(actions, few, bar)), QUICK


def _some(actions: tuple[Any, ...], count: int, turn: int) -> tuple[Any, ...]:
    """That many actions from all over the list, others at each turn."""
    places = (np.linspace(0, len(actions), count, endpoint=False).astype(int) + turn) % len(actions)
    return tuple(actions[k] for k in dict.fromkeys(places.tolist()))


def _actions(stage: Stage) -> tuple[Any, ...]:
    stretch = stage.stretch(stage.first, stage.first + 8)
    assert stretch is not None
    return tuple(probes(stretch.player(stretch.candles).action_space, stage.scene.seed))


def _sticky(actions: tuple[Any, ...], count: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """Random actions, each repeated for some bars."""
    script: list[Any] = []
    while len(script) < count:
        script += [actions[rng.integers(len(actions))]] * int(rng.geometric(0.2))
    return tuple(script[:count])


def _felt_later(stage: Stage) -> bool:
    """Whether a later bar pays: an order filled at the next close earns from there on, some rewards come when a trade ends."""
    actions, shapes = _actions(stage), (STILL, *bodies(NARROW))
    for action in actions:
        after_one = play(stage, Decision(stage.first + 4, (action,), actions), shapes)
        later = play(stage, Decision(stage.first + 4, (), actions), shapes, then=action)
        if any(outcomes is not None and followed(outcomes, among=False) for outcomes in (after_one, later)):
            return True
    return False
