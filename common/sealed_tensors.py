"""Files of tensors that say what they are and that nothing in them has changed. Reading one runs no code.

A sealed file is a safetensors file whose metadata hold one text, `seal`: the sha256 of everything and, after a space, a JSON
description. It is one file, so it is put in place whole: weights and description belong together at any moment.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors, save as dump_tensors

from common.atomic_files import write_atomically
from common.errors import InputError, one_line

Tensors = dict[str, torch.Tensor]


class SealError(InputError):
    """A sealed file that is missing, damaged or of another kind; the message says which file and why."""


def write_sealed(path: Path, tensors: Tensors, about: Mapping[str, object]) -> None:
    """Write both, in one step: a reader sees the old file or the new one.

    Args:
        tensors: by name, of any shape and dtype.
        about: JSON values; its `kind` tells one sort of file from another.
    """
    # One storage each, for safetensors refuses views that share one.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(about, sort_keys=True, allow_nan=False)
    seal = f"{_digest(own, text)} {text}"  # one entry, since the order of several differs from run to run
    write_atomically(path, dump_tensors(own, {"seal": seal}))


def read_sealed(path: Path, kind: str) -> tuple[Tensors, dict[str, Any]]:
    """What `write_sealed` wrote.

    Raises:
        SealError: no such file, a damaged one, or one of another kind.
    """
    try:
        content = path.read_bytes()  # once, so that a file which is replaced meanwhile is read whole
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        digest, text = header["__metadata__"]["seal"].split(" ", 1)
        # Copies lie where torch aligns them, not where they lay in the file: the last bit of a product can depend on it.
        tensors = {name: tensor.clone() for name, tensor in load_tensors(content).items()}
        if _digest(tensors, text) != digest:
            raise SealError("its content is not what was written")
        about = json.loads(text)
        if about["kind"] != kind:
            raise SealError(f"it holds a {about['kind']}")
    except FileNotFoundError:
        raise SealError(f"there is no {kind} {path}") from None
    except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
        raise SealError(f"cannot read {path} as a {kind}: {one_line(error)}") from error
    return tensors, about


def _digest(tensors: Tensors, about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
