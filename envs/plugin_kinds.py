"""What a plugin may add here: rewards."""

from common import Kind
from envs.rewards import REWARDS, Fold


def _is_reward(value: object) -> bool:
    return isinstance(value, Fold) or hasattr(value, "py_func")


ENV_KINDS = (Kind("REWARDS", lambda: REWARDS, "a function under numba's `@njit`, or an `envs.Fold` of such", _is_reward),)
