"""The base of every settings class, and what differs between two dumps of settings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen, validated group of settings; an unknown name is an error, the attribute's docstring is its help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )


def put_setting(tree: dict[str, Any], name: str, value: object) -> None:
    """Write a value into nested dictionaries by its dotted name, such as `env.fee_bps`; groups that are missing are made."""
    *groups, last = name.split(".")
    for group in groups:
        if not isinstance(tree.get(group), dict):
            tree[group] = {}
        tree = tree[group]
    tree[last] = value


def hash_of(content: object) -> str:
    """sha256 of the canonical JSON of a settings dump."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def differences(old: Mapping[str, object], new: Mapping[str, object], prefix: str = "") -> list[str]:
    """What differs between two nested JSON dicts, as `name: old -> new`."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{name}.")
        elif json.dumps(before) != json.dumps(after):
            found.append(f"{prefix}{name}: {_in_words(before, after)}")
    return found


def _in_words(before: object, after: object) -> str:
    """Numbers in four digits, if these tell them apart."""
    short = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in (before, after)]
    return " -> ".join(short if short[0] != short[1] else (repr(before), repr(after)))
