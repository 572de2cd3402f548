"""Fields for libsvm rows by the position of each entry in its line, as frappe's files need them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from common import InputError
from features.fields.byte_parser import LARGEST_FIELD
from features.fields.raw_rows import RawRows


def by_position(chunks: Iterator[RawRows], path: Path, n_fields: int = 0) -> Iterator[RawRows]:
    """Put the first entry of each row into field 0, the second into field 1, and so on.

    Args:
        chunks: libsvm rows.
        path: their file, for messages.
        n_fields: entries that each row must have; 0 takes those of the first row.

    Raises:
        InputError: a row with another number of entries, or with none.
    """
    for raw in chunks:
        lengths = np.diff(raw.starts)
        if not len(lengths):
            continue
        n_fields = n_fields or int(lengths[0])
        _require_length(raw, path, lengths, n_fields)
        yield raw._replace(fields=np.tile(np.arange(n_fields, dtype=np.int32), len(lengths)))


def _require_length(raw: RawRows, path: Path, lengths: np.ndarray, n_fields: int) -> None:
    if not 0 < n_fields <= LARGEST_FIELD + 1:
        raise InputError(f"{path}: rows need 1 to {LARGEST_FIELD + 1} entries to be fields by position, but have {n_fields}")
    if (lengths != n_fields).any():
        row = int(np.argmax(lengths != n_fields))
        raise InputError(
            f"{path}, line {raw.lines[row]}: fields by position need {n_fields} entries in each line, but got {lengths[row]}; "
            "complete it, or set `libsvm_fields` to one_field"
        )
