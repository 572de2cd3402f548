"""The trained agent: how it decides, and how it is kept in one file that runs no code."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pydantic import ValidationError
from stable_baselines3.common.policies import BasePolicy

from agents.algorithms import ALGORITHMS, Algorithm, blank_policy
from agents.batches import as_batch
from agents.numpy_actor import Actor, Memory
from agents.recurrent_policy import impossible_orders
from agents.settings import AgentSettings
from common import InputError, SealError, Tensors, one_line, read_sealed, write_sealed

KIND = "agent"
FORMAT = 2
FILE = "agent.safetensors"


class LearnedAgent:
    """A trained policy behind the common `predict`.

    Args:
        policy: what decides; its weights are the agent's own.
        settings: what it was built with.
        reward_scaling: mean, variance and count of the discounted return that its rewards were divided by, if they were.
    """

    def __init__(self, policy: BasePolicy, settings: AgentSettings, reward_scaling: dict[str, float] | None = None) -> None:
        self.policy = policy
        self.settings = settings
        self.reward_scaling = reward_scaling
        self._actor: Actor | None = None
        self._size = int(policy.observation_space.shape[0])  # type: ignore[index]

    @property
    def algorithm(self) -> Algorithm:
        """How it learned."""
        return ALGORITHMS[self.settings.algorithm]

    @property
    def action_space(self) -> spaces.Space[Any]:
        """The env's, on which it was trained."""
        return self.policy.action_space

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | bool | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """What to do.

        A deterministic decision of a recurrent agent is made in numpy, with the weights as they were when `state` was last None:
        at the beginning of an episode.

        Args:
            observation: float32 (D,), or a batch (n, D).
            state: what the last call returned, of as many observations: the LSTM's memory. None begins with an empty one.
            episode_start: where an episode begins and the memory is emptied: bool (n,), or one truth value for all.
            deterministic: the most probable action instead of a drawn one.

        Returns:
            The action, an integer or float32 (1,), or a batch of them, (n,) or (n, 1); and the memory after it.

        Raises:
            InputError: an observation of another size, or the memory of another number of observations.
        """
        rows, starts, single = as_batch(observation, episode_start, self._size)
        if self.algorithm.recurrent:
            _require_memory_of(len(rows), state)
        if not deterministic or not self.algorithm.recurrent:
            actions, state = self.policy.predict(rows, state, starts, deterministic)
        else:
            output, state = self._output(rows, state, starts)
            actions = output if isinstance(self.action_space, spaces.Box) else output.argmax(axis=1)
        return (actions[0] if single else actions), state

    def propose(self, rows: np.ndarray, state: Any = None, episode_start: np.ndarray | None = None) -> tuple[np.ndarray, Any]:
        """What the agent would do, for others to weigh.

        Args:
            rows: float32 observations (n, D).

        Returns:
            Probabilities of the actions, float (n, A), or the continuous actions (n, 1); and the memory. An algorithm without
            probabilities is sure of its best action.
        """
        if isinstance(self.action_space, spaces.Box):
            return self.predict(rows, state, episode_start, deterministic=True)
        if self.algorithm.recurrent:
            output, state = self._output(rows, state, episode_start)
            odds = np.exp(output - output.max(axis=1, keepdims=True))
            return odds / odds.sum(axis=1, keepdims=True), state
        if not self.algorithm.probabilistic:
            actions, state = self.predict(rows, state, episode_start, deterministic=True)
            return np.eye(self.action_space.n)[actions], state  # type: ignore[attr-defined]
        with torch.no_grad():
            told: Any = self.policy.get_distribution(torch.from_numpy(rows))  # type: ignore[operator]
        return told.distribution.probs.numpy(), state

    def _output(self, rows: np.ndarray, state: Memory | None, starts: np.ndarray | None) -> tuple[np.ndarray, Memory]:
        """Logits of the actions (n, A), -inf where the mask forbids one, or the continuous actions (n, 1); and the memory."""
        if state is None or self._actor is None:
            self._actor = Actor(self.policy)
        output, memory = self._actor(rows, self._actor.start(len(rows)) if state is None else state, starts)
        if isinstance(self.action_space, spaces.Box):
            return np.clip(output, self.action_space.low, self.action_space.high), memory
        if self.settings.mask_orders:
            output[impossible_orders(torch.from_numpy(rows)).numpy()] = -np.inf
        return output, memory

    def save(self, folder: Path) -> None:
        """Write `agent.safetensors`: weights, settings and reward scaling in one file, put in place whole."""
        space = self.policy.action_space
        about = {
            "kind": KIND,
            "format": FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "observation_size": self._size,
            "actions": int(space.n) if isinstance(space, spaces.Discrete) else "continuous",
            "reward_scaling": self.reward_scaling,
        }
        write_sealed(folder / FILE, self.policy.state_dict(), about)

    @classmethod
    def load(cls, folder: Path) -> "LearnedAgent":
        """Read what `save` wrote; runs no code from the file.

        Raises:
            SealError: a missing or damaged file, or one of another format.
        """
        path = folder / FILE
        weights, about = read_sealed(path, KIND)
        try:
            if about["format"] != FORMAT:
                raise SealError(f"this version reads agents of format {FORMAT}, but it has format {about['format']}")
            settings = AgentSettings.model_validate(about["settings"])
            policy = _policy_from(settings, weights, int(about["observation_size"]), about["actions"])
            return cls(policy, settings, about["reward_scaling"])
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise SealError(
                f"cannot read the agent in {path}: {why}; if that is of a plugin, load it first, with --plugin or "
                "`configs.load_plugins`, else train it again"
            ) from error
        except Exception as error:  # sealed by hand, or by another version: the user needs its name and one line
            raise SealError(f"cannot read the agent in {path}: {one_line(error)}; train it again") from error


def _require_memory_of(n: int, state: Memory | None) -> None:
    """A memory is float32 (layers, n, size)."""
    if state is not None and state[0].shape[1] != n:
        raise InputError(
            f"`state` must be the memory of as many observations, but got that of {state[0].shape[1]} and {n} observations; "
            "give None to begin with an empty one"
        )


def _policy_from(settings: AgentSettings, weights: Tensors, observation_size: int, actions: int | str) -> BasePolicy:
    largest = max(
        observation_size,
        settings.lstm_size,
        settings.lstm_layers,
        *settings.head_layers,
        0 if actions == "continuous" else int(actions),
    )
    held = max((max(tensor.shape, default=0) for tensor in weights.values()), default=0)
    if largest > max(held, 8):
        raise SealError(f"it describes a layer of {largest:,} units, but its largest weights have {held:,}")
    seen = spaces.Box(-np.inf, np.inf, (observation_size,), np.float32)
    acts = spaces.Box(-1.0, 1.0, (1,), np.float32) if actions == "continuous" else spaces.Discrete(int(actions))
    policy = blank_policy(settings, seen, acts)
    policy.load_state_dict(weights)
    return policy
