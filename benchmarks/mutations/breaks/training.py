"""Breaks of what is promised of `training`."""

from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = ()
