"""The search of hyperparameters: an Optuna study, its trials, its workers and its figures. Imports `training` and below."""

from coindojo_rooms import open_room

# The names stand in __init__.pyi; each is loaded when it is first used.
__getattr__, __dir__, __all__ = open_room(__name__, __file__)
