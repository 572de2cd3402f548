"""The settings of the agent and of the benchmark strategies."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from agents.algorithms import ALGORITHMS
from common import Settings, unknown


class AgentSettings(Settings):
    """The learning algorithm and its hyperparameters; what an algorithm has no use for, it ignores."""

    algorithm: str = "recurrent_ppo"
    """recurrent_ppo; or, without a memory (see features.window), ppo, a2c or qr_dqn of Stable-Baselines3 and its contrib"""
    n_envs: int = Field(64, ge=1)
    """environments stepped side by side"""
    n_steps: int = Field(128, ge=2)
    """bars that each environment plays between two updates"""
    n_minibatches: int = Field(4, ge=1)
    """pieces that a rollout of n_envs * n_steps is cut into for an update"""
    sequence_length: int = Field(16, ge=1)
    """bars that gradients reach back in time; a minibatch is made of sequences of this length, from all environments"""
    n_epochs: int = Field(5, ge=1)
    """passes over a rollout"""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Adam's step size"""
    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    """constant, or linear: the step size falls to 0 by the end of the training"""
    gamma: float = Field(0.98, gt=0, lt=1)
    """discount of a reward one bar later"""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """lambda of generalized advantage estimation"""
    clip_range: float = Field(0.2, gt=0)
    """how far an update may move the probability ratio from 1"""
    ent_coef: float = Field(1e-3, ge=0)
    """weight of the entropy bonus"""
    vf_coef: float = Field(0.5, ge=0)
    """weight of the value loss"""
    max_grad_norm: float = Field(0.5, gt=0)
    """gradients are scaled down to this norm"""
    lstm_size: int = Field(32, ge=1)
    """hidden units of each LSTM layer"""
    lstm_layers: int = Field(1, ge=1)
    """LSTM layers of the actor, and of the critic"""
    head_layers: tuple[int, ...] = ()
    """hidden units of the tanh layers between the LSTM and the output, of the actor and of the critic; none by default"""
    mask_orders: bool = False
    """recurrent_ppo with the 12 orders: never try to buy without cash, or to sell without coin"""
    replay_steps: int = Field(50_000, ge=100)
    """transitions that qr_dqn remembers and learns from"""
    device: Literal["cpu", "cuda"] = "cpu"
    """where the networks live and learn"""
    threads: int = Field(1, ge=0)
    """of torch: 1 keeps the order of sums; 0 measures at the start whether all cores are faster, which a resumed run keeps"""

    @field_validator("algorithm")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ALGORITHMS:
            raise ValueError(unknown("algorithm", name, ALGORITHMS))
        return name

    @field_validator("head_layers", mode="before")
    @classmethod
    def _by_commas(cls, sizes: object) -> object:
        """On a command line `64,64` is easier to write than a list."""
        return [part for part in sizes.split(",") if part.strip()] if isinstance(sizes, str) else sizes

    @field_validator("head_layers")
    @classmethod
    def _have_units(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if min(sizes, default=1) < 1:
            raise ValueError(f"a layer needs 1 unit or more, but got {sizes}")
        return sizes

    @model_validator(mode="after")
    def _fits_together(self) -> "AgentSettings":
        if (self.n_envs * self.n_steps) % self.n_minibatches:
            raise ValueError(
                f"`n_minibatches` must divide n_envs * n_steps = {self.n_envs} * {self.n_steps}, "
                f"but got {self.n_minibatches}; a power of 2 usually does"
            )
        if self.mask_orders and "mask_orders" in ALGORITHMS[self.algorithm].ignores:
            raise ValueError(f"`mask_orders` is for recurrent_ppo, but the algorithm is {self.algorithm}; set it to false")
        if self.batch_size < 2:
            raise ValueError(
                f"a minibatch needs 2 steps or more, but {self.n_envs} * {self.n_steps} / {self.n_minibatches} is 1; "
                "lower n_minibatches"
            )
        return self

    @property
    def batch_size(self) -> int:
        return self.n_envs * self.n_steps // self.n_minibatches


class StrategySettings(Settings):
    """What the benchmark strategies look at."""

    sma_short_bars: int = Field(50, ge=1)
    """window of the fast average of the SMA crossover"""
    sma_long_bars: int = Field(200, ge=2)
    """window of the slow average of the SMA crossover"""
    rsi_bars: int = Field(14, ge=2)
    """window of the RSI of the RSI divergence"""
    rsi_lookback_bars: int = Field(24, ge=1)
    """bars over which the directions of price and RSI are compared"""

    @model_validator(mode="after")
    def _short_is_shorter(self) -> "StrategySettings":
        if self.sma_short_bars >= self.sma_long_bars:
            raise ValueError(
                f"`sma_short_bars < sma_long_bars` must hold, but got {self.sma_short_bars} and {self.sma_long_bars}; "
                "lower the first"
            )
        return self
