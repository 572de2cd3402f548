"""Rows as a file holds them: fields and features have the numbers of the file, and labels are as written."""

from typing import NamedTuple

import numpy as np


class RawRows(NamedTuple):
    """n successive rows of a file, with m entries.

    Attributes:
        labels: float64 (n,).
        starts: int64 (n + 1,), entries of row i are `starts[i] : starts[i + 1]`.
        fields: int32 (m,), field numbers of the file; the number of the column in a table.
        numbers: int64 (m,), feature numbers of the file; in a table the number of the word or bin within its column, and -1 for a
            word that train never showed.
        values: float32 (m,), which may be 0.
        lines: int64 (n,), where each row stands in the file, from 1 on.
    """

    labels: np.ndarray
    starts: np.ndarray
    fields: np.ndarray
    numbers: np.ndarray
    values: np.ndarray
    lines: np.ndarray
