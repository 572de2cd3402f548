"""The figures of a backtest, from its table and its trade list; ratios by `empyrical`. `None` where a figure is undefined."""

import math

import empyrical
import numpy as np
import pandas as pd

from evaluation.episode import RUIN, Episode, floored
from evaluation.statistics.average_cost import round_trips

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
