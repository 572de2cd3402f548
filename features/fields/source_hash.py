"""The sha256 of a source file, remembered, so that a file of gigabytes is not read only to learn that nothing has changed."""

import hashlib
import json
import time
from pathlib import Path

from common import write_json
from features.fields.byte_streams import readable, sha256_of, writable_cache

SETTLED_NS = 2_000_000_000
"""a file that was changed within this time before it was hashed may be changed again under the same time stamp"""


def remembered_sha256(path: Path, folder: Path) -> str:
    """sha256 of the bytes of a file; from the folder's note where size, identity and times of the file are those of the note.

    Args:
        path: the file.
        folder: where the note is kept.

    Raises:
        InputError: the file cannot be read.
    """
    with readable(path):
        state = _state(path)
    note = folder / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.source"
    try:
        kept = json.loads(note.read_bytes())
        if kept["state"] == state:
            return str(kept["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    began, digest = time.time_ns(), sha256_of(path)
    if began - max(state[2:]) > SETTLED_NS:
        with writable_cache(folder):
            write_json(note, {"state": state, "sha256": digest})
    return digest


def _state(path: Path) -> list[int]:
    """Size, inode, and the times of the last change of content and of the file's own description."""
    found = path.stat()
    return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
