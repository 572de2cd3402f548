"""Brokers whose orders are seldom, or paid long after they were given, or go both ways."""

from typing import Any

import numpy as np
from brokers import Broker, OnFridays, PaidWhenItEnds

# --- paid later ---------------------------------------------------------------------------------------------------------


class HeldForSixBars(PaidWhenItEnds):
    """The reward of a trade comes with its sale, and nothing is sold before six bars are over; honest."""

    LEAST = 6

    def order(self, action: Any) -> None:
        if not self.coin or self.held >= self.LEAST:
            super().order(action)


class HeldFor30Bars(HeldForSixBars):
    LEAST = 30


class HeldFor100Bars(HeldForSixBars):
    LEAST = 100


class HeldForSixBarsAtAKnownPrice(HeldForSixBars):
    """Bought and sold at the close that the decision knew."""

    def price(self, buys: bool, coin: float) -> float:
        return float(self.closes[self.bar])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        held, entry, known = self.coin, self.entry, self.closes[self.bar]
        seen, _, ended, cut, told = Broker.step(self, action)
        sold = held and not self.coin
        return seen, float(np.log(known / entry)) if sold else 0.0, ended, cut, told


class TwelveBars(Broker):
    """A trade lasts twelve bars, whatever is ordered meanwhile, and is paid at its end; honest."""

    TELLS = False
    BARS = 12

    def begin(self) -> None:
        super().begin()
        self.left = 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self.left and action > 0:
            self.left, self.entry = self.BARS, self.entered()
        self.bar += 1
        self.left = max(self.left - 1, -1) if self.left else 0
        reward = float(np.log(self.closes[self.bar] / self.entry)) - 0.001 if self.entry and not self.left else 0.0
        self.entry = self.entry if self.left else 0.0
        return self.seen(), reward, False, self.bar >= self.last, {}

    def entered(self) -> float:
        return float(self.opens[self.bar + 1])

    def seen(self) -> Any:
        return np.array([*self.values[self.bar - self.first], self.left], np.float32)


class TwelveBarsAtAKnownPrice(TwelveBars):
    def entered(self) -> float:
        return float(self.closes[self.bar])


# --- seldom -------------------------------------------------------------------------------------------------------------


class OnFridaysAtAKnownPrice(OnFridays):
    """Trades once a week, at the close that the decision knew."""

    def price(self, buys: bool, coin: float) -> float:
        return float(self.closes[self.bar])


# --- both ways ----------------------------------------------------------------------------------------------------------


class Shorts(Broker):
    """Exposures -1, 0 and 1, sized by the known close; honest."""

    def exposure(self, action: Any) -> float:
        return float(action) - 1

    def trade(self, coin: float) -> None:
        if abs(coin) * self.closes[self.bar] < 1e-6 * abs(self.worth):
            return
        price = self.price(coin > 0, abs(coin)) * (1 + (self.FEE if coin > 0 else -self.FEE))
        self.cash, self.coin = self.cash - coin * price, self.coin + coin

    def paid(self, before: float) -> float:
        return float(self.worth / before - 1)


class SizedByTheNextClose(Shorts):
    """So many dollars, turned into coin at the close of the bar that the order fills in."""

    def order(self, action: Any) -> None:
        self.trade(self.exposure(action) * self.worth / self.closes[self.bar + 1] - self.coin)


class SizedAtItsOwnMean(Shorts):
    """So many dollars at the mean of the bar's open and close, at which the order fills as well; honest."""

    def price(self, buys: bool, coin: float) -> float:
        bar = self.bar + 1
        return float((self.opens[bar] + self.closes[bar]) / 2)

    def order(self, action: Any) -> None:
        self.trade(self.exposure(action) * self.worth / self.price(True, 0.0) - self.coin)


class SizedAtItsOwnMeanOfFour(SizedAtItsOwnMean):
    def price(self, buys: bool, coin: float) -> float:
        return float(np.mean([prices[self.bar + 1] for prices in (self.opens, self.highs, self.lows, self.closes)]))


class InverseContract(Broker):
    """So many dollars long or short, and an account in coins, whose worth follows the price in a curve; honest."""

    def begin(self) -> None:
        super().begin()
        self.coin, self.dollars = 1.0, 0.0

    @property
    def worth(self) -> float:
        return self.coin

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        known, opened, before = self.closes[self.bar], self.opens[self.bar + 1], self.coin
        self.coin += self.dollars * (1 / known - 1 / opened)
        wanted = (float(action) - 1) * self.coin * known
        self.coin -= abs(wanted - self.dollars) / opened * self.FEE
        self.bar, self.dollars = self.bar + 1, wanted
        self.coin += self.dollars * (1 / opened - 1 / self.closes[self.bar])
        return self.seen(), float(self.coin / before - 1), self.coin <= 0, self.bar >= self.last, {"equity": self.coin}
