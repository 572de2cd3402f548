"""The tables in the terminal: of figures, and of several coins."""

from collections.abc import Mapping

from rich.console import Console, Group
from rich.table import Table

from evaluation.backtest.names import AGENT, BUY_AND_HOLD
from evaluation.backtest.outcome import Outcome
from evaluation.statistics.figures_of_merit import FIGURES, Metrics, format_figure

FEW = 5
"""strategies that fit side by side"""
BLOCK = 5
"""figures that fit side by side in 80 characters"""
NARROW = 80
"""characters of a terminal that may be taken for granted, and of what is piped"""


def figures_table(figures: dict[str, Metrics], title: str, width: int = NARROW) -> Group:
    """A row a figure, a column a strategy, of many strategies a row each, the figures in blocks.

    Args:
        figures: of each strategy.
        title: of the table.
        width: of the terminal, in characters; wider ones hold more figures in a block.
    """
    if len(figures) <= FEW:
        return Group(_short_table(figures, title))
    blocks = _blocks(figures, width)
    return Group(*(_block(figures, block, title if block is blocks[0] else "") for block in blocks))


def _blocks(figures: dict[str, Metrics], width: int) -> list[list[str]]:
    """The figures that fit side by side, `BLOCK` of them at the least."""
    blocks: list[list[str]] = [[]]
    for key in FIGURES:
        if len(blocks[-1]) >= BLOCK and (width <= NARROW or _measured([*blocks[-1], key], figures) > width):
            blocks.append([])
        blocks[-1].append(key)
    return blocks


def _measured(keys: list[str], figures: dict[str, Metrics]) -> int:
    """Characters that a block of these figures is wide."""
    wide = Console(width=10_000)
    return wide.measure(_block(figures, keys, "")).maximum


def coins_table(outcomes: Mapping[str, Outcome]) -> Table:
    """A row a coin: what the agent and buy and hold made of their start, the one over the other, fills, verdict and its rule."""
    optimistic = " (OPTIMISTIC fills)" if any(outcome.optimistic for outcome in outcomes.values()) else ""
    title = f"test ranges of {len(outcomes)} coins, net worth as a multiple of its start{optimistic}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for heading in ("", "agent", "hold", "agent/hold", "fills"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    table.add_column("verdict")
    table.add_column("rule")
    for symbol, outcome in outcomes.items():
        agent, hold = (1 + (outcome.figures[name]["total_return"] or 0.0) for name in (AGENT, BUY_AND_HOLD))
        over = f"{agent / hold:.2f}x" if hold > 0 else "-"
        fills = f"{outcome.verdict.evidence.fills:,}"
        table.add_row(symbol, f"{agent:.2f}x", f"{hold:.2f}x", over, fills, outcome.verdict.verdict, outcome.verdict.rule)
    return table


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
