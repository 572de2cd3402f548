"""A schema as one sealed safetensors file: arrays, a JSON description, and the sha256 of both. Reading it runs no code."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays, save as dump_arrays

from common import InputError, one_line
from features.fields.columns import Column
from features.fields.schema import FieldSchema
from features.fields.settings import FieldSettings

KIND = "field schema 1"
ARRAYS = ("field_numbers", "keys", "owners", "shift", "scale")
Arrays = dict[str, np.ndarray]


def to_bytes(schema: FieldSchema) -> bytes:
    """The same schema gives the same bytes."""
    arrays = {name: np.ascontiguousarray(getattr(schema, name)) for name in ARRAYS} | _packed(schema.words)
    about = {
        "kind": KIND,
        "settings": schema.settings.model_dump(mode="json"),
        "is_table": schema.is_table,
        "field_names": schema.field_names,
        "columns": [column._asdict() for column in schema.columns],
        "n_words": [len(words) for words in schema.words],
    }
    text = json.dumps(about, sort_keys=True, allow_nan=False)
    return dump_arrays(arrays, {"seal": f"{_digest(arrays, text)} {text}"})


def from_bytes(content: bytes, path: Path) -> FieldSchema:
    """What `to_bytes` made.

    Raises:
        InputError: the content is not what was written; the message names the path.
    """
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        digest, text = header["__metadata__"]["seal"].split(" ", 1)
        arrays = load_arrays(content)
        if _digest(arrays, text) != digest:
            raise InputError("its content is not what was written")
        return _from_parts(arrays, json.loads(text))
    except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
        raise InputError(f"cannot read {path} as a schema of fields: {one_line(error)}; write it again from train") from error


def _from_parts(arrays: Arrays, about: dict[str, Any]) -> FieldSchema:
    if about["kind"] != KIND:
        raise InputError(f"it holds a {about['kind']}")
    columns = tuple(Column(**column | {"edges": tuple(column["edges"])}) for column in about["columns"])
    return FieldSchema(
        settings=FieldSettings(**about["settings"]),
        is_table=about["is_table"],
        field_names=tuple(about["field_names"]),
        columns=columns,
        words=_unpacked(arrays, about["n_words"]),
        **{name: arrays[name] for name in ARRAYS},
    )


def _packed(words: tuple[Any, ...]) -> Arrays:
    """All words as one text, and where each ends."""
    encoded = [word.encode() for column in words for word in column]
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64) if encoded else np.zeros(0, np.int64)
    return {"words": np.frombuffer(b"".join(encoded), np.uint8), "word_ends": ends}


def _unpacked(arrays: Arrays, n_words: list[int]) -> tuple[list[str], ...]:
    text, ends = arrays["words"].tobytes(), arrays["word_ends"].tolist()
    words = iter([text[begin:end].decode() for begin, end in zip([0, *ends], ends, strict=False)])
    return tuple([next(words) for _ in range(count)] for count in n_words)


def _digest(arrays: Arrays, about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
