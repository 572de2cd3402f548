"""Writes a click-through file in another format."""

from pathlib import Path

from features.fields.settings import FieldSettings


def convert(source: Path, target: Path, settings: FieldSettings) -> None:
    """Write the rows of one file in the format of the other's name."""
    raise NotImplementedError
