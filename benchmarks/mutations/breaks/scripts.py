"""Breaks of what is promised of `scripts`."""

from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = ()
