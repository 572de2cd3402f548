"""The benchmark strategies, behind the same `predict` as the learned agent. Each plays whole-range evaluation episodes."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from ta.momentum import rsi

from agents.batches import as_batch
from agents.settings import StrategySettings
from common import InputError, PluginError, blamed, provider
from envs import BUY, HOLD, SELL
from market import Candles, as_candles


class Agent(Protocol):
    """Anything that trades: observations (n, D) or (D,) in, actions (n,) or () and its own next state out."""

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]: ...


class SignalStrategy:
    """Plays a fixed series of sides: `sides[k]` at the k-th decision of an episode, always with the full amount.

    Args:
        sides: int64 (T,) of `BUY`, `SELL`, `HOLD`; entry k may use what is known when bar k closes, and no more.
    """

    spot = True  # plays the 12 orders in a cash account, whatever the agent beside it may do

    def __init__(self, sides: np.ndarray) -> None:
        self.sides = sides

    def predict(
        self,
        observation: np.ndarray,
        state: np.ndarray | None = None,
        episode_start: np.ndarray | bool | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The action for the bar that `state`, the int64 (n,) count of decisions since the episode began, has come to.

        One observation (D,) or a batch (n, D); `episode_start` is bool (n,), or one truth value for all.
        """
        rows, starts, single = as_batch(observation, episode_start)
        count = np.zeros(len(rows), np.int64) if state is None else state
        if starts is not None:
            count = np.where(starts, 0, count)
        actions = self._orders(count)
        return (actions[0] if single else actions), count + 1

    def actions(self, decisions: int) -> np.ndarray:
        """int64 (decisions,): the actions of a whole episode, which `predict` gives one by one."""
        return self._orders(np.arange(decisions))

    def _orders(self, counts: np.ndarray) -> np.ndarray:
        """The order at each count of decisions; the last side goes on for ever."""
        return 4 * self.sides[np.minimum(counts, len(self.sides) - 1)]  # `side * 4 + 0`: the full amount


class BuyAndHold(SignalStrategy):
    """Buys with all cash at the first decision, and holds."""

    def __init__(self) -> None:
        super().__init__(np.array([BUY, HOLD], dtype=np.int64))


class Flat(SignalStrategy):
    """Never trades: what every cost and every risk is measured from."""

    def __init__(self) -> None:
        super().__init__(np.array([HOLD], dtype=np.int64))


class RandomTrader(SignalStrategy):
    """Is long at random times, as often and as long in all as somebody else: what timing without skill makes of his turnover.

    Of all ways to be long for `bars_held` of `decisions` bars with `trades` fills, one, each as likely as the other. These two
    numbers are matched exactly, as long as `min_trade` and `lot` refuse no order; the money traded is not, since it follows the
    net worth. No fills are never long; an odd number of them ends long.

    Args:
        decisions: bars of the episode that an order can be decided on.
        trades: buys and sells, of the full amount, beginning with a buy.
        bars_held: decisions after which the coin is held.
        seed: of the draw.

    Attributes:
        positions: int64 (decisions,), 1 or 0: what is held after each.

    Raises:
        InputError: numbers that no episode can have.
    """

    def __init__(self, decisions: int, trades: int, bars_held: int, seed: int) -> None:
        _check_turnover(decisions, trades, bars_held)
        self.positions = _random_positions(decisions, trades, bars_held, np.random.default_rng(seed))
        change = np.diff(self.positions, prepend=0)
        super().__init__(np.select([change > 0, change < 0], [BUY, SELL], HOLD).astype(np.int64))


class SmaCrossover(SignalStrategy):
    """Buys when the short simple moving average of the close rises above the long one, sells when it falls below.

    Args:
        candles: the bars to trade on, with the bars before them to warm the averages up.
        start: the first bar that is traded on.
    """

    def __init__(self, candles: Candles | pd.DataFrame, start: int = 0, short_bars: int = 50, long_bars: int = 200) -> None:
        close = as_candles(candles).frame["close"]
        spread = close.rolling(short_bars).mean() - close.rolling(long_bars).mean()
        before = spread.shift(1)
        sides = _sides(buy=(spread > 0) & (before <= 0), sell=(spread < 0) & (before >= 0))
        super().__init__(sides[start:])


class RsiDivergence(SignalStrategy):
    """Sells when the RSI falls while the price rises over the look-back, buys when the RSI rises while the price falls.

    Args:
        candles: the bars to trade on, with the bars before them to warm the RSI up.
        start: the first bar that is traded on.
    """

    def __init__(self, candles: Candles | pd.DataFrame, start: int = 0, rsi_bars: int = 14, lookback_bars: int = 24) -> None:
        close = as_candles(candles).frame["close"]
        price_change = close.diff(lookback_bars)
        rsi_change = rsi(close, rsi_bars).diff(lookback_bars)
        sides = _sides(buy=(rsi_change > 0) & (price_change < 0), sell=(rsi_change < 0) & (price_change > 0))
        super().__init__(sides[start:])


class ForecastFollower(SignalStrategy):
    """Is long while a forecast promises it: enters when the return that it expects over its horizon pays for a purchase and a
    sale, leaves when it expects a fall.

    Between the two it stays as it is, since to leave costs and to stay does not.

    Args:
        returns: float64 (T,), at bar t the log return that is forecast from its close to the end of the horizon; a NaN says
            nothing.
        start: the first bar that is traded on.
        cost_fraction: of a trade one way, as in `EnvSettings.cost_fraction`.
    """

    def __init__(self, returns: np.ndarray, start: int, cost_fraction: float) -> None:
        enter = np.exp(returns) * (1 - cost_fraction) > 1 + cost_fraction
        told = pd.Series(np.select([enter, returns < 0], [1.0, 0.0], np.nan))
        held = told[start:].ffill().fillna(0.0).to_numpy()
        change = np.diff(held, prepend=0.0)
        super().__init__(np.select([change > 0, change < 0], [BUY, SELL], HOLD).astype(np.int64))


STRATEGIES: dict[str, Callable[[Candles, int, StrategySettings], SignalStrategy]] = {
    "RSI divergence": lambda candles, start, settings: RsiDivergence(
        candles, start, settings.rsi_bars, settings.rsi_lookback_bars
    ),
    "SMA crossover": lambda candles, start, settings: SmaCrossover(
        candles, start, settings.sma_short_bars, settings.sma_long_bars
    ),
}
"""The rules that every backtest plays, by the name that it shows: made of the candles, the first bar that is traded on, and the
settings. A new one is a class and an entry here."""


def strategies_of(settings: StrategySettings, start: int = 0) -> dict[str, Callable[[Candles], SignalStrategy]]:
    """`STRATEGIES` with their settings: by name, what makes one of the candles alone.

    Args:
        start: the first bar that is traded on.

    Raises:
        PluginError: when a plugin's strategy is made: it fails, is no strategy, or has not one side for each bar.
    """
    return {name: partial(_made, name, start, settings) for name in STRATEGIES}


def _made(name: str, start: int, settings: StrategySettings, candles: Candles) -> SignalStrategy:
    with blamed("STRATEGIES", name):
        strategy = STRATEGIES[name](candles, start, settings)
    if not callable(getattr(strategy, "predict", None)):
        raise PluginError(f"a strategy needs a `predict`, but {name!r} gave {strategy!r}; make it a `SignalStrategy`")
    decisions, sides = len(candles) - start, len(getattr(strategy, "sides", ()))
    if provider("STRATEGIES", name) and sides > 2 and sides != decisions:
        raise PluginError(
            f"a strategy has one side for each bar from `start` on, but {name!r} gave {sides:,} for {decisions:,} bars; give "
            "`sides[start:]`"
        )
    return strategy


def _check_turnover(decisions: int, trades: int, bars_held: int) -> None:
    if decisions < 1 or not 0 <= trades <= decisions:
        raise InputError(
            f"`0 <= trades <= decisions` and `decisions >= 1` must hold, since a decision fills once at most, "
            f"but got {trades=}, {decisions=}; take the numbers of an episode"
        )
    # A spell is a bar long or more, and so is the gap that a sale begins.
    least, most = ((trades + 1) // 2, decisions - trades // 2) if trades else (0, 0)
    if not least <= bars_held <= most:
        raise InputError(
            f"`{least} <= bars_held <= {most}` must hold for {trades} trades in {decisions} decisions, but got {bars_held=}; "
            "take the numbers of an episode"
        )


def _random_positions(decisions: int, trades: int, bars_held: int, rng: np.random.Generator) -> np.ndarray:
    """int64 (decisions,), 1 or 0: spells of holding, with gaps before, between and, after a last sale, behind them."""
    spells, gaps = (trades + 1) // 2, trades // 2 + 1
    held, flat = _cut(bars_held, spells, rng), _cut(decisions - bars_held + 1, gaps, rng)
    flat[0] -= 1  # the first gap alone may be empty
    lengths = np.zeros(spells + gaps, np.int64)
    lengths[::2], lengths[1::2] = flat, held  # flat, held, flat, ...
    return np.repeat(np.arange(len(lengths)) % 2, lengths)


def _cut(length: int, pieces: int, rng: np.random.Generator) -> np.ndarray:
    """int64 (pieces,), each 1 or more, summing to the length: one of all such, each as likely as the other."""
    if not pieces:
        return np.zeros(0, np.int64)
    cuts = np.sort(rng.choice(length - 1, pieces - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=length)


def _sides(buy: pd.Series, sell: pd.Series) -> np.ndarray:
    """int64 (T,); a comparison with a value that is still warming up is false, so it holds."""
    return np.select([buy.to_numpy(), sell.to_numpy()], [BUY, SELL], HOLD).astype(np.int64)
