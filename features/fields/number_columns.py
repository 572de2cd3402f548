"""Writes fields of numbers as columns of a table: a cell holds the feature of a field, or the value where it has one feature."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from common import InputError
from features.fields.raw_rows import RawRows

SEVERAL = -2
"""instead of the feature of a field that has several"""


class _FieldColumn:
    """What is known of a field: the only feature, or `SEVERAL`, and whether a value was not 1."""

    def __init__(self, feature: int) -> None:
        self.feature, self.has_values = feature, False


Columns = dict[int, bool]
"""by field number, in their order: whether cells are values; else they are features"""


def columns_of(chunks: Iterator[RawRows], path: Path) -> Columns:
    """What the cells of each field's column hold.

    Raises:
        InputError: two entries of a field in a row, or a field with several features and with values, which no cell can hold.
    """
    known: dict[int, _FieldColumn] = {}
    for raw in chunks:
        _require_one_each(raw, path)
        for field in np.unique(raw.fields).tolist():
            mine = (raw.fields == field) & (raw.values != 0)
            _add(known, field, raw.numbers[mine], raw.values[mine])
    for field, column in known.items():
        if column.has_values and column.feature == SEVERAL:
            raise InputError(
                f"a cell holds a feature or a value, but field {field} of {path} has several features with values other than 1; "
                "keep it as libffm or libsvm"
            )
    return {field: known[field].has_values for field in sorted(known)}


def tables_of(chunks: Iterator[RawRows], columns: Columns, label: str) -> Iterator[Any]:
    """Arrow batches: labels float32, then a column for each field, int64 or float32, null where a row has no entry."""
    for raw in chunks:
        if len(raw.labels):
            rows = np.repeat(np.arange(len(raw.labels)), np.diff(raw.starts))
            cells = {f"field_{field}": _column(raw, rows, field, is_value) for field, is_value in columns.items()}
            yield pa.RecordBatch.from_pydict({label: pa.array(raw.labels.astype(np.float32))} | cells)


def _add(known: dict[int, _FieldColumn], field: int, numbers: np.ndarray, values: np.ndarray) -> None:
    if not len(numbers):
        return
    column = known.setdefault(field, _FieldColumn(int(numbers[0])))
    if (numbers != column.feature).any():
        column.feature = SEVERAL
    column.has_values |= bool((values != 1).any())


def _column(raw: RawRows, rows: np.ndarray, field: int, is_value: bool) -> Any:
    mine = (raw.fields == field) & (raw.values != 0)
    given = (raw.values if is_value else raw.numbers)[mine]
    cells, missing = np.zeros(len(raw.labels), given.dtype), np.ones(len(raw.labels), bool)
    cells[rows[mine]], missing[rows[mine]] = given, False
    return pa.array(cells, mask=missing)


def _require_one_each(raw: RawRows, path: Path) -> None:
    rows = np.repeat(np.arange(len(raw.labels)), np.diff(raw.starts))
    places = np.sort(rows << 16 | raw.fields)
    twice = places[1:][places[1:] == places[:-1]]
    if len(twice):
        raise InputError(
            f"{path}, line {raw.lines[twice[0] >> 16]}: a cell holds one entry, but field {twice[0] & 0xFFFF} has two here; "
            "keep it as libffm or libsvm"
        )
