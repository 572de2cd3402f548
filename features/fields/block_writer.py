"""Writes rows of fields into a block file, a block at a time."""

import hashlib
import json
import zlib
from typing import BinaryIO

import numpy as np

from features.fields.block_layout import HEADER, MAGIC, BlockPlace, aligned
from features.fields.content import ContentHash, only_ones
from features.fields.rows import BLOCK_ROWS, FieldRows
from features.fields.schema import FieldSchema
from features.fields.schema_file import to_bytes


class BlockWriter:
    """Collects rows until a block is full, and writes it.

    Args:
        file: empty, can be sought; `common.atomic_file` puts it in place when all is written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._content = file, ContentHash()
        self._places: list[BlockPlace] = []
        self._waiting: list[FieldRows] = []
        self._n_waiting = 0
        self._file.write(bytes(HEADER.size))

    @property
    def n_rows(self) -> int:
        return sum(place.n_rows for place in self._places) + self._n_waiting

    @property
    def n_entries(self) -> int:
        return sum(place.n_entries for place in self._places) + sum(len(rows.features) for rows in self._waiting)

    def add(self, rows: FieldRows) -> None:
        """Add rows, in their order. They may be overwritten afterwards, but not their features, fields and values."""
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        if self._n_waiting >= BLOCK_ROWS:
            waiting = joined(self._waiting)
            whole = self._n_waiting // BLOCK_ROWS * BLOCK_ROWS
            for first in range(0, whole, BLOCK_ROWS):
                self._write(waiting[first : first + BLOCK_ROWS])
            self._waiting, self._n_waiting = [waiting[whole:]], self._n_waiting - whole

    def finish(self, schema: FieldSchema, notes: list[str]) -> None:
        """Write what still waits, the schema and the footer.

        Args:
            schema: that of the rows.
            notes: sentences for people.
        """
        if self._n_waiting:
            self._write(joined(self._waiting))
        about = to_bytes(schema)
        footer = {
            "sha256": self._content.hexdigest(schema.field_names, schema.n_features),
            "field_names": schema.field_names,
            "n_features": schema.n_features,
            "notes": notes,
            "blocks": self._places,
            "schema": {"offset": self._file.tell(), "n_bytes": len(about)},
        }
        self._file.write(about)
        self._seal(json.dumps(footer).encode())

    def _seal(self, footer: bytes) -> None:
        place = self._file.tell()
        self._file.write(footer)
        self._file.seek(0)
        self._file.write(HEADER.pack(MAGIC, place, len(footer), hashlib.sha256(footer).digest()))

    def _write(self, rows: FieldRows) -> None:
        offset, has_values, crc = aligned(self._file.tell()), not only_ones(rows.values), 0
        self._file.write(bytes(offset - self._file.tell()))
        for array in (rows.starts, rows.features, rows.labels, *([rows.values] if has_values else []), rows.fields):
            content = np.ascontiguousarray(array).data
            crc = zlib.crc32(content, crc)
            self._file.write(content)
        self._places.append(BlockPlace(offset, len(rows), len(rows.features), has_values, crc))
        self._content.add(rows)


def joined(parts: list[FieldRows]) -> FieldRows:
    """Rows one after the other, as new arrays."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(rows.starts) for rows in parts])
    labels, features, fields, values = (
        np.concatenate([getattr(rows, name) for rows in parts]) for name in ("labels", "features", "fields", "values")
    )
    return FieldRows(labels, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), features, fields, values)
