"""Which actions the audit of fills tries, and where an account that trades seldom can be tried at all."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from evaluation.audit.environments import Player, probes
from evaluation.audit.outcomes import Decision
from evaluation.audit.stage import Stage

SEARCHED_BARS = 1_000
"""of an episode in which one action is repeated: more than a month of hours"""
FEW = 4
"""actions that are repeated"""
MOST_BEFORE, FEW_BEFORE = 200, 12
"""bars before a decision of such an account: all of them, or only some where it comes late"""


def tried_actions(stage: Stage) -> tuple[Any, ...]:
    """The actions that an order is tried with."""
    stretch = stage.stretch(stage.first, stage.first + 8)
    assert stretch is not None
    return tuple(probes(stretch.player(stretch.candles).action_space, stage.scene.seed))


def some(actions: tuple[Any, ...], count: int, turn: int) -> tuple[Any, ...]:
    """That many actions from all over the list, others at each turn."""
    places = (np.linspace(0, len(actions), count, endpoint=False).astype(int) + turn) % len(actions)
    return tuple(actions[k] for k in dict.fromkeys(places.tolist()))


def sticky(actions: tuple[Any, ...], count: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """Random actions, each repeated for some bars."""
    script: list[Any] = []
    while len(script) < count:
        script += [actions[rng.integers(len(actions))]] * int(rng.geometric(0.2))
    return tuple(script[:count])


def seldom_decisions(stage: Stage) -> Iterator[Decision]:
    """Where repeating one action first comes to something else than repeating another one: the rebalancing of a week, say."""
    actions = some(tried_actions(stage), FEW, 0)
    stretch = stage.stretch(stage.first, stage.total)
    if stretch is None:
        return
    paid = [_paid(stretch.player(stretch.candles), action) for action in actions]
    steps = min(map(len, paid))
    apart = np.flatnonzero(np.ptp([told[:steps] for told in paid], axis=0) > 0)
    if apart.size:
        before = int(apart[0])
        kept = before if before <= MOST_BEFORE else FEW_BEFORE
        for action in actions:
            yield Decision(stage.first + before, (action,) * kept, actions)


def _paid(player: Player, action: Any) -> np.ndarray:
    """float64 (K,): what the account is worth after each step, or what was paid, if one action is repeated."""
    player.reset()
    told: list[float] = []
    for _ in range(SEARCHED_BARS):
        step = player.step(action)
        told.append(step.reward if step.worth is None else step.worth)
        if step.terminated or step.truncated:
            break
    return np.array(told)
