"""Which labels a loss can learn from, over all rows of a file; and rows that are forecast, whose labels nobody needs."""

from pathlib import Path
from typing import Literal

import numpy as np

from common import InputError

Labels = Literal["needed", "ignored"]
"""of a file: rows to learn from or to judge by need them; rows that are only forecast may have some or none"""


class NoLabels:
    """Labels of 0 for rows that are only forecast, whatever the file says.

    Args:
        unit: what the place of a row is called, line or row.
    """

    def __init__(self, unit: str) -> None:
        self._unit, self._n_rows, self._first, self._last = unit, 0, 1, 0

    def applied(self, labels: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """float32 (n,)"""
        if len(lines):
            self._first = self._first if self._n_rows else int(lines[0])
            self._last, self._n_rows = int(lines[-1]), self._n_rows + len(lines)
        return np.zeros(len(labels), np.float32)

    @property
    def notes(self) -> list[str]:
        """Blank lines between rows: whoever counts lines would miss their forecasts."""
        skipped = self._last - self._first + 1 - self._n_rows
        return [f"{self._unit}s that hold no row, since they are blank or a comment: {skipped:,}"] if skipped else []


class LabelRule:
    """Holds the labels of one file to the rule of the loss.

    Args:
        path: the file, for messages.
        loss: logloss wants 0 and 1, or -1 and 1; squared any finite numbers.
        unit: what the place of a row is called, line or row.
    """

    def __init__(self, path: Path, loss: str, unit: str = "line") -> None:
        self._path, self._loss, self._unit = path, loss, unit
        self._first: dict[int, int] = {}
        self.notes: list[str] = []

    def applied(self, labels: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """float32 (n,): the labels that a model learns; -1 is 0 with the logistic loss.

        Raises:
            InputError: a label that the loss cannot learn from, or -1 and 0 in the same file.
        """
        if self._loss == "squared":
            return labels.astype(np.float32)
        self._require(labels, lines, (labels == 1) | (labels == 0) | (labels == -1))
        for label in (-1, 0):
            if label not in self._first and len(places := np.flatnonzero(labels == label)):
                self._first[label] = int(lines[places[0]])
        if len(self._first) == 2:
            raise InputError(
                f"labels are 0 and 1, or -1 and 1, but {self._path} has -1 in {self._unit} {self._first[-1]} and 0 in "
                f"{self._unit} {self._first[0]}; write one of them for both, or set `loss` to squared"
            )
        return (labels > 0).astype(np.float32)

    def _require(self, labels: np.ndarray, lines: np.ndarray, good: np.ndarray) -> None:
        if not good.all():
            row = int(np.argmin(good))
            raise InputError(
                f"{self._path}, {self._unit} {lines[row]}: a label is 0 or 1, or -1 or 1, but got {labels[row]:g}; "
                "set `loss` to squared for other numbers"
            )
