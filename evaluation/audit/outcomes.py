"""What each action led to, for every shape that the bar after the decision can have."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from evaluation.audit.environments import Step, worth_name
from evaluation.audit.next_bars import NextBar, with_next_bar
from evaluation.audit.stage import Stage

BARS_AFTER = 2
SETTLED = 2
"""further steps of one action, after which most rewards of a trade are paid"""


class Decision(NamedTuple):
    """At the close of `bar`, after the actions `before` it, each of `actions` is tried."""

    bar: int
    before: tuple[Any, ...]
    actions: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Arrays (S, A): shapes of the next bar by actions.

    Args:
        paid: what the account is worth after the next bar, or what was paid.
        fill: the price of a fill in that step; NaN where none is told, or nothing was filled.
        ended: whether the episode was terminated, or the account was lost.
        tells_fills: whether the environment names prices of fills at all.
        worth: the entry of `info` that `paid` comes from, or `reward`.
    """

    decision: Decision
    shapes: tuple[NextBar, ...]
    paid: np.ndarray
    fill: np.ndarray
    ended: np.ndarray
    worth: str

    def of(self, shape: NextBar) -> np.ndarray:
        """float64 (A,): what was paid."""
        return np.asarray(self.paid[self.shapes.index(shape)])

    def fills(self, shape: NextBar) -> np.ndarray:
        return np.asarray(self.fill[self.shapes.index(shape)])

    def lost(self, shape: NextBar) -> np.ndarray:
        return np.asarray(self.ended[self.shapes.index(shape)])

    @cached_property
    def noise(self) -> float:
        """What two outcomes may differ by for the way that they were computed."""
        return 1e-7 * float(np.abs(self.paid).max()) + 1e-12

    @property
    def moved(self) -> bool:
        """Whether any shape of the next bar pays anything."""
        return bool(np.ptp(self.paid, axis=0).max() > self.noise)

    @property
    def differ(self) -> bool:
        """Whether the action makes a difference at all."""
        return bool(np.ptp(self.paid, axis=1).max() > self.noise)


def play(
    stage: Stage, decision: Decision, shapes: tuple[NextBar, ...], then: Any = None, steps: int = SETTLED
) -> Outcomes | None:
    """Play every action for every shape; None where the episode ends before, or the candles do.

    Args:
        then: an action that is repeated for `steps` afterwards; the rewards since the decision are summed.
    """
    begin = decision.bar - len(decision.before)
    stretch = stage.stretch(begin, decision.bar + BARS_AFTER + steps)
    if begin < stage.first or stretch is None or decision.bar + 1 >= stretch.start + len(stretch.candles):
        return None
    rows, worth = [], "reward"
    for shape in shapes:
        candles = with_next_bar(stretch.candles, decision.bar - stretch.start, shape)
        player = stretch.player(candles)
        row = []
        for k, action in enumerate(decision.actions):
            if k and stage.carries_over:
                player = stretch.player(candles)
            known = step = player.reset()
            for before in decision.before:
                known = step = player.step(before)
                if step.terminated or step.truncated:
                    return None
            step = player.step(action)
            worth = worth_name(step.info)
            paid = step.worth if step.worth is not None else step.reward
            for _ in range(steps if then is not None else 0):
                if step.terminated or step.truncated:
                    break
                step = player.step(then)
                paid += step.reward
            row.append((paid, _fill(step, known) if then is None else np.nan, step.terminated))
        rows.append(row)
    given = np.array(rows, np.float64)  # (S, A, 3)
    return Outcomes(decision, shapes, given[..., 0], given[..., 1], given[..., 2] > 0, worth)


def _fill(step: Step, known: Step) -> float:
    """The price of a fill in this step: not an entry price that was told before, and is told again."""
    price = step.info.get("fill_price")
    if not isinstance(price, int | float | np.number) or not price or not step.info.get("fill_coin", True):
        return np.nan
    return np.nan if price == known.info.get("fill_price") else float(price)
