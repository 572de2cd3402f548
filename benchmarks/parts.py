"""Benchmarks that take minutes can be measured part by part: `--only PART --keep` leaves the figures of the other parts."""

import argparse
from collections.abc import Callable, Sequence

from benchmarks import figures


def parser_of(description: str | None, parts: Sequence[str]) -> argparse.ArgumentParser:
    """A parser with `--keep`, and `--only` for one of the parts."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=parts, help="measure one part alone")
    return figures.option(parser)


def run(benchmark: str, parts: dict[str, Callable[[], dict[str, float]]], options: argparse.Namespace) -> None:
    """Measure all parts, or the one of `--only`, and keep each one's figures as soon as they are there, if asked to.

    Args:
        benchmark: its module.
        parts: by name, what measures, prints and returns figures, whose names all begin with that of the part.
        options: `only` and `keep`, and `given` for what else the command takes.
    """
    for name in parts if options.only is None else [options.only]:
        found = parts[name]()
        if options.keep:
            figures.keep(benchmark, others(benchmark, name) | found, given=getattr(options, "given", ""))


def others(benchmark: str, part: str) -> dict[str, float]:
    """The kept figures of a benchmark that are not of this part."""
    return {name: value for name, value in of(benchmark).items() if not name.startswith(f"{part}_")}


def of(benchmark: str) -> dict[str, float]:
    """The kept figures of a benchmark, by their names alone."""
    start = f"{benchmark}."
    return {name.removeprefix(start): value for name, value in figures.kept().items() if name.startswith(start)}
