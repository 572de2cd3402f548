"""The leak audit of candles, a pipeline, an environment and an agent: its checks, and the other futures that it tries."""

from coindojo_rooms import open_room

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = open_room(__name__, __file__)
