"""The ledger that opens the test range: each opening is written down before the bars are handed out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from market.ledger_pair import Known, LedgerPair, user_folder
from market.ledger_range import LedgerRange

OPENINGS = "openings.jsonl"
"""the user's ledger of openings, in `user_folder()`"""


LOST = "lost_of"
"""field of an opening whose run knew of so many earlier ones, when the ledgers had fewer lines"""


class OpeningLedger:
    """Counts openings of a test range in two append-only files, the project's and the user's, which any processes may share.

    An opening counts for every range of the same market and bar length whose time overlaps its own, whatever the file was called
    and wherever it lay. So a file that grows, loses bars, is renamed or copied keeps its count, and a deleted project does, too.
    A ledger with a broken chain opens nothing and counts nothing until it is put right: the count might be too low.

    Args:
        path: the project's, usually `studies/test_ledger.jsonl`; made on the first opening.
        user: the user's; None takes `openings.jsonl` in the folder that `COINDOJO_LEDGER` names, or else in `coindojo` in the
            system's folder for a user's state (`$XDG_STATE_HOME`, `~/.local/state`).
    """

    __test__ = False  # not a pytest class

    def __init__(self, path: Path, user: Path | None = None) -> None:
        self.path = path
        self._pair = LedgerPair(path, user or user_folder() / OPENINGS)

    def record(self, opened: LedgerRange, config_sha256: str, caller: str, at_least: int = 0) -> int | None:
        """Append an opening; returns what `openings` says from now on.

        Args:
            opened: the test range.
            config_sha256: of the settings that it is opened with.
            caller: script and run folder.
            at_least: openings that the caller knows of, for example from the metrics of its run. Ledgers with fewer lines have
                lost some, which makes the count unknown until they are restored.

        Raises:
            InputError: a line that is no entry or breaks the chain, named with its number; nothing is appended.
            OSError: the entry could not be written to disk; the ledger is as it was before.
        """
        known = self._pair.known()
        entry: dict[str, Any] = {"caller": caller, "config_sha256": config_sha256, **opened.as_json()}
        if not known.why_incomplete and len(_seen(opened, known)) < at_least:
            entry[LOST] = at_least
        return _count(opened, self._pair.record(entry))

    def openings(self, opened: LedgerRange) -> int | None:
        """How often bars of this test range have been opened; None if that is unknown (`why_unknown`).

        Raises:
            InputError: a line that is no entry or breaks the chain, named with its number.
        """
        return _count(opened, self._pair.known())

    def written(self, opened: LedgerRange) -> int:
        """Openings of this test range that either ledger holds a line of; there were more if `openings` is None."""
        return len(_seen(opened, self._pair.known()))

    def why_unknown(self, opened: LedgerRange) -> str:
        """Why the number of openings is unknown, and what to do; empty if it is known."""
        return _why_unknown(opened, self._pair.known())


def _seen(opened: LedgerRange, known: Known) -> list[Mapping[str, Any]]:
    return [entry for entry in known.entries if opened.is_seen_in(entry)]


def _count(opened: LedgerRange, known: Known) -> int | None:
    return None if _why_unknown(opened, known) else len(_seen(opened, known))


def _why_unknown(opened: LedgerRange, known: Known) -> str:
    seen = _seen(opened, known)
    for entry in seen:
        if LOST in entry and sum(other.get("time", "") < entry["time"] for other in seen) < entry[LOST]:
            return (
                f"when {entry['caller']} opened this test range, its run knew of {entry[LOST]:,} earlier openings, and the "
                "ledgers of fewer; restore those that were deleted"
            )
    return known.why_incomplete
