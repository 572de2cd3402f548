"""Reads CSV and Parquet files as Arrow batches, a few megabytes at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from common import InputError, one_line, unknown
from features.fields.byte_streams import OnBytes, open_bytes, readable

BATCH_BYTES = 1 << 22
HEADER_BYTES = 1 << 20
BATCH_ROWS = 1 << 15
"""of Parquet"""


def csv_batches(path: Path, on_bytes: OnBytes) -> Iterator[Any]:
    """The cells of a CSV file with a header, all as text; the first line that is not blank names the columns.

    Raises:
        InputError: a row with another number of cells, or text that is not UTF-8.
    """
    names = _header(path)
    with open_bytes(path) as (stream, file):
        options = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""])
        try:
            read = csv.ReadOptions(block_size=BATCH_BYTES, use_threads=False)
            for batch in csv.open_csv(stream, read, csv.ParseOptions(newlines_in_values=True), options):
                yield batch
                on_bytes(file.tell())
        except pa.ArrowInvalid as error:
            raise _damaged(path, error) from error


def _header(path: Path) -> list[str]:
    with open_bytes(path) as (stream, _):
        try:
            names = list(csv.open_csv(stream, csv.ReadOptions(block_size=HEADER_BYTES, use_threads=False)).schema.names)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error
    require_names(path, names)
    return names


def parquet_batches(path: Path, on_bytes: OnBytes) -> Iterator[Any]:
    """The cells of a Parquet file, each column in its own type.

    Raises:
        InputError: a damaged file.
    """
    with readable(path):
        try:
            size, done = path.stat().st_size, 0
            with parquet.ParquetFile(path) as file:
                require_names(path, file.schema_arrow.names)
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    yield batch
                    done += batch.num_rows
                    on_bytes(size * done // max(file.metadata.num_rows, 1))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error


def require_names(path: Path, names: list[str]) -> None:
    """Each column needs a name of its own."""
    twice = sorted({name for name in names if names.count(name) > 1 or not name.strip()})
    if twice:
        raise InputError(
            f"each column of {path} needs a name of its own, but {twice[0]!r} is the name of two or of none; rename it"
        )


def require_columns(path: Path, names: list[str], wanted: list[str], kind: str = "column") -> None:
    """A table has all of these columns."""
    for name in wanted:
        if name not in names:
            one_line_each = [" ".join(each.split()) for each in names]  # a quoted name may hold line ends
            raise InputError(f"{path}: {unknown(kind, name, one_line_each)}")


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged: {one_line(error)}; correct it, or set `format` if it has another one")
