"""Pictures of one size in one binary file, a picture after the other, read by number so that memory does not grow with them.

The file is a header, the pixels, and a description in JSON. It is read, not mapped: what is mapped would count as memory of this
process, and a file that is cut off would end it.
"""

import hashlib
import json
import os
import struct
import weakref
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from common import InputError, one_line

MAGIC = b"PICTURE1"
HEADER = struct.Struct("<8sqq32s")
"""magic, where the description begins, its bytes, its sha256"""
CHECKED_BYTES = 1 << 24
"""of one checksum"""


class PictureFile:
    """What `write_picture_file` wrote; every byte is checked once, when it is opened.

    Attributes:
        about: the description.
        shape: of a picture, (C, H, W).

    Raises:
        InputError: there is no such file, or it is damaged, half written, or something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"cannot read the pictures in {path}: {error.strerror}") from None
        weakref.finalize(self, os.close, self._file)
        self.about = self._description()
        self.shape: tuple[int, int, int] = tuple(self.about["shape"])
        self._bytes_each = int(np.prod(self.shape))
        self._check()

    def __len__(self) -> int:
        return int(self.about["count"])

    def __reduce__(self) -> tuple[type["PictureFile"], tuple[Path]]:
        return PictureFile, (self.path,)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W): copies of the pictures with these numbers, int64 (n,).

        Raises:
            IndexError: there is no such picture.
            InputError: the file has been cut off.
        """
        pictures = np.empty((len(numbers), self._bytes_each), np.uint8)
        for row, number in enumerate(numbers.tolist()):
            if not 0 <= number < len(self):
                raise IndexError(f"there are {len(self)} pictures, but picture {number} was asked for")
            self._fill(pictures[row], HEADER.size + number * self._bytes_each)
        return pictures.reshape(-1, *self.shape)

    def _description(self) -> dict[str, Any]:
        header = np.empty(HEADER.size, np.uint8)
        self._fill(header, 0)
        magic, offset, n_bytes, digest = HEADER.unpack(header.tobytes())
        if magic != MAGIC or n_bytes < 0 or offset + n_bytes != os.fstat(self._file).st_size:
            raise self._damaged("it is no file of pictures, or a part of one")
        text = np.empty(n_bytes, np.uint8)
        self._fill(text, offset)
        if hashlib.sha256(text.data).digest() != digest:
            raise self._damaged("its description is not what was written")
        return dict(json.loads(text.tobytes()))

    def _check(self) -> None:
        place, end = HEADER.size, HEADER.size + len(self) * self._bytes_each
        buffer = np.empty(CHECKED_BYTES, np.uint8)
        for expected in self.about["checksums"]:
            part = buffer[: min(CHECKED_BYTES, end - place)]
            self._fill(part, place)
            if zlib.crc32(part.data) != expected:
                raise self._damaged("its pictures are not those that were written")
            place += len(part)

    def _fill(self, buffer: np.ndarray, offset: int) -> None:
        done = 0
        while done < len(buffer):
            try:
                got = os.preadv(self._file, [buffer[done:].data], offset + done)
            except OSError as error:
                raise self._damaged(one_line(error)) from error
            if not got:
                raise self._damaged("it ends too early")
            done += got

    def _damaged(self, why: str) -> InputError:
        return InputError(f"the pictures in {self.path} are damaged: {why}; delete the file, and it is written once more")


def write_picture_file(
    file: BinaryIO, pictures: Iterable[np.ndarray], shape: tuple[int, int, int], about: Mapping[str, Any]
) -> None:
    """Write pictures one by one; the caller puts the file in place when it is whole.

    Args:
        file: at its beginning.
        pictures: uint8 (C, H, W) each.
        shape: of each.
        about: JSON values, read when all pictures are written. To them come `shape`, `count`, `checksums` and `pixels_sha256`.
    """
    file.write(bytes(HEADER.size))
    count, checksum, filled, checksums, digest = 0, 0, 0, list[int](), hashlib.sha256()
    for picture in pictures:
        content = np.ascontiguousarray(picture, np.uint8).reshape(-1).data
        file.write(content)
        digest.update(content)
        count += 1
        while len(content):
            part, content = content[: CHECKED_BYTES - filled], content[CHECKED_BYTES - filled :]
            checksum, filled = zlib.crc32(part, checksum), filled + len(part)
            if filled == CHECKED_BYTES:
                checksums.append(checksum)
                checksum, filled = 0, 0
    if filled:
        checksums.append(checksum)
    own = {"shape": list(shape), "count": count, "checksums": checksums, "pixels_sha256": digest.hexdigest()}
    text = json.dumps({**about, **own}, allow_nan=False).encode()
    place = HEADER.size + count * int(np.prod(shape))
    file.write(text)
    file.seek(0)
    file.write(HEADER.pack(MAGIC, place, len(text), hashlib.sha256(text).digest()))
