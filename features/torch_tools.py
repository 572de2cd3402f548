"""What the trainings with torch share: dropout without the global seed, threads, and memory that is kept."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
Draw = torch.Generator | None
"""what dropout draws from; None in evaluation, where nothing is dropped"""


def drop(values: Tensor, share: float, draw: Draw) -> Tensor:
    """Dropout from a generator of one's own: torch's draws from the global seed."""
    if draw is None or share == 0:
        return values
    kept = torch.rand(values.shape, generator=draw) >= share
    return values * kept / (1 - share)


def keep_freed_memory() -> None:
    """Have the C library keep what is freed at hand for this process: large batches are otherwise mapped anew at each step.

    An epoch of an LSTM on batches of 64 or more takes 1.6 times as long without it. Only glibc has the switch; its values are
    those of malloc.h.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads of torch within, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
