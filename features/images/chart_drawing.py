"""Charts as pictures: the last bars, three pixels each, drawn by a compiled loop from nothing but those bars.

Source: Jiang, Kelly & Xiu, "(Re-)Imag(in)ing Price Trends", Journal of Finance 78 (2023), section I.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from common import InputError, cached
from market import Candles

HEIGHTS = {5: 32, 20: 64, 60: 96}
"""pixels of a chart of so many bars"""
BAR_PIXELS = 3
"""columns of a bar: its open, its high-low line, its close"""
VOLUME_SHARE = 5
"""the volumes have a fifth of the rows, rounded down"""
GAP_ROWS = 1
"""black rows between prices and volumes"""
BLACK, WHITE = 0, 255
VERSION = 1
"""raised when charts of the same bars get other pixels: those that were kept are drawn once more"""


class ChartStyle(NamedTuple):
    """What a chart shows.

    Args:
        bars: 5, 20 or 60, drawn as 32 x 15, 64 x 60 or 96 x 180 pixels.
        average: draw a line through the moving averages of as many closes as the chart has bars.
        volume: draw the volumes below the prices; else the prices have all rows.
    """

    bars: int = 20
    average: bool = True
    volume: bool = True

    @property
    def height(self) -> int:
        return HEIGHTS[self.bars]

    @property
    def width(self) -> int:
        return BAR_PIXELS * self.bars

    @property
    def volume_rows(self) -> int:
        return self.height // VOLUME_SHARE if self.volume else 0

    @property
    def price_rows(self) -> int:
        return self.height - self.volume_rows - (GAP_ROWS if self.volume else 0)

    @property
    def bars_back(self) -> int:
        """Bars up to its last one that a whole chart depends on: the average of the oldest bar reaches back once more."""
        return 2 * self.bars - 1 if self.average else self.bars


def draw_charts(candles: Candles, ends: np.ndarray, style: ChartStyle, out: np.ndarray | None = None) -> np.ndarray:
    """Draw a chart for each of the bars `ends`, which is its newest; no later bar is looked at.

    The highest and the lowest of the window's highs, lows and averages stand in the top and the bottom row of the prices, and
    what lies between is rounded to the nearest row; where all are one, they stand in the middle row. The largest volume of the
    window fills the rows of the volumes, and the others are rounded to whole rows. Bars before the first one are left black, and
    there is no average of a bar before which too few closes are known. Bars on both sides of a gap are drawn side by side.

    Args:
        candles: T bars.
        ends: int64 (n,), numbers of bars, from 0 to T - 1.
        style: what is drawn.
        out: uint8 (n, height, width) to draw into, such as a memory-mapped file; None makes one.

    Returns:
        uint8 (n, height, width): `out`, 0 where it is black and 255 where it is white; row 0 is the top.

    Raises:
        InputError: a bar that there is not, a chart of another number of bars, or an `out` of another shape.

    >>> from market import simulate
    >>> charts = draw_charts(simulate("bitcoin", bars=100, seed=0), np.array([98, 99]), ChartStyle(bars=20))
    >>> charts.shape, charts.dtype
    ((2, 64, 60), dtype('uint8'))
    """
    if style.bars not in HEIGHTS:
        raise InputError(f"a chart has {', '.join(map(str, HEIGHTS))} bars, but {style.bars} were asked for; choose one of them")
    ends = np.ascontiguousarray(ends, np.int64)
    if len(ends) and not 0 <= ends.min() <= ends.max() < len(candles):
        raise InputError(
            f"charts end at bars 0 to {len(candles) - 1} of {candles.source}, but {ends.min()} to {ends.max()} were asked for"
        )
    shape = len(ends), style.height, style.width
    charts = np.empty(shape, np.uint8) if out is None else out
    if charts.shape != shape or charts.dtype != np.uint8:
        raise InputError(f"these charts are drawn into uint8 {shape}, but got {charts.dtype} {charts.shape}")
    columns = (candles.column(name) for name in ("open", "high", "low", "close", "volume"))
    _draw(*columns, ends, style.bars, style.average, style.price_rows, style.volume_rows, charts)
    return charts


@cached(njit)
def _draw(
    opens: np.ndarray, highs: np.ndarray, lows: np.ndarray, closes: np.ndarray, volumes: np.ndarray, ends: np.ndarray, bars: int,
    with_average: bool, price_rows: int, volume_rows: int, charts: np.ndarray,
) -> None:  # fmt: skip
    averages = np.empty(bars)
    for i in range(len(ends)):
        chart = charts[i]
        chart[:] = BLACK
        oldest = ends[i] - bars + 1
        first = max(oldest, 0)
        high, low, most = highs[first], lows[first], 0.0
        for bar in range(first, ends[i] + 1):
            average = _average(closes, bar, bars) if with_average else np.nan
            averages[bar - oldest] = average
            high, low, most = max(high, highs[bar]), min(low, lows[bar]), max(most, volumes[bar])
            if average == average:
                high, low = max(high, average), min(low, average)
        before = -1
        for bar in range(first, ends[i] + 1):
            place = bar - oldest
            column = BAR_PIXELS * place
            chart[_row(opens[bar], low, high, price_rows), column] = WHITE
            chart[_row(closes[bar], low, high, price_rows), column + 2] = WHITE
            for row in range(_row(highs[bar], low, high, price_rows), _row(lows[bar], low, high, price_rows) + 1):
                chart[row, column + 1] = WHITE
            if averages[place] == averages[place]:
                row = _row(averages[place], low, high, price_rows)
                if before >= 0:
                    _line(chart, before, column - 2, row)
                chart[row, column + 1] = WHITE
                before = row
            if volume_rows > 0 and most > 0:
                for row in range(len(chart) - int(volumes[bar] / most * volume_rows + 0.5), len(chart)):
                    chart[row, column + 1] = WHITE


@cached(njit)
def _average(closes: np.ndarray, bar: int, bars: int) -> float:
    """Of the last closes, NaN where there are too few.

    As what they exceed the oldest of them by, so that closes which are all one have that one as their average, to the bit.
    """
    oldest = bar - bars + 1
    if oldest < 0:
        return np.nan
    total = 0.0
    for one in range(oldest + 1, bar + 1):
        total += (closes[one] - closes[oldest]) / bars
    return closes[oldest] + total


@cached(njit)
def _row(price: float, low: float, high: float, rows: int) -> int:
    """Where a price stands, from 0, the top, to rows - 1."""
    if high == low:
        return rows // 2
    return rows - 1 - int((price - low) / (high - low) * (rows - 1) + 0.5)


@cached(njit)
def _line(chart: np.ndarray, before: int, column: int, row: int) -> None:
    """Connect the middle pixels of two neighbours, in rows `before` and `row`, the older one in `column`: Bresenham (1965)."""
    apart, down = abs(row - before), 1 if row > before else -1
    if apart <= BAR_PIXELS:
        for step in range(1, BAR_PIXELS):
            chart[before + down * ((2 * step * apart + BAR_PIXELS) // (2 * BAR_PIXELS)), column + step] = WHITE
    else:
        for step in range(1, apart):
            chart[before + down * step, column + (2 * step * BAR_PIXELS + apart) // (2 * apart)] = WHITE
