"""Where the episodes of somebody's environment begin: the last bar that its first observation knows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from common import InputError
from evaluation.audit.compare import unequal
from evaluation.audit.environments import Player, parts_of
from evaluation.audit.foreign import PartError, UnplayableError, in_one_line
from evaluation.audit.futures import another_future
from market import Candles

LENGTHS = (400, 1_500, 6_000)
"""bars that an environment is tried on: the fewest that it plays"""
FEWEST_STEPS = 24


class Place(NamedTuple):
    """The first observation of an episode knows bar `first` of `length` candles; step k adds one bar, if `moves`."""

    first: int
    length: int
    fixed: bool
    """whether it is the same bar of fewer candles: not so where episodes begin at a random bar"""
    horizon: int
    """the last bar that the observation after `steps` steps knows"""
    steps: int


def locate(make: Callable[[Candles], Player], candles: Candles) -> Place:
    """Play the environment on a few candles and see which bars its observations know.

    Raises:
        InputError: it raises something, or plays no episode of 24 steps, on each of the lengths tried.
    """
    raised, steps, length = "", 0, 0
    for length in dict.fromkeys(min(length, len(candles)) for length in (*LENGTHS, len(candles))):
        part = candles[:length]
        try:
            player = make(part)
            steps = _steps(player)
        except PartError as error:
            raised = in_one_line(error)
            continue
        if steps >= FEWEST_STEPS:
            first = _known(make, part, 0)
            return Place(first, length, _same_of_fewer(make, part, first), _known(make, part, FEWEST_STEPS), FEWEST_STEPS)
        raised = ""
    if raised:
        raise UnplayableError(f"{raised}, on the first {length:,} of the true candles")
    raise InputError(
        f"the environment plays no episode of {FEWEST_STEPS} steps on {len(candles)} candles (it has {steps}); give more"
    )


def _same_of_fewer(make: Callable[[Candles], Player], candles: Candles, first: int) -> bool:
    """Whether episodes begin at that bar of fewer candles, too."""
    try:
        return all(_known(make, candles[: len(candles) - cut], 0) == first for cut in (7, len(candles) // 3))
    except Exception:
        return False


def _steps(player: Player) -> int:
    player.reset()
    player.action_space.seed(0)
    for k in range(FEWEST_STEPS):
        step = player.step(player.action_space.sample())
        if step.terminated or step.truncated:
            return k + 1
    return FEWEST_STEPS


def _known(make: Callable[[Candles], Player], candles: Candles, steps: int) -> int:
    """The last bar whose replacement changes what is seen after that many steps of one action."""
    true = _seen(make(candles), steps)
    low, high = -1, len(candles) - 1  # replacing all after `high` changes nothing, all after `low` something
    while high - low > 1:
        middle = (low + high) // 2
        other = _seen(make(another_future(candles, middle, "a thousandfold", 0)), steps)
        same = true.keys() == other.keys() and not any(unequal(true[k], other[k]).any() for k in true)
        low, high = (low, middle) if same else (middle, high)
    return high


def _seen(player: Player, steps: int) -> dict[str, np.ndarray]:
    step = player.reset()
    player.action_space.seed(1)
    action = player.action_space.sample()
    for _ in range(steps):
        step = player.step(action)
        if step.terminated or step.truncated:
            break
    return parts_of(step.observation)
