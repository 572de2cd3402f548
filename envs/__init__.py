"""The trading kernel, the rewards, and the environments: Gymnasium's, scalar and vector, and Stable-Baselines3's vector one.

Imports `features` and the rooms below it. Importing this package registers the environment with Gymnasium."""

from coindojo_rooms import open_room
from envs.registration import register as _register

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = open_room(__name__, __file__)
_register()
