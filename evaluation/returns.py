"""Returns as the pictures show them: how often which came, and how strongly a month is tinted."""

import numpy as np
import pandas as pd

from evaluation.backtest import AGENT, BUY_AND_HOLD
from evaluation.episode import Episode

FEWEST_DAYS = 30
"""with fewer, the returns of the bars are shown"""
BINS = 41
"""an odd number, so that the middle one holds the days on which nothing happened"""


def returns_shown(episode: Episode) -> tuple[pd.Series, str]:
    """The returns of the UTC days, or of the bars where days are few or bars are longer; and which of the two."""
    worth = episode.table["net_worth"]
    days = worth.resample("D").last().dropna()
    chosen, unit = (days, "day") if FEWEST_DAYS <= len(days) < len(worth) else (worth, "bar")
    return chosen.pct_change().iloc[1:], unit


def histogram(episodes: dict[str, Episode]) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """How often which return came to the agent and to buy and hold: shares (BINS,) that add up to 1, edges (BINS + 1,), the unit.

    The outermost bins also hold the one in a hundred that lies beyond.
    """
    returns = {name: returns_shown(episodes[name]) for name in (AGENT, BUY_AND_HOLD)}
    values = {name: found.to_numpy() for name, (found, _) in returns.items()}
    both = np.concatenate(list(values.values()))
    reach = max(float(np.quantile(np.abs(both), 0.99)) if len(both) else 0.0, 1e-4)
    edges = np.linspace(-reach, reach, BINS + 1)
    shares = {name: np.histogram(np.clip(found, -reach, reach), edges)[0] / max(len(found), 1) for name, found in values.items()}
    return shares, edges, returns[AGENT][1]


def strong_return(monthly: pd.DataFrame) -> float:
    """The size of a month's return from which on it is tinted as strongly as it gets: the 95th percentile of all."""
    sizes = np.abs(monthly.to_numpy(float))
    return max(float(np.nanquantile(sizes, 0.95)), 1e-9) if np.isfinite(sizes).any() else 1.0


def return_in_words(value: float) -> str:
    """With three digits at most, as far as it stays below tenfold."""
    return f"{value:+,.{0 if abs(value) >= 0.0995 else 1}%}" if value else "0%"
