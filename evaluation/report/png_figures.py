"""The pictures of a backtest as PNG, for papers: what the charts of the report show, in their light colors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from common import write_png
from evaluation.backtest.names import AGENT, BUY_AND_HOLD, FORESIGHT, WALK_FORWARD
from evaluation.backtest.outcome import Outcome
from evaluation.report.axes import log_axis, time_axis
from evaluation.report.palette import LIGHT, LineStyle, line_styles
from evaluation.report.return_histogram import histogram, return_in_words, strong_return

CANDLES, MARKS = 300, 100
"""most that stand side by side: candles, and places for triangles"""
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
OPTIMISTIC = " (OPTIMISTIC fills)"


def draw_figures(outcome: Outcome, folder: Path) -> list[Path]:
    """Write one PNG for each chart that there is something to show in; the same outcome gives the same bytes.

    Args:
        outcome: a backtest.
        folder: made if it is missing.

    Returns:
        The files written: `net_worth.png`, `trades.png`, `drawdown.png`, `exposure.png`, `monthly.png`, `distribution.png`,
        `costs.png` and, where the validations are known, `learning.png`.
    """
    drawn: dict[str, Callable[[Outcome], Figure]] = {
        "net_worth": net_worth, "trades": trades, "drawdown": drawdown, "exposure": exposure, "monthly": monthly,
        "distribution": distribution, "costs": costs, "learning": learning,
    }  # fmt: skip
    if not outcome.learning:
        del drawn["learning"]
    paths = [folder / f"{name}.png" for name in drawn]
    for path, draw in zip(paths, drawn.values(), strict=True):
        write_png(draw(outcome), path)
    return paths


def net_worth(outcome: Outcome) -> Figure:
    """Of every strategy, on a log scale: equal distances are equal gains. Perfect foresight may leave the picture."""
    figure, axes = _over_time("Net worth", outcome)
    worths = {name: episode.table["net_worth"] for name, episode in outcome.episodes.items()}
    axes.axhline(worths[AGENT].iloc[0], color=LIGHT["line"], linewidth=1.0, zorder=0)
    for name, style in _drawn_last(outcome):
        times = worths[name].iloc[-1] / worths[name].iloc[0]
        drawn = _thinned(worths[name].where(worths[name] > 0))
        axes.plot(drawn.index, drawn, **_line(style), label=f"{name}  {times:,.3g}x")
    log_axis(axes, pd.concat([worth[worth > 0] for name, worth in worths.items() if name != FORESIGHT]))
    axes.set_ylabel(f"{outcome.money}, log scale")
    return _with_legend(figure, axes)


def trades(outcome: Outcome) -> Figure:
    """The agent's buys and sells below and above the candles; so many bars to a candle that at most `CANDLES` stand there."""
    figure, axes = _over_time("Trades of the agent", outcome)
    per_candle = -(-len(outcome.candles) // CANDLES)
    candles = _candles(outcome.candles, per_candle)
    width = figure.get_figwidth() * 50 / max(len(candles), 1)
    for risen, color in ((True, LIGHT["up"]), (False, LIGHT["down"])):
        some = candles[(candles["close"] >= candles["open"]) == risen]
        axes.vlines(some.index, some["low"], some["high"], color=color, linewidth=min(width / 3, 0.8))
        axes.vlines(some.index, some["open"], some["close"], color=color, linewidth=width)
    log_axis(axes, pd.concat([candles["low"], candles["high"]]), pad=0.1)
    _triangles(axes, outcome, per_candle * -(-len(candles) // MARKS))
    axes.set_ylabel(f"price, {outcome.money}, log scale")
    return _with_legend(figure, axes)


def drawdown(outcome: Outcome) -> Figure:
    """How far each stands below its highest net worth so far."""
    figure, axes = _over_time("Drawdown", outcome)
    for name, style in _drawn_last(outcome):
        worth = outcome.episodes[name].table["net_worth"]
        below = _thinned(worth / worth.cummax() - 1)
        axes.plot(below.index, below, **_line(style) | {"linewidth": style.width / 2}, label=name)
        if name == AGENT:
            axes.fill_between(below.index, below, color=LIGHT["agent"], alpha=0.15, linewidth=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, 0))
    axes.set_ylim(top=0.0)
    return _with_legend(figure, axes)


def exposure(outcome: Outcome) -> Figure:
    """Value of the coin as a share of the agent's net worth: means over a 150th of the range."""
    figure, axes = _over_time("Exposure", outcome)
    for name, style in _drawn_last(outcome):
        if name not in (AGENT, WALK_FORWARD, *outcome.seeds):
            continue
        position = _means(outcome.episodes[name].table["position"], 150)
        axes.step(position.index, position, where="post", **_line(style) | {"linewidth": style.width / 2}, label=name)
        if name == AGENT:
            axes.fill_between(position.index, position, step="post", color=LIGHT["agent"], alpha=0.2, linewidth=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, 0))
    return _with_legend(figure, axes)


def monthly(outcome: Outcome) -> Figure:
    """The return of each calendar month, a row a strategy."""
    table = outcome.monthly.T
    rows, months = table.shape
    figure = Figure(figsize=(max(5.0, 3.2 + 0.55 * months), 1.0 + 0.32 * rows), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    _title(axes, "Months", outcome)
    values, reach = table.to_numpy(float), strong_return(outcome.monthly)
    colors = LinearSegmentedColormap.from_list("returns", [LIGHT["down"], LIGHT["card"], LIGHT["up"]])
    axes.pcolormesh(values, cmap=colors, vmin=-1.33 * reach, vmax=1.33 * reach, edgecolors="white", linewidth=1.5)
    for row, column in np.argwhere(np.isfinite(values)):
        axes.text(
            column + 0.5,
            row + 0.5,
            return_in_words(values[row, column]),
            ha="center",
            va="center",
            fontsize=8,
            color=LIGHT["text"],
        )
    starts = pd.to_datetime(table.columns.astype(str))
    axes.set_yticks(np.arange(rows) + 0.5, table.index, fontsize=9)
    axes.set_xticks(np.arange(months) + 0.5, [f"{month:%b}\n{month:%Y}" for month in starts], fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=LIGHT["muted"])
    axes.spines[:].set_visible(False)
    return figure


def distribution(outcome: Outcome) -> Figure:
    """How often which return came to the agent and to buy and hold."""
    days = histogram(outcome.episodes)
    shares, edges = days.shares, days.edges
    figure, axes = _canvas(f"Returns of a {days.unit}", outcome)
    axes.stairs(shares[BUY_AND_HOLD], edges, color=LIGHT["hold"], linewidth=1.7, zorder=3, label=BUY_AND_HOLD)
    axes.stairs(shares[AGENT], edges, fill=True, color=LIGHT["agent"], alpha=0.75, label=AGENT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: return_in_words(value)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, 0))
    axes.set_ylabel(f"share of the {days.unit}s, without those of no change")
    return _with_legend(figure, axes)


def costs(outcome: Outcome) -> Figure:
    """What was left of the start, by the multiple of the fee; nothing where it ended in debt."""
    figure, axes = _canvas("At other fees", outcome)
    places, left = np.arange(outcome.costs.shape[1]), 1 + outcome.costs.where(outcome.costs > -1)
    axes.axhline(1.0, color=LIGHT["line"], linewidth=1.0, zorder=0)
    for name, style in _drawn_last(outcome):
        if name in left.index:
            axes.plot(places, left.loc[name], **_line(style), marker="o", markersize=2 + 1.5 * style.width, label=name)
    log_axis(axes, pd.Series(left.drop(FORESIGHT, errors="ignore").to_numpy().ravel()).dropna(), words="{:,.4g}x")
    axes.set_xticks(places, [f"{multiple:g}x" for multiple in outcome.costs.columns])
    axes.set_xlabel("fee, as a multiple of the configured one")
    axes.set_ylabel("net worth at the end / at the start, log scale")
    return _with_legend(figure, axes)


def learning(outcome: Outcome) -> Figure:
    """Log growth on validation by training steps, within one standard error; the dot is the agent that was kept."""
    figure, axes = _canvas("Learning", replace(outcome, title=outcome.validated or "on validation"))
    axes.axhline(0.0, color=LIGHT["muted"], linewidth=0.8, zorder=0)
    for seed, taken in outcome.learning.items():
        table = pd.DataFrame(taken)
        growth, error, kept = table["log_growth"], table["standard_error"], table[table["best"]].tail(1)
        axes.fill_between(table["step"], growth - error, growth + error, color=LIGHT["agent"], alpha=0.08, linewidth=0)
        axes.plot(table["step"], growth, color=LIGHT["agent"], linewidth=1.2, alpha=0.8, label=seed)
        axes.scatter(kept["step"], kept["log_growth"], s=36, color=LIGHT["buy"], edgecolors="white", zorder=4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("steps")
    axes.set_ylabel("log growth on validation")
    return figure


def _candles(bars: pd.DataFrame, per_candle: int) -> pd.DataFrame:
    """So many bars to a candle, by the open time of the first."""
    group = np.arange(len(bars)) // per_candle
    candles = bars.groupby(group).agg({"open": "first", "high": "max", "low": "min", "close": "last"})
    return candles.set_index(bars.index[::per_candle])


def _triangles(axes: Axes, outcome: Outcome, bars: int) -> None:
    """All buys within a stretch of so many bars are one triangle below its low, all sells one above its high."""
    index, fills = pd.DatetimeIndex(outcome.candles.index), outcome.episodes[AGENT].trades
    stretches = _candles(outcome.candles, bars)
    away = (axes.get_ylim()[1] / axes.get_ylim()[0]) ** 0.025
    slots = np.maximum(index.searchsorted(pd.DatetimeIndex(fills["time"]), side="right") - 1, 0) // bars
    middle = pd.DatetimeIndex(stretches.index) + (index[1] - index[0]) * (bars - 1) / 2
    for side, marker, price in (("sell", "v", stretches["high"] * away), ("buy", "^", stretches["low"] / away)):
        chosen = fills["side"].to_numpy() == side
        used = np.unique(slots[chosen])
        axes.scatter(middle[used], price.iloc[used], marker=marker, s=26, color=LIGHT[side], edgecolors="white", linewidths=0.5,
                     zorder=4, label=f"{side} ({chosen.sum():,})")  # fmt: skip


def _thinned(values: pd.Series, count: int = 750) -> pd.Series:
    """The lowest and the highest of each of `count` stretches, in their order: a line that looks as the whole one does."""
    if len(values) <= 2 * count:
        return values
    stretches = np.array_split(np.arange(len(values)), count)
    filled = values.ffill().bfill().to_numpy()
    chosen = {edge for rows in stretches for edge in (rows[filled[rows].argmin()], rows[filled[rows].argmax()])}
    return values.iloc[sorted(chosen)]


def _means(values: pd.Series, count: int) -> pd.Series:
    per_group = -(-len(values) // count)
    means = values.groupby(np.arange(len(values)) // per_group).mean()
    return means.set_axis(values.index[::per_group])


def _drawn_last(outcome: Outcome) -> list[tuple[str, LineStyle]]:
    """The agent above buy and hold, above the rest."""
    return list(line_styles(outcome.episodes, outcome.seeds).items())[::-1]


def _line(style: LineStyle) -> dict[str, Any]:
    return {
        "color": LIGHT[style.color], "linewidth": style.width, "linestyle": DASHES[style.dash], "alpha": style.opacity,
    }  # fmt: skip


def _over_time(heading: str, outcome: Outcome) -> tuple[Figure, Axes]:
    figure, axes = _canvas(heading, outcome)
    time_axis(axes)
    return figure, axes


def _canvas(heading: str, outcome: Outcome) -> tuple[Figure, Axes]:
    """An empty plot."""
    figure = Figure(figsize=(11, 5.5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    _title(axes, heading, outcome)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(LIGHT["line"])
    axes.tick_params(colors=LIGHT["muted"])
    axes.xaxis.label.set_color(LIGHT["muted"])
    axes.yaxis.label.set_color(LIGHT["muted"])
    axes.set_axisbelow(True)
    axes.grid(True, axis="y", color=LIGHT["line"], linewidth=0.6)
    axes.margins(x=0.01)
    return figure, axes


def _title(axes: Axes, heading: str, outcome: Outcome) -> None:
    marked = OPTIMISTIC if outcome.optimistic and OPTIMISTIC not in outcome.title else ""
    axes.set_title(f"{heading}: {outcome.title}{marked}", loc="left", fontsize=12, color=LIGHT["text"])


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    """The legend beside the data, in the order of the table: what is drawn last stands first."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=9)
    return figure
