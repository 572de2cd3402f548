"""What an action means: read, checked, and translated into the numbers that the kernel takes."""

import operator
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from common import InputError, cached
from envs import kernel
from envs.settings import EnvSettings


class Actions:
    """The actions of an `action_scheme`.

    Attributes:
        space: of one account.
    """

    def __init__(self, settings: EnvSettings) -> None:
        orders = settings.action_scheme == "orders"
        self._continuous = settings.action_scheme == "continuous"
        self._table = np.arange(kernel.N_ORDERS, dtype=np.float64) if orders else np.array(settings.targets)
        self._lowest, self._highest = settings.lowest_exposure, settings.max_leverage
        self._rule = "a number from -1 to 1" if self._continuous else f"an integer from 0 to {len(self._table) - 1}"
        self.space: spaces.Space[Any] = (
            spaces.Box(-1.0, 1.0, (1,), np.float32) if self._continuous else spaces.Discrete(len(self._table))
        )

    @property
    def listed(self) -> np.ndarray:
        """The kernel's number of each action, float64 (A,).

        Raises:
            InputError: a continuous action, of which there is no list.
        """
        if self._continuous:
            raise InputError("a mask needs a list of actions, but `action_scheme: continuous` has none; use orders or targets")
        return self._table

    def read(self, given: Any, out: np.ndarray) -> None:
        """Write the kernel's numbers, float64 (n,): orders 0 to 11 or exposures.

        Raises:
            InputError: not n actions of the space.
        """
        n = len(out)
        bad = 0
        try:
            actions = np.asarray(given)
        except ValueError:  # a ragged list
            actions = np.array(None)
        if self._continuous:
            if actions.size == n and actions.dtype.kind in "fiu":
                bad = _scale(actions.reshape(n).astype(np.float64, copy=False), self._lowest, self._highest, out)
        elif actions.shape == (n,) and actions.dtype.kind in "iu":
            bad = _look_up(actions.astype(np.int64, copy=False), self._table, out)
        if bad >= 0:
            raise InputError(f"actions must be {n} times {self._rule}, but got {given!r}")

    def read_one(self, action: Any, out: np.ndarray) -> None:
        """The same for a single account, out (1,), whose action is a plain number too."""
        if self._continuous:
            return self.read(action if np.ndim(action) else [action], out)
        try:
            number = operator.index(action)
        except TypeError:
            number = -1
        if isinstance(action, bool) or not 0 <= number < len(self._table):
            raise InputError(f"an action must be {self._rule}, but got {action!r}")
        out[0] = self._table[number]


@cached(njit)
def _look_up(actions: np.ndarray, table: np.ndarray, out: np.ndarray) -> int:
    """out[i] = table[actions[i]]; returns the first account whose action is not in the table, or -1."""
    for i in range(len(actions)):
        if not 0 <= actions[i] < len(table):
            return i
        out[i] = table[actions[i]]
    return -1


@cached(njit)
def _scale(actions: np.ndarray, lowest: float, highest: float, out: np.ndarray) -> int:
    """Map -1 .. 1 to lowest .. highest; returns the first account whose action lies outside (or is NaN), or -1."""
    for i in range(len(actions)):
        if not -1.0 <= actions[i] <= 1.0:
            return i
        out[i] = lowest + 0.5 * (actions[i] + 1.0) * (highest - lowest)
    return -1


def in_words(action: Any, settings: EnvSettings) -> str:
    """What an action asks for.

    >>> in_words(1, EnvSettings())
    'buy with 1/2 of the cash'
    """
    number = np.zeros(1)
    Actions(settings).read_one(action, number)
    if settings.action_scheme != "orders":
        return f"hold coin worth {number[0]:.0%} of the net worth"
    side, parts = divmod(int(number[0]), kernel.N_ORDERS // 3)
    share = f"1/{parts + 1}" if parts else "all"
    if side == kernel.HOLD:
        return "hold"
    if not settings.margin:
        return f"buy with {share} of the cash" if side == kernel.BUY else f"sell {share} of the coin"
    verb, opposite, limit = ("buy", "short", "highest") if side == kernel.BUY else ("sell", "long", "lowest")
    return f"{verb} {share} of what closes a {opposite} position, or of what is left to the {limit} exposure"
