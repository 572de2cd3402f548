"""What the text of a setting means, on a command line or in a YAML file: the type of the setting decides, not YAML.

So `--name 2024` and `name: on` are texts, `--features.volatility_bars 6` is a list of one, and `--train.steps 1e6` is a number.
What cannot be read stays as it was written; the validation of the settings says what is wrong with it.
"""

from types import NoneType
from typing import Any, Literal, get_args, get_origin

import yaml

from common import Settings

NULL = "null"
"""what stands for "none", where a setting may have none"""
TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""as YAML and the shell write them"""
KEPT_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class TextLoader(yaml.SafeLoader):
    """YAML whose plain words are texts, but for an empty value, `~` and `null`, and `<<`, which merges mappings."""


TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_command_line(text: str, annotation: Any) -> Any:
    """The value that an option's text means for a setting of this type.

    Args:
        text: as it was given; lists by commas or in brackets, mappings as YAML.
        annotation: the setting's type.
    """
    kind = _kind_of(annotation)
    if text == NULL and NoneType in get_args(annotation):
        return None
    bracketed = get_origin(kind) is tuple and text.lstrip().startswith("[")
    return as_meant(_parsed(text) if bracketed or get_origin(kind) is dict else text, annotation)


def as_meant(written: Any, annotation: Any) -> Any:
    """The value that what `TextLoader` has read means for a setting, or a group of settings, of this type."""
    kind = _kind_of(annotation)
    if isinstance(written, dict):
        return {name: as_meant(value, _type_within(kind, name)) for name, value in written.items()}
    if isinstance(written, list):
        return [as_meant(part, _type_within(kind, place)) for place, part in enumerate(written)]
    if not isinstance(written, str):
        return written
    if get_origin(kind) is tuple:
        return as_meant([part.strip() for part in written.split(",") if part.strip()], kind)
    if get_origin(kind) is Literal:
        return {str(choice): choice for choice in get_args(kind)}.get(written, written)
    return TRUTHS.get(written.lower(), written) if kind is bool else _number(written) if kind in (int, float) else written


def _kind_of(annotation: Any) -> Any:
    """The type without `None`."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) and len(kinds) == 1 else annotation


def _type_within(kind: Any, place: Any) -> Any:
    """The type of one setting of a group, of a mapping's values, or of a list's item; `str` where there is none."""
    types = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Settings):
        return kind.model_fields[place].annotation if place in kind.model_fields else str
    if get_origin(kind) is dict:
        return types[1]
    if get_origin(kind) is tuple and isinstance(place, int):
        return types[0] if types[-1] is Ellipsis else types[min(place, len(types) - 1)]
    return str


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text


def _parsed(text: str) -> Any:
    try:
        return yaml.load(text, TextLoader)
    except yaml.YAMLError:
        return text
