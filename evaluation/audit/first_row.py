"""Whether the episodes of an environment of candles and rows begin at the first row, as the audit takes for granted."""

import numpy as np

from evaluation.audit.compare import unequal
from evaluation.audit.environments import Player, parts_of
from evaluation.audit.foreign import PartError, UnplayableError
from evaluation.audit.futures import Cut, another_future
from evaluation.audit.stage import Stage
from evaluation.audit.trading import spliced

SEEDS = (0, 1, 2, 3)
ELSEWHERE = (
    "the environment's episodes begin at a random bar (bar {first:,} or {second:,} by the seed), but those of an environment of "
    "candles and rows must begin at the first row; let them begin there, or hand over a function of the DataFrame alone that "
    "makes the environment"
)


def require_first_row(stage: Stage) -> None:
    """Raise where the seed decides at which bar an episode begins: that is no leak, but nothing can be compared then.

    An environment that looks ahead in its first observation looks as far ahead from every seed, and is left to the audit.

    Raises:
        UnplayableError: episodes begin at other bars from other seeds.
    """
    if stage.place is not None or stage.is_own or _same(stage, stage.first, SEEDS[0]):
        return
    known: list[int] = []
    for seed in SEEDS:
        known.append(_known(stage, seed))
        if known[-1] != known[0]:
            raise UnplayableError(ELSEWHERE.format(first=known[0], second=known[-1]))


def _known(stage: Stage, seed: int) -> int:
    """The last bar whose replacement changes the first observation."""
    low, high = stage.first - 1, stage.total - 1  # replacing all after `high` changes nothing, all after `low` something
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _same(stage, middle, seed) else (middle, high)
    return high


def _same(stage: Stage, bar: int, seed: int) -> bool:
    """Whether the first observation is the same with all after that bar replaced; so it is taken to be where that is refused."""
    stretch = stage.whole(stage.first)
    assert stretch is not None
    cut = Cut(0, stage.total, bar, "a thousandfold")
    rows = spliced(stage, cut, stage.first, stage.total)
    true = Player(stretch.player(stretch.candles).env, seed)
    try:
        other = Player(stretch.player(another_future(stretch.candles, bar, cut.kind, stage.scene.seed), rows).env, seed)
        one, two = (parts_of(player.reset().observation) for player in (true, other))
    except PartError:
        return True
    return one.keys() == two.keys() and not any(np.any(unequal(one[name], two[name])) for name in one)
