"""Breaks of what is promised of `search`."""

from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = ()
