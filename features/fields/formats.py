"""The formats of click-through files."""

FORMATS: dict[str, object] = {}
