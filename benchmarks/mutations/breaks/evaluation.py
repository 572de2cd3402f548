"""Breaks of what is promised of `evaluation`."""

from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = ()
