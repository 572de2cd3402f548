"""Pictures: how fast charts are drawn, and learned from, against plain PIL and plain torch, in one run.

    python -m benchmarks.images                      some minutes; --keep keeps the figures that the pages quote
    python -m benchmarks.images --only drawing       one part

drawing: charts of 20 bars, 64 x 60 pixels, with average and volumes, of a simulated market: 100,000 by the compiled loop into
    memory, the same into a file of the cache that is mapped, and some by PIL's lines, each the fastest of three rounds that take
    turns. PIL's charts must be the same to the pixel.
epochs: chart_cnn with the paper's 708,866 parameters learns charts of 20 bars, in batches of 128 with Adam: ours from the mapped
    file, the peer as torch's guides have it, a `DataLoader` over PNG files that PIL opens, a `Sequential` in float32. The second
    epoch counts; rounds take turns, and the fastest of each counts. How many rows a second ours forecasts is told beside it.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks import parts
from features.images import ChartPictures, ChartStyle, PictureSettings, draw_charts, fit_pictures
from market import Candles, simulate

CONSOLE = Console(width=120, highlight=False)
CHARTS, BY_PIL, ROUNDS = 100_000, 1_000, 3
LEARNED, BATCH = 2_048, 128
PARAMETERS = 708_866


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


def epochs() -> dict[str, float]:
    """Charts a second in training and in forecasts."""
    style = ChartStyle(20)
    candles = simulate("bitcoin", bars=LEARNED + style.bars_back - 1, seed=0)
    ends = np.arange(style.bars_back - 1, len(candles))
    labels = np.random.default_rng(0).integers(0, 2, len(ends))
    found: dict[str, float] = {}
    table = Table("threads", "ours", "torch with PIL", "times as fast", "ours, forecasts", title="charts a second", box=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, chart in enumerate(draw_charts(candles, ends, style)):
            Image.fromarray(chart).save(folder / f"{number}.png")
        pictures = ChartPictures(candles, ends, labels, style, cache=folder)
        for threads in (1, 2):
            ours, theirs, told = [], [], []
            for _ in range(ROUNDS - 1):
                settings = PictureSettings(epochs=2, batch_size=BATCH, threads=threads)
                fitted = fit_pictures("chart_cnn", pictures, None, settings)
                ours.append(fitted.history[-1].seconds)
                told.append(_seconds(lambda: fitted.predict(pictures)))  # noqa: B023
                theirs.append(seconds_of_plain_torch(PngFiles(folder, labels), threads))
            mine, peer = LEARNED / min(ours), LEARNED / min(theirs)
            forecasts = LEARNED / min(told)
            table.add_row(str(threads), f"{mine:,.0f}", f"{peer:,.0f}", f"{mine / peer:.1f}", f"{forecasts:,.0f}")
            found |= {
                f"epochs_rate_{threads}": mine,
                f"epochs_times_{threads}": mine / peer,
                f"forecasts_rate_{threads}": forecasts,
            }
    CONSOLE.print(table)
    return found


class PngFiles(Dataset[tuple[torch.Tensor, int]]):
    """Files that are opened when they are read."""

    def __init__(self, folder: Path, labels: np.ndarray) -> None:
        self.folder, self.labels = folder, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        pixels = np.asarray(Image.open(self.folder / f"{number}.png").convert("L"))
        return torch.from_numpy(pixels.astype(np.float32) / 255)[None], int(self.labels[number])


def seconds_of_plain_torch(files: PngFiles, threads: int) -> float:
    """Of the second epoch."""
    torch.set_num_threads(threads)
    network = nn.Sequential(
        *_block(1, 64, stride=(3, 1), dilation=(2, 1), padding=(4, 1)), *_block(64, 128, padding=(2, 1)),
        *_block(128, 256, padding=(2, 1)), nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(2),
    )  # fmt: skip
    network(torch.zeros(2, 1, 64, 60))
    if sum(weight.numel() for weight in network.parameters()) != PARAMETERS:
        raise SystemExit("the peer learns another network, so the times say nothing")
    optimizer = torch.optim.Adam(network.parameters(), 1e-5)
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for pixels, labels in DataLoader(files, BATCH, shuffle=True, num_workers=threads - 1):
            loss = nn.functional.cross_entropy(network(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds = time.perf_counter() - began
    return seconds


def _block(seen: int, made: int, **options: tuple[int, int]) -> list[nn.Module]:
    convolution = nn.Conv2d(seen, made, (5, 3), **options)  # type: ignore[arg-type]
    return [convolution, nn.BatchNorm2d(made), nn.LeakyReLU(0.01), nn.MaxPool2d((2, 1), ceil_mode=True)]


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


PARTS = {"drawing": drawing, "epochs": epochs}

if __name__ == "__main__":
    main()
