"""The ledger that opens the test range: each opening is written down before the bars are handed out."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from common import InputError


class OpeningLedger:
    """Counts openings in an append-only file of JSON lines, which any number of processes may share.

    A ledger with a damaged line opens nothing and counts nothing until the line, named by its number, is put right: a count that
    left it out might be too low.

    Args:
        path: usually `studies/test_ledger.jsonl`; made on the first opening.
    """

    __test__ = False  # not a pytest class

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, data_sha256: str, config_sha256: str, caller: str) -> int:
        """Append an opening; returns how often these data's test range has now been opened.

        Raises:
            InputError: a line that is not an entry, named with its number; nothing is appended.
            OSError: the entry could not be written to disk; the ledger is as it was before.
        """
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "data_sha256": data_sha256,
            "config_sha256": config_sha256,
            "caller": caller,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(os.O_RDWR | os.O_CREAT | os.O_APPEND) as handle:
            content = _read(handle)
            before = self._count(content, data_sha256)
            new_line = b"\n" if content and not content.endswith(b"\n") else b""  # never glued onto an unfinished line
            _append(handle, new_line + json.dumps(entry).encode() + b"\n")
        return before + 1

    def openings(self, data_sha256: str) -> int:
        """How often the test range of these data has been opened.

        Raises:
            InputError: a line that is not an entry, named with its number.
        """
        if not self.path.exists():
            return 0
        with self._locked(os.O_RDONLY) as handle:
            return self._count(_read(handle), data_sha256)

    def _count(self, content: bytes, data_sha256: str) -> int:
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        count = 0
        for number, line in enumerate(lines, start=1):
            try:
                count += json.loads(line)["data_sha256"] == data_sha256
            except (ValueError, KeyError, TypeError):
                torn = number == len(lines) and not content.endswith(b"\n")
                remedy = "its writer died before it saw a bar: delete that line" if torn else "restore it"
                shown = line[:60].decode(errors="replace")
                raise InputError(
                    f"each line of {self.path} is one opening as JSON, but line {number} is {shown!r}; {remedy}"
                ) from None
        return count

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        """The open file, for one process at a time if it is to be written; a process that dies lets go of it."""
        handle = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if sys.platform != "win32":  # there, only the append itself keeps the lines apart
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX if flags & os.O_RDWR else fcntl.LOCK_SH)
            yield handle
        finally:
            os.close(handle)


def _read(handle: int) -> bytes:
    with open(handle, "rb", closefd=False) as file:
        return file.read()


def _append(handle: int, line: bytes) -> None:
    """Write all of it to the disk, or none of it."""
    size = os.fstat(handle).st_size
    try:
        while line:  # a nearly full disk takes a part, then refuses
            line = line[os.write(handle, line) :]
        os.fsync(handle)
    except BaseException:
        os.ftruncate(handle, size)
        raise
