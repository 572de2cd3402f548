"""Pictures: how fast charts are drawn, against a plain drawing with PIL of the same pixels, in one run.

    python -m benchmarks.images                      about a minute; --keep keeps the figures that the pages quote
    python -m benchmarks.images --only drawing       one part

drawing: charts of 20 bars, 64 x 60 pixels, with average and volumes, of a simulated market: 100,000 by the compiled loop into
    memory, the same into a file of the cache that is mapped, and some by PIL's lines, each the fastest of three rounds that take
    turns. PIL's charts must be the same to the pixel.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from features.images import ChartPictures, ChartStyle, draw_charts
from market import Candles, simulate

CONSOLE = Console(width=120, highlight=False)
CHARTS, BY_PIL, ROUNDS = 100_000, 1_000, 3


def main() -> None:
    """Print the tables."""
    options = parts.parser_of(__doc__, tuple(PARTS)).parse_args()
    parts.run("images", PARTS, options)


def drawing() -> dict[str, float]:
    """Seconds of 100,000 charts, and charts a second."""
    style = ChartStyle(20)
    candles = simulate("bitcoin", bars=CHARTS + style.bars_back - 1, seed=0)
    ends = np.arange(style.bars_back - 1, len(candles))
    charts = draw_charts(candles, ends[:BY_PIL], style)
    if not np.array_equal(np.stack([drawn_by_pil(candles, int(end), style) for end in ends[:BY_PIL]]), charts):
        raise SystemExit("PIL draws other charts, so the times say nothing")
    charts = np.zeros((CHARTS, style.height, style.width), np.uint8)
    loop, file, pil = [], [], []
    for _ in range(ROUNDS):
        loop.append(_seconds(lambda: draw_charts(candles, ends, style, charts)))
        with tempfile.TemporaryDirectory() as folder:
            cache = Path(folder)
            file.append(_seconds(lambda: ChartPictures(candles, ends, np.zeros(len(ends), int), style, cache=cache)))  # noqa: B023
        pil.append(_seconds(lambda: [drawn_by_pil(candles, int(end), style) for end in ends[:BY_PIL]]) * CHARTS / BY_PIL)
    table = Table("drawn by", "seconds", "charts a second", title=f"{CHARTS:,} charts of 64 x 60 pixels on one core", box=None)
    for name, seconds in (("the compiled loop", min(loop)), ("the same, into a mapped file", min(file)), ("PIL", min(pil))):
        table.add_row(name, f"{seconds:.2f}", f"{CHARTS / seconds:,.0f}")
    CONSOLE.print(table)
    return {
        "drawing_seconds": min(loop), "drawing_rate": CHARTS / min(loop), "drawing_file_seconds": min(file),
        "drawing_times": min(pil) / min(loop),
    }  # fmt: skip


def drawn_by_pil(candles: Candles, end: int, style: ChartStyle) -> np.ndarray:
    """uint8 (H, W): the chart as most who write one would draw it, with lines and points of PIL."""
    bars, rows = style.bars, style.price_rows
    window, back = slice(end - bars + 1, end + 1), slice(end - 2 * bars + 2, end + 1)
    opens, highs, lows, closes, volumes = (candles.column(name)[window] for name in ("open", "high", "low", "close", "volume"))
    averages = np.convolve(candles.column("close")[back], np.full(bars, 1 / bars), "valid")
    low, high = min(lows.min(), averages.min()), max(highs.max(), averages.max())
    levels = [
        (rows - 1 - np.floor((prices - low) / (high - low) * (rows - 1) + 0.5).astype(int)).tolist()
        for prices in (opens, highs, lows, closes, averages)
    ]
    tall = np.floor(volumes / max(volumes.max(), 1e-300) * style.volume_rows + 0.5).astype(int).tolist()
    image = Image.new("L", (style.width, style.height), 0)
    draw = ImageDraw.Draw(image)
    for bar, (opened, top, bottom, closed, _) in enumerate(zip(*levels, strict=True)):
        middle = 3 * bar + 1
        draw.point((middle - 1, opened), 255)
        draw.line((middle, top, middle, bottom), 255)
        draw.point((middle + 1, closed), 255)
        if tall[bar]:
            draw.line((middle, style.height - tall[bar], middle, style.height - 1), 255)
    draw.line([(3 * bar + 1, level) for bar, level in enumerate(levels[4])], 255)
    return np.asarray(image)


def _seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


PARTS = {"drawing": drawing}

if __name__ == "__main__":
    main()
