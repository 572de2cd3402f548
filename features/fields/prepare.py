"""Turns a click-through file into a block file, once."""

from pathlib import Path

from features.fields.block_file import BlockFile
from features.fields.schema import FieldSchema
from features.fields.settings import FieldSettings


def prepare(
    path: Path, settings: FieldSettings, schema: FieldSchema | None = None, folder: Path = Path("cache/fields")
) -> BlockFile:
    """The file as blocks of rows."""
    raise NotImplementedError
