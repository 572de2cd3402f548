"""A small trading account as an environment, and brokers that know too much: what the audit of fills has to tell apart."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from features import FeatureMatrix
from market import Candles


class Broker(gymnasium.Env[Any, Any]):
    """Exposures 0, a half and 1 to the coin, met at the open of the next bar for a small fee, marked at its close."""

    FEE = 0.0005
    STOP: ClassVar[float | None] = None
    TELLS = True
    """whether `info` holds the net worth"""

    def __init__(self, candles: Candles, matrix: FeatureMatrix) -> None:
        self.opens, self.highs, self.lows, self.closes = (candles.column(name) for name in ("open", "high", "low", "close"))
        self.index, self.values, self.first, self.last = candles.index, matrix.values, matrix.warmup, len(candles) - 1
        self.action_space: spaces.Space[Any] = spaces.Discrete(3)
        self.begin()
        self.observation_space = self.space()

    def space(self) -> spaces.Space[Any]:
        return spaces.Box(-np.inf, np.inf, np.shape(self.seen()), np.float32)

    def begin(self) -> None:
        self.bar, self.cash, self.coin, self.entry, self.held = self.first, 1_000.0, 0.0, 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.begin()
        return self.seen(), self.told()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        before = self.worth
        self.order(action)
        self.held = self.held + 1 if self.coin else 0
        self.bar += 1
        if self.STOP is not None and self.coin > 0:
            self.stop(self.entry * (1 - self.STOP))
        reward = self.paid(before)
        return self.seen(), reward, self.ruined(), self.bar >= self.last, self.told()

    @property
    def worth(self) -> float:
        return float(self.cash + self.coin * self.closes[self.bar])

    def order(self, action: Any) -> None:
        """Trade to the exposure that the action names, as of the last known worth."""
        wanted = self.exposure(action) * self.worth / self.closes[self.bar]
        self.trade((wanted - self.coin) * self.size(wanted > self.coin))

    def trade(self, coin: float) -> None:
        buys = coin > 0
        if abs(coin) * self.closes[self.bar] < 1e-6 * self.worth or not self.accepts(buys):
            return
        price = self.price(buys, abs(coin)) * (1 + (self.FEE if buys else -self.FEE))
        coin = min(coin, self.cash / price) if buys else max(coin, -self.coin)
        self.cash, self.coin = self.cash - coin * price, self.coin + coin
        self.entry = price if buys else self.entry

    def stop(self, level: float) -> None:
        """Sell at the level that the low has reached, or at an open beyond it."""
        if self.lows[self.bar] <= level:
            self.sell_all(min(level, self.opens[self.bar]))

    def sell_all(self, price: float) -> None:
        self.cash, self.coin = self.cash + self.coin * price * (1 - self.FEE), 0.0

    # what others do otherwise

    def exposure(self, action: Any) -> float:
        return float(action) / 2

    def price(self, buys: bool, coin: float) -> float:
        return float(self.opens[self.bar + 1])

    def accepts(self, buys: bool) -> bool:
        return True

    def size(self, buys: bool) -> float:
        return 1.0

    def seen(self) -> Any:
        return np.array([*self.values[self.bar - self.first], self.coin > 0], np.float32)

    def paid(self, before: float) -> float:
        return float(np.log(self.worth / before))

    def ruined(self) -> bool:
        return False

    def told(self) -> dict[str, Any]:
        return {"net_worth": self.worth} if self.TELLS else {}


# --- fills --------------------------------------------------------------------------------------------------------------


class OnlyIfItRises(Broker):
    """Buys go through only if the bar closes higher: a "confirmed" entry that is filled at the open all the same."""

    def accepts(self, buys: bool) -> bool:
        return not buys or bool(self.closes[self.bar + 1] > self.opens[self.bar + 1])


class OnlyIfItRisesByReward(OnlyIfItRises):
    """Tells no worth."""

    TELLS = False


class OnlyIfItRose(Broker):
    """The known bar confirms it."""

    def accepts(self, buys: bool) -> bool:
        return not buys or bool(self.closes[self.bar] > self.opens[self.bar])


class BetterPrice(Broker):
    """The better one of open and close."""

    def price(self, buys: bool, coin: float) -> float:
        both = self.opens[self.bar + 1], self.closes[self.bar + 1]
        return float(min(both) if buys else max(both))


class WorsePrice(Broker):
    def price(self, buys: bool, coin: float) -> float:
        both = self.opens[self.bar + 1], self.closes[self.bar + 1]
        return float(max(both) if buys else min(both))


class AtTheHigh(Broker):
    """Sells at the bar's high."""

    def price(self, buys: bool, coin: float) -> float:
        return float(self.opens[self.bar + 1] if buys else self.highs[self.bar + 1])


class AtTheClose(Broker):
    """At the close of the next bar; honest."""

    def price(self, buys: bool, coin: float) -> float:
        return float(self.closes[self.bar + 1])


class SizedAtTheClose(AtTheClose):
    """Exposures of any size."""

    def __init__(self, candles: Candles, matrix: FeatureMatrix) -> None:
        super().__init__(candles, matrix)
        self.action_space = spaces.Box(0.0, 1.0, (1,), np.float32)

    def exposure(self, action: Any) -> float:
        return float(action[0])


class AtTheMiddle(Broker):
    """At (high + low) / 2; honest."""

    def price(self, buys: bool, coin: float) -> float:
        return float((self.highs[self.bar + 1] + self.lows[self.bar + 1]) / 2)


class AtTheMeanOfFour(Broker):
    """At the mean of open, high, low and close; honest."""

    def price(self, buys: bool, coin: float) -> float:
        return float(np.mean([prices[self.bar + 1] for prices in (self.opens, self.highs, self.lows, self.closes)]))


class AtTheMeanOfTrades(Broker):
    """At the bar's volume-weighted mean price; honest."""

    def __init__(self, candles: Candles, matrix: FeatureMatrix) -> None:
        volume, quote = candles.column("volume"), candles.column("quote_volume")
        means = np.divide(quote, volume, out=candles.column("open").copy(), where=volume > 0)
        self.means = np.clip(means, candles.column("low"), candles.column("high"))
        super().__init__(candles, matrix)

    def price(self, buys: bool, coin: float) -> float:
        return float(self.means[self.bar + 1])


class TakesProfit(Broker):
    """A limit order 2 % above the entry, filled at its limit or at an open beyond it; honest."""

    STOP = 0.0

    def stop(self, level: float) -> None:
        limit = self.entry * 1.02
        if self.highs[self.bar] >= limit:
            self.sell_all(self.got(limit))

    def got(self, limit: float) -> float:
        return float(max(limit, self.opens[self.bar]))


class TakesProfitAtTheHigh(TakesProfit):
    """Once the limit is touched, the bar's high is paid."""

    def got(self, limit: float) -> float:
        return float(self.highs[self.bar])


class HonestTightStop(Broker):
    STOP = 0.03


class SkipsWhatWouldStop(HonestTightStop):
    """Leaves out entries whose first bar would hit their stop."""

    def accepts(self, buys: bool) -> bool:
        return not buys or bool(self.lows[self.bar + 1] > self.opens[self.bar + 1] * (1 - self.STOP))


class SizedByTheLastRange(Broker):
    """The larger the range of the bar, the smaller the order: of the bar that is known."""

    AHEAD = 0

    def order(self, action: Any) -> None:
        bar = self.bar + self.AHEAD
        scale = min(1.0, 0.002 / max((self.highs[bar] - self.lows[bar]) / self.closes[bar], 1e-9))
        self.trade(self.exposure(action) * scale * self.worth / self.closes[self.bar] - self.coin)


class SizedByTheNextRange(SizedByTheLastRange):
    """Of the bar that it fills in."""

    AHEAD = 1


class SlippageOfTheRange(Broker):
    """An adverse slippage of a tenth of the bar's range."""

    def price(self, buys: bool, coin: float) -> float:
        slip = 0.1 * (self.highs[self.bar + 1] - self.lows[self.bar + 1])
        return float(max(self.opens[self.bar + 1] + (slip if buys else -slip), 1e-9))


class SparedStop(Broker):
    """The stop is forgotten if the bar recovers."""

    STOP = 0.05

    def stop(self, level: float) -> None:
        if self.closes[self.bar] < level:
            super().stop(level)


class HonestStop(Broker):
    STOP = 0.05


class StopAtTheClose(Broker):
    """Looks at closes alone, and sells at them."""

    STOP = 0.05

    def stop(self, level: float) -> None:
        if self.closes[self.bar] < level:
            self.sell_all(float(self.closes[self.bar]))


class StopInTheGap(Broker):
    """Sells at the level of the stop, which the gap has jumped over."""

    STOP = 0.02

    def stop(self, level: float) -> None:
        if self.lows[self.bar] <= level:
            self.sell_all(level)


class KnownPrice(Broker):
    """Fills at the close that the decision knew, when `fooled` says so."""

    def fooled(self, buys: bool, coin: float) -> bool:
        return False

    def price(self, buys: bool, coin: float) -> float:
        return float(self.closes[self.bar] if self.fooled(buys, coin) else self.opens[self.bar + 1])


class OnSundays(KnownPrice):
    def fooled(self, buys: bool, coin: float) -> bool:
        return bool(self.index[self.bar].day_of_week == 6)


class SmallOrders(KnownPrice):
    """Orders of less than a twentieth of the account: "they have no impact"."""

    def __init__(self, candles: Candles, matrix: FeatureMatrix) -> None:
        super().__init__(candles, matrix)
        self.action_space = spaces.Box(0.0, 1.0, (1,), np.float32)

    def exposure(self, action: Any) -> float:
        return float(action[0])

    def fooled(self, buys: bool, coin: float) -> bool:
        return coin * self.closes[self.bar] < 0.05 * self.worth


class SizedOrders(SmallOrders):
    def fooled(self, buys: bool, coin: float) -> bool:
        return False


class LateInTheEpisode(KnownPrice):
    def fooled(self, buys: bool, coin: float) -> bool:
        return self.bar - self.first > 280


class AfterAWhile(KnownPrice):
    """A position that was held for 40 bars is sold at the close that was known."""

    def fooled(self, buys: bool, coin: float) -> bool:
        return not buys and self.held > 40


class AfterRises(KnownPrice):
    """After a rise at the known close, which is the better one more often than not: momentum."""

    def fooled(self, buys: bool, coin: float) -> bool:
        return bool(self.closes[self.bar] > self.opens[self.bar])


class LargerIfItRises(Broker):
    """Half of the order, and the other half once it pays: a "scaled entry"."""

    def size(self, buys: bool) -> float:
        return 1.0 if buys == bool(self.closes[self.bar + 1] > self.opens[self.bar + 1]) else 0.5


class LargerIfItRose(Broker):
    def size(self, buys: bool) -> float:
        return 1.0 if buys == bool(self.closes[self.bar] > self.opens[self.bar]) else 0.5


class RollingSharpe(Broker):
    """Tells no worth; its reward is the Sharpe ratio of the account's last returns. Honest."""

    TELLS = False

    def begin(self) -> None:
        super().begin()
        self.returns: list[float] = []

    def paid(self, before: float) -> float:
        self.returns.append(float(np.log(self.worth / before)))
        last = np.array(self.returns[-30:])
        return float(last.mean() / (self.risk(last) + 1e-9)) if len(last) > 1 else 0.0

    def risk(self, returns: np.ndarray) -> float:
        return float(returns.std())


class RollingSortino(RollingSharpe):
    def risk(self, returns: np.ndarray) -> float:
        return float(np.sqrt((np.minimum(returns, 0.0) ** 2).mean()))


class OnFridays(Broker):
    """Trades once a week."""

    def order(self, action: Any) -> None:
        if self.index[self.bar].day_of_week == 4 and self.index[self.bar].hour == 16:
            super().order(action)


# --- rewards, observations, ends ----------------------------------------------------------------------------------------


class PaidForTheShownBar(Broker):
    """The return of the bar whose close the decision knew: off by one, and the commonest of all."""

    TELLS = False

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        bar = self.bar
        self.bar += 1
        reward = self.exposure(action) * float(np.log(self.closes[bar] / self.closes[max(bar - 1, 0)]))
        return self.seen(), reward, False, self.bar >= self.last, {}


class PaidForTheNextBar(Broker):
    TELLS = False

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.bar += 1
        reward = self.exposure(action) * float(np.log(self.closes[self.bar] / self.opens[self.bar]))
        return self.seen(), reward, False, self.bar >= self.last, {}


class PaidOneBarTooFar(PaidForTheNextBar):
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.bar += 1
        far = min(self.bar + 1, self.last)
        reward = self.exposure(action) * float(np.log(self.closes[far] / self.opens[self.bar]))
        return self.seen(), reward, False, self.bar >= self.last, {}


class PaidWhenItEnds(Broker):
    """The reward of a trade comes with its sale; honest."""

    TELLS = False

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        held, entry = self.coin, self.entry
        seen, _, ended, cut, told = super().step(action)
        sold = held and not self.coin
        return seen, float(np.log(self.opens[self.bar] / entry)) if sold else 0.0, ended, cut, told

    def exposure(self, action: Any) -> float:
        return float(action > 0)


class PaidWhenItEndsAtAKnownPrice(PaidWhenItEnds):
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        held, entry, known = self.coin, self.entry, self.closes[self.bar]
        seen, _, ended, cut, told = Broker.step(self, action)
        sold = held and not self.coin
        return seen, float(np.log(known / entry)) if sold else 0.0, ended, cut, told


class PartsSeen(Broker):
    """A dictionary of observations: the market, and the account with the return of its entry so far."""

    def space(self) -> spaces.Space[Any]:
        return spaces.Dict({name: spaces.Box(-np.inf, np.inf, part.shape, np.float32) for name, part in self.seen().items()})

    def seen(self) -> Any:
        market = self.values[self.bar - self.first].astype(np.float32)
        return {"market": market, "account": np.array([self.coin, self.entry, self.gain(self.bar)], np.float32)}

    def gain(self, bar: int) -> float:
        return float(self.closes[bar] / self.entry - 1) if self.coin else 0.0


class NextGainSeen(PartsSeen):
    """The account's return at the next open, where the order will fill."""

    def gain(self, bar: int) -> float:
        return float(self.opens[min(bar + 1, self.last)] / self.entry - 1) if self.coin else 0.0


class EndsBeforeTheCrash(Broker):
    """Risk control that pulls the plug before a bar that falls by a twentieth."""

    def ruined(self) -> bool:
        ahead = min(self.bar + 1, self.last)
        return bool(self.closes[ahead] < 0.98 * self.closes[self.bar])


class EndsAfterTheCrash(Broker):
    def ruined(self) -> bool:
        return bool(self.closes[self.bar] < 0.98 * self.opens[self.bar])


class TellsTheNextOpen(Broker):
    def told(self) -> dict[str, Any]:
        return super().told() | {"price": self.opens[min(self.bar + 1, self.last)]}


class TellsTheEntry(Broker):
    """`fill_price` is the price of the open position's entry, at every step; honest."""

    def told(self) -> dict[str, Any]:
        return super().told() | {"fill_price": self.entry, "price": self.closes[self.bar]}


class SeesLateIfHeld(Broker):
    """Shows the next return once a position was held for a day."""

    def seen(self) -> Any:
        ahead = min(self.bar + 1, self.last) if self.held > 24 else self.bar
        return np.array([*self.values[self.bar - self.first], self.closes[ahead] / self.closes[self.bar] - 1], np.float32)


class SeesWhatIsHeld(Broker):
    def seen(self) -> Any:
        return np.array([*self.values[self.bar - self.first], self.closes[self.bar] / (self.entry or 1.0) - 1], np.float32)
