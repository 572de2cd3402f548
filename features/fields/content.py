"""The hash of the content of rows, the same for rows in memory and in a file."""

import hashlib
from typing import Any

import numpy as np

from features.fields.rows import FieldRows


def begin_digest(field_names: tuple[str, ...], n_features: int) -> Any:
    """A sha256 that `add_block` goes on with."""
    return hashlib.sha256(repr((field_names, n_features)).encode())


def add_block(digest: Any, rows: FieldRows) -> None:
    """Add one block. Values that are all 1 add no bytes, as they take none in a file."""
    arrays = [rows.labels, rows.starts, rows.features, rows.fields]
    for array in arrays if only_ones(rows.values) else [*arrays, rows.values]:
        digest.update(np.ascontiguousarray(array).data)


def only_ones(values: np.ndarray) -> bool:
    """Whether all values are 1, so that nothing has to be kept of them."""
    return bool((values == 1).all())
