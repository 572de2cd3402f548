"""The trading kernel: the only place where an order fills. Pure njit on arrays; imports nothing of ours.

Time at step t -> t+1:   decide at the close of bar t  ->  fill at the open of bar t+1  ->  mark at the close of bar t+1.
The order uses only bars up to t, so it cannot fill at a price of bar t: the first price after the decision is the next open.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

BUY, SELL, HOLD = 0, 1, 2  # `action // 4` of the `orders` scheme
N_ORDERS = 12  # 3 sides x 4 amounts
FILLED, HELD, REFUSED_NO_CASH, REFUSED_NO_COIN, REFUSED_BELOW_MIN_TRADE = range(5)
OUTCOMES = ("filled", "held", "refused: no cash", "refused: no coin", "refused: below min_trade")
ACCOUNT_COLUMNS = ("position", "cash", "unrealised_return", "drawdown", "bars_since_trade")
IDLE_HALF_BARS = 24.0  # `bars_since_trade` reads 1/2 after these


class Market(NamedTuple):
    """What every account trades on; T bars, F features; never written to."""

    open: np.ndarray  # float64 (T,)
    close: np.ndarray  # float64 (T,)
    features: np.ndarray  # float32 (T, F)


class Rules(NamedTuple):
    """Costs as fractions; money in USD; `annualization` in bars a year."""

    initial_cash: float
    fee: float
    adverse: float
    min_trade: float
    ruin_fraction: float
    annualization: float


class Accounts(NamedTuple):
    """The state of N accounts, one array an item."""

    bar: np.ndarray  # int64 (N,) the last bar whose close is known
    last_bar: np.ndarray  # int64 (N,) where the episode is cut off
    steps: np.ndarray  # int64 (N,) since the episode began
    idle: np.ndarray  # int64 (N,) bars since the last trade
    trades: np.ndarray  # int64 (N,) fills so far
    cash: np.ndarray  # float64 (N,)
    coin: np.ndarray  # float64 (N,)
    net_worth: np.ndarray  # float64 (N,) at the close of `bar`
    peak: np.ndarray  # float64 (N,) highest net worth so far
    entry: np.ndarray  # float64 (N,) average cost of a coin held, costs included
    fees: np.ndarray  # float64 (N,) paid so far
    adverse: np.ndarray  # float64 (N,) lost to half-spread and slippage so far
    returns: np.ndarray  # float64 (N, 2 * window) of the net worth, each written twice: every window is one slice
    outcome: np.ndarray  # int64 (N,) what became of the last order
    fill_price: np.ndarray  # float64 (N,) of the last order, 0 if it did not fill
    fill_coin: np.ndarray  # float64 (N,) bought (+) or sold (-) by the last order


def new_accounts(n: int, window: int) -> Accounts:
    """Blank accounts; `open_account` brings each to life."""
    shapes = {"returns": (n, 2 * window)}
    integers = {"bar", "last_bar", "steps", "idle", "trades", "outcome"}
    types = {name: np.int64 if name in integers else np.float64 for name in Accounts._fields}
    return Accounts(**{name: np.zeros(shapes.get(name, (n,)), types[name]) for name in Accounts._fields})


@njit(cache=True)
def open_account(accounts: Accounts, i: int, rules: Rules, first_bar: int, last_bar: int) -> None:
    """Begin an episode: all in cash at the close of `first_bar`; no trace of an earlier episode stays."""
    accounts.bar[i] = first_bar
    accounts.last_bar[i] = last_bar
    accounts.steps[i] = 0
    accounts.idle[i] = 0
    accounts.trades[i] = 0
    accounts.cash[i] = rules.initial_cash
    accounts.coin[i] = 0.0
    accounts.net_worth[i] = rules.initial_cash
    accounts.peak[i] = rules.initial_cash
    accounts.entry[i] = 0.0
    accounts.fees[i] = 0.0
    accounts.adverse[i] = 0.0
    accounts.returns[i] = 0.0
    accounts.outcome[i] = HELD
    accounts.fill_price[i] = 0.0
    accounts.fill_coin[i] = 0.0


@njit(cache=True)
def fill(accounts: Accounts, i: int, action: int, price: float, rules: Rules) -> None:
    """Fill one order of the `orders` scheme around `price`: buy with, or sell, `1 / (action % 4 + 1)` of what there is."""
    side = action // 4
    amount = 1.0 / (action % 4 + 1)
    accounts.fill_price[i] = 0.0
    accounts.fill_coin[i] = 0.0
    accounts.idle[i] += 1
    if side == HOLD:
        accounts.outcome[i] = HELD
        return

    if side == BUY:
        spend = accounts.cash[i] * amount
        if spend <= 0.0:
            accounts.outcome[i] = REFUSED_NO_CASH
            return
        if spend < rules.min_trade:
            accounts.outcome[i] = REFUSED_BELOW_MIN_TRADE
            return
        paid = price * (1.0 + rules.adverse)
        value = spend / (1.0 + rules.fee)  # the fee is part of what is spent, so cash never falls below 0
        traded = value / paid
        accounts.entry[i] = (accounts.entry[i] * accounts.coin[i] + spend) / (accounts.coin[i] + traded)
        accounts.cash[i] -= spend
        accounts.fees[i] += spend - value
    else:
        sold = accounts.coin[i] * amount
        if sold <= 0.0:
            accounts.outcome[i] = REFUSED_NO_COIN
            return
        paid = price * (1.0 - rules.adverse)
        value = sold * paid
        if value < rules.min_trade:
            accounts.outcome[i] = REFUSED_BELOW_MIN_TRADE
            return
        traded = -sold
        accounts.cash[i] += value * (1.0 - rules.fee)
        accounts.fees[i] += value * rules.fee

    accounts.coin[i] += traded
    if accounts.coin[i] == 0.0:
        accounts.entry[i] = 0.0
    accounts.adverse[i] += traded * (paid - price)  # both signs agree: always a cost
    accounts.idle[i] = 0
    accounts.trades[i] += 1
    accounts.outcome[i] = FILLED
    accounts.fill_price[i] = paid
    accounts.fill_coin[i] = traded


@njit(cache=True)
def step(
    market: Market, accounts: Accounts, rules: Rules, actions: np.ndarray, terminated: np.ndarray, truncated: np.ndarray
) -> None:
    """Take every account one bar on. Actions int64 (N,); writes the two flags, bool (N,)."""
    window = accounts.returns.shape[1] // 2
    for i in range(len(actions)):
        t = accounts.bar[i] + 1
        before = accounts.net_worth[i]
        fill(accounts, i, actions[i], market.open[t], rules)
        after = accounts.cash[i] + accounts.coin[i] * market.close[t]

        slot = accounts.steps[i] % window
        accounts.returns[i, slot] = after / before - 1.0
        accounts.returns[i, slot + window] = accounts.returns[i, slot]
        accounts.bar[i] = t
        accounts.steps[i] += 1
        accounts.net_worth[i] = after
        accounts.peak[i] = max(accounts.peak[i], after)
        terminated[i] = after < rules.ruin_fraction * rules.initial_cash
        truncated[i] = t >= accounts.last_bar[i] and not terminated[i]


@njit
def reward(function: Callable, accounts: Accounts, rules: Rules, out: np.ndarray) -> None:
    """Apply a reward to the trailing window of every account after its step; writes float32 (N,)."""
    window = accounts.returns.shape[1] // 2
    for i in range(len(out)):
        end = (accounts.steps[i] - 1) % window + 1 + window
        count = min(accounts.steps[i], window)
        out[i] = function(accounts.returns[i, end - count : end], rules.annualization)


@njit(cache=True)
def observe(market: Market, accounts: Accounts, out: np.ndarray) -> None:
    """Write what is known at the close of each account's bar: float32 (N, F + 5), features first, then `ACCOUNT_COLUMNS`."""
    n_features = market.features.shape[1]
    for i in range(len(out)):
        t = accounts.bar[i]
        price = market.close[t]
        for column in range(n_features):
            out[i, column] = market.features[t, column]
        position = accounts.coin[i] * price / accounts.net_worth[i]
        held = accounts.coin[i] > 0.0
        gain = price / accounts.entry[i] - 1.0 if held else 0.0
        out[i, n_features] = position
        out[i, n_features + 1] = accounts.cash[i] / accounts.net_worth[i]
        out[i, n_features + 2] = min(max(gain, -1.0), 1.0)
        out[i, n_features + 3] = 1.0 - accounts.net_worth[i] / accounts.peak[i]
        out[i, n_features + 4] = accounts.idle[i] / (accounts.idle[i] + IDLE_HALF_BARS)
