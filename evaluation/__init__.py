"""Backtest, verdict, leak audit, oracles, report. What other rooms use lies in the parts: `evaluation.statistics` and so on.

Imports `agents` and the rooms below it."""

from coindojo_rooms import open_room

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = open_room(__name__, __file__)
