"""What is learned from the training file alone, and applied to every other: numbers of fields and features, bins, statistics."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import write_atomically
from features.fields.columns import Column
from features.fields.settings import FieldSettings

KEY_BITS = 32
"""of a feature's number, in the key of a feature that belongs to one field"""


@dataclass(frozen=True, eq=False)
class FieldSchema:
    """F fields with D features in all.

    Args:
        settings: those that the training file was read with.
        is_table: whether it was a CSV or Parquet file.
        field_numbers: int32 (F,), the number that each field has in the file; in a table that of its column.
        field_names: one for each field.
        keys: int64 (D,), what a feature is known by: its number, or field number << 32 | number; empty with hashing.
        owners: uint16 (D,), the field in which each feature was first seen; empty with hashing.
        shift, scale: float64 (D,), a value becomes (value - shift) * scale; empty without normalisation.
        columns: of a table, all but the label.
        words: of each column, the words of its features; empty for numeric columns.
    """

    settings: FieldSettings
    is_table: bool
    field_numbers: np.ndarray
    field_names: tuple[str, ...]
    keys: np.ndarray
    owners: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    columns: tuple[Column, ...] = ()
    words: tuple[Sequence[str], ...] = ()

    @property
    def n_features(self) -> int:
        return 1 << self.settings.hash_bits if self.settings.hash_bits else len(self.keys)

    def feature_name(self, feature: int) -> str:
        """`hour=17` in a table, `3:8672` (field and number) in a libffm file, `8672` where a number alone is the feature.

        Raises:
            IndexError: there is no such feature.
        """
        if not 0 <= feature < self.n_features:
            raise IndexError(f"features are 0 to {self.n_features - 1}, but feature {feature} was asked for")
        if self.settings.hash_bits:
            return f"hash {feature}"
        number, field = int(self.keys[feature]) & ((1 << KEY_BITS) - 1), int(self.owners[feature])
        if self.is_table:
            column = int(self.field_numbers[field])
            return self.columns[column].feature_name(number, self.words[column])
        return (
            str(number)
            if len(self.field_names) == 1 or self.settings.overlap == "share"
            else f"{self.field_names[field]}:{number}"
        )

    @property
    def sha256(self) -> str:
        """Of all that `save` writes: the same for schemas that treat every file alike and give the same names."""
        from features.fields.schema_file import to_bytes

        return hashlib.sha256(to_bytes(self)).hexdigest()

    def save(self, path: Path) -> None:
        """One file, which `load` reads. It holds no code."""
        from features.fields.schema_file import to_bytes

        write_atomically(path, to_bytes(self))

    @classmethod
    def load(cls, path: Path) -> "FieldSchema":
        """What `save` wrote.

        Raises:
            InputError: no such file, or a damaged one.
        """
        from features.fields.byte_streams import readable
        from features.fields.schema_file import from_bytes

        with readable(path):
            content = path.read_bytes()
        return from_bytes(content, path)
