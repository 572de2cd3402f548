"""Finds out from the training file which columns are numeric, and estimates their statistics and bins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from common import InputError
from features.fields.columns import Column
from features.fields.settings import FieldSettings
from features.fields.table_batches import TableBatch, require_columns
from features.fields.table_cells import first_no_number, numbers_among, numbers_in

SAMPLE_ROWS = 100_000
"""by which bins are estimated, up to twice as many: a quantile is then right to about 0.2 %, and 40 columns take 64 MB"""
ALL_BITS = 2**64 - 1
RARE = 0.1
"""share of a column's cells that are no numbers, up to which they are likely a mistake"""
SHOWN = 40
"""characters of a cell that a message shows"""


def fit_columns(
    batches: Iterator[TableBatch], settings: FieldSettings, path: Path, unit: str
) -> tuple[tuple[Column, ...], list[str]]:
    """The columns of a table but its label, in their order; and sentences for people about those that are nearly numeric.

    Args:
        batches: of all rows.
        settings: how numeric columns are treated, and which columns the user has named.
        path: for messages.
        unit: what the place of a row is called, line or row.

    Raises:
        InputError: a column that the settings name is not there, or holds text though it should be numeric; or one whose numbers
            have decimal commas.
    """
    fits: list[_ColumnFit] = []
    sample = _RowSample()
    for cells, lines in batches:
        if not fits:
            fits = [_ColumnFit(name, settings) for name in feature_columns(cells.schema.names, settings, path)]
        chosen = sample.chosen(cells.num_rows)
        for fit in fits:
            fit.add(cells.column(fit.name), chosen, sample, f"{path}, {unit}", lines)
    notes = [note for fit in fits for note in fit.notes(f"{path}, {unit}", unit)]
    return tuple(fit.column() for fit in fits), notes


def feature_columns(names: list[str], settings: FieldSettings, path: Path) -> list[str]:
    """All columns but the label."""
    require_columns(path, names, [settings.label], "column of labels")
    require_columns(path, names, [*settings.numeric_columns, *settings.categorical_columns])
    if len(names) == 1:
        raise InputError(f"{path} has no column beside its label {settings.label!r}; add one for each field")
    return [name for name in names if name != settings.label]


class _RowSample:
    """Rows that a hash of their number chooses, so that memory has a bound and no rhythm of the file is met."""

    def __init__(self) -> None:
        self.limit, self._n_rows, self._n_kept = ALL_BITS, 0, 0

    def chosen(self, n_rows: int) -> np.ndarray:
        """uint64 (n,), the hashes of the next rows; those up to `limit` are chosen."""
        hashes = _mixed(np.arange(self._n_rows, self._n_rows + n_rows, dtype=np.uint64))
        self._n_rows += n_rows
        self._n_kept += int((hashes <= self.limit).sum())
        while self._n_kept > 2 * SAMPLE_ROWS:
            self.limit, self._n_kept = self.limit // 2, self._n_kept // 2
        return hashes


class _ColumnFit:
    """What is known of one column so far."""

    def __init__(self, name: str, settings: FieldSettings) -> None:
        self.name, self._settings = name, settings
        self._must, self._is_named = name in settings.numeric_columns, name in settings.categorical_columns
        self._can = not self._is_named
        self._has_fraction, self._others = False, _NoNumbers()
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._hashes, self._values = np.zeros(0, np.uint64), np.zeros(0)

    def add(self, cells: Any, hashes: np.ndarray, sample: _RowSample, where: str, lines: np.ndarray) -> None:
        if not self._can:
            if not self._is_named and self._others.are_few:
                self._has_fraction |= self._others.add(cells, lines)
            return
        numbers = numbers_in(cells)
        if numbers is None or np.isinf(numbers).any():
            if self._must:
                raise self._no_number(cells, numbers, where, lines)
            self._can, self._values = False, np.zeros(0)
            self._others.n_numbers = self._count
            self._has_fraction |= self._others.add(cells, lines)
            return
        present = ~np.isnan(numbers)
        self._has_fraction |= bool((numbers[present] % 1 != 0).any())
        self._count_in(numbers[present])
        hashes = np.concatenate([self._hashes, hashes[present]])
        values = np.concatenate([self._values, numbers[present]])
        self._hashes, self._values = hashes[hashes <= sample.limit], values[hashes <= sample.limit]

    def column(self) -> Column:
        """The column as the settings want it."""
        is_numeric = self._can and self._count > 0 and (self._must or self._has_fraction)
        if not is_numeric:
            return Column(self.name, False)
        if self._settings.numeric == "bins":
            return Column(self.name, True, edges=self._edges(), is_binned=True)
        if self._settings.numeric == "value":
            return Column(self.name, True)
        deviation = float(np.sqrt(self._squares / self._count))
        return Column(self.name, True, self._mean, deviation if deviation > 0 else 1.0)

    def notes(self, where: str, unit: str) -> list[str]:
        """Why a column that holds numbers with a fraction, but for a few cells, is a category.

        Raises:
            InputError: its numbers have decimal commas.
        """
        others = self._others
        if others.first is None or not others.are_few:
            return []
        is_likely_numeric = self._has_fraction and others.share <= RARE
        if others.first_comma is not None and others.are_commas and not is_likely_numeric:
            line, cell = others.first_comma
            raise InputError(
                f"{where} {line}: numbers have a decimal point, but column {self.name!r} holds {cell!r}; write points for "
                "commas, or name the column in `categorical_columns`"
            )
        if not is_likely_numeric:
            return []
        line, cell = others.first
        return [
            f"column {self.name!r} is a category, since {unit} {line} holds {cell!r}, though {1 - others.share:.1%} of its cells "
            "are numbers; correct such cells to make it numeric, or name it in `categorical_columns`"
        ]

    def _edges(self) -> tuple[float, ...]:
        """A bin holds the values from one edge, inclusive, to the next. No edge is the least value, since nothing is below it."""
        edges = np.unique(np.quantile(self._values, np.linspace(0, 1, self._settings.bins + 1)[1:-1]))
        return tuple(edges[edges > self._values.min()].tolist())

    def _count_in(self, numbers: np.ndarray) -> None:
        """Joins mean and squared deviations of two parts (Chan, Golub and LeVeque 1983)."""
        if not len(numbers):
            return
        count, mean = self._count + len(numbers), float(numbers.mean())
        away = mean - self._mean
        self._squares += float(((numbers - mean) ** 2).sum()) + away**2 * self._count * len(numbers) / count
        self._mean += away * len(numbers) / count
        self._count = count

    def _no_number(self, cells: Any, numbers: np.ndarray | None, where: str, lines: np.ndarray) -> InputError:
        place = first_no_number(cells) if numbers is None else int(np.argmax(np.isinf(numbers)))
        shown = str(cells[place].as_py())[:SHOWN]
        return InputError(
            f"{where} {lines[place]}: column {self.name!r} is numeric, but holds {shown!r}; correct it, or name the column in "
            "`categorical_columns`"
        )


class _NoNumbers:
    """What is known of the cells that keep a column from being numeric; the first one, and the first one with a decimal comma."""

    def __init__(self) -> None:
        self.n_numbers, self._n_others, self._n_commas = 0, 0, 0
        self.first: tuple[int, str] | None = None
        self.first_comma: tuple[int, str] | None = None

    def add(self, cells: Any, lines: np.ndarray) -> bool:
        """Count the cells; whether a number among them has a fraction."""
        numbers, others, commas = numbers_among(cells)
        numbers = numbers[~np.isnan(numbers)]
        self.first = self.first or _first(cells, lines, others)
        self.first_comma = self.first_comma or _first(cells, lines, commas)
        self.n_numbers += len(numbers)
        self._n_others += int(others.sum())
        self._n_commas += int(commas.sum())
        return bool((numbers % 1 != 0).any())

    @property
    def are_few(self) -> bool:
        """Whether at least as many cells are numbers, with a point or a comma; else there is no reason to look on."""
        return self.n_numbers + 2 * self._n_commas >= self._n_others

    @property
    def are_commas(self) -> bool:
        """Whether most of them are numbers with a decimal comma."""
        return self._n_commas >= (1 - RARE) * self._n_others

    @property
    def share(self) -> float:
        return self._n_others / (self._n_others + self.n_numbers)


def _first(cells: Any, lines: np.ndarray, wanted: np.ndarray) -> tuple[int, str] | None:
    """Line and text of the first wanted cell."""
    place = int(np.argmax(wanted)) if wanted.any() else -1
    return (int(lines[place]), str(cells[place].as_py())[:SHOWN]) if place >= 0 else None


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """splitmix64, as `numbering_kernel.mix`."""
    bits = numbers + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)), np.uint64)
