"""The correlations of the indicators as a picture."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common import write_png
from features.correlation import Choice


def draw_heatmap(choice: Choice, path: Path) -> None:
    """Write the correlations as a PNG: groups together, dropped columns named in grey, kept ones in black."""
    order = [name for group in dict.fromkeys(choice.groups.values()) for name in choice.groups if choice.groups[name] == group]
    side = 3.5 + 0.135 * len(order)
    figure = Figure(figsize=(side + 1, side), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dddddd")  # a constant column has no correlation
    values = choice.correlation.loc[order, order].to_numpy()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_title(
        f"Rank correlation on train: {len(choice.kept)} of {len(order)} columns kept (black), the others dropped", loc="left"
    )
    _name_columns(axes, order, set(choice.kept))
    _mark_groups(axes, [choice.groups[name] for name in order])
    figure.colorbar(image, ax=axes, shrink=0.4, aspect=40, pad=0.01, ticks=[-1, -0.5, 0, 0.5, 1])
    write_png(figure, path)


def _name_columns(axes: Axes, order: list[str], kept: set[str]) -> None:
    axes.set_xticks(range(len(order)), order, rotation=90, fontsize=7.5)
    axes.set_yticks(range(len(order)), order, fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        label.set_color("black" if label.get_text() in kept else "#999999")


def _mark_groups(axes: Axes, groups: list[str]) -> None:
    """Lines between the groups, and their names at the right."""
    for group in dict.fromkeys(groups):
        first, size = groups.index(group), groups.count(group)
        axes.text(len(groups) + 0.2, first + size / 2 - 0.5, group, ha="left", va="center", fontsize=10)
        if first:
            axes.axhline(first - 0.5, color="black", linewidth=1)
            axes.axvline(first - 0.5, color="black", linewidth=1)
