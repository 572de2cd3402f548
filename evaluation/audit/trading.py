"""The leak audit of an environment: played on the true candles and on other futures, it shows the same up to the cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from evaluation.audit.compare import estimated, unequal
from evaluation.audit.environments import Player, Step, parts_of, probes
from evaluation.audit.foreign import on_true_candles, predicted
from evaluation.audit.futures import KINDS, REMOVED, Cut, another_future, whole_cuts
from evaluation.audit.rare import rare_bars
from evaluation.audit.report import Tally
from evaluation.audit.stage import Stage, Stretch

PLAYED_BARS = 256
"""bars before the cut that an episode begins at"""
LATE_BARS = 1_500
"""bars of the longest episode before a cut"""
FEW_BARS = 12
BARS_AFTER = 8
SHORT_KINDS = ("another market", REMOVED, "a thousandfold", "a thousandth")


class Trace(NamedTuple):
    """An episode: entry k of `seen` is of its k-th bar, of the others of the step from there to the next."""

    steps: list[Step]
    seen: list[dict[str, np.ndarray]]
    actions: list[Any]
    states: list[dict[str, np.ndarray]]

    @property
    def rewards(self) -> list[float]:
        return [step.reward for step in self.steps[1:]]


@dataclass(frozen=True)
class Case:
    """Episodes from bar `begin` on, in which the candles after `cut` are replaced: one with each script of actions."""

    cut: Cut
    stretch: Stretch
    scripts: list[list[Any]]

    @property
    def begin(self) -> int:
        return self.stretch.begin


def causal_env(stage: Stage, tally: Tally) -> None:
    """The same actions on another future: observations, rewards and accounts up to the cut are the same.

    Long episodes, each with a script of its own; and short ones that end with every action at the last bar that is known.
    """
    if stage.place is not None and _sees_ahead(stage, tally):
        return
    ignored = _not_repeated(stage, tally)
    reacted = paid = False  # what may change has changed: so the comparisons could have failed
    for case in _cases(stage):
        known = case.cut.bar - case.begin
        for true, other in _both_or_none(stage, case):
            tally.cases += 1
            _compare(stage, tally, case, true, other, ignored)
            reacted = reacted or (case.cut.kind != REMOVED and true.rewards[known:] != other.rewards[known:])
            paid = paid or any(true.rewards[known:])
    if not reacted and not paid:
        tally.notes.append(f"no reward was paid in the {BARS_AFTER} bars after a cut, so it is not known whether candles move it")
    elif not reacted and not tally.findings:
        tally.found("reward", "none changed, not even after the cut: from whatever they come, it is not these candles")


def play(player: Player, agent: Any, script: list[Any] | None, steps: int) -> Trace:
    """An episode of that many steps, or until it ends: by the script, or by the agent if there is none."""
    step = player.reset()
    trace = Trace([step], [parts_of(step.observation)], [], [])
    state, start = None, np.ones(1, bool)
    for k in range(steps):
        if script is None:
            action, state = predicted(agent, step.observation, state, start)
        else:
            action = script[k]
        step = player.step(action)
        trace.actions.append(action)
        trace.states.append(estimated({"": state}) if script is None else {})
        trace.steps.append(step)
        trace.seen.append(parts_of(step.observation))
        start = np.zeros(1, bool)
        if step.terminated or step.truncated:
            break
    return trace


def spliced(stage: Stage, cut: Cut, begin: int, stop: int) -> np.ndarray:
    """The true rows of bars `begin` to `stop`, and random ones after the cut: what differs before it is the env's doing."""
    values, first = stage.matrix.values, stage.matrix.warmup
    if cut.kind == REMOVED:
        return values[begin - first : cut.bar + 1 - first]
    known = values[begin - first : min(cut.bar + 1, stop) - first]
    drawn = np.random.default_rng([stage.scene.seed, cut.bar]).integers(0, len(values), max(stop - cut.bar - 1, 0))
    return np.concatenate([known, values[drawn]])


def _sees_ahead(stage: Stage, tally: Tally) -> bool:
    """An environment that computes its own observations: each step shows one more bar, and not all of them at once."""
    place = stage.place
    assert place is not None
    tally.cases += 2
    if place.first + place.steps >= place.length or place.horizon < place.first + place.steps:
        detail = (
            f"the first one of an episode depends on bar {place.first:,} of {place.length:,}, and that of {place.steps} steps "
            f"later on bar {place.horizon:,}: it knows bars that had not come"
        )
        detail = detail if place.horizon else "no candle moves it"
        tally.found("observation", detail, stage.scene.index, 0)
    return bool(tally.findings)


def _not_repeated(stage: Stage, tally: Tally) -> set[str]:
    """Entries of `info` that differ if the same episode is played twice, such as a clock; anything else is a finding."""
    case = next(_cases(stage))
    with on_true_candles():
        both = [play(case.stretch.player(case.stretch.candles), None, case.scripts[0], FEW_BARS) for _ in range(2)]
    odd = {name for k in range(min(map(len, (both[0].seen, both[1].seen)))) for name, *_ in _differing(stage, k, *both)}
    for name in odd:
        if not name.startswith("info["):
            tally.found(
                name, "it differs if the same episode is played twice from the same seed: seed it", stage.scene.index, case.begin
            )
    return odd


def _cases(stage: Stage) -> Iterator[Case]:
    """Cuts of the whole series, then of short stretches: bars of rare kinds, and hours of all weekdays."""
    actions = probes(_any_player(stage).action_space, stage.scene.seed)
    cuts = whole_cuts(stage.scene.candles, stage.first + 1, stage.scene.train_bars, stage.scene.cuts, stage.scene.seed)
    for k, cut in enumerate(cuts):
        rng = np.random.default_rng([stage.scene.seed, cut.bar, KINDS.index(cut.kind)])
        bars = LATE_BARS if k % len(KINDS) == 0 and k < 2 * len(KINDS) else PLAYED_BARS
        yield from _case(stage, cut, bars, [_script(actions, bars + BARS_AFTER, rng, k)])
        if cut.kind in SHORT_KINDS[:2]:
            yield from _case(stage, cut, FEW_BARS, _to_every_action(actions, rng))
    first, last = stage.first + FEW_BARS, stage.total - BARS_AFTER - 2
    rare = rare_bars(stage.scene.candles, first, stage.scene.seed)
    spread = np.linspace(first, last, 3 * 7 + 1).astype(int).tolist()
    for k, bar in enumerate(dict.fromkeys(min(bar, last) for bar in [*rare, *spread])):
        rng = np.random.default_rng([stage.scene.seed, bar])
        few = [actions[(k + j) % len(actions)] for j in range(0, len(actions), max(len(actions) // 4, 1))]
        yield from _case(stage, Cut(0, stage.total, bar, SHORT_KINDS[k % len(SHORT_KINDS)]), FEW_BARS, _to_every_action(few, rng))


def _case(stage: Stage, cut: Cut, bars: int, scripts: list[list[Any]]) -> Iterator[Case]:
    """None where an episode cannot be placed so, or starts elsewhere if candles are removed."""
    if cut.kind == REMOVED and stage.place is not None and not stage.place.fixed:
        return
    begin = stage.begin(cut.bar, bars)
    stretch = stage.stretch(begin, stage.total if bars == LATE_BARS else cut.bar + LEAST_AFTER)
    if stretch is not None and begin < cut.bar < stretch.start + len(stretch.candles) - 1:
        steps = cut.bar - begin + BARS_AFTER
        yield Case(cut, stretch, [_aligned(script, steps) for script in scripts])


LEAST_AFTER = 64
"""bars after a cut that the candles of a stretch go on for"""


def _both_or_none(stage: Stage, case: Case) -> list[tuple[Trace, Trace]]:
    """None where somebody's environment refuses the few candles that are left."""
    if case.cut.kind != REMOVED:
        return list(_both(stage, case))
    try:
        return list(_both(stage, case))
    except (ValueError, LookupError, ArithmeticError, AssertionError):
        return []


def _both(stage: Stage, case: Case) -> Iterator[tuple[Trace, Trace]]:
    """For each script: the episode on the true candles, and the one with another future."""
    stretch, cut = case.stretch, case.cut
    future = another_future(stretch.candles, cut.bar - stretch.start, cut.kind, stage.scene.seed)
    rows = None if stage.place is not None else spliced(stage, cut, case.begin, stretch.start + len(stretch.candles))
    for k, script in enumerate(case.scripts):
        if k == 0 or stage.carries_over:
            with on_true_candles():
                player = stretch.player(stretch.candles)
            other_player = stretch.player(future, rows)
        with on_true_candles():
            true = play(player, None, script, len(script))
        yield true, play(other_player, None, script, len(script))


def _script(actions: list[Any], steps: int, rng: np.random.Generator, style: int) -> list[Any]:
    """Random actions; each repeated for a while, by turns, or one for most of the episode."""
    stay = (0.0, 0.8, 0.98)[style % 3]
    script, action = [], actions[rng.integers(len(actions))]
    for _ in range(steps):
        if rng.random() > stay:
            action = actions[rng.integers(len(actions))]
        script.append(action)
    return script


def _to_every_action(actions: list[Any], rng: np.random.Generator) -> list[list[Any]]:
    """Scripts of `FEW_BARS` random actions whose last one, by which the last known bar is reached, is each action in turn."""
    return [[*_script(actions, FEW_BARS - 1, rng, k), action] for k, action in enumerate(actions)]


def _aligned(script: list[Any], steps: int) -> list[Any]:
    """The script so that its last known action stays the last known one, whatever there is room for before and after."""
    known = steps - BARS_AFTER
    if len(script) >= steps:
        return script[:steps]
    head = script[-known:] if len(script) >= known else [script[0]] * (known - len(script)) + script
    return head + [script[-1 - k % len(script)] for k in range(BARS_AFTER)]


def _any_player(stage: Stage) -> Player:
    stretch = stage.stretch(stage.first, stage.first + LEAST_AFTER)
    assert stretch is not None
    return stretch.player(stretch.candles)


def _compare(stage: Stage, tally: Tally, case: Case, true: Trace, other: Trace, ignored: set[str]) -> None:
    """Everything of the bars up to the cut, and of the steps that end there or before."""
    known, words = case.cut.bar - case.begin, stage.scene.in_words(case.cut)
    ends_there = case.cut.kind == REMOVED  # the data end at the cut, where an environment may close what is open
    for k in range(min(known + (not ends_there), len(true.seen), len(other.seen))):
        for name, before, after in _differing(stage, k, true, other):
            if name not in ignored and not tally.knows(name):
                tally.found(name, f"{before} became {after} {words}", stage.scene.index, case.begin + k)
    lengths = [min(len(trace.seen) - 1, known) for trace in (true, other)]
    if lengths[0] != lengths[1]:
        detail = f"after {lengths[0]} steps became after {lengths[1]} {words}"
        tally.found("end of the episode", detail, stage.scene.index, case.begin + min(lengths))


def _differing(stage: Stage, k: int, true: Trace, other: Trace) -> Iterator[tuple[str, Any, Any]]:
    """What the agent gets to see at the k-th bar and what differs in both episodes, by name."""
    one, two = true.steps[k], other.steps[k]
    for part, values in true.seen[k].items():
        after = other.seen[k].get(part, np.zeros(0))
        odd = unequal(values, after)
        for column in np.flatnonzero(odd) if after.shape == values.shape else [0]:
            yield _column(stage, part, int(column), values), values.flat[column], after.flat[column] if after.size else None
    for name, before in one.info.items():
        if isinstance(before, bool | int | float | str | np.generic) and unequal(before, two.info.get(name)).any():
            yield f"info[{name!r}]", before, two.info.get(name)
    if k > 0 and unequal(one.reward, two.reward).any():
        yield "reward", one.reward, two.reward
    ends = [(step.terminated, step.truncated) for step in (one, two)]
    if ends[0] != ends[1]:
        yield "end of the episode", ends[0], ends[1]


def _column(stage: Stage, part: str, column: int, observation: np.ndarray) -> str:
    names = stage.matrix.names
    if observation.ndim != 1 or column >= len(names) or part != "observation" or stage.place is not None:
        return f"{part}[{column}]"
    return f"{part}[{column}] ({names[column]})"
