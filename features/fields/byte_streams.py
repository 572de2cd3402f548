"""Opens the bytes of a file, unzips them where they are gzipped, and says in one line what is wrong with a file."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from common import InputError, one_line

HEAD_BYTES = 65_536
"""by which the format of a file is recognised"""
READ_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
OnBytes = Callable[[int], None]
"""is told how many bytes of the file have been read"""


@contextmanager
def readable(path: Path, verb: str = "read") -> Iterator[None]:
    """What goes wrong with the file within is one `InputError`, which says that it cannot be read, or written."""
    try:
        yield
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name a file in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a damaged gzip file ({one_line(error)}); copy it once more") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and verb == "read":
            raise InputError(f"there is no file {path}; name another") from None
        raise InputError(f"{path} cannot be {verb} ({error.strerror or one_line(error)}); name another file") from error


@contextmanager
def writable_cache(folder: Path) -> Iterator[None]:
    """What goes wrong with files of the cache within is one `InputError`, which names its folder."""
    try:
        yield
    except OSError as error:
        files = [place for place in (folder, *folder.parents) if place.is_file()]
        reason = f"{files[0]} is a file" if files else error.strerror or one_line(error)
        raise InputError(
            f"rows are kept in the folder {folder}, but it cannot be written ({reason}); make it writable, or run in "
            "another folder"
        ) from error


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The unzipped bytes, and the file as it lies on the disk, whose `tell` is the progress."""
    with readable(path), path.open("rb") as file:
        if not file.peek(2).startswith(GZIP_MAGIC):
            yield file, file
            return
        with gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(BinaryIO, unzipped), file


def head_of(path: Path) -> bytes:
    """The first bytes, unzipped."""
    with open_bytes(path) as (stream, _):
        return stream.read(HEAD_BYTES)


def sha256_of(path: Path) -> str:
    """Of the bytes on the disk."""
    digest = hashlib.sha256()
    with readable(path), path.open("rb") as file:
        while content := file.read(READ_BYTES):
            digest.update(content)
    return digest.hexdigest()
