"""The table of figures in the terminal."""

from rich.console import Group
from rich.table import Table

from evaluation.statistics.figures_of_merit import FIGURES, Metrics, format_figure

FEW = 5
"""strategies that fit side by side"""
BLOCK = 5
"""figures that fit side by side"""


def figures_table(figures: dict[str, Metrics], title: str) -> Group:
    """A row a figure, a column a strategy, of many strategies a row each, the figures in blocks: 80 characters hold either."""
    if len(figures) <= FEW:
        return Group(_short_table(figures, title))
    keys = list(FIGURES)
    blocks = [keys[start : start + BLOCK] for start in range(0, len(keys), BLOCK)]
    return Group(*(_block(figures, block, title if block is blocks[0] else "") for block in blocks))


def _short_table(figures: dict[str, Metrics], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in figures:
        table.add_column(name, justify="right")
    for key, (heading, _) in FIGURES.items():
        table.add_row(heading, *(format_figure(key, values[key]) for values in figures.values()))
    return table


def _block(figures: dict[str, Metrics], keys: list[str], title: str) -> Table:
    """A row a strategy."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, min_width=max(map(len, figures)))
    for key in keys:
        heading = FIGURES[key][0]
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())), overflow="fold")
    for name, values in figures.items():
        table.add_row(name, *(format_figure(key, values[key]) for key in keys))
    return table
