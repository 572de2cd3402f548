"""Anybody's environment, played in one way: Gymnasium's, a vectorised one, one behind a factory, one that was made already."""

import copy
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from gymnasium import spaces

from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from evaluation.audit.foreign import UnplayableError, part
from market import Candles

WORTH = ("net_worth", "portfolio_valuation", "portfolio_value", "total_value", "account_value", "equity")
"""entries of `info` that hold what the account is worth, under the names that trading environments give it"""
OLD_API = (
    "the environment speaks the old gym API: {what}; the audit needs Gymnasium's "
    "(`reset` -> observation, info; `step` -> observation, reward, terminated, truncated, info): wrap it, "
    "for example in shimmy's `GymV26CompatibilityV0`"
)


class Step(NamedTuple):
    """What one step gave."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]

    @property
    def worth(self) -> float | None:
        """What the account is worth, None where the environment does not tell."""
        return worth_of(self.info)


class Player:
    """One episode at a time of any environment, always from the same seeds.

    Of a vectorised environment the first one is played; all get the same actions.

    Args:
        env: a Gymnasium environment, or a vectorised one of Stable-Baselines3.
        seed: of every episode.

    Raises:
        UnplayableError: it is no environment, or one of the old gym API.
    """

    def __init__(self, env: Any, seed: int = 0) -> None:
        if not all(hasattr(env, name) for name in ("reset", "step", "action_space")):
            raise UnplayableError(
                f"an environment has `reset`, `step` and `action_space`, but {_kind(env)} has not; see docs/leak-audit.md"
            )
        self.env = env
        self.count = int(getattr(env, "num_envs", 0) or 0)
        self.action_space: spaces.Space[Any] = env.action_space
        self.seed = seed
        self._seeds = {"seed": seed}
        if not self.count:
            _require_seed(env)

    def reset(self) -> Step:
        """Begin an episode."""
        if self.count:
            seed_globally(self.seed)
            with part("the environment's `reset`"):
                self.env.seed(self.seed)
                observation: Any = self.env.reset()
            info: Mapping[str, Any] = {}
        else:
            observation, info = self._reset_alone()
        return self._as_step(observation, 0.0, False, False, info)

    def step(self, action: Any) -> Step:
        """Take one action."""
        if self.count:
            with part("the environment's `step`"):
                observation, rewards, dones, infos = self.env.step(np.array([action] * self.count))
            truncated = bool(infos[0].get("TimeLimit.truncated", False))
            if dones[0]:
                observation = _like_batch(infos[0].get("terminal_observation"), observation)
            ended = bool(dones[0]) and not truncated
            return self._as_step(observation, float(rewards[0]), ended, truncated, infos[0])
        with part("the environment's `step`"):
            given = self.env.step(action)
        if not isinstance(given, tuple) or len(given) != 5:
            what = f"{len(given)} values" if isinstance(given, tuple) else _kind(given)
            raise UnplayableError(OLD_API.format(what=f"its `step` gives {what}"))
        observation, reward, terminated, truncated, info = given
        return self._as_step(observation, _number(reward), bool(terminated), bool(truncated), info)

    def _reset_alone(self) -> tuple[Any, Mapping[str, Any]]:
        if self._seeds:
            seed_globally(self.seed)
        with part("the environment's `reset`"):
            given = self.env.reset(**self._seeds)
        if isinstance(self.env, BitcoinTradingEnv):
            self._seeds = {}  # its evaluation draws nothing, and a new generator takes longer than a step
        if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[1], Mapping):
            raise UnplayableError(OLD_API.format(what="its `reset` gives an observation alone"))
        return given

    def _as_step(self, observation: Any, reward: float, terminated: bool, truncated: bool, info: Mapping[str, Any]) -> Step:
        if self.count:
            observation = {k: v[0] for k, v in observation.items()} if isinstance(observation, Mapping) else observation[0]
        return Step(observation, reward, terminated, truncated, info)


def parts_of(observation: Any) -> dict[str, np.ndarray]:
    """Copies of the arrays of an observation, by name."""
    return dict(_parts("observation", observation))


def worth_of(info: Mapping[str, Any]) -> float | None:
    """What the account is worth, None where `info` does not tell."""
    for name in WORTH:
        if isinstance(info.get(name), int | float | np.number):
            return float(info[name])
    return None


def worth_name(info: Mapping[str, Any]) -> str:
    """The entry of `info` that holds what the account is worth; `reward` where none does."""
    return next((name for name in WORTH if isinstance(info.get(name), int | float | np.number)), "reward")


def as_factory(env: Any) -> Callable[..., Any]:
    """A function that makes the environment on other candles.

    Args:
        env: a function of candles, or of candles and rows, as it is; an environment that was made already, which is made again
            from what it was made of: `gymnasium.make`'s arguments, or the attributes that have the names of its constructor's.

    Raises:
        InputError: an environment that does not tell what it was made of.
    """
    if inspect.isclass(env) or not hasattr(env, "step"):
        return env
    plain = env.envs[0] if hasattr(env, "envs") else env
    spec, bare = getattr(plain, "spec", None), getattr(plain, "unwrapped", plain)
    arguments = dict(getattr(spec, "kwargs", None) or {}) or _constructor_arguments(bare)
    names = [name for name, value in arguments.items() if isinstance(value, pd.DataFrame | Candles)]
    if len(names) != 1:
        raise InputError(
            f"an environment that was made already ({_kind(bare)}) cannot be played on other candles, since it does not "
            "tell which of its parts they are; hand over the function of candles that makes it"
        )
    name, kind = names[0], type(bare)
    taken = isinstance(arguments[name], Candles)

    def again(frame: pd.DataFrame) -> Any:
        return kind(**copy.copy(arguments) | {name: frame})

    def again_of_candles(candles: Candles, matrix: Any) -> Any:
        return kind(**copy.copy(arguments) | {name: candles, **_rows_for(arguments, matrix)})

    return again_of_candles if taken else again


def takes_rows(factory: Callable[..., Any]) -> bool:
    """Whether the function is one of candles and rows; one of a single argument gets the DataFrame of candles."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is p.empty]
    return len(needed) == 2 or any(p.kind is p.VAR_POSITIONAL for p in parameters) or (len(needed) < 1 and len(positional) > 1)


def computes_its_own_rows(env: Any) -> bool:
    """Whether it is an environment that gets the DataFrame of candles alone."""
    return env is not None and not isinstance(env, EnvSettings | BitcoinTradingEnv) and not takes_rows(as_factory(env))


def probes(space: Any, seed: int, most: int = 16) -> list[Any]:
    """All actions of a small space; else its corners, its middle, small and large ones, and random ones."""
    space.seed(seed)
    if isinstance(space, spaces.Discrete):
        numbers = np.unique(np.linspace(0, int(space.n) - 1, min(int(space.n), most)).astype(int))
        return [int(space.start) + int(k) for k in numbers]
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return _combinations(space, most)
    drawn = [space.sample() for _ in range(most // 2)]
    if isinstance(space, spaces.Box) and space.is_bounded():
        middle, half = (space.low + space.high) / 2, (space.high - space.low) / 2
        sizes = (-1.0, -0.5, -0.1, -0.02, 0.0, 0.02, 0.1, 0.5, 1.0)
        return [*((middle + size * half).astype(space.dtype) for size in sizes), *drawn[:3]]
    return drawn


def _combinations(space: Any, most: int) -> list[Any]:
    sizes = np.full(space.shape, 2) if isinstance(space, spaces.MultiBinary) else np.asarray(space.nvec)
    total = int(np.prod(sizes.astype(float).clip(max=1e6)))
    if total > most:
        return [space.sample() for _ in range(most)]
    grid = np.stack(np.unravel_index(np.arange(total), sizes.ravel()), axis=-1)
    return [row.reshape(space.shape).astype(space.dtype) for row in grid]


def _parts(name: str, observation: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of an observation; a mapping's and a tuple's by dotted name."""
    if isinstance(observation, Mapping):
        for key, part in observation.items():
            yield from _parts(f"{name}.{key}", part)
    elif isinstance(observation, tuple):
        for k, part in enumerate(observation):
            yield from _parts(f"{name}.{k}", part)
    else:
        yield name, np.array(observation)


def _number(reward: Any) -> float:
    """A reward may come as an array of one number."""
    array = np.asarray(reward)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise UnplayableError(f"the environment's `step` must give one number as reward, but gave {reward!r}")
    return float(array.item())


def _like_batch(last: Any, observation: Any) -> Any:
    """The last observation of an episode where a vectorised environment has begun the next one already."""
    if last is None:
        return observation
    return {k: np.asarray(v)[None] for k, v in last.items()} if isinstance(last, Mapping) else np.asarray(last)[None]


def _constructor_arguments(env: Any) -> dict[str, Any]:
    parameters = list(inspect.signature(type(env).__init__).parameters.values())[1:]
    return {p.name: getattr(env, p.name) for p in parameters if hasattr(env, p.name)}


def _rows_for(arguments: Mapping[str, Any], matrix: Any) -> dict[str, Any]:
    return {name: matrix for name, value in arguments.items() if type(value) is type(matrix)}


def _require_seed(env: Any) -> None:
    parameters = inspect.signature(env.reset).parameters
    if "seed" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise UnplayableError(OLD_API.format(what="its `reset` takes no `seed`"))


def _kind(thing: Any) -> str:
    return f"a {type(thing).__name__}"


@contextmanager
def kept_global_state() -> Iterator[None]:
    """The global generators afterwards are where they were before, whatever was seeded."""
    before, before_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
        random.setstate(before_python)


def seed_globally(seed: int = 0) -> None:
    """Some environments draw from the global generators: the same numbers in each episode."""
    numbers, python_numbers = _seeded(seed)
    np.random.set_state(numbers)  # noqa: NPY002
    random.setstate(python_numbers)


@cache
def _seeded(seed: int) -> tuple[Any, Any]:
    """States of both global generators; to set one is faster than to seed it."""
    return np.random.RandomState(seed).get_state(), random.Random(seed).getstate()
