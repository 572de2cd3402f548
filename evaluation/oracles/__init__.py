"""The best that was possible: policies that know a simulated market's state, and perfect foresight of the prices."""

from lazy_loader import attach_stub

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
