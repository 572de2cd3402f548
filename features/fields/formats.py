"""The formats of click-through files: how each is recognised, read and written."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from common import InputError
from features.fields.byte_streams import head_of
from features.fields.csv_lines import separator_of
from features.fields.settings import FieldSettings
from features.fields.table_batches import csv_batches, parquet_batches
from features.fields.text_rows import BOM, text_rows
from features.fields.writers import CsvWriter, ParquetWriter, TextWriter

NUMBER = rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
LABELLED = re.compile(rb"\s*" + NUMBER + rb"(\s+qid:\S+)?\s+(?P<entry>\S+:\S+)")
SOUND_ENTRY = re.compile(rb"\s*([^\s:]+\s+)?(qid:\S+\s+)?(?P<entry>\d+:(\d+:)?" + NUMBER + rb")(?!\S)")
PARQUET_MAGIC = b"PAR1"
ONE_NAME = re.compile(rb"[^\s:\0]+")
"""the header of a table of one column"""


class Format(NamedTuple):
    """A format.

    Attributes:
        endings: of file names, by which the format of a file that is written is known; the first is the usual one.
        is_table: whether it has columns with names; else its entries have numbers.
        unit: what the place of a row is called in messages.
        recognises: whether a file with these first bytes, unzipped, has this format.
        read: `(path, on_bytes, on_qids, labelled)` gives `RawRows`, of a table `(path, on_bytes)` gives `TableBatch`es.
        writer: of the rows or batches, given an open file.
    """

    endings: tuple[str, ...]
    is_table: bool
    unit: str
    recognises: Callable[[bytes], bool]
    read: Callable[..., Iterator[Any]]
    writer: Callable[..., Any]


def _colons(head: bytes) -> int:
    """Colons in the first entry of the first line that has one; -1 if no line holds entries, behind a label or alone."""
    for line in head.removeprefix(BOM).split(b"\n"):
        line = line.split(b"#")[0].strip()
        if found := LABELLED.match(line) or SOUND_ENTRY.match(line):
            return found["entry"].count(b":")
        if line and not re.fullmatch(NUMBER, line):
            return -1
    return -1


def _is_csv(head: bytes) -> bool:
    """A first line of names, which is no row of another format."""
    first, *others = [line for line in re.split(rb"[\r\n]", head.removeprefix(BOM)) if line.strip()]
    if head.startswith(PARQUET_MAGIC) or _colons(head) >= 0 or any(SOUND_ENTRY.match(part) for part in first.split()):
        return False
    is_one_name = ONE_NAME.fullmatch(first) and not re.fullmatch(NUMBER, first)
    return separator_of(first) is not None or bool(is_one_name and others)


FORMATS: dict[str, Format] = {
    "libsvm": Format(
        endings=(".libsvm", ".libfm", ".svm"),
        is_table=False,
        unit="line",
        recognises=lambda head: _colons(head) == 1,
        read=partial(text_rows, with_fields=False),
        writer=partial(TextWriter, with_fields=False),
    ),
    "libffm": Format(
        endings=(".libffm", ".ffm"),
        is_table=False,
        unit="line",
        recognises=lambda head: _colons(head) == 2,
        read=partial(text_rows, with_fields=True),
        writer=partial(TextWriter, with_fields=True),
    ),
    "csv": Format((".csv",), True, "line", _is_csv, csv_batches, CsvWriter),
    "parquet": Format(
        (".parquet", ".pq"), True, "row", lambda head: head.startswith(PARQUET_MAGIC), parquet_batches, ParquetWriter
    ),
}
"""the formats by name"""


def format_of(path: Path, settings: FieldSettings) -> str:
    """The name of the format that a file is read in: the one of the settings, or the one that its content shows.

    Raises:
        InputError: an empty file, one that cannot be read, or one that no format recognises.
    """
    if not (head := head_of(path)).removeprefix(BOM).strip():
        raise InputError(f"{path} is empty; name a file with rows")
    if settings.format != "auto":
        return settings.format
    for name, each in FORMATS.items():
        if each.recognises(head):
            return name
    if all(re.fullmatch(NUMBER, line.strip()) for line in head.removeprefix(BOM).splitlines() if line.strip()):
        raise InputError(f"a row is a label and entries, but {path} has labels alone; add entries to its rows")
    raise InputError(
        f"{path} begins with {_first_line(head)!r}, by which no format is recognised; set `format` to {', '.join(FORMATS)}"
    )


def format_to_write(path: Path) -> str:
    """The name of the format that the ending of a file's name stands for; `.gz` behind it zips the text.

    Raises:
        InputError: an ending that no format has.
    """
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    for name, each in FORMATS.items():
        if ending in each.endings and not (name == "parquet" and path.suffix == ".gz"):
            return name
    endings = [ending for each in FORMATS.values() for ending in each.endings]
    raise InputError(
        f"the format of {path} is known by the end of its name, which must be {', '.join(endings)}, or with .gz behind"
    )


def _first_line(head: bytes) -> str:
    return head.split(b"\n")[0][:40].decode("utf-8", "backslashreplace")
