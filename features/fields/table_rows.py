"""Turns batches of a table into rows: a column is a field, a word or bin is a feature, and a missing cell is no entry."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import InputError
from features.fields.columns import Column
from features.fields.raw_rows import RawRows
from features.fields.table_batches import TableBatch
from features.fields.table_cells import DECIMAL_COMMA, first_no_number, numbers_in, words_in

UNSEEN, MISSING = -1, -2
"""instead of the number of a word"""


class TableRows:
    """Knows the columns and their words.

    Args:
        path: the file, for messages.
        unit: what the place of a row is called, line or row.
        label: the column of labels; None leaves them out, and they are 0.
        columns: of train, but the label.
        words: of each column, those that train has shown; None learns them from the rows.
        hashed: words are numbered by a hash of 63 bits, and none is remembered.
    """

    def __init__(
        self,
        path: Path,
        unit: str,
        label: str | None,
        columns: Sequence[Column],
        words: Sequence[Sequence[str]] | None,
        hashed: bool,
    ) -> None:
        self._path, self._unit, self._label, self._columns, self._hashed = path, unit, label, columns, hashed
        self._growing = words is None
        self._words = [{word: number for number, word in enumerate(each)} for each in words or [()] * len(columns)]

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The words of each column, by number."""
        return tuple(tuple(words) for words in self._words)

    def rows(self, batch: TableBatch) -> RawRows:
        """The rows of a batch.

        Raises:
            InputError: a label or a cell of a numeric column that is no number.
        """
        cells_of, lines = batch.cells.column, batch.lines
        labels = np.zeros(len(lines)) if self._label is None else self._labels(self._label, cells_of(self._label), lines)
        shape = len(labels), len(self._columns)
        numbers, values = np.zeros(shape, np.int64), np.ones(shape, np.float32)
        for place, column in enumerate(self._columns):
            cells = cells_of(column.name)
            if column.is_numeric:
                self._put_numbers(column, cells, lines, numbers[:, place], values[:, place])
            else:
                self._put_words(place, cells, numbers[:, place])
        present = numbers != MISSING
        starts = np.concatenate([[0], np.cumsum(present.sum(1))]).astype(np.int64)
        fields = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)[present]
        return RawRows(labels, starts, fields, numbers[present], values[present], lines)

    def _labels(self, name: str, cells: Any, lines: np.ndarray) -> np.ndarray:
        labels = self._numbers(name, cells, lines, "a label")
        if np.isnan(labels).any():
            line = lines[np.argmax(np.isnan(labels))]
            raise InputError(f"{self._path}, {self._unit} {line}: the label is missing; complete or remove the {self._unit}")
        return labels

    def _numbers(self, name: str, cells: Any, lines: np.ndarray, what: str) -> np.ndarray:
        numbers = numbers_in(cells)
        if numbers is None or (np.abs(numbers) > np.finfo(np.float32).max).any():
            place = first_no_number(cells) if numbers is None else int(np.argmax(np.abs(numbers) > np.finfo(np.float32).max))
            shown = str(cells[place].as_py())[:40]
            remedy = "write a point for the comma" if re.match(DECIMAL_COMMA, shown.strip()) else "correct it"
            raise InputError(
                f"{self._path}, {self._unit} {lines[place]}: {what} in column {name!r} is a finite number, but got {shown!r}; "
                f"{remedy}"
            )
        return numbers

    def _put_numbers(self, column: Column, cells: Any, lines: np.ndarray, numbers: np.ndarray, values: np.ndarray) -> None:
        given = self._numbers(column.name, cells, lines, "what stands")
        if column.is_binned:
            numbers[:] = np.searchsorted(column.edges, given, side="right")
        else:
            values[:] = np.nan_to_num((given - column.mean) / column.deviation)
        numbers[np.isnan(given)] = MISSING

    def _put_words(self, place: int, cells: Any, numbers: np.ndarray) -> None:
        found = words_in(cells)
        if found is None:
            raise InputError(
                f"{self._path}: cells of column {self._columns[place].name!r} are {cells.type}, not UTF-8 text; leave it out"
            )
        places, words = found
        codes = np.array([*(self._code(place, word) for word in words), MISSING], np.int64)
        numbers[:] = codes[places]

    def _code(self, place: int, word: str) -> int:
        if not word:
            return MISSING
        if self._hashed:
            return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little") >> 1
        known = self._words[place]
        return known.setdefault(word, len(known)) if self._growing else known.get(word, UNSEEN)
