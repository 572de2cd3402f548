"""The figures of a backtest, from the net worth alone; ratios by `empyrical`. `None` where a figure is undefined."""

import math

import empyrical
import numpy as np

from evaluation.episode import Episode

Metrics = dict[str, float | int | None]

# key -> (heading, format); the order of the table.
FIGURES: dict[str, tuple[str, str]] = {
    "total_return": ("total return", "+.1%"),
    "cagr": ("CAGR", "+.1%"),
    "sharpe": ("Sharpe", ".2f"),
    "sortino": ("Sortino", ".2f"),
    "calmar": ("Calmar", ".2f"),
    "omega": ("Omega", ".3f"),
    "max_drawdown": ("max drawdown", ".1%"),
    "exposure": ("exposure", ".0%"),
    "trades": ("trades", ",d"),
    "fees_paid": ("fees paid", ",.0f"),
}


def metrics(episode: Episode) -> Metrics:
    """Figures of an episode.

    `cagr` is annualised over 365.25 days; `sharpe`, `sortino`, `calmar`, `omega` (threshold 0) are annualised from the returns
    of the bars; `max_drawdown` is negative; `exposure` is the mean size of the position, long or short,
    as a share of the net worth; `fees_paid` in USD, without spread and slippage, which are in the fill prices.
    """
    worth = episode.table["net_worth"].to_numpy()
    returns = worth[1:] / worth[:-1] - 1
    year = episode.bars_per_year
    with np.errstate(all="ignore"):
        figures = {
            "total_return": worth[-1] / worth[0] - 1,
            "cagr": annual_growth(worth, year),
            "sharpe": empyrical.sharpe_ratio(returns, annualization=year),
            "sortino": empyrical.sortino_ratio(returns, annualization=year),
            "calmar": empyrical.calmar_ratio(returns, annualization=year),
            "omega": empyrical.omega_ratio(returns, annualization=year),
            "max_drawdown": empyrical.max_drawdown(returns),
            "exposure": episode.table["position"].iloc[1:].abs().mean(),
            "fees_paid": episode.table["fees"].iloc[-1],
        }
    finite: Metrics = {name: float(value) if math.isfinite(value) else None for name, value in figures.items()}
    return finite | {"trades": len(episode.trades)}


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
    return float(np.log(max(worth.iloc[-1] / worth.iloc[0], 1e-9)))


def growth_error(episode: Episode, blocks: int = 20) -> float:
    """Standard error of the log growth: how far another draw of such returns would lead it off.

    By batch means: the growths of equal stretches of the range, as far apart as they are, are taken for independent draws, which
    holds where returns forget each other within a stretch. 0 for who never traded.
    """
    worth = np.maximum(episode.table["net_worth"].to_numpy(), episode.table["net_worth"].iloc[0] * 1e-9)
    edges = np.linspace(0, len(worth) - 1, min(blocks, len(worth) - 1) + 1).astype(int)
    growths = np.diff(np.log(worth[edges]))
    return float(growths.std(ddof=1) * math.sqrt(len(growths))) if len(growths) > 1 else 0.0


def format_figure(name: str, value: float | int | None) -> str:
    """As the tables show it; `-` where the figure is undefined."""
    return "-" if value is None else format(value, FIGURES[name][1])
