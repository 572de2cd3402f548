"""The measured figures that README and docs quote. Benchmarks keep them in docs/figures.json; a test holds the pages against it.

    python -m benchmarks.features --keep    # measure, and keep the figures of that benchmark
    python -m benchmarks.figures            # list the numbers of the pages that differ from what was measured
    python -m benchmarks.figures --write    # ... and correct them

A page marks a number with the name of its figure in a comment that readers do not see: `10<!-- features.sarimax_times --> times`.
The number is the figure, rounded to the decimals that the page shows; an integer may be rounded to three digits.
"""

import argparse
import datetime
import json
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from common import write_json

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "figures.json"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARKED = re.compile(r"(?P<number>[+-]?\d[\d,]*(?:\.\d+)?)(?P<percent> ?%)?<!-- (?P<name>\w+\.\w+) -->")
DIGITS = 3
"""an integer is never rounded to fewer: 898,000 for 898,412, but 10 is 10"""


class Quoted(NamedTuple):
    """A marked number of a page."""

    page: Path
    line: int
    number: str
    percent: bool
    name: str


def option(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, with the option that every benchmark has."""
    parser.add_argument("--keep", action="store_true", help="keep the figures that the pages quote in docs/figures.json")
    return parser


def keep(benchmark: str, figures: Mapping[str, float], file: Path = FILE, given: str = "") -> None:
    """Replace the figures of one benchmark, and leave those of all others.

    Args:
        benchmark: its module, such as `features`.
        figures: by name, in the units of the page; a percentage is a share.
        given: what else the command takes, such as "FILE ".
    """
    whole = json.loads(file.read_text()) if file.exists() else {}
    whole[benchmark] = {
        "command": f"python -m benchmarks.{benchmark} {given}--keep",
        "measured": datetime.date.today().isoformat(),
        "machine": machine(),
        "figures": {name: float(f"{value:.6g}") for name, value in figures.items()},
    }
    write_json(file, dict(sorted(whole.items())))


def kept(file: Path = FILE) -> dict[str, float]:
    """All figures, as `benchmark.name`."""
    whole = json.loads(file.read_text()) if file.exists() else {}
    return {f"{benchmark}.{name}": value for benchmark, entry in whole.items() for name, value in entry["figures"].items()}


def machine() -> str:
    """Name of the processor, where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def quoted(page: Path) -> Iterator[Quoted]:
    """The marked numbers of a page."""
    for line, text in enumerate(page.read_text().splitlines(), start=1):
        for found in MARKED.finditer(text):
            yield Quoted(page, line, found["number"], found["percent"] is not None, found["name"])


def as_shown(number: str, percent: bool, value: float) -> str:
    """The figure, in the form that the page has given it."""
    value = 100 * value if percent else value
    decimals = len(number.partition(".")[2])
    digits = number.strip("+-").replace(",", "")
    zeros = 0 if decimals else min(len(digits) - len(digits.rstrip("0")), max(len(digits) - DIGITS, 0))
    sign = "+" if number.startswith("+") else ""
    return f"{round(value, decimals - zeros):{sign},.{decimals}f}"


def stale(page: Path, figures: Mapping[str, float]) -> list[str]:
    """One line for each number of the page that is not what was measured."""
    lines = []
    for one in quoted(page):
        where = f"{page.name}, line {one.line}: {one.name}"
        if one.name not in figures:
            lines.append(f"{where} is not in {FILE.name}; run its benchmark with --keep, or correct the name")
        elif (right := as_shown(one.number, one.percent, figures[one.name])) != one.number:
            lines.append(f"{where} was measured as {right}, but the page says {one.number}; `--write` corrects it")
    return lines


def correct(page: Path, figures: Mapping[str, float]) -> None:
    """Write what was measured into the page."""

    def right(found: re.Match[str]) -> str:
        if found["name"] not in figures:
            return found[0]
        shown = as_shown(found["number"], found["percent"] is not None, figures[found["name"]])
        return shown + found[0].removeprefix(found["number"])

    page.write_text(MARKED.sub(right, page.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="correct the pages")
    options, figures = parser.parse_args(), kept()
    for page in PAGES:
        if options.write:
            correct(page, figures)
    lines = [line for page in PAGES for line in stale(page, figures)]
    print("\n".join(lines) or "every marked number is what was measured")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
