"""What perfect foresight would have made of any prices: the ceiling that no policy can reach."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from common import InputError, cached
from envs import EnvSettings
from evaluation.oracles.simulated_markets import OraclePolicy
from evaluation.oracles.value_iteration import log_cost_of
from market import Candles


@dataclass(frozen=True, eq=False)
class Foresight:
    """What `perfect_foresight` reaches.

    Args:
        log_wealth: log of the final wealth per unit of cash at the start; ends in cash, after costs.
        positions: int64 (T,), 1 or 0: what is held after the trade at price t; the last is 0.
    """

    log_wealth: float
    positions: np.ndarray

    @property
    def wealth(self) -> float:
        """Final wealth per unit; infinite where a long series overflows it."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.log_wealth))


def perfect_foresight(prices: np.ndarray, cost: float) -> Foresight:
    """The most that any long/flat trader could have made, in O(T): at each price p, with f the cost,
    cash = max(cash, coin p (1 - f)), then coin = max(coin, cash (1 - f) / p); in logs, so that nothing overflows.

    Where a bar opens at the previous close, `prices` are the closes. Elsewhere they are the opens from bar 1 on, since that is
    where the order of bar t's close fills.

    Args:
        prices: float64 (T,), above 0.
        cost: fraction of a trade's value.
    """
    prices = np.asarray(prices, dtype=np.float64)
    if prices.ndim != 1 or not len(prices) or not np.all((prices > 0) & np.isfinite(prices)):
        raise InputError(f"perfect foresight needs finite prices above 0, of shape (T,), but got {prices}")
    log_cost = log_cost_of(cost)
    log_wealth, _, sold, bought = _foresee(np.log(prices), log_cost, log_cost)
    return Foresight(log_wealth, _trace_back(sold, bought, 0))


class PerfectForesight(OraclePolicy):
    """Plays what `perfect_foresight` finds on the prices that its orders will fill at: no long/flat trader makes more.

    It sells nothing at the end, since an episode is marked at its last close. A smallest trade, lots and impact are not
    reckoned with.

    Attributes:
        log_growth: of the net worth, as the kernel will pay it.

    Args:
        candles: the bars of the episode, from the first that a decision is made on.
        settings: costs and fills.
    """

    def __init__(self, candles: Candles, settings: EnvSettings) -> None:
        opens, closes = candles.column("open"), candles.column("close")
        fills = {"next_open": opens[1:], "next_close": closes[1:], "same_close": closes[:-1]}[settings.fill]
        fee, adverse = settings.fee_bps / 1e4, (settings.half_spread_bps + settings.slippage_bps) / 1e4
        cash, coin, sold, bought = _foresee(
            np.log(fills), np.log1p(fee) + np.log1p(adverse), -np.log1p(-fee) - np.log1p(-adverse)
        )
        marked = coin + np.log(closes[-1])
        self.log_growth = max(cash, marked)
        super().__init__(_trace_back(sold, bought, int(marked > cash)))


@cached(njit)
def _foresee(log_prices: np.ndarray, log_buy: float, log_sell: float) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Final log cash and log coin; bool (T,) each: at price t the best cash comes from a sale, the best coin from a purchase.

    A purchase takes `log_buy` off the log wealth, a sale `log_sell`.
    """
    cash, coin = 0.0, -np.inf
    sold, bought = np.zeros(len(log_prices), np.bool_), np.zeros(len(log_prices), np.bool_)
    for t in range(len(log_prices)):
        sale, purchase = coin + log_prices[t] - log_sell, cash - log_prices[t] - log_buy
        sold[t], bought[t] = sale > cash, purchase > coin
        cash, coin = max(cash, sale), max(coin, purchase)
    return cash, coin, sold, bought


@cached(njit)
def _trace_back(sold: np.ndarray, bought: np.ndarray, last: int) -> np.ndarray:
    """int64 (T,): the positions that end best in position `last`, found from the end."""
    positions = np.zeros(len(sold), np.int64)
    position = last
    for t in range(len(sold) - 1, -1, -1):
        positions[t] = position
        if position == 0 and sold[t]:
            position = 1
        elif position == 1 and bought[t]:
            position = 0
    return positions
