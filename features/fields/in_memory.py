"""Rows of fields that are arrays in memory: candles cut into bins, and small data."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from common import InputError
from features.fields.content import ContentHash
from features.fields.rows import BLOCK_ROWS, FieldRows


class RowsInMemory:
    """`FieldData` of arrays.

    Args:
        rows: N rows, whose features are below `n_features` and whose fields have a name.
        field_names: the F fields, by number.
        n_features: D, features of all fields together.
        feature_names: one for each feature; without them a feature is named by its number.

    Raises:
        InputError: a number without a feature or field, a value of 0, or arrays that do not fit each other.

    >>> one = FieldRows(np.ones(1, "f4"), np.array([0, 1]), np.zeros(1, "i4"), np.zeros(1, "u2"), np.ones(1, "f4"))
    >>> RowsInMemory(one, ("hour",), 24).n_rows
    1
    """

    def __init__(
        self, rows: FieldRows, field_names: Sequence[str], n_features: int, feature_names: Sequence[str] | None = None
    ) -> None:
        self.rows, self.field_names, self.n_features = rows, tuple(field_names), n_features
        self._feature_names = feature_names
        _require_fit(rows, len(self.field_names), n_features)
        if feature_names is not None and len(feature_names) != n_features:
            raise InputError(f"each of {n_features} features needs one name, but got {len(feature_names)} names")

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    @property
    def n_blocks(self) -> int:
        return -(-len(self.rows) // BLOCK_ROWS)

    @cached_property
    def sha256(self) -> str:
        content = ContentHash()
        for number in range(self.n_blocks):
            content.add(self.block(number))
        return content.hexdigest(self.field_names, self.n_features)

    def block(self, number: int) -> FieldRows:
        if not 0 <= number < self.n_blocks:
            raise IndexError(f"there are {self.n_blocks} blocks, but block {number} was asked for")
        return self.rows[number * BLOCK_ROWS : (number + 1) * BLOCK_ROWS]

    def feature_name(self, feature: int) -> str:
        return str(feature) if self._feature_names is None else self._feature_names[feature]


DTYPES = {"labels": "float32", "starts": "int64", "features": "int32", "fields": "uint16", "values": "float32"}


def _require_fit(rows: FieldRows, n_fields: int, n_features: int) -> None:
    for name, dtype in DTYPES.items():
        if (array := getattr(rows, name)).dtype != dtype or array.ndim != 1:
            raise InputError(f"`{name}` of rows must be {dtype} (n,), but got {array.dtype} {array.shape}; convert it")
    n_entries = len(rows.features)
    if not len(rows.fields) == len(rows.values) == n_entries:
        raise InputError(
            f"rows of {n_entries} features have {len(rows.fields)} fields and {len(rows.values)} values; give one each"
        )
    lengths = np.diff(rows.starts)
    if len(rows.starts) != len(rows) + 1 or rows.starts[0] or rows.starts[-1] != n_entries or (lengths < 0).any():
        raise InputError(f"`starts` of {len(rows)} rows must go from 0 to {n_entries} in {len(rows) + 1} steps that never fall")
    _require_numbers(rows, n_fields, n_features)


def _require_numbers(rows: FieldRows, n_fields: int, n_features: int) -> None:
    for name, numbers, limit in (("features", rows.features, n_features), ("fields", rows.fields, n_fields)):
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= limit):
            worst = int(numbers.min() if numbers.min() < 0 else numbers.max())
            raise InputError(f"numbers of {name} must be 0 to {limit - 1}, but got {worst}; renumber them without a gap")
    if (rows.values == 0).any() or not np.isfinite(rows.values).all() or not np.isfinite(rows.labels).all():
        raise InputError("values and labels must be finite, and no value may be 0; leave such entries out")
