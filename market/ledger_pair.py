"""A project's ledger and the user's, which outlives the project: every entry goes into both, and counts once."""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import InputError, one_line
from market.ledger_file import LedgerFile, Line, OpenLedger

FOLDER_VARIABLE = "COINDOJO_LEDGER"
"""environment variable that names another folder for the user's ledgers"""


def user_folder() -> Path:
    """The folder of the user's ledgers: `COINDOJO_LEDGER`, or `coindojo` in the system's folder for a user's state."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(os.path.expanduser(given))
    if sys.platform == "win32":
        default, state = "~/AppData/Local", os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        default, state = "~/Library/Application Support", None
    else:
        default, state = "~/.local/state", os.environ.get("XDG_STATE_HOME")
    folder = os.path.expanduser(state or default)
    # Without a home nothing can be written there, and the ledgers say so; a folder named `~` is not made.
    return Path(os.devnull if folder.startswith("~") else folder) / "coindojo"


@dataclass(frozen=True)
class Known:
    """What both ledgers hold.

    Args:
        entries: each once.
        why_incomplete: why there may be more, as a clause; empty if the user's ledger can be read and written.
    """

    entries: tuple[Mapping[str, Any], ...]
    why_incomplete: str


class LedgerPair:
    """Appends to both ledgers, and reads what either holds.

    The project's is written first. A line that the user's lacks is copied there as soon as it can be written. A copy says where
    its original stands, so that a project's ledger which has lost its last lines is seen.

    Args:
        project: file within the project; made by the first entry.
        user: file in the user's folder.
    """

    def __init__(self, project: Path, user: Path) -> None:
        self.project, self.user = LedgerFile(project), LedgerFile(user)

    def known(self) -> Known:
        """What either ledger holds.

        Raises:
            InputError: a broken chain, with the file and the line.
            OSError: the project's ledger is there and cannot be read.
        """
        with self._both() as (project, user, why):
            return self._known(project, user, why)

    def record(self, entry: Mapping[str, Any]) -> Known:
        """Append an entry once both chains were checked; returns what is known with it.

        Raises:
            InputError: a broken chain; nothing is appended.
            OSError: the project's ledger could not be written; it is as it was before.
        """
        with self._both(write=True) as (project, user, why):
            assert project is not None
            before = self._known(project, user, why)
            added = project.append([_stamped(entry)])
            why = before.why_incomplete or self._copy(added, project, user)
            return Known((*before.entries, added[0].entry), why)

    def add(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Append entries without reading what is there, so that it takes no longer in a long ledger.

        Raises:
            OSError: the project's ledger could not be written; it is as it was before.
        """
        with self._both(write=True) as (project, user, _):
            assert project is not None
            self._copy(project.append([_stamped(entry) for entry in entries]), project, user)

    @contextmanager
    def _both(self, write: bool = False) -> Iterator[tuple[OpenLedger | None, OpenLedger | None, str]]:
        """The project's, None while there is none to read; the user's, None with the reason if it cannot be written."""
        with ExitStack() as stack:
            there = write or self.project.path.exists()
            project = stack.enter_context(self.project.open(write)) if there else None
            try:
                user, why = stack.enter_context(self.user.open(write=True)), ""
            except OSError as error:
                user, why = None, self._unreachable(error)
            yield project, user, why

    def _known(self, project: OpenLedger | None, user: OpenLedger | None, why: str) -> Known:
        own, theirs = project.lines() if project else [], user.lines() if user else []
        self._require_tail(own, theirs)
        copied = {line.id for line in theirs}
        if project and (missing := [line for line in own if line.id not in copied]):
            why = why or self._copy(missing, project, user)
        return Known(tuple({line.id: line.entry for line in [*theirs, *own]}.values()), why)

    def _copy(self, lines: Sequence[Line], project: OpenLedger, user: OpenLedger | None) -> str:
        """Copy lines of the project's to the user's; returns why that could not be done, and `known` then does it later."""
        first = project.first()
        place = {"file": str(self.project.path.resolve()), "begins": first.hash if first else ""}
        copies = [{**line.entry, "id": line.id, "original": {**place, "line": line.number, "hash": line.hash}} for line in lines]
        try:
            if user:
                user.append(copies)
        except OSError as error:
            return self._unreachable(error)
        return ""

    def _require_tail(self, own: Sequence[Line], theirs: Sequence[Line]) -> None:
        """Raise `InputError` if the project's ledger ends before a line that was copied from it, or holds another there."""
        file = str(self.project.path.resolve())
        originals = [line.entry["original"] for line in theirs if "original" in line.entry]
        here = [place for place in originals if own and (place["file"], place["begins"]) == (file, own[0].hash)]
        for place in sorted(here, key=lambda place: int(place["line"])):
            number = int(place["line"])
            if number > len(own) or own[number - 1].hash != place["hash"]:
                raise InputError(
                    f"no line is ever removed, but line {number} of {self.project.path} is missing; {self.user.path} holds a "
                    "copy of it: restore the file, or move it away, and the copies still count"
                )

    def _unreachable(self, error: OSError) -> str:
        return (
            f"the user's ledger {self.user.path} cannot be written ({one_line(error)}); set {FOLDER_VARIABLE} to a folder that "
            "can, and that stays"
        )


def _stamped(entry: Mapping[str, Any]) -> dict[str, Any]:
    """With the time first, and an id of its own if it has none."""
    return {"time": datetime.now(UTC).isoformat(timespec="microseconds"), "id": uuid.uuid4().hex, **entry}
