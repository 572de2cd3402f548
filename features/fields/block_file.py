"""Rows of fields in one binary file, read a block at a time, so that memory does not grow with the rows."""

import hashlib
import json
import os
import weakref
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from common import InputError, one_line
from features.fields.block_layout import HEADER, MAGIC, BlockPlace
from features.fields.byte_streams import readable
from features.fields.rows import FieldRows
from features.fields.schema import FieldSchema
from features.fields.schema_file import from_bytes


class BlockFile:
    """`FieldData` of a file that `prepare` wrote.

    A block is read into a buffer that the next block overwrites: what is mapped would count as memory of this process. Threads
    and processes each open the file for themselves.

    Attributes:
        path: of the block file.
        notes: what was left out or decided while the file was read, as sentences for people.

    Raises:
        InputError: there is no such file, or it is damaged, half written, or something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):
            self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._about = self._footer()
        self._places = [BlockPlace(*place) for place in self._about["blocks"]]
        self._checked = [False] * len(self._places)
        self._buffer = np.empty(max((place.n_bytes for place in self._places), default=0), np.uint8)
        self._ones = np.ones(max((place.n_entries for place in self._places if not place.has_values), default=0), np.float32)
        self._ones.flags.writeable = False
        self.notes: list[str] = self._about["notes"]

    def __reduce__(self) -> tuple[type["BlockFile"], tuple[Path]]:
        return BlockFile, (self.path,)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(self._about["field_names"])

    @property
    def n_features(self) -> int:
        return int(self._about["n_features"])

    @property
    def n_rows(self) -> int:
        return sum(place.n_rows for place in self._places)

    @property
    def n_blocks(self) -> int:
        return len(self._places)

    @property
    def sha256(self) -> str:
        return str(self._about["sha256"])

    @cached_property
    def schema(self) -> FieldSchema:
        """What train has taught: apply it to other files, and keep it beside the model."""
        place = self._about["schema"]
        content = np.empty(place["n_bytes"], np.uint8)
        self._read(content, place["offset"])
        return from_bytes(content.tobytes(), self.path)

    def block(self, number: int) -> FieldRows:
        """Block `number`, whose arrays the next call overwrites.

        Raises:
            IndexError: there is no such block.
            InputError: its bytes are not those that were written.
        """
        if not 0 <= number < len(self._places):
            raise IndexError(f"there are {len(self._places)} blocks, but block {number} was asked for")
        place = self._places[number]
        content = self._buffer[: place.n_bytes]
        self._read(content, place.offset)
        if not self._checked[number]:
            if zlib.crc32(content.data) != place.crc32:
                raise self._damaged(f"block {number} is not what was written")
            self._checked[number] = True
        return self._rows(place, content)

    def feature_name(self, feature: int) -> str:
        return self.schema.feature_name(feature)

    def _rows(self, place: BlockPlace, content: np.ndarray) -> FieldRows:
        begin, arrays = 0, []
        n_values = place.n_entries if place.has_values else 0
        counts = (place.n_rows + 1, place.n_entries, place.n_rows, n_values, place.n_entries)
        for count, dtype in zip(counts, (np.int64, np.int32, np.float32, np.float32, np.uint16), strict=True):
            end = begin + count * np.dtype(dtype).itemsize
            arrays.append(content[begin:end].view(dtype))
            begin = end
        starts, features, labels, values, fields = arrays
        return FieldRows(labels, starts, features, fields, values if place.has_values else self._ones[: place.n_entries])

    def _footer(self) -> dict[str, Any]:
        header = np.empty(HEADER.size, np.uint8)
        self._read(header, 0)
        magic, offset, n_bytes, digest = HEADER.unpack(header.tobytes())
        if magic != MAGIC or offset + n_bytes != os.fstat(self._file).st_size:
            raise self._damaged("it is no block file, or a part of one")
        footer = np.empty(n_bytes, np.uint8)
        self._read(footer, offset)
        if hashlib.sha256(footer.data).digest() != digest:
            raise self._damaged("its description is not what was written")
        return dict(json.loads(footer.tobytes()))

    def _read(self, buffer: np.ndarray, offset: int) -> None:
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
        return InputError(f"the block file {self.path} is damaged: {why}; delete it, and it is written once more")
