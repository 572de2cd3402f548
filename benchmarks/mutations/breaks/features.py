"""Breaks of what is promised of `features`."""

from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = ()
