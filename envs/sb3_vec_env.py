"""`BitcoinTradingVecEnv`: many accounts in one call of the kernel, as a Stable-Baselines3 `VecEnv`."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from gymnasium.utils.seeding import np_random
from stable_baselines3.common.vec_env import VecEnv

from common import InputError
from envs.accounts import Trading, at_least_one
from envs.market_arrays import Rows, Series
from envs.rewards import Reward
from envs.settings import EnvSettings


class QuietInfo(dict[str, Any]):
    """The empty info of an env whose episode goes on. All of them are this one, so it refuses to be written to."""

    def __setitem__(self, name: str, value: Any) -> NoReturn:
        raise InputError(f"the infos of running episodes are one shared, empty dict, so {name!r} cannot be set; copy it first")

    def update(self, *args: Any, **kwargs: Any) -> NoReturn:
        self["..."] = None

    def __ior__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        self["..."] = other

    def setdefault(self, name: str, default: Any = None) -> NoReturn:
        self[name] = default


QUIET = QuietInfo()
ROW_METHODS = frozenset({"action_masks"})
"""that answer for all accounts at once, a row each"""


class BitcoinTradingVecEnv(VecEnv):
    """`n_envs` times `BitcoinTradingEnv`, whose docstring is the contract of observations, actions and rewards.

    Env i is seeded with `seed + i` and then does what the scalar env seeded so does, to the byte. A finished env begins its
    next episode at once; `infos[i]` then holds `terminal_observation`, `TimeLimit.truncated`, `episode` (`r`: sum of rewards,
    `l`: steps) and everything of the scalar env's info but `time`. All other infos are empty: only finished envs cost Python
    time. `trading.accounts` has the state of every account as arrays, and `env_method("info", i)` that of account i as a dict.

    Args:
        candles, features, settings, evaluation, reward: as for `BitcoinTradingEnv`.
        n_envs: number of accounts.
        seed: of the first one; None draws one from the system.
        spread: env i trades on series i modulo their number, in all of its episodes, so that each series has as many envs at any
            time. Else each draws a series for each episode, as `settings.dataset_sampling` says and the scalar env does.
    """

    def __init__(
        self,
        candles: Series,
        features: Rows,
        settings: EnvSettings | None = None,
        n_envs: int = 64,
        seed: int | None = None,
        evaluation: bool = False,
        reward: Reward | str | None = None,
        spread: bool = False,
    ) -> None:
        self.settings = EnvSettings() if settings is None else settings
        self.trading = Trading(candles, features, self.settings, at_least_one(n_envs), evaluation, reward, spread)
        self.render_mode = None
        super().__init__(n_envs, self.trading.observation_space, self.trading.action_space)
        self.seed(seed)
        self._generators: list[np.random.Generator] = [np_random(None)[0] for _ in range(n_envs)]
        self._begun = False
        self._step: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[int]] | None = None

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed env i with `seed + i` at the next reset; None draws one from the system, not from numpy's global state."""
        return super().seed(int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed)

    def reset(self) -> np.ndarray:
        for i, seed in enumerate(self._seeds):
            if seed is not None:
                self._generators[i] = np_random(seed)[0]
                self.trading.forget(i)
            self.trading.begin(i, self._generators[i])
        self._reset_seeds()
        self._reset_options()
        self._begun = True
        return self.trading.observe()

    def step_async(self, actions: np.ndarray) -> None:
        if not self._begun:
            raise InputError("no episode has begun; call `reset` before `step`")
        self._step = self.trading.step(actions)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        if self._step is None:
            raise InputError("no actions were given; call `step_async` before `step_wait`")
        observations, rewards, terminated, truncated, ended = self._step
        self._step = None
        infos: list[dict[str, Any]] = [QUIET] * self.num_envs
        if not ended:
            return observations, rewards, truncated, infos
        dones = terminated | truncated
        for i in ended:
            infos[i] = self.trading.info(i)
            infos[i]["terminal_observation"] = observations[i].copy()
            infos[i]["TimeLimit.truncated"] = truncated.item(i)
            infos[i]["episode"] = self.trading.episode(i)
            self.trading.begin(i, self._generators[i])
            self.trading.observe_one(i, observations)
        return observations, rewards, dones, infos

    def info(self, i: int) -> dict[str, Any]:
        """Where account `i` stands now."""
        return self.trading.info(i)

    def action_masks(self) -> np.ndarray:
        """bool (n_envs, A): False for actions that a rule would refuse now; see `Trading.action_masks`.

        `env_method("action_masks")`, with which sb3-contrib asks, gives a row for each env.
        """
        return self.trading.action_masks()

    def snapshot(self) -> tuple[dict[str, np.ndarray], list[Any]]:
        """Arrays by name, and the state of each env's generator: all that a later `restore` needs to go on to the byte.

        Taken between a step and the next; actions that were given and not waited for are no part of it.
        """
        return self.trading.snapshot(), [generator.bit_generator.state for generator in self._generators]

    def restore(self, arrays: dict[str, np.ndarray], generators: list[Any]) -> None:
        """Go on from a `snapshot` of as many envs on the same series under the same settings."""
        self.trading.restore(arrays)
        for generator, state in zip(self._generators, generators, strict=True):
            generator.bit_generator.state = state
        self._begun = True

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: None | int | Iterable[int] = None) -> list[Any]:
        return [getattr(self, attr_name)] * self._count(indices)

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: None | int | Iterable[int] = None) -> None:
        if indices is not None:
            raise InputError(f"the accounts share their attributes, so {attr_name!r} cannot be set for {indices=} alone")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: None | int | Iterable[int] = None, **kwargs: Any) -> list[Any]:
        told = getattr(self, method_name)(*args, **kwargs)
        if method_name in ROW_METHODS:
            return [told[i] for i in self._get_indices(indices)]
        return [told] * self._count(indices)

    def env_is_wrapped(self, wrapper_class: type, indices: None | int | Iterable[int] = None) -> list[bool]:
        return [False] * self._count(indices)

    def get_images(self) -> Sequence[np.ndarray | None]:
        return [None] * self.num_envs

    def _count(self, indices: None | int | Iterable[int]) -> int:
        return len(list(self._get_indices(indices)))
