"""`EnsembleAgent`: several trained agents as one trader."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from agents.batches import as_batch
from agents.learned_agent import LearnedAgent
from common import InputError


class EnsembleAgent:
    """Decides by the mean of its members: the most probable action of a list, or the mean of continuous ones.

    Each member sees the same observation, of the one account that all of them trade, and keeps its own memory. A decision is
    always the deterministic one.

    Args:
        agents: the members, such as the seeds of one run.

    Raises:
        InputError: no members, or members of different actions.
    """

    def __init__(self, agents: Sequence[LearnedAgent]) -> None:
        if not agents:
            raise InputError("an ensemble needs one agent or more, but got none; name trained agents")
        others = [agent.action_space for agent in agents if agent.action_space != agents[0].action_space]
        if others:
            raise InputError(
                f"the members of an ensemble must have the same actions, but got {agents[0].action_space} and {others[0]}; "
                "take seeds of one run"
            )
        self.agents = tuple(agents)

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Of every member."""
        return self.agents[0].action_space

    def predict(
        self,
        observation: np.ndarray,
        state: tuple[Any, ...] | None = None,
        episode_start: np.ndarray | bool | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, tuple[Any, ...]]:
        """As `LearnedAgent.predict`: one observation (D,) or a batch (n, D); `state` carries the members' memories."""
        rows, starts, single = as_batch(observation, episode_start)
        memories = (None,) * len(self.agents) if state is None else state
        told = [agent.propose(rows, memory, starts) for agent, memory in zip(self.agents, memories, strict=True)]
        mean = np.mean([proposal for proposal, _ in told], axis=0)  # (members, n, A) -> (n, A)
        actions = mean if isinstance(self.action_space, spaces.Box) else mean.argmax(axis=1)
        return (actions[0] if single else actions), tuple(memory for _, memory in told)
