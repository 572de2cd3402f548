"""The promises of the README: the rows of its table."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<words>.+?) \| `(?P<test>tests/[^`]+)` \|$", re.MULTILINE)


class Promise(NamedTuple):
    """A row: what is promised, and the test that keeps it, as pytest names it (a file, or `file::test`)."""

    words: str
    test: str


def promises(readme: Path = ROOT / "README.md") -> list[Promise]:
    """The rows in their order."""
    return [Promise(found["words"], found["test"]) for found in ROW.finditer(readme.read_text())]
