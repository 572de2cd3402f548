"""Deliberate breaks of what the README promises; each must turn the test that the promise names red."""

from benchmarks.mutations.breaks import BREAKS
from benchmarks.mutations.patches import Break, PatchError, patched
from benchmarks.mutations.promises import Promise, promises

__all__ = ["BREAKS", "Break", "PatchError", "Promise", "patched", "promises"]
