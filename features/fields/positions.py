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


def require_positions(chunks: Iterator[RawRows], path: Path, by_position: bool) -> Iterator[RawRows]:
    """Rows of a libffm file that lose nothing without their fields, since `by_position`, or one field, gives them back.

    Args:
        chunks: libffm rows.
        path: their file, for messages.
        by_position: whether they will be read so; else all are to be in one field.

    Raises:
        InputError: a row whose fields would be lost.
    """
    only: np.ndarray | None = None
    n_fields = 0
    for raw in chunks:
        lengths = np.diff(raw.starts)
        if by_position and len(lengths):
            n_fields = n_fields or int(lengths[0])
            _require_length(raw, path, lengths, n_fields)
            wrong = raw.fields != np.arange(len(raw.fields)) % n_fields
        else:
            only = raw.fields[:1].copy() if only is None or not len(only) else only
            wrong = raw.fields != only
        if wrong.any():
            raise _lost(raw, path, int(np.argmax(wrong)))
        yield raw


def _lost(raw: RawRows, path: Path, entry: int) -> InputError:
    row = int(np.searchsorted(raw.starts, entry, side="right")) - 1
    return InputError(
        f"{path}, line {raw.lines[row]}: libsvm has no fields, so field {raw.fields[entry]} would be lost; set `overlap` to "
        "renumber to give the features of each field numbers of their own, or `libsvm_fields` to by_position where each line "
        "has an entry in each field, in order"
    )
