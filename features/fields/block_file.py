"""Rows of fields in one binary file, read a block at a time."""

from pathlib import Path

from features.fields.rows import FieldRows
from features.fields.schema import FieldSchema


class BlockFile:
    """`FieldData` of a file that `prepare` wrote."""

    notes: list[str]
    schema: FieldSchema
    field_names: tuple[str, ...]
    n_features: int
    n_rows: int
    n_blocks: int
    sha256: str

    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def block(self, number: int) -> FieldRows:
        raise NotImplementedError

    def feature_name(self, feature: int) -> str:
        raise NotImplementedError
