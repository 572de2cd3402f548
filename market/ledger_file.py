"""An append-only file of JSON lines, each chained to the one before by a hash, which any number of processes may share."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import InputError

CHAIN = ("line", "previous", "hash")
"""fields that the file adds to an entry: its line number, the hash of the line before, and the hash of this line"""
TAIL_BYTES = 65_536
"""read from the end of a file to find its last line; a line is some hundred bytes long"""


@dataclass(frozen=True)
class Line:
    """One entry of a ledger, with its place in the chain."""

    number: int
    entry: Mapping[str, Any]
    hash: str

    @property
    def id(self) -> str:
        """The same for the copies of a line in other ledgers; a line of an older version has none, and takes its hash."""
        return str(self.entry.get("id", self.hash))


class LedgerFile:
    """Reads and appends lines, for one process at a time.

    Whoever removes, edits or moves a line breaks the chain at that line, and the file is refused until it is put right: a count
    that left a line out might be too low. The only line that is passed over is a last one that is cut short. Its writer died
    before it handed anything out, and the next writer removes it.

    Args:
        path: made by the first writer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def open(self, write: bool = False) -> Iterator["OpenLedger"]:
        """The file, locked until the block ends; other readers may share it, other writers wait.

        Raises:
            OSError: it cannot be opened, or made.
        """
        if write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND if write else os.O_RDONLY
        handle = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if sys.platform != "win32":  # there, only the append itself keeps the lines apart
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            yield OpenLedger(self.path, handle)
        finally:
            os.close(handle)  # lets go of the lock, as the end of a process does


class OpenLedger:
    """A ledger's file while it is locked."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle

    def lines(self) -> list[Line]:
        """Every line, after the whole chain was checked.

        Raises:
            InputError: a line that is no entry or breaks the chain, named with its number.
        """
        found: list[Line] = []
        for raw in self._whole_lines(0):
            found.append(self._line(raw, len(found) + 1, found[-1].hash if found else ""))
        return found

    def first(self) -> Line | None:
        """The first line alone; it tells one ledger from another."""
        with open(self._handle, "rb", closefd=False) as file:
            file.seek(0)
            start = file.readline().removesuffix(b"\n")
        return self._line(start, 1, "") if _entry_of(start) is not None else None

    def append(self, entries: Sequence[Mapping[str, Any]]) -> list[Line]:
        """Write all of the entries to the disk, or none of them.

        Reads the last line alone, so that a long file costs no more than a short one.

        Raises:
            OSError: the disk refused; the file is as it was before.
        """
        last = self._last()
        number, previous = (last.number, last.hash) if last else (0, "")
        added, texts = [], []
        for entry in entries:
            number += 1
            chained = {**entry, "line": number, "previous": previous}
            previous = _hash(previous, _canonical(chained))
            texts.append(json.dumps({**chained, "hash": previous}).encode() + b"\n")
            added.append(Line(number, entry, previous))
        self._write(b"".join(texts))
        return added

    def _last(self) -> Line | None:
        """The last line; its chain is checked only where it stands in a file of an older version."""
        *_, raw = [b"", *self._whole_lines(max(self._size - TAIL_BYTES, 0))]
        entry = _entry_of(raw)
        if entry is not None and entry.get("hash") and entry["hash"] == _hash(str(entry.get("previous")), _canonical(entry)):
            return Line(int(entry["line"]), _without_chain(entry), entry["hash"])
        lines = self.lines()
        return lines[-1] if lines else None

    def _whole_lines(self, start: int) -> list[bytes]:
        """The lines from a byte on, without one that is cut short at the end."""
        *lines, last = self._read(start).split(b"\n")
        return [*lines, last] if last and _entry_of(last) is not None else lines

    def _unended(self) -> bytes:
        """What stands behind the last line end; usually nothing."""
        tail = self._read(max(self._size - TAIL_BYTES, 0))
        return (tail if b"\n" in tail else self._read(0)).rpartition(b"\n")[2]

    @property
    def _size(self) -> int:
        return os.fstat(self._handle).st_size

    def _read(self, start: int) -> bytes:
        with open(self._handle, "rb", closefd=False) as file:
            file.seek(start)
            return file.read()

    def _line(self, raw: bytes, number: int, previous: str) -> Line:
        entry = _entry_of(raw)
        if entry is None:
            shown = raw[:60].decode(errors="replace")
            raise self._broken(f"each line is one entry as JSON, but line {number} is {shown!r}")
        if "hash" not in entry:  # of an older version: the next line holds it fast
            return Line(number, entry, _hash(previous, raw))
        if entry["hash"] != _hash(str(entry.get("previous")), _canonical(entry)):
            raise self._broken(f"no line is ever changed, but line {number} was edited after it had been written")
        if entry["line"] != number:
            raise self._broken(
                f"no line is ever removed or moved, but line {number} is missing: line {entry['line']} stands in its place"
            )
        if entry["previous"] != previous:
            raise self._broken(f"no line is ever changed, but a line before line {number} was edited or replaced")
        return Line(number, _without_chain(entry), entry["hash"])

    def _broken(self, rule: str) -> InputError:
        return InputError(
            f"the count in {self._path} cannot be trusted: {rule}; restore the file, or move it away if the other ledger "
            "(the user's for a project's, and the reverse) still holds its lines"
        )

    def _write(self, text: bytes) -> None:
        keep, unended = self._size, self._unended()
        if unended and _entry_of(unended) is None:  # cut short by the end of its writer
            keep -= len(unended)
            os.ftruncate(self._handle, keep)
        elif unended:
            text = b"\n" + text
        try:
            while text:  # a nearly full disk takes a part, then refuses
                text = text[os.write(self._handle, text) :]
            os.fsync(self._handle)
        except BaseException:
            os.ftruncate(self._handle, keep)
            raise


def _entry_of(raw: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(raw)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("data_sha256"), str) else None


def _without_chain(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in CHAIN}


def _canonical(entry: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in entry.items() if name != "hash"}, sort_keys=True).encode()


def _hash(previous: str, content: bytes) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + content).hexdigest()
