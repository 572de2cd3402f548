"""Supervised models of the next closes, and the baselines that they must beat. Imports `market` and modules of `features`."""

from lazy_loader import attach_stub

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
