"""`BitcoinTradingVecEnv`: many accounts in one call of the kernel, as a Stable-Baselines3 `VecEnv`."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils.seeding import np_random
from stable_baselines3.common.vec_env import VecEnv

from envs import kernel
from envs.settings import EnvSettings
from envs.trading import Trading
from features import FeatureMatrix
from market import Candles, InputError


class BitcoinTradingVecEnv(VecEnv):
    """`n_envs` times `BitcoinTradingEnv`, whose docstring is the contract of observations, actions and rewards.

    Env i is seeded with `seed + i` and then does what the scalar env seeded so does, to the byte. A finished env begins its
    next episode at once; `infos[i]` then holds `terminal_observation`, `TimeLimit.truncated` and `episode`
    (`r`: sum of rewards, `l`: steps). Only finished envs cost Python time.
    """

    def __init__(
        self,
        candles: Candles,
        features: FeatureMatrix | np.ndarray,
        settings: EnvSettings | None = None,
        n_envs: int = 64,
        seed: int | None = None,
        evaluation: bool = False,
    ) -> None:
        self.trading = Trading(candles, features, settings or EnvSettings(), n_envs, evaluation)
        self.render_mode = None
        low, high = self.trading.observation_bounds()
        super().__init__(n_envs, spaces.Box(low, high, dtype=np.float32), spaces.Discrete(kernel.N_ORDERS))
        self.seed(seed)
        self._generators: list[np.random.Generator] = [np_random(None)[0] for _ in range(n_envs)]
        self._actions = np.zeros(n_envs, np.int64)
        self._returns = np.zeros(n_envs)
        self._quiet_infos: list[dict[str, Any]] = [{} for _ in range(n_envs)]

    def reset(self) -> np.ndarray:
        for i, seed in enumerate(self._seeds):
            if seed is not None:
                self._generators[i] = np_random(seed)[0]
            self.trading.begin(i, self._generators[i])
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        return self.trading.observe()

    def step_async(self, actions: np.ndarray) -> None:
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.min() < 0 or actions.max() >= kernel.N_ORDERS:
            raise InputError(f"actions must be {self.num_envs} integers from 0 to {kernel.N_ORDERS - 1}, but got {actions!r}")
        self._actions[:] = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        rewards, terminated, truncated = self.trading.step(self._actions)
        dones = terminated | truncated
        self._returns += rewards
        observations = self.trading.observe()
        if not dones.any():
            return observations, rewards, dones, self._quiet_infos
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(dones):
            infos[i] = {
                "terminal_observation": observations[i].copy(),
                "TimeLimit.truncated": bool(truncated[i]),
                "episode": {"r": float(self._returns[i]), "l": int(self.trading.accounts.steps[i])},
                "net_worth": float(self.trading.accounts.net_worth[i]),
            }
            self.trading.begin(int(i), self._generators[i])
        self._returns[dones] = 0.0
        return self.trading.observe(), rewards, dones, infos

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
        return [getattr(self, method_name)(*args, **kwargs)] * self._count(indices)

    def env_is_wrapped(self, wrapper_class: type, indices: None | int | Iterable[int] = None) -> list[bool]:
        return [False] * self._count(indices)

    def get_images(self) -> Sequence[np.ndarray | None]:
        return [None] * self.num_envs

    def _count(self, indices: None | int | Iterable[int]) -> int:
        return len(list(self._get_indices(indices)))
