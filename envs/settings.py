"""The settings of the environment: what is traded on, at what costs, for what reward."""

from pydantic import Field, field_validator

from envs.rewards import REWARDS
from market import Settings, unknown


class EnvSettings(Settings):
    """Everything that the kernel's physics and the reward depend on."""

    reward: str = "sortino"
    """name of the reward"""
    reward_window: int = Field(64, ge=2)
    """bars of the trailing window that a ratio reward is computed over"""
    initial_cash: float = Field(10_000.0, gt=0)
    """net worth at the start of an episode, in USD"""
    fee_bps: float = Field(10.0, ge=0, lt=10_000)
    """fee of a trade, in basis points of its value"""
    half_spread_bps: float = Field(1.0, ge=0, lt=5_000)
    """half of the bid-ask spread, in basis points of the price, paid on every fill"""
    slippage_bps: float = Field(2.0, ge=0, lt=5_000)
    """adverse move of the fill price, in basis points, paid on every fill"""
    min_trade: float = Field(10.0, ge=0)
    """orders of a smaller value, in USD, are refused"""
    episode_bars: int = Field(1_024, ge=2)
    """length of a training episode; it starts at a random bar"""
    ruin_fraction: float = Field(0.1, ge=0, lt=1)
    """a net worth below this fraction of the start ends a training episode"""

    @field_validator("reward")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in REWARDS:
            raise ValueError(unknown("reward", name, REWARDS))
        return name

    @property
    def cost_fraction(self) -> float:
        """The whole one-way cost of a trade, as a fraction of its value."""
        return (self.fee_bps + self.half_spread_bps + self.slippage_bps) / 1e4
