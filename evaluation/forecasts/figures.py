"""The pictures of forecasters, as PNG: how they learned, what they are worth, what they said beside what came."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from common import write_png
from evaluation.forecasts.rise_scores import RiseComparison
from evaluation.forecasts.scores import LAST_VALUE, Comparison
from evaluation.report.axes import log_axis, time_axis
from features.forecasters import Epoch
from market import Candles

BLUE, RED, GREY, GREEN = "#1769aa", "#d62728", "#888888", "#1b9e3e"
ZOOMED_PATHS = 20


def draw_loss_curves(history: list[Epoch], title: str, path: Path) -> None:
    """Both losses over the epochs, each on its own scale, for one range may be calmer; the kept epoch is marked."""
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    numbers = [epoch.number for epoch in history]
    best = next(epoch for epoch in reversed(history) if epoch.best)
    for axes, name, losses in (
        (panels[0], "train", [epoch.loss for epoch in history]),
        (panels[1], "validation", [epoch.validation_loss for epoch in history]),
    ):
        axes.plot(numbers, losses, color=BLUE, marker="o", markersize=3.5)
        axes.set_ylabel(f"{name} loss")
        axes.grid(True, color="#e6e6e6", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.ticklabel_format(axis="y", useOffset=False)
    panels[1].plot(best.number, best.validation_loss, "o", color=RED, markersize=8, label=f"kept: epoch {best.number}")
    panels[1].legend(frameon=False)
    panels[1].set_xlabel("epoch")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_title(title, loc="left", fontsize=12)
    write_png(figure, path)


def draw_skill(comparison: Comparison, title: str, path: Path) -> None:
    """The skill of each forecaster with its interval: green where it beats the last value, red where it is worse."""
    scores = {name: score for name, score in comparison.scores.items() if name != LAST_VALUE}
    figure = Figure(figsize=(9, 1.2 + 0.34 * len(scores)), dpi=110, layout="constrained")
    axes = figure.subplots()
    for place, score in enumerate(scores.values()):
        color = GREEN if score.sure[0] > 0 else RED if score.sure[1] < 0 else GREY
        axes.plot(score.sure, (place, place), color=color, linewidth=1, alpha=0.6)
        axes.plot(score.interval, (place, place), color=color, linewidth=3.5, solid_capstyle="butt")
        axes.plot(score.skill, place, "o", color=color, markersize=6)
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.invert_yaxis()
    if min(score.sure[0] for score in scores.values()) < -0.5:  # one hopeless forecaster would hide the rest
        axes.set_xscale("symlog", linthresh=0.05, linscale=1.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.set_xlabel("skill against the last value: thick 95 %, thin 95 % for all at once")
    axes.grid(True, axis="x", color="#e6e6e6", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=12)
    write_png(figure, path)


def draw_calibration(comparison: RiseComparison, title: str, path: Path) -> None:
    """A panel a forecaster: it means what it says where the share that came, by bins of its probability, lies on the diagonal."""
    scores, columns = comparison.scores, min(4, len(comparison.scores))
    rows = -(-len(scores) // columns)
    figure = Figure(figsize=(max(2.9 * columns, 5), 0.8 + 2.9 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    told = [value for score in scores.values() for bin in score.calibration for value in bin[:2]]
    low, high = min(*told, comparison.base_rate) - 0.03, max(*told, comparison.base_rate) + 0.03
    for axes, (name, score) in zip(panels, scores.items(), strict=False):
        axes.plot((low, high), (low, high), color=GREY, linewidth=1, linestyle="--")
        axes.axhline(comparison.came, color=GREY, linewidth=0.8, linestyle=":")
        color = GREEN if score.sure[0] > 0 else RED if score.sure[1] < 0 else BLUE
        axes.plot([bin[0] for bin in score.calibration], [bin[1] for bin in score.calibration], "o-", color=color, markersize=4)
        axes.set_title(f"{name}  skill {score.skill:+.1%}", loc="left", fontsize=10)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(True, color="#e6e6e6", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(panels)[len(scores) :]:
        axes.set_visible(False)
    figure.supxlabel("probability that was forecast", fontsize=10)
    figure.supylabel("share that came", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    write_png(figure, path)


def draw_dots(candles: Candles, ends: np.ndarray, paths: np.ndarray, title: str, path: Path) -> None:
    """Forecast closes as red dots on the true close, then the last paths alone, each begun at its black last known close.

    Args:
        ends: int64 (M,), last known bars, K apart or more.
        paths: float64 (M, K), forecast log returns from them.
    """
    figure = Figure(figsize=(11, 9), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1)
    _dots(above, candles, ends, paths, size=2.0)
    above.set_title(title, loc="left", fontsize=12)
    shown = ends[-ZOOMED_PATHS:]
    _dots(below, candles, shown, paths[-ZOOMED_PATHS:], size=9.0)
    first, last = max(shown[0] - 12, 0), min(shown[-1] + paths.shape[1] + 12, len(candles) - 1)
    close = candles.frame["close"].iloc[first : last + 1]
    below.set_xlim(close.index[0], close.index[-1])
    below.set_ylim(close.min() * 0.985, close.max() * 1.015)
    below.scatter(candles.index[shown], candles.column("close")[shown], s=16, color="black", zorder=4, label="last known close")
    below.set_title(f"the last {len(shown)} paths", loc="left", fontsize=11)
    for axes in (above, below):
        axes.legend(loc="best", frameon=False)
    write_png(figure, path)


def draw_boxes(errors: pd.DataFrame, reference: float, title: str, path: Path) -> None:
    """A panel a weight group, a box a penalty: mean squared errors over the repeats, and the last value's as a line.

    Args:
        errors: one row a training: `group`, `penalty`, `mse`.
    """
    groups = list(dict.fromkeys(errors["group"]))
    figure = Figure(figsize=(11, 7.5), dpi=110, layout="constrained")
    panels = figure.subplots(2, (len(groups) + 1) // 2, sharey=True, squeeze=False).flat
    for axes, group in zip(panels, groups, strict=False):
        of_group = errors[errors["group"] == group]
        penalties = list(dict.fromkeys(of_group["penalty"]))
        boxes = [of_group.loc[of_group["penalty"] == penalty, "mse"].to_numpy() for penalty in penalties]
        axes.boxplot(boxes, tick_labels=penalties, medianprops={"color": RED}, flierprops={"markersize": 4})
        axes.axhline(reference, color=BLUE, linewidth=1, linestyle="--", label="last value")
        axes.set_title(group, loc="left", fontsize=11)
        axes.tick_params(axis="x", rotation=45)
        axes.grid(True, axis="y", color="#e6e6e6", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    for axes in list(panels)[len(groups) :]:
        axes.set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.supylabel("mean squared error, USD²")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    write_png(figure, path)


def _dots(axes: Axes, candles: Candles, ends: np.ndarray, paths: np.ndarray, size: float) -> None:
    close, horizons = candles.frame["close"], paths.shape[1]
    rows = (ends[:, None] + 1 + np.arange(horizons)).ravel()
    values = (candles.column("close")[ends, None] * np.exp(paths)).ravel()
    axes.plot(close.index, close, color="#555555", linewidth=0.9, label="close")
    axes.scatter(
        close.index[rows], values, s=size, color=RED, linewidths=0, zorder=3, label=f"forecast, up to {horizons} bars ahead"
    )
    log_axis(axes, close)
    time_axis(axes)
    axes.set_ylabel("USD (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
