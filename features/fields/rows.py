"""Rows of sparse fields, as the models of interactions learn from them: what a click log is made of, or a market cut into bins.

A row holds entries. Each says: in this field, this feature has this value. `hour=17` is a feature of the field `hour`; its value
is 1.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

BLOCK_ROWS = 65_536
"""rows of a block: what is in memory at a time"""


@dataclass(frozen=True, eq=False)
class FieldRows:
    """n rows with m entries in all, those of row i at `starts[i] : starts[i + 1]`.

    Args:
        labels: float32 (n,), 0 or 1 for the logistic loss, any number for the squared one.
        starts: int64 (n + 1,), from 0 to m.
        features: int32 (m,), numbers of features, from 0 on without a gap over all fields.
        fields: uint16 (m,), the number of each entry's field.
        values: float32 (m,), never 0.
    """

    labels: np.ndarray
    starts: np.ndarray
    features: np.ndarray
    fields: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> "FieldRows":
        """Successive rows, as views but for `starts`."""
        first, last, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows are taken one after the other, but got a step of {step}; leave it out")
        begin, end = int(self.starts[first]), int(self.starts[max(last, first)])
        entries = slice(begin, end)
        starts = self.starts[first : max(last, first) + 1] - begin
        return FieldRows(self.labels[first:last], starts, self.features[entries], self.fields[entries], self.values[entries])


class FieldData(Protocol):
    """Blocks of rows, in memory or in a file: what a model is trained on, and what it forecasts.

    Attributes:
        field_names: the F fields, by number.
        n_features: D, features of all fields together.
        n_rows: N rows in all blocks.
        sha256: of the content, so that a resumed training knows its data again.
    """

    @property
    def field_names(self) -> tuple[str, ...]: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def block(self, number: int) -> FieldRows:
        """Every block but the last one has `BLOCK_ROWS` rows. The arrays may be overwritten when the next block is read."""
        ...

    def feature_name(self, feature: int) -> str:
        """`hour=17`, for people."""
        ...
