"""A second road to every number of the kernel: the whole bar of one account in plain Python floats, a method a rule.

Written from the contract, in other terms than the kernel: it keeps what the coin cost in all instead of an average, solves an
exposure for the worth that is left instead of the value to trade, and counts shares of cash and coin where there is no margin.
"""

import math
from typing import NamedTuple

from envs import EnvSettings

ROUNDING = 1e-12
"""a difference below this fraction of what it is compared with is not traded, or is nothing"""


MOST = 0.5
"""of the price: an order that moves it so far is refused, and a forced close moves it no further"""


class Bar(NamedTuple):
    """A bar, and the impact of an order in it: trailing volatility / sqrt(trailing volume)."""

    open: float
    high: float
    low: float
    close: float
    impact: float


class Fill(NamedTuple):
    reason: str  # order, stop-loss, take-profit, liquidation
    coins: float  # bought (+) or sold (-)
    paid: float  # USD a coin
    quoted: float  # what it would have been without spread, slippage and impact


class Ledger:
    """One account under `settings`, on bars of `days` days each."""

    def __init__(self, settings: EnvSettings, days: float) -> None:
        self.settings = settings
        self.borrow_rate = settings.borrow_bps_per_day / 10_000 * days
        self.funding_rate = settings.funding_bps_per_day / 10_000 * days
        self.fee_rate = settings.fee_bps / 10_000
        self.cash, self.coin, self.basis = settings.initial_cash, 0.0, 0.0  # `basis`: what all of the coin cost, or brought
        self.fees = self.slippage = self.borrow = self.funding = 0.0
        self.fills: list[Fill] = []  # of the last bar

    @property
    def entry(self) -> float:
        """What a coin cost, or brought, on average."""
        return self.basis / abs(self.coin) if self.coin else 0.0

    # --- the bar ---------------------------------------------------------------------------------------------------------

    def play(self, action: float, known: Bar, bar: Bar) -> None:
        """Go one bar on. `action`: an order 0 .. 11, a target exposure, or -1 .. 1 if the settings say `continuous`."""
        self.fills = []
        match self.settings.fill:
            case "next_open":
                if self.lacks_margin(bar.open):
                    self.close_all("liquidation", self.worst(bar), bar.impact)
                else:
                    self.order(action, bar.open, bar.impact)
                self.live_through(bar)
            case "same_close":
                self.order(action, known.close, bar.impact)
                self.live_through(bar)
            case "next_close":
                self.live_through(bar)
                if not any(fill.reason == "liquidation" for fill in self.fills):
                    self.order(action, bar.close, bar.impact)

    def live_through(self, bar: Bar) -> None:
        self.meet_events(bar)
        self.pay_carry(bar.close)

    def meet_events(self, bar: Bar) -> None:
        if self.coin == 0:
            return
        stop, target = self.stop_price(bar), self.target_price(bar)
        if stop is not None and not self.lacks_margin(stop):
            self.close_all("stop-loss", stop, bar.impact)
        elif self.lacks_margin(self.worst(bar)):
            self.close_all("liquidation", self.worst(bar), bar.impact)
        elif target is not None:
            self.close_all("take-profit", target, bar.impact)

    def pay_carry(self, close: float) -> None:
        if not self.settings.margin:
            return
        debt = -self.cash if self.cash < 0 else 0.0
        lent = -self.coin * close if self.coin < 0 else 0.0
        interest = self.borrow_rate * debt + self.borrow_rate * lent
        toll = self.funding_rate * (self.coin * close)
        self.borrow += interest
        self.funding += toll
        self.cash = self.cash - interest - toll

    # --- prices at which the market acts ---------------------------------------------------------------------------------

    def worst(self, bar: Bar) -> float:
        return bar.low if self.coin > 0 else bar.high

    def stop_price(self, bar: Bar) -> float | None:
        """Where the stop-loss fills in this bar, if it does."""
        if not self.settings.stop_loss:
            return None
        average = self.entry
        if self.coin > 0:
            level = average - average * self.settings.stop_loss
            return None if bar.low > level else min(level, bar.open)
        level = average + average * self.settings.stop_loss
        return None if bar.high < level else max(level, bar.open)

    def target_price(self, bar: Bar) -> float | None:
        """Where the take-profit fills in this bar, if it does."""
        if not self.settings.take_profit:
            return None
        average = self.entry
        if self.coin > 0:
            level = average + average * self.settings.take_profit
            return None if bar.high < level else max(level, bar.open)
        level = average - average * self.settings.take_profit
        return None if bar.low > level else min(level, bar.open)

    def lacks_margin(self, price: float) -> bool:
        if not self.settings.margin:
            return False
        return self.worth(price) < abs(self.coin * price) * self.settings.maintenance_margin

    def worth(self, price: float) -> float:
        return self.cash + self.coin * price

    # --- orders ----------------------------------------------------------------------------------------------------------

    def order(self, action: float, price: float, impact: float) -> None:
        coins, move = self.wanted(action, price, impact)
        size = self.in_lots(abs(coins))
        if size > 0 and size * price >= self.settings.min_trade and move < MOST:
            moved = self.move(size * price, impact) if self.settings.lot else move  # what is rounded off moves nothing
            self.trade("order", math.copysign(size, coins), price, moved)

    def wanted(self, action: float, price: float, impact: float) -> tuple[float, float]:
        """Coins to buy (+) or sell (-) before any rounding or refusal, and how far the price moves against them."""
        lowest, highest = self.bounds()
        if self.settings.action_scheme == "continuous":
            return self.towards((action + 1) / 2 * (highest - lowest) + lowest, 1, price, impact)
        if self.settings.action_scheme == "targets":
            return self.towards(action, 1, price, impact)
        side, quarter = divmod(int(action), 4)
        parts = quarter + 1
        if side == 2:
            return 0.0, 0.0
        if side == 0:
            if self.coin < 0:
                return self.share_of_coin(parts, price, impact)
            if not self.settings.margin:
                return self.share_of_cash(parts, price, impact)
            return self.towards(highest, parts, price, impact, only=+1)
        if self.coin > 0:
            return self.share_of_coin(parts, price, impact)
        return self.towards(lowest, parts, price, impact, only=-1) if self.settings.shorts else (0.0, 0.0)

    def share_of_cash(self, parts: int, price: float, impact: float) -> tuple[float, float]:
        spend = self.cash / parts
        if self.cash <= ROUNDING * self.worth(price):
            return 0.0, 0.0
        move = self.move(spend, impact)
        return spend / (1 + self.fee_rate) / (price * (1 + move)), move

    def share_of_coin(self, parts: int, price: float, impact: float) -> tuple[float, float]:
        if abs(self.coin) * price <= ROUNDING * abs(self.worth(price)):
            return 0.0, 0.0
        return -self.coin / parts, self.move(abs(self.coin) * price / parts, impact)

    def towards(self, exposure: float, parts: int, price: float, impact: float, only: int = 0) -> tuple[float, float]:
        """A part of the way to an exposure of the worth that the whole way's costs would leave; `only` in one direction.

        Buying, W = worth - cost * (exposure * W - held); selling, W = worth - cost * (held - exposure * W).
        """
        worth, held = self.worth(price), self.coin * price
        missing = exposure * worth - held
        if abs(missing) <= ROUNDING * abs(worth) or missing * only < 0:
            return 0.0, 0.0
        way = 1 if missing > 0 else -1
        move = self.move(abs(missing) / parts, impact)
        if move >= MOST:
            return 0.0, 0.0
        cost = move + self.fee_rate * (1 + way * move)
        divisor = 1 + way * cost * exposure
        left = (worth + way * cost * held) / divisor if divisor > 0 else -1.0
        if exposure and left <= 0:
            return 0.0, 0.0
        return (exposure * left / price - self.coin) / parts, move

    def bounds(self) -> tuple[float, float]:
        top = self.settings.max_leverage
        return (-top if self.settings.shorts else 0.0), top

    def move(self, value: float, impact: float) -> float:
        """The fraction by which the price of a trade of this value is worse than the one it is quoted at."""
        fixed = self.settings.half_spread_bps / 10_000 + self.settings.slippage_bps / 10_000
        if not self.settings.impact:
            return fixed
        return min(MOST, fixed + self.settings.impact * math.sqrt(value) * impact)

    def in_lots(self, size: float) -> float:
        lot = self.settings.lot
        return math.floor(size / lot * (1 + ROUNDING / 2)) * lot if lot else size

    # --- the books -------------------------------------------------------------------------------------------------------

    def close_all(self, reason: str, price: float, impact: float) -> None:
        if self.coin:
            self.trade(reason, -self.coin, price, self.move(abs(self.coin) * price, impact))

    def trade(self, reason: str, coins: float, price: float, move: float) -> None:
        paid = price + price * move if coins > 0 else price - price * move
        fee = abs(coins) * paid * self.fee_rate
        self.book(coins, abs(coins) * paid + fee if coins > 0 else abs(coins) * paid - fee)
        self.cash -= coins * paid + fee
        self.fees += fee
        self.slippage += abs(coins * (paid - price))
        self.fills.append(Fill(reason, coins, paid, price))

    def book(self, coins: float, money: float) -> None:
        """Add to the coin and to its basis, take from both alike, or begin anew on the other side."""
        before, after = self.coin, self.coin + coins
        if abs(after) <= ROUNDING * abs(coins):
            after = 0.0
        if before * coins >= 0:
            self.basis += money
        elif before * after >= 0:
            self.basis *= after / before
        else:
            self.basis = money * abs(after / coins)
        self.coin = after
