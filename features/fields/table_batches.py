"""Reads CSV and Parquet files as Arrow batches, a few megabytes at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from common import InputError, one_line, unknown
from features.fields.byte_streams import OnBytes, open_bytes, readable
from features.fields.csv_lines import CsvLines

BATCH_BYTES = 1 << 22
BATCH_ROWS = 1 << 15
"""of Parquet"""


class TableBatch(NamedTuple):
    """Successive rows of a table.

    Attributes:
        cells: an Arrow batch.
        lines: int64 (n,), where each row stands in the file, from 1 on.
    """

    cells: Any
    lines: np.ndarray


def csv_batches(path: Path, on_bytes: OnBytes) -> Iterator[TableBatch]:
    """The cells of a CSV file with a header, all as text; the first line that is not blank names the columns.

    Raises:
        InputError: a line that `CsvLines` refuses, or columns without a name of their own.
    """
    with open_bytes(path) as (stream, file):
        lines, done = CsvLines(path, stream), 0
        require_names(path, lines.names)
        text = csv.ConvertOptions(
            column_types=dict.fromkeys(lines.names, pa.string()), strings_can_be_null=True, null_values=[""]
        )
        read = csv.ReadOptions(column_names=lines.names, block_size=BATCH_BYTES, use_threads=False)
        try:
            for batch in csv.open_csv(lines, read, csv.ParseOptions(delimiter=lines.separator.decode()), text):
                yield TableBatch(batch, lines.lines_of(done, batch.num_rows))
                done += batch.num_rows
                on_bytes(file.tell())
        except pa.ArrowInvalid as error:
            if lines.n_rows:  # Arrow refuses a file without any
                raise _damaged(path, error) from error
        if done != lines.n_rows:
            raise InputError(
                f"each line of {path} is a row, but of {lines.n_rows:,} lines {done:,} were read; save it as Parquet"
            )


def parquet_batches(path: Path, on_bytes: OnBytes) -> Iterator[TableBatch]:
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
                    yield TableBatch(batch, np.arange(done + 1, done + batch.num_rows + 1))
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
