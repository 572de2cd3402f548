"""Charts as labelled pictures: drawn once into a file that is mapped into memory, or drawn whenever they are read."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np

from common import InputError, atomic_file
from features.images.chart_drawing import VERSION, ChartStyle, draw_charts
from features.images.pictures import PictureShape
from market import Candles

FOLDER = "images"
"""of the cache"""
BLOCK_BYTES = 16 << 20
"""of charts that are held in memory while a file is written or checked"""


class ChartPictures:
    """`PictureData` of the charts that end at some bars.

    With a cache, the charts of all bars of the candles are drawn into one file, `images/KEY.charts`, which every later use of the
    same candles maps; a file that is damaged, truncated or half written is drawn once more. Without one, those that are read are
    drawn, which takes a few microseconds each. Both give the same bytes, and neither holds more in memory than is read.

    Args:
        candles: T bars.
        ends: int64 (N,), the newest bar of each chart, from 0 to T - 1.
        labels: int64 (N,), numbers of classes.
        style: what a chart shows.
        classes: names of the classes.
        cache: folder of the cache, such as `cache`; None for none.

    Attributes:
        sha256: hash of all that decides the pictures, and of the labels.

    Raises:
        InputError: as many labels as bars are needed, and labels that name a class.
    """

    is_chart = True

    def __init__(
        self,
        candles: Candles,
        ends: np.ndarray,
        labels: np.ndarray,
        style: ChartStyle,
        classes: tuple[str, ...] = ("no rise", "rise"),
        cache: Path | None = None,
    ) -> None:
        if len(ends) != len(labels):
            raise InputError(f"each chart needs a label, but there are {len(ends)} charts and {len(labels)} labels")
        if len(labels) and not 0 <= np.min(labels) <= np.max(labels) < len(classes):
            raise InputError(f"labels are 0 to {len(classes) - 1}, but got {np.min(labels)} to {np.max(labels)}")
        self.candles, self.style, self.classes, self._cache = candles, style, classes, cache
        self.ends, self.labels = np.asarray(ends, np.int64), np.asarray(labels, np.int64)
        self.shape = PictureShape(1, style.height, style.width)
        self._charts = None if cache is None else _kept(candles, style, cache / FOLDER / f"{_key(candles, style)}.charts")

    def __len__(self) -> int:
        return len(self.ends)

    def __reduce__(self) -> tuple[type["ChartPictures"], tuple[object, ...]]:
        """Another process maps the file for itself."""
        return ChartPictures, (self.candles, self.ends, self.labels, self.style, self.classes, self._cache)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256(json.dumps([_key(self.candles, self.style), self.classes]).encode())
        for array in (self.ends, self.labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 (n, 1, H, W): the charts of these numbers, int64 (n,), a copy."""
        ends = self.ends[numbers]
        charts = draw_charts(self.candles, ends, self.style) if self._charts is None else self._charts[ends]
        return np.asarray(charts)[:, None]


def _key(candles: Candles, style: ChartStyle) -> str:
    """The name of a file of charts: candles with the same hash are the same candles."""
    return hashlib.sha256(json.dumps([VERSION, candles.sha256, style._asdict()]).encode()).hexdigest()[:32]


def _kept(candles: Candles, style: ChartStyle, path: Path) -> np.ndarray:
    """uint8 (T, H, W), mapped: what lies at the path, or what is drawn there now."""
    shape = len(candles), style.height, style.width
    charts = _mapped(path, shape)
    if charts is None:
        _write(candles, style, path)
        charts = _mapped(path, shape)
    if charts is None:
        raise InputError(f"the charts in {path} are not what was just written there; look after the disk")
    return charts


def _write(candles: Candles, style: ChartStyle, path: Path) -> None:
    """The charts of all bars, oldest first, and a checksum behind them."""
    checksum, count = 0, max(BLOCK_BYTES // (style.height * style.width), 1)
    with atomic_file(path) as file:
        for first in range(0, len(candles), count):
            charts = draw_charts(candles, np.arange(first, min(first + count, len(candles))), style)
            checksum = zlib.crc32(charts.data, checksum)
            file.write(charts.data)
        file.write(checksum.to_bytes(4, "little"))


def _mapped(path: Path, shape: tuple[int, int, int]) -> np.ndarray | None:
    """None if there is no such file, or it is not what was written."""
    n_bytes, checksum = shape[0] * shape[1] * shape[2], 0
    try:
        if path.stat().st_size != n_bytes + 4:
            return None
        with path.open("rb") as file:
            for first in range(0, n_bytes, BLOCK_BYTES):
                checksum = zlib.crc32(file.read(min(BLOCK_BYTES, n_bytes - first)), checksum)
            if file.read() != checksum.to_bytes(4, "little"):
                return None
        return np.memmap(path, np.uint8, "r", shape=shape).view(np.ndarray)
    except OSError:
        return None
