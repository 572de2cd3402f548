"""The pictures of models of interactions, as PNG: how one learned, which are better, which pairs of fields matter to one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from common import write_png
from evaluation.forecasts.interaction_scores import MEASURES, InteractionComparison
from evaluation.report.palette import LIGHT
from features.forecasters import Epoch

LONGEST_NAME = 24
"""characters of a field's name that a picture shows"""
FEW_FIELDS = 14
"""up to so many fields every cell of the heatmap holds its number"""
MOST_NAMES = 60
"""fields whose names all fit beside a heatmap; of more every second one is named, or every third, and so on"""


def draw_interaction_losses(history: Sequence[Epoch], validated: bool, title: str, path: Path) -> None:
    """The losses over the epochs, in one plot, for they are means of the same loss; the kept epoch is marked.

    Args:
        history: the epochs.
        validated: whether there were validation rows.
        title: above it.
        path: of the PNG.
    """
    figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
    axes = figure.subplots()
    numbers = [epoch.number for epoch in history]
    best = next(epoch for epoch in reversed(history) if epoch.best)
    axes.plot(
        numbers, [epoch.loss for epoch in history], "o-", color=LIGHT["flat"], markersize=4, label="train, while it learned"
    )
    if validated:
        losses = [epoch.validation_loss for epoch in history]
        axes.plot(numbers, losses, "o-", color=LIGHT["agent"], markersize=4, label="validation")
    kept = best.validation_loss if validated else best.loss
    axes.plot(best.number, kept, "o", color=LIGHT["sell"], markersize=8, label=f"kept: epoch {best.number}")
    axes.legend(frameon=False)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="y", useOffset=False)
    _plain(axes, title)
    axes.grid(True, color=LIGHT["line"], linewidth=0.6)
    write_png(figure, path)


def draw_comparison(comparison: InteractionComparison, title: str, path: Path) -> None:
    """A dot a model with its 95 % interval, the best one on top: blue for those that no other is shown to be better than."""
    measure, unbeaten = MEASURES[comparison.measure], comparison.unbeaten
    figure = Figure(figsize=(10, 1.5 + 0.42 * len(comparison.scores)), dpi=110, layout="constrained")
    axes = figure.subplots()
    for place, (name, score) in enumerate(comparison.scores.items()):
        color = LIGHT["agent"] if name in unbeaten else LIGHT["muted"]
        value = score.measures[comparison.measure] or 0.0
        axes.plot(score.interval, (place, place), color=color, linewidth=2.5, solid_capstyle="butt", alpha=0.55)
        axes.plot(value, place, "o", color=color, markersize=7)
        figures = f"{measure.figure(value)}  ({measure.interval(score.interval)})"
        axes.annotate(
            figures, (1.01, place), xycoords=("axes fraction", "data"), va="center", color=LIGHT["text"], annotation_clip=False
        )
    axes.set_yticks(range(len(comparison.scores)), list(comparison.scores))
    axes.set_ylim(len(comparison.scores) - 0.5, -0.5)
    axes.margins(x=0.04)
    direction = "higher" if measure.higher_is_better else "lower"
    blue = "; blue: no other model is shown to be better" if len(comparison.scores) > 1 else ""
    axes.set_xlabel(f"{measure.heading}, {direction} is better, with its 95 % interval{blue}")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.ticklabel_format(axis="x", useOffset=False)
    _plain(axes, title)
    axes.grid(True, axis="x", color=LIGHT["line"], linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    write_png(figure, path)


def draw_field_pairs(strengths: np.ndarray, names: tuple[str, ...], title: str, path: Path) -> None:
    """How strong each pair of fields is, as a square of colors.

    Args:
        strengths: float64 (F, F), symmetric, 0 or more.
        names: of the F fields.
        title: above it.
        path: of the PNG.
    """
    count = len(names)
    side = float(np.clip(2.4 + 0.3 * count, 5.5, 16))
    labels = [shortened(name) for name in names]
    font = float(np.clip(72 * 0.75 * (side - 2.4) / count, 5, 10))
    figure = Figure(figsize=(side + 1.2, side), dpi=110, layout="compressed")
    axes = figure.subplots()
    colors = LinearSegmentedColormap.from_list("strength", [LIGHT["card"], LIGHT["agent"]])
    highest = float(strengths.max())
    image = axes.imshow(strengths, cmap=colors, vmin=0, vmax=highest or 1, interpolation="nearest")
    step = -(-count // MOST_NAMES)
    ticks = range(0, count, step)
    axes.set_xticks(ticks, [labels[tick] for tick in ticks], rotation=90, fontsize=font)
    axes.set_yticks(ticks, [labels[tick] for tick in ticks], fontsize=font)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if count <= FEW_FIELDS:
        _number_cells(axes, strengths, highest)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("standard deviation of what the pair adds to a forecast", color=LIGHT["muted"])
    axes.set_title(title, loc="left", fontsize=11, color=LIGHT["text"])
    write_png(figure, path)


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """The name, its middle left out where it is long, since names that begin alike often end differently.

    >>> shortened("previous_campaign_of_the_advertiser")
    'previous_cam…_advertiser'
    """
    kept = most - 1
    return name if len(name) <= most else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def _number_cells(axes: Axes, strengths: np.ndarray, highest: float) -> None:
    """With as many digits behind the point as the strongest pair needs for three in all."""
    digits = int(np.clip(2 - np.floor(np.log10(highest)), 0, 8)) if highest > 0 else 0
    for row, column in np.ndindex(strengths.shape):
        value = strengths[row, column]
        color = LIGHT["page"] if value > 0.6 * highest else LIGHT["text"]
        shown = f"{value:,.{digits}f}"
        text = shown if float(shown.replace(",", "")) else "0"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)


def _plain(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=12, color=LIGHT["text"])
