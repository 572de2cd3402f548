"""Windows of N past and K future rows, as strided views; and the HDF5 files that they can be saved in."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from common import InputError
from market import Candles

BLOCK = 1_024  # windows written at a time


@dataclass(frozen=True, eq=False)
class Windows:
    """M windows of `past_bars` + `future_bars` successive rows.

    Args:
        values: (T, C), any columns.
        ends: int64 (M,), increasing: the last past row of each window.
    """

    values: np.ndarray
    past_bars: int
    future_bars: int
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    def past(self, which: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Rows up to the end, the newest last: (m, past_bars, C), a read-only view where the windows are evenly spaced."""
        return _rows(self.values, self.past_bars, self.ends[which] - self.past_bars + 1)

    def future(self, which: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Rows that follow the end: (m, future_bars, C), as `past`."""
        return _rows(self.values, self.future_bars, self.ends[which] + 1)


def sample_windows(
    values: np.ndarray, past_bars: int, future_bars: int, sliding: bool = True, broken: np.ndarray | None = None
) -> Windows:
    """All windows of a series: one at every row, or disjoint ones that share no row.

    Args:
        values: (T, C), one range of one series: no window reaches beyond it.
        broken: bool (T,), rows that no window may hold, such as bars that a repair filled in; None for none. Disjoint windows
            begin anew after each of them.

    Raises:
        InputError: lengths below 1, or a series without a single window.
    """
    if past_bars < 1 or future_bars < 0:
        raise InputError(f"`past_bars >= 1` and `future_bars >= 0` must hold, but got {past_bars=}, {future_bars=}; raise them")
    width = past_bars + future_bars
    whole = np.ones(len(values), bool) if broken is None else ~broken
    edges = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]).astype(np.int8)))
    stretches = [np.arange(first, last - width + 1, 1 if sliding else width) for first, last in edges.reshape(-1, 2)]
    firsts = np.concatenate([np.zeros(0, np.int64), *stretches]).astype(np.int64)
    if not len(firsts):
        raise InputError(
            f"a window needs {past_bars} + {future_bars} rows without a gap, but the longest stretch of {len(values)} rows has "
            f"{int(np.diff(edges)[::2].max(initial=0))}; give more rows, or lower past_bars"
        )
    return Windows(values, past_bars, future_bars, firsts + past_bars - 1)


def save_windows(path: Path, candles: Candles, windows: Windows, names: tuple[str, ...]) -> None:
    """Write an HDF5 file, whole or not at all.

    Datasets: `inputs` (M, N, C) and `outputs` (M, K, C) float64, as they are in `windows.values`; `input_times` (M, N) and
    `output_times` (M, K) int64, Unix seconds of the bars' open. The attribute `columns` names the C columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    times = candles.index.as_unit("s").asi8[:, None]
    clock = Windows(times, windows.past_bars, windows.future_bars, windows.ends)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with h5py.File(temporary, "w") as file:
            file.attrs["columns"] = list(names)
            sources = {"inputs": windows.past, "outputs": windows.future}
            for name, rows in sources.items():
                file.create_dataset(name, (len(windows), *rows(slice(0, 1)).shape[1:]), np.float64)
            for name, length in (("input_times", windows.past_bars), ("output_times", windows.future_bars)):
                file.create_dataset(name, (len(windows), length), np.int64)
            for first in range(0, len(windows), BLOCK):
                block = slice(first, min(first + BLOCK, len(windows)))
                for name, rows in sources.items():
                    file[name][block] = rows(block)
                file["input_times"][block] = clock.past(block)[:, :, 0]
                file["output_times"][block] = clock.future(block)[:, :, 0]
        os.chmod(temporary, 0o644)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _rows(values: np.ndarray, length: int, firsts: np.ndarray) -> np.ndarray:
    """(T, C) -> (m, length, C)."""
    if length == 0:
        return np.empty((len(firsts), 0, values.shape[1]), values.dtype)
    every = np.lib.stride_tricks.sliding_window_view(values, length, axis=0).transpose(0, 2, 1)
    steps = np.diff(firsts)
    if len(firsts) and (len(firsts) == 1 or (steps[0] > 0 and (steps == steps[0]).all())):
        step = int(steps[0]) if len(steps) else 1
        return every[firsts[0] : firsts[-1] + 1 : step]
    return every[firsts]
