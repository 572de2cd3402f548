"""The settings of the agent and of the benchmark strategies."""

from pydantic import Field, model_validator

from market import Settings


class AgentSettings(Settings):
    """Hyperparameters of recurrent PPO."""

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

    @model_validator(mode="after")
    def _minibatches_are_whole(self) -> "AgentSettings":
        if (self.n_envs * self.n_steps) % self.n_minibatches:
            raise ValueError(
                f"`n_minibatches` must divide n_envs * n_steps = {self.n_envs} * {self.n_steps}, "
                f"but got {self.n_minibatches}; a power of 2 usually does"
            )
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
