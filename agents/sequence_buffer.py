"""A rollout cut into sequences of one length across all environments, each with the LSTM states that it began with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer


class SequenceRolloutBuffer(RolloutBuffer):
    """Minibatches of whole sequences: `batch_size // sequence_length` of them, drawn from all environments and times.

    sb3-contrib cuts a minibatch out of one environment's steps in a row, so the LSTM walks up to `batch_size` steps with next to
    no batch. Here it walks `sequence_length` steps, with so many sequences side by side. States are kept at the first step of
    each sequence alone.

    Args:
        buffer_size: steps T of a rollout.
        hidden_state_shape: of each of the four LSTM states: (layers, n_envs, size).
        sequence_length: steps L of a sequence; the last ones are shorter where L does not divide T.
        rng: draws the order of the sequences.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden_state_shape: tuple[int, int, int],
        device: torch.device | str = "auto",
        gae_lambda: float = 1.0,
        gamma: float = 0.99,
        n_envs: int = 1,
        *,
        sequence_length: int,
        rng: np.random.Generator,
    ) -> None:
        self.sequence_length = min(sequence_length, buffer_size)
        self.hidden_state_shape = hidden_state_shape
        self.rng = rng
        super().__init__(buffer_size, observation_space, action_space, device, gae_lambda, gamma, n_envs)

    def reset(self) -> None:
        """Forget the rollout."""
        super().reset()
        chunks = -(-self.buffer_size // self.sequence_length)
        self.states = torch.zeros((4, chunks, *self.hidden_state_shape), device=self.device)

    def add(self, *args: Any, lstm_states: RNNStates, **kwargs: Any) -> None:  # type: ignore[override]
        """As `RolloutBuffer.add`; `lstm_states` are those before the step."""
        if self.pos % self.sequence_length == 0:
            torch.stack((*lstm_states.pi, *lstm_states.vf), out=self.states[:, self.pos // self.sequence_length])
        super().add(*args, **kwargs)

    def get(self, batch_size: int | None = None) -> Iterator[RecurrentRolloutBufferSamples]:  # type: ignore[override]
        """One pass over the rollout in random order, in the layout of sb3-contrib: (sequences * longest,), sequence by sequence.

        A sequence is split where an episode starts, and all are padded to the longest; `mask` is 0 on the padding.
        """
        rows = self._rows()
        first, env, length = self._sequences()
        drawn = self.rng.permutation(len(self.states[0]) * self.n_envs)[first // self.sequence_length * self.n_envs + env]
        order = np.argsort(drawn, kind="stable")  # the parts of a sequence stay in one minibatch
        if batch_size is None:
            batch_size = self.buffer_size * self.n_envs
        batch = drawn[order] // max(batch_size // self.sequence_length, 1)
        for chosen in np.split(order, np.flatnonzero(np.diff(batch)) + 1):
            yield self._samples(rows, first[chosen], env[chosen], length[chosen])

    def _rows(self) -> dict[str, torch.Tensor]:
        """(T, n_envs, ...) -> (T * n_envs, ...), on the device, once a pass."""
        names = ("observations", "actions", "values", "log_probs", "advantages", "returns")
        return {
            name: self.to_torch(array.reshape(-1, *array.shape[2:]), copy=False)
            for name in names
            for array in [getattr(self, name)]
        }

    def _sequences(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """int64 (S,) each: first step, environment and length."""
        begins = self.episode_starts > 0
        begins[:: self.sequence_length] = True
        env, first = np.nonzero(begins.T)
        until = np.append(first[1:], self.buffer_size)
        return first, env, np.where(until > first, until, self.buffer_size) - first

    def _samples(
        self, rows: dict[str, torch.Tensor], first: np.ndarray, env: np.ndarray, length: np.ndarray
    ) -> RecurrentRolloutBufferSamples:
        ages = np.arange(length.max())
        steps = np.minimum(first[:, None] + ages, self.buffer_size - 1)  # (sequences, longest)
        place = self._to_device((steps * self.n_envs + env[:, None]).ravel())
        starts = np.zeros(steps.shape, np.float32)
        starts[:, 0] = self.episode_starts[first, env]
        mask = (ages < length[:, None]).astype(np.float32)
        chunk = self._to_device(first // self.sequence_length)
        states = self.states[:, chunk, :, self._to_device(env)].permute(1, 2, 0, 3)  # -> (4, layers, sequences, size)
        hidden_pi, cell_pi, hidden_vf, cell_vf = states.contiguous()
        return RecurrentRolloutBufferSamples(
            observations=rows["observations"][place],
            actions=rows["actions"][place],
            old_values=rows["values"][place],
            old_log_prob=rows["log_probs"][place],
            advantages=rows["advantages"][place],
            returns=rows["returns"][place],
            lstm_states=RNNStates((hidden_pi, cell_pi), (hidden_vf, cell_vf)),
            episode_starts=self._to_device(starts.ravel()),
            mask=self._to_device(mask.ravel()),
        )

    def _to_device(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)
