"""The hash of the content of rows, the same for rows in memory and in a file."""

import hashlib

import numpy as np

from features.fields.rows import FieldRows


class ContentHash:
    """sha256 of blocks of rows, in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, rows: FieldRows) -> None:
        """Add one block. Values that are all 1 add no bytes, as they take none in a file."""
        arrays = [rows.labels, rows.starts, rows.features, rows.fields]
        for array in arrays if only_ones(rows.values) else [*arrays, rows.values]:
            self._digest.update(np.ascontiguousarray(array).data)

    def hexdigest(self, field_names: tuple[str, ...], n_features: int) -> str:
        return hashlib.sha256(self._digest.digest() + repr((field_names, n_features)).encode()).hexdigest()


def only_ones(values: np.ndarray) -> bool:
    """Whether all values are 1, so that nothing has to be kept of them."""
    return bool((values == 1).all())
