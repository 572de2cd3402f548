"""The settings of the environment: what can be ordered, when it fills, at what costs, for what reward."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from common import InputError, Settings, option, unknown
from envs.rewards import REWARDS

if TYPE_CHECKING:
    from market import Candles

OPTIMISTIC = "OPTIMISTIC: orders filled at a price that was known when they were decided (fill: same_close); nobody can trade so."


class EnvSettings(Settings):
    """Everything that the kernel's physics and the reward depend on."""

    action_scheme: Literal["orders", "targets", "continuous"] = "orders"
    """what an action means: orders (12 buys, sells and holds), targets (a list of exposures) or continuous (an exposure)"""
    targets: tuple[float, ...] = Field((0.0, 0.25, 0.5, 0.75, 1.0), min_length=2)
    """exposures of the `targets` scheme, as fractions of the net worth; negative ones are short"""
    fill: Literal["next_open", "next_close", "same_close"] = "next_open"
    """the price an order fills around: next_open, next_close, or same_close, which knows the price it decides on: optimistic"""
    reward: str = "sortino"
    """name of the reward"""
    reward_window: int = Field(64, ge=2)
    """bars of the trailing window that a ratio reward is computed over"""
    initial_cash: float = Field(10_000.0, gt=0)
    """net worth at the start of an episode, in USD"""
    fee_bps: float = Field(10.0, ge=0, lt=10_000)
    """taker fee of a trade, in basis points of its value: every order takes the price that the next bar opens at"""
    half_spread_bps: float = Field(1.0, ge=0, lt=2_500)
    """half of the bid-ask spread, in basis points of the price, paid on every fill"""
    slippage_bps: float = Field(2.0, ge=0, lt=2_500)
    """adverse move of the fill price, in basis points, paid on every fill"""
    impact: float = Field(0.0, ge=0)
    """coefficient Y of square-root impact: a fill moves by Y * volatility * sqrt(value / volume), of the last 24 bars; near 1"""
    borrow_bps_per_day: float = Field(3.0, ge=0, lt=10_000)
    """interest on borrowed cash or coin, in basis points a day, for every bar held"""
    funding_bps_per_day: float = Field(0.0, gt=-10_000, lt=10_000)
    """what longs pay to shorts (negative: shorts to longs), in basis points of the position a day; perpetual futures only"""
    min_trade: float = Field(10.0, ge=0)
    """orders of a smaller value, in USD, are refused"""
    lot: float = Field(0.0, ge=0)
    """orders are rounded down to multiples of this much coin; 0 is no rounding"""
    shorts: bool = False
    """allow exposures down to `-max_leverage`; brings margin"""
    max_leverage: float = Field(1.0, ge=1, le=100)
    """largest exposure that an order may reach, as a multiple of the net worth; above 1 it brings margin"""
    maintenance_margin: float = Field(0.05, ge=0, lt=1)
    """with margin: a net worth below this fraction of the position, at the worst price of a bar, is liquidated"""
    stop_loss: float = Field(0.0, ge=0, lt=1)
    """close the position when the price has moved against it by this fraction of its average cost; 0 is off"""
    take_profit: float = Field(0.0, ge=0)
    """close the position when the price has moved in its favour by this fraction of its average cost; 0 is off"""
    episode_bars: int = Field(1_024, ge=2)
    """length of a training episode; it starts at a random bar"""
    ruin_fraction: float = Field(0.1, ge=0, lt=1)
    """a net worth below this fraction of the start ends a training episode"""
    dataset_sampling: Literal["least_used", "length"] = "least_used"
    """which of several series a training episode is drawn from: least_used, or length (a chance in proportion to the bars); in
    train.py least_used gives each coin as many of the n_envs for good"""

    @field_validator("reward")
    @classmethod
    def _known_reward(cls, name: str) -> str:
        if name not in REWARDS:
            raise ValueError(unknown("reward", name, REWARDS))
        return name

    @field_validator("targets", mode="before")
    @classmethod
    def _by_commas(cls, targets: object) -> object:
        """On a command line `0,0.5,1` is easier to write than a list."""
        return [part for part in targets.split(",") if part.strip()] if isinstance(targets, str) else targets

    @model_validator(mode="after")
    def _fits_together(self) -> "EnvSettings":
        for target in self.targets:
            if self.action_scheme == "targets" and not self.lowest_exposure <= target <= self.max_leverage:
                raise ValueError(
                    f"`targets` must lie in {self.lowest_exposure:g} .. {self.max_leverage:g}, but got {target:g}; "
                    f"{'raise max_leverage' if target > 0 or self.shorts else 'set shorts: true'} or drop it"
                )
        if self.funding_bps_per_day and not self.margin:
            raise ValueError(
                f"funding is paid on perpetual futures, which need margin, but got {self.funding_bps_per_day=:g} in a cash "
                "account; set shorts: true or max_leverage above 1".replace("self.", "")
            )
        if self.max_leverage * self.maintenance_margin >= 1:
            raise ValueError(
                f"`max_leverage * maintenance_margin < 1` must hold, or a full position is liquidated at once, "
                f"but got {self.max_leverage:g} * {self.maintenance_margin:g}; lower one"
            )
        if self.max_leverage * self.cost_fraction >= 0.5:
            raise ValueError(
                f"costs must leave something of a full position, `max_leverage * cost < 0.5`, "
                f"but got {self.max_leverage:g} * {self.cost_fraction:g}; lower one"
            )
        if self.initial_cash * self.max_leverage < self.min_trade:
            raise ValueError(
                f"an account must be able to trade, `initial_cash * max_leverage >= min_trade`, but got {self.initial_cash:g} * "
                f"{self.max_leverage:g} and {self.min_trade:g}; raise the cash or lower min_trade"
            )
        return self

    @property
    def cost_fraction(self) -> float:
        """The whole one-way cost of a trade, as a fraction of its value, without impact."""
        return (self.fee_bps + self.half_spread_bps + self.slippage_bps) / 1e4

    def require_affordable_lot(self, candles: "Candles") -> None:
        """Refuse an account that can never buy a lot: it would learn to do nothing, and look like a careful one.

        Raises:
            InputError: a lot at the lowest price of the candles, with the costs of buying it, is more than the account can pay.
        """
        cheapest = float(candles.column("low").min())
        cost, worth = self.lot * cheapest / self.purchase, self.initial_cash * self.max_leverage
        if cost > worth:
            raise InputError(
                f"an account must be able to buy one lot, but {self.lot:g} of {candles.symbol} cost {cost:,.2f} USD or more, and "
                f"it has {worth:,.2f}; raise initial_cash to {cost / self.max_leverage:,.0f}, or lower lot"
            )

    def require_volumes(self, candles: "Candles") -> None:
        """Refuse impact where it would refuse every order.

        Raises:
            InputError: there is impact, and the candles have no volumes.
        """
        if self.impact and not candles.has_volumes:
            raise InputError(
                f"impact is computed from volumes, but {candles.source} has none; give volumes, or leave it out with "
                f"{option('env.impact', 0)}"
            )

    @property
    def purchase(self) -> float:
        """What one purchase with all of the cash leaves of it, without impact."""
        return 1 / ((1 + self.fee_bps / 1e4) * (1 + (self.half_spread_bps + self.slippage_bps) / 1e4))

    @property
    def costs_in_words(self) -> str:
        """All that trading costs under these settings, for reports."""
        words = [f"{self.cost_fraction * 1e4:g} bps a trade (fee, half-spread, slippage)"]
        words += [f"square-root impact with coefficient {self.impact:g}"] if self.impact else []
        words += [f"borrowing {self.borrow_bps_per_day:g} bps a day"] if self.margin else []
        words += [f"funding {self.funding_bps_per_day:g} bps a day"] if self.funding_bps_per_day else []
        return ", ".join(words)

    @property
    def margin(self) -> bool:
        """True where cash or coin may fall below 0."""
        return self.shorts or self.max_leverage > 1

    @property
    def lowest_exposure(self) -> float:
        return -self.max_leverage if self.shorts else 0.0

    @property
    def optimistic(self) -> bool:
        """True where an order fills at a price that was known when it was decided: no such result can be had by trading."""
        return self.fill == "same_close"

    def spot(self) -> "EnvSettings":
        """The same costs and fills for the 12 orders in a cash account without stops: what the benchmarks trade under."""
        plain = {"action_scheme": "orders", "shorts": False, "max_leverage": 1.0, "funding_bps_per_day": 0.0}
        return self.model_copy(update=plain | {"stop_loss": 0.0, "take_profit": 0.0})
