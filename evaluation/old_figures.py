"""Pictures by their old signatures, until backtest.py draws by `draw_figures`."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.backtest import AGENT
from evaluation.episode import Episode
from evaluation.figures import log_axis, save_figure, time_axis

COLORS = (
    "#1769aa", "#888888", "#c77700", "#7b3fa0", "#00796b", "#c2185b", "#6d8b00", "#5c6bc0", "#8d5524", "#26a0b5", "#b39300",
)  # fmt: skip
BUY_COLOR, SELL_COLOR = "#1b9e3e", "#d62728"


def draw_net_worth(episodes: dict[str, Episode], title: str, path: Path) -> None:
    """Net worth of every strategy over time, on a log scale: equal distances are equal gains."""
    figure, axes = _old_canvas(title)
    start = next(iter(episodes.values())).table["net_worth"].iloc[0]
    axes.axhline(start, color="#bbbbbb", linewidth=0.8)
    for (name, episode), color in zip(episodes.items(), itertools.cycle(COLORS), strict=False):
        worth = episode.table["net_worth"]
        agent = name == AGENT
        axes.plot(
            worth.index, worth, color=color, linewidth=2.0 if agent else 1.2, zorder=3 if agent else 2,
            label=f"{name}  {worth.iloc[-1] / worth.iloc[0]:.2f}x",
        )  # fmt: skip
    log_axis(axes, pd.concat([episode.table["net_worth"] for episode in episodes.values()]))
    axes.set_ylabel("net worth, USD (log scale)")
    axes.legend(loc="best", frameon=False)
    save_figure(figure, path)


def draw_trades(episode: Episode, title: str, path: Path) -> None:
    """The price, with a green triangle up where the agent bought and a red one down where it sold."""
    figure, axes = _old_canvas(title)
    close = episode.table["close"]
    axes.plot(close.index, close, color="#444444", linewidth=0.8, zorder=1, label="close")
    # Few trades get large marks; thousands get small ones, or they would hide the price.
    size = float(np.clip(12_000 / max(len(episode.trades), 1), 7, 60))
    for side, marker, color, offset in (("buy", "^", BUY_COLOR, 0.99), ("sell", "v", SELL_COLOR, 1.01)):
        chosen = episode.trades[episode.trades["side"] == side]
        axes.scatter(
            chosen["time"], chosen["price"] * offset, marker=marker, s=size, color=color, alpha=0.75, linewidths=0, zorder=2,
            label=f"{side} ({len(chosen):,})",
        )  # fmt: skip
    log_axis(axes, close)
    axes.set_ylabel("price, USD (log scale)")
    axes.legend(loc="best", frameon=False)
    save_figure(figure, path)


def _old_canvas(title: str) -> tuple[Figure, Axes]:
    """An empty plot over time."""
    figure = Figure(figsize=(11, 5.5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    time_axis(axes)
    return figure, axes
