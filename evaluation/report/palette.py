"""The colors of the report and the figures, and how each strategy is drawn: the agent strong, what it is held against muted."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from evaluation.backtest.names import AGENT, BUY_AND_HOLD, FLAT, FORESIGHT, RANDOM, SAME_EXPOSURE, WALK_FORWARD

LIGHT = {
    "page": "#ffffff", "card": "#f6f7f9", "text": "#131722", "muted": "#63697a", "line": "#e3e6ec",
    "agent": "#2962ff", "hold": "#3d4454", "flat": "#9aa0ad", "foresight": "#c29200",
    "up": "#26a69a", "down": "#ef5350", "buy": "#067d5a", "sell": "#d3122e",
    "series-1": "#a8832f", "series-2": "#a06fa3", "series-3": "#4f918c", "series-4": "#b8705a", "series-5": "#6f9460",
    "series-6": "#7f74b5", "series-7": "#b9738d", "series-8": "#87836d",
}  # fmt: skip
DARK = {
    "page": "#131722", "card": "#1c2130", "text": "#e4e7ee", "muted": "#9aa1b2", "line": "#2c3242",
    "agent": "#5b8cff", "hold": "#c3c9d6", "flat": "#6c7386", "foresight": "#e0b73a",
    "up": "#26a69a", "down": "#ef5350", "buy": "#2ee6a8", "sell": "#ff6b7d",
    "series-1": "#bd9a4c", "series-2": "#b487b7", "series-3": "#62a8a2", "series-4": "#c98872", "series-5": "#87ab79",
    "series-6": "#958bc9", "series-7": "#c98aa2", "series-8": "#9d9983",
}  # fmt: skip
MUTED = [name for name in LIGHT if name.startswith("series-")]


@dataclass(frozen=True)
class LineStyle:
    """How one strategy is drawn: a color of the palette by its name, a width in points, a dash of plotly's, an opacity."""

    color: str
    width: float = 1.2
    dash: str = "solid"
    opacity: float = 1.0


LINE_STYLES = {
    AGENT: LineStyle("agent", 2.2),
    WALK_FORWARD: LineStyle("agent", 1.6, "dash"),
    BUY_AND_HOLD: LineStyle("hold", 1.7),
    SAME_EXPOSURE: LineStyle("hold", 1.2, "dash"),
    RANDOM: LineStyle("flat", 1.2, "dash"),
    FLAT: LineStyle("flat", 1.0, "dot"),
    FORESIGHT: LineStyle("foresight", 1.2, "dot"),
}


def line_styles(strategies: Iterable[str], seeds: Iterable[str]) -> dict[str, LineStyle]:
    """The look of each strategy: seeds are thin lines in the agent's color, whoever has no look of its own takes the next color,
    and the colors come round again as dashes."""
    seeds, free = set(seeds), itertools.cycle(LineStyle(color, dash=dash) for dash in ("solid", "dashdot") for color in MUTED)
    found = {}
    for name in strategies:
        found[name] = LineStyle("agent", 1.0, opacity=0.55) if name in seeds else LINE_STYLES.get(name) or next(free)
    return found
