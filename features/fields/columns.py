"""What is known of a column of a table: whether it is numeric, and its statistics and bins of train."""

from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """A column of a CSV or Parquet file.

    Attributes:
        name: in the header.
        is_numeric: whether it holds numbers; else each of its words is a feature.
        mean, deviation: of train, 0 and 1 where values are not standardised.
        edges: between bins, increasing; empty where values are not binned.
        is_binned: whether each bin is a feature; else the column is one feature, and the number is its value.
    """

    name: str
    is_numeric: bool
    mean: float = 0.0
    deviation: float = 1.0
    edges: tuple[float, ...] = ()
    is_binned: bool = False

    def feature_name(self, number: int, words: Sequence[str]) -> str:
        """`hour=17`, `price=[1.5, 2)`, or `price`."""
        if not self.is_numeric:
            return f"{self.name}={words[number]}"
        if not self.is_binned:
            return self.name
        low = f"[{self.edges[number - 1]:g}" if number else "(-inf"
        high = f"{self.edges[number]:g}" if number < len(self.edges) else "inf"
        return f"{self.name}={low}, {high})"
