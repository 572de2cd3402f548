"""The settings of an experiment: one typed tree, YAML files that override it, and the command line over both."""

from lazy_loader import attach_stub

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
