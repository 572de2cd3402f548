"""Backtest, verdict, leak audit, oracles, report. What other rooms use lies in the parts: `evaluation.statistics` and so on.

Imports `agents` and the rooms below it."""

from lazy_loader import attach_stub

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
