"""Axes that the figures of a backtest and of forecasters share."""

import matplotlib.dates as dates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullLocator


def time_axis(axes: Axes) -> None:
    """Dates below the plot, each no longer than it must be."""
    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def log_axis(axes: Axes, values: pd.Series, pad: float = 0.04, words: str | None = None) -> None:
    """A log axis around the values, with plain numbers; within a decade the round numbers of a linear one, for a log axis would
    name one or two.

    Args:
        axes: to draw on.
        values: what it must hold.
        pad: room above and below, as a share of the range.
        words: format of a number; by default as many digits as numbers of that size need, also for coins worth 1e-8.
    """
    axes.set_yscale("log")
    lowest, highest = values.min(), values.max()
    space = max((highest / lowest) ** pad, 1.005)
    axes.set_ylim(lowest / space, highest * space)
    subs = (1, 1.5, 2, 3, 5, 7) if highest / lowest < 100 else (1, 3) if highest / lowest < 1e4 else (1,)
    axes.yaxis.set_major_locator(AutoLocator() if highest / lowest < 4 else LogLocator(subs=subs))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: (words or _digits(highest)).format(value)))


def _digits(highest: float) -> str:
    return "{:,.0f}" if highest >= 100 else "{:,.2f}" if highest >= 1 else "{:.3g}"
