"""The figures of a backtest, from its table and its trade list; ratios by `empyrical`. `None` where a figure is undefined."""

import math

import empyrical
import numpy as np
import pandas as pd
from numba import njit

from common import cached
from evaluation.episode import RUIN, Episode, floored

Metrics = dict[str, float | int | None]

LONGEST = 9
"""characters of a figure in a table"""

# key -> (heading, format); the order of the table.
FIGURES: dict[str, tuple[str, str]] = {
    "total_return": ("total return", "+.1%"),
    "cagr": ("CAGR", "+.1%"),
    "volatility": ("volatility", ".1%"),
    "sharpe": ("Sharpe", ".2f"),
    "sortino": ("Sortino", ".2f"),
    "calmar": ("Calmar", ".2f"),
    "omega": ("Omega", ".3f"),
    "max_drawdown": ("max drawdown", ".1%"),
    "drawdown_bars": ("longest drawdown", ",.0f"),
    "exposure": ("exposure", ".0%"),
    "turnover": ("turnover", ",.1f"),
    "trades": ("trades", ",.0f"),
    "win_rate": ("win rate", ".0%"),
    "fees_paid": ("fees paid", ",.0f"),
}
DUST = 1e-12
"""what rounding leaves of a position that was closed, as a fraction of the fill"""


def metrics(episode: Episode) -> Metrics:
    """Figures of an episode, each of its whole range.

    `cagr` is annualised over 365.25 days; `volatility`, `sharpe`, `sortino`, `calmar`, `omega` (threshold 0) come from the
    returns of the bars, annualised by their number in a year; `max_drawdown` is negative; `drawdown_bars` is the longest time
    from a peak of the net worth until it is back, or until the end; `exposure` is the mean size of the position, long or short,
    as a share of the net worth; `turnover` is the value traded in a year over the mean net worth; `trades` are fills; `win_rate`
    is the share of `round_trips` that ended above 0; `fees_paid` in USD, without spread and slippage, which are in the prices.
    """
    worth = episode.table["net_worth"].to_numpy()
    returns = worth[1:] / worth[:-1] - 1
    year = episode.bars_per_year
    with np.errstate(all="ignore"):
        figures = {
            "total_return": worth[-1] / worth[0] - 1,
            "cagr": annual_growth(worth, year),
            "volatility": empyrical.annual_volatility(returns, annualization=year),
            "sharpe": empyrical.sharpe_ratio(returns, annualization=year),
            "sortino": empyrical.sortino_ratio(returns, annualization=year),
            "calmar": empyrical.calmar_ratio(returns, annualization=year),
            "omega": _omega(returns),
            "max_drawdown": empyrical.max_drawdown(returns),
            "exposure": episode.table["position"].iloc[1:].abs().mean(),
            "turnover": episode.trades["value"].sum() / worth.mean() * year / len(returns),
            "win_rate": _win_rate(round_trips(episode)),
            "fees_paid": episode.table["fees"].iloc[-1],
        }
    figures |= {"drawdown_bars": longest_drawdown(worth), "trades": len(episode.trades)}
    return {name: _number(figures[name]) for name in FIGURES}


def round_trips(episode: Episode) -> pd.DataFrame:
    """What became of what was bought (or sold short): a row for each fill that closed a position, or a part of it.

    A position has one average cost, as the kernel's account and its stop-loss have it, not a queue of purchases; what is sold of
    it is held against that average. A fill that turns the position closes the one and opens the other. What is open at the end
    is no round trip.

    Returns:
        `entry` (time of the fill that opened the position), `exit`, `coin` (closed; negative for a short), `return` (of what the
        coins cost, or brought: after fee, spread and slippage; interest and funding are not in the trade list).
    """
    trades = episode.trades
    sign = np.where(trades["side"] == "buy", 1.0, -1.0)
    coins, values = sign * trades["coin"].to_numpy(np.float64), trades["value"].to_numpy(np.float64)
    fees = trades["fee"].to_numpy(np.float64)
    opened, closed, coin, gain = _close_positions(coins, values, fees)
    times = pd.DatetimeIndex(trades["time"])
    return pd.DataFrame({"entry": times[opened], "exit": times[closed], "coin": coin, "return": gain})


def longest_drawdown(worth: np.ndarray) -> int:
    """Most bars from a peak of the net worth, float64 (T,), until it is back, or until the end; 0 if it never fell."""
    at_peak = np.flatnonzero(worth >= np.maximum.accumulate(worth))
    between = np.diff(at_peak)  # 1: the next bar was at a peak, too
    return int(max(between[between > 1].max(initial=0), len(worth) - 1 - at_peak[-1]))


def annual_growth(worth: np.ndarray, bars_per_year: float) -> float:
    """Compound annual growth rate; infinite where a short range overflows it, -1 where nothing or a debt is left."""
    if worth[-1] <= 0:
        return -1.0
    exponent = bars_per_year / (len(worth) - 1) * math.log(worth[-1] / worth[0])
    return math.expm1(exponent) if exponent < 700 else math.inf


def log_growth(episode: Episode) -> float:
    """log(last / first net worth), after all costs: the figure that validation and the search maximise. Always finite: what ends
    below a billionth of its start, or in debt, counts as a billionth."""
    worth = episode.table["net_worth"]
    return float(np.log(max(worth.iloc[-1] / worth.iloc[0], RUIN)))


def growth_error(episode: Episode, blocks: int = 20) -> float:
    """Standard error of the log growth: how far another draw of such returns would lead it off.

    By batch means: the growths of equal stretches of the range, as far apart as they are, are taken for independent draws, which
    holds where returns forget each other within a stretch. 0 for who never traded.
    """
    worth = floored(episode.table["net_worth"].to_numpy())
    edges = np.linspace(0, len(worth) - 1, min(blocks, len(worth) - 1) + 1).astype(int)
    growths = np.diff(np.log(worth[edges]))
    return float(growths.std(ddof=1) * math.sqrt(len(growths))) if len(growths) > 1 else 0.0


def format_figure(name: str, value: float | int | None) -> str:
    """As the tables show it; `-` where the figure is undefined."""
    return "-" if value is None else no_wider(name, format(value, FIGURES[name][1]), value)


def no_wider(name: str, words: str, value: float | int) -> str:
    """As a power of ten what would widen a whole column, such as perfect foresight's Calmar ratio."""
    if len(words) <= LONGEST:
        return words
    return f"{100 * value:+.1e}%" if FIGURES[name][1].endswith("%") else f"{value:.1e}"


def _number(value: float | int | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(value)


def _omega(returns: np.ndarray) -> float:
    """Gains over losses, which is `empyrical.omega_ratio` at a threshold of 0; that one adds up in a Python loop."""
    losses = -returns[returns < 0].sum()
    return returns[returns > 0].sum() / losses if losses > 0 else math.nan


def _win_rate(trips: pd.DataFrame) -> float | None:
    return float((trips["return"] > 0).mean()) if len(trips) else None


@cached(njit)
def _close_positions(
    coins: np.ndarray, values: np.ndarray, fees: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each closing fill: the fill that opened the position, itself, the coins closed, their return."""
    n = len(coins)
    opened, closed = np.empty(n, np.int64), np.empty(n, np.int64)
    coin, gain = np.empty(n), np.empty(n)
    held, average, since, trips = 0.0, 0.0, 0, 0
    for fill in range(n):
        side = 1.0 if coins[fill] > 0.0 else -1.0
        each = (values[fill] + side * fees[fill]) / abs(coins[fill])  # what a coin cost, or brought, after the fee
        closing = min(abs(held), abs(coins[fill])) if held * coins[fill] < 0.0 else 0.0
        if closing > 0.0:
            opened[trips], closed[trips], coin[trips] = since, fill, -side * closing
            gain[trips] = -side * (each / average - 1.0)
            trips += 1
        opening = abs(coins[fill]) - closing
        before = abs(held) if closing == 0.0 else 0.0
        held += coins[fill]
        if abs(held) <= DUST * abs(coins[fill]):
            held = 0.0
        elif opening > DUST * abs(coins[fill]):
            since = fill if before == 0.0 else since
            average = (average * before + each * opening) / (before + opening)
    return opened[:trips], closed[:trips], coin[:trips], gain[:trips]
