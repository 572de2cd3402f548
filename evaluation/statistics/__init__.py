"""Figures of merit of an episode, how sure they are, and the verdict."""

from lazy_loader import attach_stub

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
