"""Rewards that are paid when a trade ends: how long the audit of fills plays on after a decision until something is paid."""

from functools import cached_property
from typing import Any

from evaluation.audit.next_bars import NARROW, STILL, bodies
from evaluation.audit.outcomes import SETTLED, Decision, Outcomes, play
from evaluation.audit.payoffs import followed
from evaluation.audit.stage import Stage
from evaluation.audit.tried import some, tried_actions

WAITS = (SETTLED, 8, 24, 64)
"""steps after a decision, the fewest first"""
LONGEST = WAITS[-1]
PATIENCE = 20
"""decisions that are played on for longer than `SETTLED`: they take as long as all others together"""
FOLLOWED_BY = 4
"""actions that are tried as the next ones"""


class Wait:
    """Plays on after a decision, for as many steps as it takes in this environment until a trade is paid."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.left = PATIENCE

    @cached_property
    def steps(self) -> int:
        """The fewest of `WAITS` after which some trade was paid for the bar after its decision; 0 if none was."""
        actions = some(tried_actions(self.stage), FOLLOWED_BY, 0)
        return next((steps for steps in WAITS if any(self._is_paid(then, actions, steps) for then in actions)), 0)

    @property
    def is_long(self) -> bool:
        """Whether rewards come later than those of most environments."""
        return "steps" in vars(self) and self.steps > SETTLED

    def patiently(self, outcomes: Outcomes) -> list[Outcomes]:
        """As `later`; nothing once that was done often enough."""
        if self.steps > SETTLED:
            self.left -= 1
        return self.later(outcomes, self.steps) if self.left >= 0 else []

    def later(self, outcomes: Outcomes, steps: int) -> list[Outcomes]:
        """The outcomes of the same decision some steps later, one for each action that is repeated until then."""
        decision, shapes = outcomes.decision, outcomes.shapes
        later = (play(self.stage, decision, shapes, then, steps) for then in some(decision.actions, FOLLOWED_BY, 0))
        return [outcomes for outcomes in later if outcomes is not None]

    def _is_paid(self, then: Any, actions: tuple[Any, ...], steps: int) -> bool:
        """An order that fills at the next close earns from there on, so it is also tried one bar before."""
        for before in ((), *((action,) for action in actions)):
            outcomes = play(self.stage, Decision(self.stage.first + 4, before, actions), (STILL, *bodies(NARROW)), then, steps)
            if outcomes is not None and followed(outcomes, among=False):
                return True
        return False
