"""Where the audit plays an environment: a stretch of the scene's candles and rows, and an episode that begins at a known bar."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from evaluation.audit.compare import unequal
from evaluation.audit.environments import Player, as_factory, parts_of, takes_rows
from evaluation.audit.foreign import Policy, on_true_candles, part, predicted, takes_one
from evaluation.audit.locate import Place, locate
from evaluation.audit.rows import Scene
from features import FeatureMatrix
from market import Candles

LEAD = 64
"""bars before the first one of an episode that an environment gets on a stretch"""

TRIED_STEPS = 12
"""of an episode that is played twice, to see whether an environment keeps anything from one to the next"""

EnvFactory = Callable[..., Any]
AgentFactory = Callable[[Candles, FeatureMatrix], Any]


@dataclass(frozen=True)
class Stage:
    """The scene with an environment on it, and an agent in that.

    Args:
        env: the project's own environment under these settings; a function of candles and rows, whose episode begins at the
            first row and may run to the last one; a function of the DataFrame of candles, whose episode begins where it likes;
            or an environment that was made of one of these.
        agent: an agent, or a function that makes one from candles and rows; None for scripted random actions alone.
    """

    scene: Scene
    env: Any
    agent: Any = None
    matrix: FeatureMatrix = field(init=False)
    place: Place | None = field(init=False, default=None)
    """where episodes begin in an environment that computes its own rows; None where they begin at the first row"""
    carries_over: bool = field(init=False, default=False)
    """whether an episode depends on those before it, as running means of a wrapper do: then each one gets a new environment"""

    def __post_init__(self) -> None:
        rows = self.scene.rows
        values = np.ascontiguousarray(rows.values, np.float32)
        matrix = FeatureMatrix(values, rows.names, self.scene.index[rows.first :], rows.first, rows.bound)
        object.__setattr__(self, "matrix", matrix)
        env = self.env.settings if isinstance(self.env, BitcoinTradingEnv) else self.env
        object.__setattr__(self, "env", env if isinstance(env, EnvSettings) else as_factory(env))
        if not isinstance(self.env, EnvSettings) and not takes_rows(self.env):
            object.__setattr__(self, "place", locate(self._alone, self.scene.candles))
        with on_true_candles():
            object.__setattr__(self, "carries_over", self._carries_over())
            if self.agent is not None:
                agent = self.make_agent(self.scene.candles, matrix)
                player = self.player(self.scene.candles, matrix, agent)
                _require_its_actions(player, agent)
                predicted(agent, player.reset().observation, None, np.ones(1, bool))

    @property
    def is_own(self) -> bool:
        """Whether the environment is this project's."""
        return isinstance(self.env, EnvSettings)

    @property
    def first(self) -> int:
        """The first bar that an episode can begin at."""
        return self.matrix.warmup if self.place is None else self.place.first

    @property
    def total(self) -> int:
        return len(self.scene.candles)

    def make_env(self, candles: Candles, matrix: FeatureMatrix, agent: Any = None) -> Any:
        """Without ruin, as every evaluation plays; a strategy with `spot = True` gets a spot account."""
        if not self.is_own:
            with part("the function that makes the environment"):
                return self.env(candles.frame.copy()) if self.place is not None else self.env(candles, matrix)
        settings = self.env.spot() if getattr(agent, "spot", False) else self.env
        return BitcoinTradingEnv(candles, matrix, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)

    def player(self, candles: Candles, matrix: FeatureMatrix, agent: Any = None) -> Player:
        """The environment on these candles, to be played."""
        return Player(self.make_env(candles, matrix, agent))

    def make_agent(self, candles: Candles, matrix: FeatureMatrix) -> Any:
        if hasattr(self.agent, "predict"):
            return self.agent
        if not callable(self.agent):
            raise InputError(f"an agent has `predict`, or is a function, but this is a {type(self.agent).__name__}")
        if takes_one(self.agent):
            return Policy(self.agent)
        with part("the function that makes the agent"):
            return self.agent(candles, matrix)

    def begin(self, bar: int, bars: int) -> int:
        """The bar that an episode around a cut begins at, that many bars before it if there is room."""
        if self.place is None:
            return max(self.first, bar - bars)
        return int(np.clip(bar - bars, self.first, self.total - self.place.length + self.first))

    def whole(self, begin: int) -> "Stretch | None":
        """All candles, or as many as the environment is played on."""
        if self.place is None:
            return Stretch(self, 0, begin, self.scene.candles)
        return self.stretch(begin, self.total)

    def stretch(self, begin: int, stop: int) -> "Stretch | None":
        """The candles around an episode from bar `begin`, up to bar `stop` or further; None where there is no room."""
        if self.place is None:
            start = max(begin - LEAD, 0)
            return Stretch(self, start, begin, self.scene.candles[start : min(stop, self.total)])
        start = begin - self.place.first
        if start < 0 or start + self.place.length > self.total:
            return None
        return Stretch(self, start, begin, self.scene.candles[start : start + self.place.length])

    def _alone(self, candles: Candles) -> Player:
        with part("the function that makes the environment"):
            env = self.env(candles.frame.copy())
        return Player(env)

    def _carries_over(self) -> bool:
        """Whether the same actions give other observations or rewards in a second episode of the same environment."""
        begin = self.begin(self.total // 2, 0)
        stretch = self.stretch(begin, begin + LEAD)
        if stretch is None or self.is_own:
            return False
        player = stretch.player(stretch.candles)
        once, again = (list(_shown(player)) for _ in range(2))
        return len(once) != len(again) or any(unequal(a, b).any() for a, b in zip(once, again, strict=True))


@dataclass(frozen=True)
class Stretch:
    """Candles from bar `start` on, for an episode that begins at bar `begin`."""

    stage: Stage
    start: int
    begin: int
    candles: Candles

    def player(self, candles: Candles, values: np.ndarray | None = None) -> Player:
        """The environment on other candles of this stretch.

        Args:
            values: float32 (R, F), the rows from `begin` on; the true ones by default.
        """
        matrix = self.stage.matrix
        skip, count = self.begin - matrix.warmup, len(candles) - (self.begin - self.start)
        shown = matrix.values[skip : skip + count] if values is None else values
        rows = FeatureMatrix(
            shown, matrix.names, candles.index[len(candles) - len(shown) :], self.begin - self.start, matrix.bound
        )
        return self.stage.player(candles, rows)


def _shown(player: Player) -> Iterator[np.ndarray]:
    """All observations and rewards of a short episode of random actions."""
    step = player.reset()
    player.action_space.seed(0)
    for _ in range(TRIED_STEPS):
        yield from parts_of(step.observation).values()
        yield np.array(step.reward)
        if step.terminated or step.truncated:
            break
        step = player.step(player.action_space.sample())


def _require_its_actions(env: Player, agent: Any) -> None:
    space = getattr(agent, "action_space", env.action_space)
    if space != env.action_space:
        raise InputError(f"the agent plays {space}, but the env has {env.action_space}; audit it in its own")
