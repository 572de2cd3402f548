"""Writes rows in each format, a part at a time."""

from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from common import InputError
from features.fields.raw_rows import RawRows

LINE_END = "[\\r\\n]"


class TextWriter:
    """Writes libsvm or libffm lines.

    Args:
        file: open for writing.
        with_fields: whether entries are `field:index:value`.
    """

    def __init__(self, file: BinaryIO, with_fields: bool) -> None:
        self._file, self._with_fields = file, with_fields

    def write(self, raw: RawRows) -> None:
        """Values and labels have as many digits as float32 needs."""
        entries = [_plain(raw.numbers, raw.values)]
        if self._with_fields:
            entries = [[f"{field}:{entry}" for field, entry in zip(raw.fields.tolist(), entries[0], strict=True)]]
        starts = raw.starts.tolist()
        lines = [
            " ".join([_number(label), *entries[0][begin:end]]) + "\n"
            for label, begin, end in zip(raw.labels, starts, starts[1:], strict=False)
        ]
        self._file.write("".join(lines).encode())

    def close(self) -> None:
        """Nothing is left to write."""


def _plain(numbers: np.ndarray, values: np.ndarray) -> list[str]:
    return [f"{number}:{_number(value)}" for number, value in zip(numbers.tolist(), values, strict=True)]


def _number(value: np.floating[Any]) -> str:
    """The shortest text that float32 reads as the same number."""
    short = np.float32(value)
    return str(int(short)) if short == int(short) and abs(short) < 1e7 else str(short)


class CsvWriter:
    """Writes Arrow batches as CSV with a header."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, batch: Any) -> None:
        """All batches have the columns of the first one.

        Raises:
            InputError: a line end within a cell or a name, which `CsvLines` would refuse.
        """
        for name, cells in zip(batch.schema.names, batch.columns, strict=True):
            texts = [cells] if pa.types.is_string(cells.type) else []
            if any(pc.any(pc.match_substring_regex(each, LINE_END)).as_py() for each in [pa.array([name]), *texts]):
                raise InputError(
                    f"a CSV cell is in one line, but column {name!r} has a line end in one; leave it out, or choose Parquet"
                )
        if self._writer is None:
            self._writer = csv.CSVWriter(self._file, batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class ParquetWriter:
    """Writes Arrow batches as Parquet."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, batch: Any) -> None:
        """All batches have the columns of the first one."""
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, batch.schema)
        self._writer.write_table(pa.Table.from_batches([batch]))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
