"""The leak audit of an agent and of a training."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.audit.compare import estimated, other_estimates, unequal
from evaluation.audit.environments import parts_of
from evaluation.audit.foreign import on_true_candles, part
from evaluation.audit.futures import LEVELS, Cut, another_future, whole_cuts
from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene
from evaluation.audit.stage import Stage
from evaluation.audit.trading import BARS_AFTER, PLAYED_BARS, Trace, play, spliced
from features import FeatureMatrix
from market import Candles

Training = Callable[[Candles, int], Any]

LISTED = 3
"""changes of the action within an episode, from which on it can't be the habit of buying once and holding"""
LISTED_WORDS = "the agent acts the same, step by step, on a wholly other market, so where its actions come from can't be told"


def causal_agent(stage: Stage, tally: Tally) -> None:
    """The agent plays by itself, its memory carried: its actions and its memory up to the cut are the same.

    An agent that plays a list of actions passes, wherever that list comes from. So what acts the same on a wholly other market is
    not judged.
    """
    scene = stage.scene
    if _plays_a_list(stage):
        tally.unjudged = LISTED_WORDS
    for cut in whole_cuts(scene.candles, stage.first + 1, scene.train_bars, scene.cuts, scene.seed):
        begin = stage.begin(cut.bar, PLAYED_BARS)
        true, other = _episode(stage, cut, begin, False), _episode(stage, cut, begin, True)
        tally.cases += 1
        if true is None or other is None:
            continue
        for k in range(min(cut.bar - begin + 1, len(true.actions), len(other.actions))):
            if unequal(true.actions[k], other.actions[k]).any():
                detail = f"{true.actions[k]} became {other.actions[k]} {scene.in_words(cut)}"
                tally.found("action", detail, scene.index, begin + k)
            for odd in other_estimates(true.states[k], other.states[k]):
                tally.found(f"memory {odd.column}", f"{odd} {scene.in_words(cut)}", scene.index, begin + k)


def frozen_agent(stage: Stage, tally: Tally) -> None:
    """An evaluation leaves the agent as it was, and repeats to the bit.

    An episode, another one, and the first one again: what an agent remembers within an episode and forgets at the start of the
    next is the same after the first and the last. What it has learned is not.
    """
    scene = stage.scene
    late, early = (stage.begin(bar, PLAYED_BARS) for bar in (len(scene.candles) - 1, scene.train_bars // 2))
    once, after_once = _alone(stage, late)
    _alone(stage, early)
    again, after_again = _alone(stage, late)
    for odd in other_estimates(after_once, after_again):
        tally.found(odd.column, f"{odd} by an evaluation")
    for k, (one, two) in enumerate(zip(once.actions, again.actions, strict=False)):
        if unequal(one, two).any():
            tally.found("action", f"{one} became {two} when the same episode was played again", scene.index, late + k)
    tally.cases += 2


def trained_on_train_alone(scene: Scene, training: Training, tally: Tally) -> None:
    """Train on candles whose bars after train are others: the same weights come out.

    What differs is held against a second training on the true candles: a clock or a folder differs there too.
    """
    with on_true_candles():
        before = _trained(training, scene.candles, scene)
    changed = []
    for kind in LEVELS:
        cut = Cut(0, len(scene.candles), scene.train_bars - 1, kind)
        changed += [(odd, cut) for odd in other_estimates(before, _trained(training, scene.future(cut), scene))]
        tally.cases += 1
    if not changed:
        return
    unsteady = {odd.column for odd in other_estimates(before, _trained(training, scene.candles, scene))}
    for odd, cut in changed:
        if odd.column not in unsteady:
            tally.found(odd.column, f"trained {odd} {scene.in_words(cut)}")
        elif isinstance(odd.before, np.ndarray) or "[" in odd.column:
            tally.found(odd.column, f"{odd} when the same training was repeated: seed it, for nothing else can be judged then")
    if told := sorted(unsteady - set(tally.columns)):
        tally.notes.append(f"other in each training, and no weight: {', '.join(told[:6])}")


def _trained(training: Training, candles: Candles, scene: Scene) -> dict[str, np.ndarray]:
    with part("the training"):
        return estimated(training(candles, scene.train_bars))


def _episode(stage: Stage, cut: Cut, begin: int, replaced: bool) -> Trace | None:
    stretch = stage.whole(begin)
    if stretch is None or not 0 < cut.bar - stretch.start < len(stretch.candles) - 1:
        return None
    candles, rows = stretch.candles, stage.matrix.since(begin)
    if replaced:
        candles = another_future(candles, cut.bar - stretch.start, cut.kind, stage.scene.seed)
        values = spliced(stage, cut, max(begin, stage.matrix.warmup), stretch.start + len(stretch.candles))
        rows = FeatureMatrix(
            values, rows.names, stage.scene.index[rows.warmup : rows.warmup + len(values)], rows.warmup, rows.bound
        )
    agent = stage.make_agent(candles, rows)
    return play(stage.player(candles, rows, agent), agent, None, cut.bar - begin + BARS_AFTER)


def _plays_a_list(stage: Stage) -> bool:
    """Whether an agent whose actions change repeats them where not one candle is the same; holding on to a coin is no list."""
    begin = stage.begin(stage.total - 1, PLAYED_BARS)
    stretch = stage.whole(begin)
    if stretch is None:
        return False
    true, _ = _alone(stage, begin)
    actions = [parts_of(action) for action in true.actions]
    changes = sum(_apart(one, two) for one, two in pairwise(actions))
    if changes < LISTED:
        return False
    market = another_future(stretch.candles, 0, "another market", stage.scene.seed)
    rows = stage.matrix.since(begin)
    drawn = np.random.default_rng(stage.scene.seed).permutation(rows.values)
    rows = FeatureMatrix(drawn, rows.names, rows.index, rows.warmup, rows.bound)
    agent = stage.make_agent(market, rows)
    other = play(stage.player(market, rows, agent), agent, None, PLAYED_BARS)
    both = list(zip(actions, map(parts_of, other.actions), strict=False))
    changes = sum(_apart(one, two) for one, two in pairwise(one for one, _ in both))
    return changes >= LISTED and not any(_apart(one, two) for one, two in both)


def _apart(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return one.keys() != two.keys() or any(bool(unequal(one[name], two[name]).any()) for name in one)


def _alone(stage: Stage, begin: int) -> tuple[Trace, dict[str, np.ndarray]]:
    """An episode of the agent from that bar on, and all that it holds afterwards."""
    stretch = stage.whole(begin)
    assert stretch is not None
    rows = stage.matrix.since(begin)
    agent = stage.make_agent(stretch.candles, rows)
    trace = play(stage.player(stretch.candles, rows, agent), agent, None, PLAYED_BARS)
    return trace, estimated(agent)
