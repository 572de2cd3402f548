"""Reads libsvm and libffm text, a few megabytes at a time."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common import InputError
from features.fields.byte_parser import parse
from features.fields.byte_streams import OnBytes, open_bytes
from features.fields.damaged_lines import complaint
from features.fields.raw_rows import RawRows

CHUNK_BYTES = 1 << 22
LONGEST_LINE = 1 << 26
"""bytes; a longer line is no row of a click log, and memory must end somewhere"""
BOM = b"\xef\xbb\xbf"


def text_rows(path: Path, with_fields: bool, on_bytes: OnBytes, on_qids: OnBytes, labelled: bool = True) -> Iterator[RawRows]:
    """The rows of a libsvm file, or of a libffm file, whose entries have fields. The arrays are overwritten by the next rows.

    Args:
        with_fields: entries are `field:index:value`; without, `index:value`, and all are in field 0.
        on_bytes: is told how many bytes of the file have been read.
        on_qids: is told how many `qid:` tokens were skipped.
        labelled: whether each line begins with its label; else labels are left out where there are some, and are 0.

    Raises:
        InputError: a line that breaks a rule, with its number; a file that cannot be read.
    """
    room, lines = _Room(), 0
    with open_bytes(path) as (stream, file):
        for text in whole_lines(path, stream):
            raw, n_lines, qids, bad = room.parsed(text, with_fields, labelled)
            if bad >= 0:
                raise InputError(f"{path}, line {lines + n_lines}: {complaint(text, bad, with_fields, labelled)}")
            yield raw._replace(lines=raw.lines + lines)
            lines += n_lines
            on_bytes(file.tell())
            on_qids(qids)


class _Room:
    """The arrays that a text is parsed into."""

    def __init__(self) -> None:
        self._n_bytes = -1

    def parsed(self, text: bytes, with_fields: bool, labelled: bool) -> tuple[RawRows, int, int, int]:
        """Rows, lines up to the end or the damaged one, `qid:` tokens, and the place of the token that breaks a rule, or -1."""
        if len(text) > self._n_bytes:
            self._grow(len(text) + len(text) // 4)
        n_rows, n_entries, n_lines, qids, bad = parse(np.frombuffer(text, np.uint8), with_fields, labelled, *self._raw)
        labels, starts, fields, numbers, values, lines = self._raw
        raw = RawRows(
            labels[:n_rows], starts[: n_rows + 1], fields[:n_entries], numbers[:n_entries], values[:n_entries], lines[:n_rows]
        )
        return raw, n_lines, qids, bad

    def _grow(self, n_bytes: int) -> None:
        rows, entries = partial(np.empty, n_bytes // 2 + 1), partial(np.empty, n_bytes // 4 + 1)
        starts = np.empty(n_bytes // 2 + 2, np.int64)
        self._raw = RawRows(rows(np.float64), starts, entries(np.int32), entries(np.int64), entries(np.float32), rows(np.int64))
        self._n_bytes = n_bytes


def whole_lines(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """The text in parts that end where a line does."""
    rest = b"".join(part for part in [stream.read(len(BOM))] if part != BOM)
    while content := stream.read(CHUNK_BYTES):
        end = content.rfind(b"\n") + 1
        if end:
            yield rest + content[:end]
            rest = content[end:]
        elif len(rest) < LONGEST_LINE:
            rest += content
        else:
            raise InputError(f"a line of {path} is longer than {LONGEST_LINE >> 20} MiB; is it a text file with one row a line?")
    if rest:
        yield rest + b"\n"
