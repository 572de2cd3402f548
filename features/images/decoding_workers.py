"""Decodes many picture files in processes of their own, in the order in which they were named."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import InputError, one_line
from features.images.decoding import DamagedPictureError, decode_picture
from features.images.folder_settings import FolderSettings

CHUNK = 16
"""files of one task of a worker"""
FEW_FILES = 256
"""no more than these are decoded in this process: to start others takes a second each"""
AHEAD = 4
"""tasks of each worker that are begun before their pictures are fetched; it bounds the memory"""


class DecodedFile(NamedTuple):
    """A picture, uint8 (C, H, W), and the sha256 of the bytes that it was decoded from."""

    pixels: np.ndarray
    sha256: str


def decoded_files(paths: list[str], settings: FolderSettings) -> Iterator[DecodedFile | str]:
    """What each file holds, in order; of a file that cannot be read why not.

    Args:
        paths: of the files.
        settings: with both sides; `workers` of them work side by side.

    Raises:
        InputError: a worker was ended from outside, such as for want of memory.
    """
    workers = settings.workers or len(os.sched_getaffinity(0))
    if workers == 1 or (settings.workers is None and len(paths) <= FEW_FILES):
        yield from (_decoded(path, settings) for path in paths)
        return
    chunks = deque(paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ProcessPoolExecutor(min(workers, len(chunks)), context, _begin_worker) as pool:
        begun: deque[Future[list[DecodedFile | str]]] = deque()
        try:
            while chunks or begun:
                while chunks and len(begun) < AHEAD * workers:
                    begun.append(pool.submit(_decoded_all, chunks.popleft(), settings))
                yield from begun.popleft().result()
        except BrokenProcessPool:
            raise InputError(
                "a process that reads pictures was ended from outside, perhaps for want of memory; take fewer --workers, or a "
                "smaller --max_pixels"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _decoded_all(paths: list[str], settings: FolderSettings) -> list[DecodedFile | str]:
    return [_decoded(path, settings) for path in paths]


def _decoded(path: str, settings: FolderSettings) -> DecodedFile | str:
    try:
        content = Path(path).read_bytes()
        return DecodedFile(decode_picture(content, settings), hashlib.sha256(content).hexdigest())
    except FileNotFoundError:
        return "it leads to a file that is not there" if os.path.islink(path) else "it is not there"
    except OSError as error:
        return one_line(error) if error.strerror is None else error.strerror
    except DamagedPictureError as error:
        return str(error)


def _begin_worker() -> None:
    """Ctrl-C is for the process that waits; a worker ends with it, however that one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
