"""Says in words which rule a token of a libsvm or libffm line breaks, and what to do."""

import re

from features.fields.byte_parser import LARGEST_FIELD, LARGEST_INDEX

SHOWN = 40
"""characters of a damaged token that a message shows"""
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NO_NUMBER = re.compile(rb"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def complaint(text: bytes, at: int, with_fields: bool, labelled: bool = True) -> str:
    """What is wrong with the token that begins at a place of the text.

    Args:
        text: whole lines.
        at: where the token begins, which `parse` has refused.
        with_fields: whether entries are `field:index:value`.
        labelled: whether each line begins with its label.
    """
    line_begin = text.rfind(b"\n", 0, at) + 1
    token = re.split(rb"[ \t\n#]", text[at : at + 1_000], maxsplit=1)[0].removesuffix(b"\r")
    is_label = labelled and not text[line_begin:at].strip()
    rule, remedy = _label_rule(token) if is_label else _entry_rule(token, with_fields)
    return f"{rule}, but got {_shown(token)}; {remedy}"


def _label_rule(token: bytes) -> tuple[str, str]:
    if b":" in token:
        return "a line begins with its label", "write 0 or 1 before the first entry"
    if _is_too_large(token):
        return "a label must be a finite number", "correct or remove the line"
    return "a line begins with a label that is a number", "correct or remove the line, or set `format` if it has another one"


def _entry_rule(token: bytes, with_fields: bool) -> tuple[str, str]:
    form = "field:index:value" if with_fields else "index:value"
    parts = token.split(b":")
    if len(parts) == 3 and not with_fields and all(NUMBER.fullmatch(part) for part in parts):
        return f"an entry of a libsvm file is {form}", "set `format` to libffm"
    if len(parts) == 2 and with_fields and all(NUMBER.fullmatch(part) for part in parts):
        return f"an entry of a libffm file is {form}", "set `format` to libsvm, or put the field before the index"
    if len(parts) != form.count(":") + 1:
        return f"an entry is {form}", "correct or remove it"
    return _part_rule(parts, form)


def _part_rule(parts: list[bytes], form: str) -> tuple[str, str]:
    limits = zip(form.split(":")[:-1], (LARGEST_FIELD, LARGEST_INDEX) if len(parts) == 3 else (LARGEST_INDEX,), strict=True)
    for (name, largest), part in zip(limits, parts, strict=False):
        if not re.fullmatch(rb"\d+", part) or int(part[:20]) > largest:
            return f"the {name} of an entry is a whole number from 0 to {largest}", "renumber it"
    if _is_too_large(parts[-1]):
        return "a value must be finite, in float32", "leave the entry out where the value is missing"
    return f"an entry is {form}, with a number as its value", "correct or remove it"


def _is_too_large(token: bytes) -> bool:
    return bool(NO_NUMBER.fullmatch(token) or NUMBER.fullmatch(token))


def _shown(token: bytes) -> str:
    text = token[: 4 * SHOWN].decode("utf-8", "backslashreplace")
    return f"'{text if len(text) <= SHOWN else text[:SHOWN] + '...'}'"
