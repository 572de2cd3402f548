"""Rows of sparse fields: click-through files in the formats of their own field, and candles cut into bins."""

from coindojo_rooms import open_room

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = open_room(__name__, __file__)
