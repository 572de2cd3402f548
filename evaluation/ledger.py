"""The ledger that opens the test range: each opening is written down before the bars are handed out."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from market import InputError


class TestLedger:
    """Counts openings in an append-only file of JSON lines.

    Args:
        path: usually `studies/test_ledger.jsonl`; made on the first opening.
    """

    __test__ = False  # not a pytest class

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, data_sha256: str, config_sha256: str, caller: str) -> int:
        """Append an opening; returns how often these data's test range has now been opened."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "data_sha256": data_sha256,
            "config_sha256": config_sha256,
            "caller": caller,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:  # one write in append mode: lines of several processes never mix
            file.write((json.dumps(entry) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        return self.openings(data_sha256)

    def openings(self, data_sha256: str) -> int:
        """How often the test range of these data has been opened.

        Raises:
            InputError: a line that is not an entry, named with its number.
        """
        if not self.path.exists():
            return 0
        return sum(entry["data_sha256"] == data_sha256 for entry in self._entries())

    def _entries(self) -> list[dict[str, str]]:
        entries = []
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            try:
                entries.append({"data_sha256": json.loads(line)["data_sha256"]})
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"each line of {self.path} is one opening as JSON, but line {number} is {line[:60]!r}; restore it"
                ) from None
        return entries
