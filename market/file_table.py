"""The cells of a candle file with a name for each column. No column has a meaning yet, and nothing is judged."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class FileTable:
    """A candle file as rows and columns.

    Args:
        layout: what kind of file it is, for people.
        cells: one row a bar; the names of the columns are unique.
        place: what a row is called: `line` (CSV), `row` (Parquet, Feather) or `element` (JSON), counted from 1.
        numbers: int64 (T,) the line, row or element of each bar; counted from 1 if left out.
        symbol: what the file says beside its columns, empty if nothing.
        source: what the file says of its origin (our own Parquet does).
        notes: what was found out while reading, in words.
    """

    layout: str
    cells: pa.Table
    place: str
    numbers: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    symbol: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.numbers) != len(self.cells):
            object.__setattr__(self, "numbers", np.arange(1, len(self.cells) + 1))

    @property
    def columns(self) -> list[str]:
        return list(self.cells.column_names)


def unique_names(names: list[str]) -> list[str]:
    """Arrow wants unique names; a repeated or empty one becomes `column 3`."""
    return [name if name and names.index(name) == k else f"column {k + 1}" for k, name in enumerate(names)]
