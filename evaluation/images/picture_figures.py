"""The pictures of picture models, as PNG: how one learned, what it confuses, what it looked at."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from common import printable, write_png
from evaluation.report.palette import LIGHT
from features.images import PictureEpoch

COLUMNS = 5
"""pictures beside each other on a sheet"""
LONGEST = 22
"""characters of a name below a picture"""
FEW_CLASSES = 20
"""up to so many classes every cell of the confusion matrix holds its number"""
MAPS = 16
"""feature maps of a layer that are drawn"""
HEAT = LinearSegmentedColormap.from_list("heat", ["#2962ff00", "#2962ff66", "#ffd54fb0", "#d3122ed0"])
"""what a model did not look at stays as it is"""
STRENGTH = LinearSegmentedColormap.from_list("strength", [LIGHT["card"], LIGHT["agent"]])


class Shown(NamedTuple):
    """A picture of a sheet, uint8 (C, H, W): what stands below it, whether that is a mistake, and its heat, (H, W) or None."""

    pixels: np.ndarray
    lines: tuple[str, ...]
    wrong: bool = False
    heat: np.ndarray | None = None


def draw_curves(history: Sequence[PictureEpoch], validated: bool, title: str, path: Path) -> None:
    """Loss and accuracy over the epochs, train and validation in each; the kept epoch is marked.

    Args:
        history: the epochs.
        validated: whether there were validation pictures.
        title: above it.
        path: of the PNG.
    """
    figure = Figure(figsize=(10, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers, kept = [one.number for one in history], next(one.number for one in reversed(history) if one.best)
    for axes, name, train, valid in (
        (left, "loss", [one.loss for one in history], [one.validation_loss for one in history]),
        (right, "accuracy", [one.accuracy for one in history], [one.validation_accuracy for one in history]),
    ):
        axes.plot(numbers, train, "o-", color=LIGHT["flat"], markersize=4, label="train, while it learned")
        if validated:
            axes.plot(numbers, valid, "o-", color=LIGHT["agent"], markersize=4, label="validation")
        marked = (valid if validated else train)[numbers.index(kept)]
        axes.plot(kept, marked, "o", color=LIGHT["sell"], markersize=8, label=f"kept: epoch {kept}", clip_on=False, zorder=3)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if name == "accuracy":
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
        else:
            axes.ticklabel_format(axis="y", useOffset=False)
            axes.set_ylim(bottom=0)
        _plain(axes, name)
        axes.grid(True, color=LIGHT["line"], linewidth=0.6)
    left.legend(frameon=False)
    figure.suptitle(_text(title), x=0.01, ha="left", fontsize=12, color=LIGHT["text"])
    write_png(figure, path)


def draw_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str], title: str, path: Path) -> None:
    """What pictures of each class, a row each, were taken for; the color is the share of the row.

    Args:
        confusion: counts, (n_classes, n_classes).
        classes: their names.
        title: above it.
        path: of the PNG.
    """
    counts = np.asarray(confusion, np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    count = len(classes)
    side = float(np.clip(2.4 + 0.55 * count, 4.2, 16))
    names = [shortened(name) for name in classes]
    font = float(np.clip(72 * 0.6 * (side - 2) / count, 5, 10))
    figure = Figure(figsize=(side + 1.4, side), dpi=110, layout="compressed")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=STRENGTH, vmin=0, vmax=1, interpolation="nearest")
    rotation = 0 if sum(map(len, names)) <= 30 else 90
    axes.set_xticks(range(count), names, rotation=rotation, fontsize=font)
    axes.set_yticks(range(count), names, fontsize=font)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("taken for", color=LIGHT["muted"])
    axes.set_ylabel("is", color=LIGHT["muted"])
    if count <= FEW_CLASSES:
        for row, column in np.ndindex(counts.shape):
            color = LIGHT["page"] if shares[row, column] > 0.6 else LIGHT["text"]
            axes.text(column, row, f"{int(counts[row, column]):,}", ha="center", va="center", fontsize=font, color=color)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=25, pad=0.03, format=PercentFormatter(1, decimals=0))
    bar.outline.set_visible(False)
    bar.set_label("share of the row", color=LIGHT["muted"])
    axes.set_title(_text(title), loc="left", fontsize=11, color=LIGHT["text"])
    write_png(figure, path)


def draw_sheet(pictures: Sequence[Shown], title: str, path: Path) -> None:
    """Pictures in rows, with what there is to say below each.

    Args:
        pictures: one or more, of any sizes.
        title: above them.
        path: of the PNG.
    """
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    lines = max(len(one.lines) for one in pictures)
    figure = Figure(figsize=(max(2.1 * columns, 6.5), (1.95 + 0.19 * lines) * rows + 0.5), dpi=110, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, one in zip(grid.flat, pictures, strict=False):
        _show(axes, one.pixels)
        if one.heat is not None:
            rows_of, columns_of = one.pixels.shape[1:]
            axes.imshow(
                one.heat,
                cmap=HEAT,
                vmin=0,
                vmax=1,
                interpolation="bilinear",
                extent=(-0.5, columns_of - 0.5, rows_of - 0.5, -0.5),
            )
        color = LIGHT["sell"] if one.wrong else LIGHT["text"]
        text = "\n".join(_text(line) for line in one.lines)
        axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=8, color=color, linespacing=1.25)
    figure.suptitle(_text(title), x=0.01, ha="left", fontsize=12, color=LIGHT["text"])
    write_png(figure, path)


def draw_feature_maps(picture: np.ndarray, layers: Sequence[tuple[str, np.ndarray]], title: str, path: Path) -> None:
    """What the first filters of each layer make of a picture; each map has its own scale.

    Args:
        picture: uint8 (C, H, W).
        layers: name and float32 (n_filters, h, w), in the order of the network.
        title: above it.
        path: of the PNG.
    """
    across = MAPS // 2
    figure = Figure(figsize=(12, 0.6 + 2.5 * len(layers)), dpi=110, layout="constrained")
    grid = figure.add_gridspec(2 * len(layers), across + 2)
    axes = figure.add_subplot(grid[:2, :2])
    axes.axis("off")
    _show(axes, picture)
    axes.set_title("what the network sees", fontsize=9, color=LIGHT["muted"])
    for number, (name, maps) in enumerate(layers):
        for place in range(min(MAPS, len(maps))):
            cell = figure.add_subplot(grid[2 * number + place // across, 2 + place % across])
            cell.axis("off")
            cell.imshow(maps[place], cmap="gray", interpolation="nearest")
            if not place:
                size = f"{maps.shape[1]} x {maps.shape[2]}"
                text = f"{name}: {min(MAPS, len(maps))} of {len(maps)} maps, {size}"
                cell.set_title(text, fontsize=9, loc="left", color=LIGHT["muted"])
    figure.suptitle(_text(title), x=0.01, ha="left", fontsize=12, color=LIGHT["text"])
    write_png(figure, path)


def shortened(name: str, most: int = LONGEST) -> str:
    """The name, its middle left out where it is long."""
    text, kept = _text(name, math=False), most - 1
    short = text if len(text) <= most else f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"
    return short.replace("$", r"\$")


def _show(axes: Axes, pixels: np.ndarray) -> None:
    """(C, H, W) -> (H, W, C), or grey."""
    if pixels.shape[0] == 1:
        axes.imshow(pixels[0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axes.imshow(pixels.transpose(1, 2, 0), interpolation="nearest")


def _text(text: str, math: bool = True) -> str:
    """One line of letters that the font has; a dollar sign begins no formula."""
    line = printable(text).replace("\n", "\\n")
    line = "".join(letter if ord(letter) in _letters() else "\N{WHITE SQUARE}" for letter in line)
    return line.replace("$", r"\$") if math else line


@functools.cache
def _letters() -> frozenset[int]:
    """What matplotlib's own font can draw; it warns of others."""
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _plain(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11, color=LIGHT["text"])
