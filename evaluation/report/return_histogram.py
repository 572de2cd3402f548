"""Returns as the pictures show them: how often which came, and how strongly a month is tinted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.backtest.names import AGENT, BUY_AND_HOLD, FORESIGHT
from evaluation.episode import Episode

FEWEST_DAYS = 30
"""with fewer, the returns of the bars are shown"""
BINS = 41
STILL = 1e-4
"""a smaller return, such as of a leftover too small to sell, is none"""


@dataclass(frozen=True)
class Distribution:
    """How often which return came to the agent and to buy and hold.

    Args:
        shares: by strategy, float64 (BINS,), of all returns; with what stood `still` they add up to 1.
        edges: float64 (BINS + 1,) of the bins, the outermost of which also hold the one return in a hundred that lies beyond.
        still: by strategy, the share of the returns that are smaller than `STILL`: shown, they would hide the others.
        unit: "day" or "bar".
    """

    shares: dict[str, np.ndarray]
    edges: np.ndarray
    still: dict[str, float]
    unit: str

    @property
    def words(self) -> str:
        """What the picture shows and leaves out."""
        left_out = ", ".join(f"{name} {share:.0%}" for name, share in self.still.items())
        return f"The agent as columns, buy and hold as a line. Left out are {self.unit}s of less than {STILL:.2%}: {left_out}."


def histogram(episodes: Mapping[str, Episode]) -> Distribution:
    """Of the returns of UTC days, or of the bars where days are few or bars are longer."""
    found = {name: _returns(episodes[name]) for name in (AGENT, BUY_AND_HOLD)}
    moved = {name: returns[np.abs(returns) >= STILL] for name, (returns, _) in found.items()}
    sizes = np.abs(np.concatenate(list(moved.values())))
    reach = max(float(np.quantile(sizes, 0.99)) if len(sizes) else 0.0, 1e-4)
    edges = np.linspace(-reach, reach, BINS + 1)
    counts = {name: np.histogram(np.clip(returns, -reach, reach), edges)[0] for name, returns in moved.items()}
    lengths = {name: max(len(returns), 1) for name, (returns, _) in found.items()}
    return Distribution(
        shares={name: count / lengths[name] for name, count in counts.items()},
        edges=edges,
        still={name: 1 - len(moved[name]) / lengths[name] for name in moved},
        unit=found[AGENT][1],
    )


def _returns(episode: Episode) -> tuple[np.ndarray, str]:
    worth = episode.table["net_worth"]
    days = worth.resample("D").last().dropna()
    chosen, unit = (days, "day") if FEWEST_DAYS <= len(days) < len(worth) else (worth, "bar")
    return chosen.pct_change().iloc[1:].to_numpy(), unit


def strong_return(monthly: pd.DataFrame) -> float:
    """The size of a month's return from which on it is tinted as strongly as it gets: the 95th percentile of all that anyone
    could have made."""
    sizes = np.abs(monthly.drop(columns=FORESIGHT, errors="ignore").to_numpy(float))
    return max(float(np.nanquantile(sizes, 0.95)), 1e-9) if np.isfinite(sizes).any() else 1.0


def return_in_words(value: float) -> str:
    """With three digits at most, as far as it stays below tenfold."""
    return f"{value:+,.{0 if abs(value) >= 0.0995 else 1}%}" if value else "0%"
