"""The leak audit of an environment, of an agent, and of a training: played on the true candles and on other futures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from evaluation.audit.compare import estimated, other_estimates, unequal
from evaluation.audit.futures import KINDS, LEVELS, REMOVED, Cut, whole_cuts
from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene
from features import FeatureMatrix
from market import Candles

PLAYED_BARS = 256
"""bars before the cut that an episode begins at"""
BARS_AFTER = 8

EnvFactory = Callable[[Candles, FeatureMatrix], Any]
AgentFactory = Callable[[Candles, FeatureMatrix], Any]
Training = Callable[[Candles, int], Any]


@dataclass(frozen=True)
class Stage:
    """The scene with an environment on it, and an agent in that.

    Args:
        env: the project's own environment under these settings, or a function that makes one from candles and rows. Its episode
            must begin at the first row and may run to the last one.
        agent: an agent, or a function that makes one from candles and rows; None for scripted random actions alone.
    """

    scene: Scene
    env: EnvSettings | EnvFactory
    agent: Any = None
    matrix: FeatureMatrix = field(init=False)

    def __post_init__(self) -> None:
        rows = self.scene.rows
        values = np.ascontiguousarray(rows.values, np.float32)
        matrix = FeatureMatrix(values, rows.names, self.scene.index[rows.first :], rows.first, rows.bound)
        object.__setattr__(self, "matrix", matrix)
        if self.agent is not None:
            agent = self.make_agent(self.scene.candles, matrix)
            _require_its_actions(self.make_env(self.scene.candles, matrix, agent), agent)

    def make_env(self, candles: Candles, matrix: FeatureMatrix, agent: Any = None) -> Any:
        """Without ruin, as every evaluation plays; a strategy with `spot = True` gets a spot account."""
        if not isinstance(self.env, EnvSettings):
            return self.env(candles, matrix)
        settings = self.env.spot() if getattr(agent, "spot", False) else self.env
        return BitcoinTradingEnv(candles, matrix, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)

    def make_agent(self, candles: Candles, matrix: FeatureMatrix) -> Any:
        return self.agent if hasattr(self.agent, "predict") else self.agent(candles, matrix)

    def begin(self, bar: int) -> int:
        """The bar that an episode around a cut begins at."""
        return max(self.matrix.warmup, bar - PLAYED_BARS)


class Trace(NamedTuple):
    """An episode: entry k of `observations` and `infos` is of its k-th bar, of the others of the step from there to the next."""

    observations: list[np.ndarray]
    infos: list[dict[str, Any]]
    actions: list[Any]
    states: list[dict[str, np.ndarray]]
    rewards: list[float]
    ends: list[tuple[bool, bool]]


def causal_env(stage: Stage, tally: Tally) -> None:
    """The same random actions on another future: observations, rewards and accounts up to the cut are the same."""
    reacted = False  # what may change has changed: so the comparisons could have failed
    for cut, true, other in _played(stage, with_agent=False):
        tally.cases += 1
        _compare(stage, tally, cut, true, other)
        known = cut.bar - stage.begin(cut.bar)
        reacted = reacted or (cut.kind != REMOVED and true.rewards[known:] != other.rewards[known:])
    if not reacted and not tally.findings:
        tally.found("reward", "none changed, not even after the cut: from whatever they come, it is not these candles")


def causal_agent(stage: Stage, tally: Tally) -> None:
    """The agent plays by itself, its memory carried: its actions and its memory up to the cut are the same."""
    for cut, true, other in _played(stage, with_agent=True):
        tally.cases += 1
        begin = stage.begin(cut.bar)
        for k in range(min(cut.bar - begin + 1, len(true.actions), len(other.actions))):
            if unequal(true.actions[k], other.actions[k]).any():
                detail = f"{true.actions[k]} became {other.actions[k]} {stage.scene.in_words(cut)}"
                tally.found("action", detail, stage.scene.index, begin + k)
            for odd in other_estimates(true.states[k], other.states[k]):
                tally.found(f"memory {odd.column}", f"{odd} {stage.scene.in_words(cut)}", stage.scene.index, begin + k)


def frozen_agent(stage: Stage, tally: Tally) -> None:
    """An evaluation leaves the agent's weights as they were, and repeats to the bit."""
    scene = stage.scene
    matrix = stage.matrix.since(stage.begin(len(scene.candles) - 1))
    agent = stage.make_agent(scene.candles, matrix)
    before = estimated(agent)
    once, again = (_play(stage.make_env(scene.candles, matrix, agent), agent, None, PLAYED_BARS) for _ in range(2))
    for odd in other_estimates(before, estimated(agent)):
        tally.found(odd.column, f"{odd} by an evaluation")
    for k, (one, two) in enumerate(zip(once.actions, again.actions, strict=False)):
        if unequal(one, two).any():
            tally.found("action", f"{one} became {two} when the same episode was played again", scene.index, matrix.warmup + k)
    tally.cases += 2


def trained_on_train_alone(scene: Scene, training: Training, tally: Tally) -> None:
    """Train on candles whose bars after train are others: the same weights come out."""
    before = estimated(training(scene.candles, scene.train_bars))
    for kind in LEVELS:
        cut = Cut(0, len(scene.candles), scene.train_bars - 1, kind)
        for odd in other_estimates(before, estimated(training(scene.future(cut), scene.train_bars))):
            tally.found(odd.column, f"trained {odd} {scene.in_words(cut)}")
        tally.cases += 1


def _played(stage: Stage, with_agent: bool) -> Iterator[tuple[Cut, Trace, Trace]]:
    """For each cut of the whole series: the cut, and the episodes around it with the true and with another future."""
    scene = stage.scene
    true: Trace | None = None
    for cut in whole_cuts(scene.candles, stage.matrix.warmup + 1, scene.train_bars, scene.cuts, scene.seed):
        if true is None or cut.kind == KINDS[0]:  # the kinds of a bar follow each other
            true = _episode(stage, cut, scene.candles, stage.matrix, with_agent)
        yield cut, true, _episode(stage, cut, scene.future(cut), _spliced(stage, cut), with_agent)


def _episode(stage: Stage, cut: Cut, candles: Candles, matrix: FeatureMatrix, with_agent: bool) -> Trace:
    rows = matrix.since(stage.begin(cut.bar))
    agent = stage.make_agent(candles, rows) if with_agent else None
    env = stage.make_env(candles, rows, agent)
    steps = cut.bar - rows.warmup + BARS_AFTER
    return _play(env, agent, None if with_agent else _script(env.action_space, steps, stage.scene.seed), steps)


def _spliced(stage: Stage, cut: Cut) -> FeatureMatrix:
    """The true rows up to the cut, and after it rows of other bars, so that what differs before it is the environment's doing."""
    values, known = stage.matrix.values, cut.bar - stage.matrix.warmup + 1
    if cut.kind == REMOVED:
        values = values[:known]
    else:
        drawn = np.random.default_rng([stage.scene.seed, cut.bar]).integers(0, len(values), len(values) - known)
        values = np.concatenate([values[:known], values[drawn]])
    return FeatureMatrix(values, stage.matrix.names, stage.matrix.index[: len(values)], stage.matrix.warmup, stage.matrix.bound)


def _script(space: Any, steps: int, seed: int) -> list[Any]:
    space.seed(seed)
    return [space.sample() for _ in range(steps)]


def _play(env: Any, agent: Any, script: list[Any] | None, steps: int) -> Trace:
    """An episode of that many steps, or until it ends."""
    observation, info = env.reset(seed=0)
    trace = Trace([np.array(observation)], [info], [], [], [], [])
    state, start = None, np.ones(1, bool)
    for k in range(steps):
        if script is None:
            action, state = agent.predict(observation, state, start, deterministic=True)
        else:
            action = script[k]
        observation, reward, terminated, truncated, info = env.step(action)
        trace.actions.append(action)
        trace.states.append(estimated({"": state}) if script is None else {})
        trace.rewards.append(float(reward))
        trace.ends.append((bool(terminated), bool(truncated)))
        trace.observations.append(np.array(observation))
        trace.infos.append(info)
        start = np.zeros(1, bool)
        if terminated or truncated:
            break
    return trace


def _require_its_actions(env: Any, agent: Any) -> None:
    space = getattr(agent, "action_space", env.action_space)
    if space != env.action_space:
        raise InputError(f"the agent plays {space}, but the env has {env.action_space}; audit it in its own")


def _compare(stage: Stage, tally: Tally, cut: Cut, true: Trace, other: Trace) -> None:
    """Everything of the bars up to the cut, and of the steps that end there or before."""
    begin = stage.begin(cut.bar)
    known = cut.bar - begin
    for k in range(known + 1):
        if k >= len(true.observations) or k >= len(other.observations):
            break
        for name, before, after in _seen(stage, k, known, cut, true, other):
            if not tally.knows(name) and unequal(before, after).any():
                tally.found(name, f"{before} became {after} {stage.scene.in_words(cut)}", stage.scene.index, begin + k)
    lengths = [min(len(trace.rewards), known) for trace in (true, other)]
    if lengths[0] != lengths[1]:
        detail = f"after {lengths[0]} steps became after {lengths[1]} {stage.scene.in_words(cut)}"
        tally.found("end of the episode", detail, stage.scene.index, begin + min(lengths))


def _seen(stage: Stage, k: int, known: int, cut: Cut, true: Trace, other: Trace) -> Iterator[tuple[str, Any, Any]]:
    """What the agent gets to see at the k-th bar, by name, in both episodes."""
    one, two = true.observations[k], other.observations[k]
    for column in np.flatnonzero(unequal(one, two)):
        yield _column(stage, int(column), one), one.flat[column], two.flat[column]
    before, after = true.infos[k], other.infos[k]
    for name in before:
        if isinstance(before[name], bool | int | float | str | np.generic):
            yield f"info[{name!r}]", before[name], after.get(name)
    if k > 0:
        yield "reward", true.rewards[k - 1], other.rewards[k - 1]
        last = k == known and cut.kind == REMOVED  # the data end there, and so the episode
        yield "end of the episode", true.ends[k - 1][: 1 if last else 2], other.ends[k - 1][: 1 if last else 2]


def _column(stage: Stage, column: int, observation: np.ndarray) -> str:
    names = stage.matrix.names
    if observation.ndim != 1 or column >= len(names):
        return f"observation[{column}]"
    return f"observation[{column}] ({names[column]})"
