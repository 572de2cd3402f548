"""The bar after a decision, as the audit of fills varies it: its gap, its body, its wicks, and the last bar that was known."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from evaluation.audit.futures import like
from market import Candles

STILL_RANGE = 1e-6
"""relative to the price: half the range of a bar that does not move, so that nobody divides by 0"""


class NextBar(NamedTuple):
    """Prices of the bar after the decision, as multiples of the last known close; all later bars stand still at its close.

    `shown` changes the last known close itself, before all that.
    """

    gap: float = 1.0
    close: float = 1.0
    high: float = 1.0
    low: float = 1.0
    shown: float = 1.0


STILL = NextBar()
SMALL, LARGE = 0.05, 4.0
"""a gap like many, and one far beyond all limits and costs"""
GAPS = {size: NextBar(gap=size) for size in (1 + SMALL, 1 - SMALL)}
FAR_GAPS = {size: NextBar(gap=size) for size in (LARGE, 1 / LARGE)}
SHOWN = {size: NextBar(shown=size) for size in (1 + SMALL, 1 - SMALL)}
BODY = (-0.8, -0.4, 0.4, 0.8)
"""closes of the next bar, as parts of the way from its open to its low or high"""
NARROW, WIDE = 0.004, 0.3
"""half the range of the next bar: below common stops, and beyond them"""
LOW = (NextBar(low=0.80), NextBar(low=0.76))
HIGH = (NextBar(high=1.20), NextBar(high=1.24))
"""wicks beyond common stops; the second one is longer, and differs for nobody but who fills at its end"""
DEEP_WICK = 0.2
"""of a bar whose body is small: its low or its high reaches common stops, its close does not"""
DEEP = tuple(
    tuple(NextBar(close=1 + part * NARROW, high=1 + high, low=1 - low) for part in (BODY[0], BODY[-1]))
    for low, high in ((DEEP_WICK, NARROW), (NARROW, DEEP_WICK))
)
"""a low close and a high one, of a bar with a deep low; then of one with a tall high"""


def bodies(half_range: float) -> list[NextBar]:
    """The same open, high and low with other closes, the lowest first."""
    return [NextBar(close=1 + part * half_range, high=1 + half_range, low=1 - half_range) for part in BODY]


def with_next_bar(candles: Candles, bar: int, shape: NextBar) -> Candles:
    """The same candles up to and with `bar`; then the bar of that shape, and later ones that stand still.

    The volume of each later bar is the median of the known ones.
    """
    values = candles.frame.to_numpy(np.float64, copy=True)  # (T, 6): open, high, low, close, volume, quote_volume
    values[bar, :4] = _with_close(values[bar, :4], values[bar, 3] * shape.shown)
    last = values[bar, 3]
    opened, close = last * shape.gap, last * shape.gap * shape.close
    values[bar + 1 :, :4] = close * np.array([1, 1 + STILL_RANGE, 1 - STILL_RANGE, 1])
    high = max(opened, close, opened * shape.high) * (1 + STILL_RANGE)
    low = min(opened, close, opened * shape.low) * (1 - STILL_RANGE)
    values[bar + 1 : bar + 2, :4] = opened, high, low, close
    volume = float(np.median(values[: bar + 1, 4])) or 1.0
    values[bar + 1 :, 4] = volume
    values[bar + 1 :, 5] = volume * values[bar + 1 :, 3]
    return like(candles, pd.DataFrame(values, candles.frame.index, candles.frame.columns), bar + 1)


def _with_close(prices: np.ndarray, close: float) -> np.ndarray:
    opened, high, low, _ = prices
    return np.array([opened, max(high, close), min(low, close), close])
