"""Traders without skill: what a verdict must call "no evidence of an edge" on the markets of `benchmarks.untimed_markets`.

A trader is the share of the net worth that it wants to hold through each bar, decided from the bars before. It may bet on
anything and as it likes, but no bet has better than even odds, since the next return has a mean of zero whatever came before.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numba import njit

from benchmarks.untimed_markets import SIZE


def random_trades(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From 12 fills to one in two bars."""
    return telegraph(len(returns), log_uniform(12, len(returns) / 2, rng), rng)


def few_trades(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return telegraph(len(returns), log_uniform(12, 24, rng), rng)


def rare_bets(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In the market for some hours, six times or a few more."""
    share, bars = np.zeros(len(returns)), int(rng.integers(1, 12))
    for start in rng.choice(len(returns) - bars, rng.integers(6, 20), replace=False):
        share[start : start + bars] = 1
    return share


def hours_of_the_day(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.random(24) < rng.uniform(0.1, 0.9)
    return chosen[np.arange(len(returns)) % 24].astype(float)


def volatility_scaled(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    known = pd.Series(returns).rolling(int(rng.integers(10, 100)), min_periods=2).std().shift(1).fillna(SIZE).to_numpy()
    return np.round(np.clip(rng.uniform(0.2, 0.8) * SIZE / (known + 1e-9), 0, 1), 1)


def sma_crossover(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    price, short = _log_price(returns), int(rng.integers(3, 30))
    long = int(short * rng.uniform(2, 6))
    return (_mean_of(price, short) > _mean_of(price, long)).astype(float)


def momentum(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (_move(returns, log_uniform(1, 200, rng)) > 0).astype(float)


def rsi(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Buys below a low RSI, sells above a high one."""
    change, decay = pd.Series(_move(returns, 1)), 1 / rng.integers(5, 40)
    rise = change.clip(lower=0).ewm(alpha=decay).mean()
    index = (100 * rise / (change.abs().ewm(alpha=decay).mean() + 1e-12)).to_numpy()
    return _between(index, rng.uniform(25, 45), rng.uniform(55, 75))


def dip_buyer(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Holds for some bars after one of the deepest falls so far."""
    move = _move(returns, int(rng.integers(1, 48)))
    deep = move < _deepest_so_far(move, rng.uniform(0.01, 0.2))
    return pd.Series(deep.astype(float)).rolling(int(rng.integers(1, 48)), min_periods=1).max().to_numpy()


def grid(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Less the higher the price, in steps."""
    width, steps = rng.uniform(0.5, 12) * SIZE * math.sqrt(len(returns)), rng.integers(4, 200)
    return np.clip(np.round((0.5 - _log_price(returns) / width) * steps) / steps, 0, 1)


def ramp_with_the_price(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """More the higher the price, in steps."""
    return 1 - grid(returns, rng)


def ramp_in_time(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rise = np.linspace(0, 1, len(returns)) ** rng.uniform(0.3, 3)
    return np.clip(np.round(rise + 0.1 * rng.normal(size=len(returns)), 1), 0, 1)


def late_entry(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In from some bar on, but for single bars now and then."""
    bars = len(returns)
    return ((np.arange(bars) > bars * rng.uniform(0.1, 0.9)) & (rng.random(bars) > 0.02)).astype(float)


def martingale_betting(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Twice the stake after each loss, until a win or the whole net worth is at stake."""
    bars = log_uniform(1, 48, rng)
    return _doubled(returns, bars, int(rng.integers(2, 7)), rng.integers(0, bars, len(returns)))


def small_gains(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A near take-profit and a far stop-loss: wins often, loses much."""
    return _exits(returns, SIZE * rng.uniform(1, 6), SIZE * rng.uniform(6, 60), int(rng.integers(1, 100)))


def small_losses(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _exits(returns, SIZE * rng.uniform(6, 60), SIZE * rng.uniform(1, 6), int(rng.integers(1, 100)))


def stops_while_ahead(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trades at random until its own t-statistic is high, then keeps its mean exposure for good."""
    share = telegraph(len(returns), log_uniform(50, len(returns) / 2, rng), rng)
    return _stopped(returns, share, rng.choice([1.8, 2.0, 2.5]), int(rng.choice([20, 100, 200])))


def goes_in_while_ahead(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trades at random until its own t-statistic is high, then buys for good, or sells for good."""
    share = telegraph(len(returns), log_uniform(50, len(returns) / 2, rng), rng)
    stopped = _stopped(returns, share, rng.choice([1.2, 1.8, 2.2]), int(rng.choice([20, 100, 200])))
    ends = len(stopped) - 1 - int(np.argmax(stopped[::-1] != stopped[-1]))
    return np.where(np.arange(len(stopped)) > ends, float(rng.integers(2)), stopped)


def chases_losses(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bets at random, with ten times the stake while it is behind."""
    share = telegraph(len(returns), log_uniform(50, len(returns) / 2, rng), rng)
    return _chased(returns, share)


def ensemble(returns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean of five of the others."""
    kinds = (random_trades, sma_crossover, momentum, rsi, grid, hours_of_the_day, dip_buyer)
    return np.mean([kinds[kind](returns, rng) for kind in rng.integers(len(kinds), size=5)], axis=0)


TRADERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "random": random_trades, "random, 12 to 24 fills": few_trades, "rare bets": rare_bets, "hours of the day": hours_of_the_day,
    "volatility-scaled": volatility_scaled, "SMA crossover": sma_crossover, "momentum": momentum, "RSI": rsi,
    "dip buyer": dip_buyer, "grid": grid, "ramp with the price": ramp_with_the_price, "ramp in time": ramp_in_time,
    "late entry": late_entry, "martingale betting": martingale_betting, "small gains": small_gains,
    "small losses": small_losses, "stops while ahead": stops_while_ahead, "goes in while ahead": goes_in_while_ahead,
    "chases losses": chases_losses, "ensemble": ensemble,
}  # fmt: skip


@njit(cache=True)
def held(target: np.ndarray, returns: np.ndarray, cost: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Play shares: trade when the wanted one changes, and let it drift with the price otherwise.

    Args:
        target, returns: float64 (T,).
        cost: of each USD traded.

    Returns:
        net returns and the share held through each bar, float64 (T,), and the number of fills.
    """
    bars = len(returns)
    net, share = np.empty(bars), np.empty(bars)
    now, wanted, fills = 0.0, 0.0, 0
    for bar in range(bars):
        paid = 0.0
        if target[bar] != wanted:
            paid = cost * abs(target[bar] - now)
            now = wanted = target[bar]
            fills += 1
        share[bar] = now
        gain = now * returns[bar]
        net[bar] = (1.0 - paid) * (1.0 + gain) - 1.0
        now = now * (1.0 + returns[bar]) / (1.0 + gain)
    return net, share, fills


def telegraph(bars: int, fills: int, rng: np.random.Generator) -> np.ndarray:
    """In and out at so many random bars."""
    changes = np.zeros(bars, np.int64)
    changes[rng.choice(bars, fills, replace=False)] = 1
    return (np.cumsum(changes) % 2).astype(float)


def log_uniform(least: float, most: float, rng: np.random.Generator) -> int:
    return int(math.exp(rng.uniform(math.log(least), math.log(most))))


def _log_price(returns: np.ndarray) -> np.ndarray:
    """Before each bar, 0 before the first."""
    return np.concatenate([[0.0], np.cumsum(np.log1p(returns[:-1]))])


def _move(returns: np.ndarray, bars: int) -> np.ndarray:
    """Log return of the last bars before each bar."""
    price = _log_price(returns)
    return price - np.concatenate([np.zeros(bars), price[:-bars]])


def _mean_of(price: np.ndarray, bars: int) -> np.ndarray:
    return pd.Series(price).rolling(bars).mean().to_numpy()


@njit(cache=True)
def _deepest_so_far(move: np.ndarray, share: float) -> np.ndarray:
    """A running quantile: it falls by a step where the move lies below it, and rises a little where it does not."""
    level, out = 0.0, np.empty(len(move))
    size = 0.0
    for bar in range(len(move)):
        out[bar] = level if bar > 50 else -np.inf
        size = max(size * 0.999, abs(move[bar]))
        level += 0.02 * size * (share - (1.0 if move[bar] < level else 0.0))
    return out


@njit(cache=True)
def _between(index: np.ndarray, low: float, high: float) -> np.ndarray:
    out, inside = np.zeros(len(index)), 0.0
    for bar in range(len(index)):
        if index[bar] < low:
            inside = 1.0
        elif index[bar] > high:
            inside = 0.0
        out[bar] = inside
    return out


@njit(cache=True)
def _doubled(returns: np.ndarray, bars: int, levels: int, rests: np.ndarray) -> np.ndarray:
    share, level, bar = np.zeros(len(returns)), 0, 0
    while bar < len(returns):
        end, gain = min(bar + bars, len(returns)), 0.0
        for k in range(bar, end):
            share[k] = 2.0 ** (level - levels)
            gain += returns[k]
        level = 0 if gain > 0.0 else min(level + 1, levels)
        bar = end + (rests[end - 1] if level == 0 else 0)
    return share


@njit(cache=True)
def _exits(returns: np.ndarray, profit: float, loss: float, rest: int) -> np.ndarray:
    share, gain, waits, inside = np.zeros(len(returns)), 0.0, 0, False
    for bar in range(len(returns)):
        if not inside:
            inside, gain = waits <= 0, 0.0
            waits -= 1
        if inside:
            share[bar] = 1.0
            gain += returns[bar]
            if gain >= profit or gain <= -loss:
                inside, waits = False, rest
    return share


@njit(cache=True)
def _stopped(returns: np.ndarray, share: np.ndarray, enough: float, first: int) -> np.ndarray:
    out, total, squares, held_so_far = share.copy(), 0.0, 0.0, 0.0
    for bar in range(len(returns)):
        mean = held_so_far / bar if bar else share[0]
        made = (share[bar] - mean) * returns[bar]
        total, squares, held_so_far = total + made, squares + made * made, held_so_far + share[bar]
        if bar > first and total >= enough * math.sqrt(squares):
            out[bar + 1 :] = held_so_far / (bar + 1)
            break
    return out


@njit(cache=True)
def _chased(returns: np.ndarray, share: np.ndarray) -> np.ndarray:
    out, total = np.empty(len(returns)), 0.0
    for bar in range(len(returns)):
        stake = 1.0 if total < 0.0 else 0.1
        out[bar] = 0.5 + stake * (share[bar] - 0.5)
        total += stake * (share[bar] - 0.5) * returns[bar]
    return out
