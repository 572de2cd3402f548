"""A small environment and agents of somebody else's, honest unless told otherwise: what the leak audit has to tell apart."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from features import FeatureMatrix
from market import Candles


class TwoSided(gymnasium.Env[np.ndarray, np.int64]):
    """Out of the market (0) or in it (1), from the next bar's open to its close; pays the log return, and tells nothing.

    Args:
        seen: what the observation holds of bar t: a function of the candles, the rows and t.
        paid: the reward of holding from bar t on, likewise.
        bars: of an episode, counted from the first row.
    """

    def __init__(
        self,
        candles: Candles,
        matrix: FeatureMatrix,
        seen: Callable[["TwoSided", int], np.ndarray] | None = None,
        paid: Callable[["TwoSided", int], float] | None = None,
        bars: Callable[["TwoSided"], int] | None = None,
    ) -> None:
        self.opens, self.highs, self.lows, self.closes = (
            np.log(candles.column(name)) for name in ("open", "high", "low", "close")
        )
        self.values, self.first, self.last = matrix.values, matrix.warmup, len(candles) - 1
        self.seen = seen or (lambda env, bar: env.values[bar - env.first])
        self.paid = paid or (lambda env, bar: env.closes[bar + 1] - env.opens[bar + 1])
        self.stop = self.first + bars(self) if bars else self.last
        self.bar = self.first
        self.action_space = spaces.Discrete(2)
        self.observation_space = spaces.Box(-np.inf, np.inf, self.seen(self, self.first).shape, np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.bar = self.first
        return self.seen(self, self.bar), {}

    def step(self, action: int | np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward = self.paid(self, self.bar) if action else 0.0
        self.bar += 1
        return self.seen(self, self.bar), float(reward), False, self.bar >= min(self.stop, self.last), {}


class Momentum:
    """In the market after a rise; its memory is the sum of what it saw. Without `predict`'s state it would know no past."""

    def predict(
        self, observation: np.ndarray, state: Any = None, episode_start: np.ndarray | None = None, deterministic: bool = False
    ) -> tuple[int, np.ndarray]:
        state = np.zeros(1) if state is None else state
        return int(observation[0] > 0), state + observation[0]


class Planned:
    """Plays a list of actions that was made from the candles before the episode began."""

    def __init__(self, actions: np.ndarray) -> None:
        self.actions = actions

    def predict(
        self, observation: np.ndarray, state: Any = None, episode_start: np.ndarray | None = None, deterministic: bool = False
    ) -> tuple[int, int]:
        count = 0 if state is None else state
        return int(self.actions[min(count, len(self.actions) - 1)]), count + 1


class Learning(Momentum):
    """Goes on learning while it is judged."""

    def __init__(self) -> None:
        self.net = torch.nn.Linear(1, 1)

    def predict(
        self, observation: np.ndarray, state: Any = None, episode_start: np.ndarray | None = None, deterministic: bool = False
    ) -> tuple[int, np.ndarray]:
        with torch.no_grad():
            self.net.bias.add_(float(observation[0]))
        return super().predict(observation, state, episode_start, deterministic)


class Drawing:
    """Draws its actions, though it was asked for the best ones."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def predict(
        self, observation: np.ndarray, state: Any = None, episode_start: np.ndarray | None = None, deterministic: bool = False
    ) -> tuple[int, None]:
        return int(self._rng.random() < 0.5), None
