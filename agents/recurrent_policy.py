"""The policies of sb3-contrib with one LSTM call for a whole minibatch, where theirs walk it step by step."""

from itertools import pairwise

import torch
from sb3_contrib.common.recurrent.policies import (
    RecurrentActorCriticCnnPolicy,
    RecurrentActorCriticPolicy,
    RecurrentMultiInputActorCriticPolicy,
)
from torch import nn

States = tuple[torch.Tensor, torch.Tensor]
"""hidden and cell state, each (layers, sequences, size)"""


class OneCall:
    """Replaces `_process_sequence` of the policies it is mixed into."""

    @staticmethod
    def _process_sequence(
        features: torch.Tensor, lstm_states: States, episode_starts: torch.Tensor, lstm: nn.LSTM
    ) -> tuple[torch.Tensor, States]:
        """The LSTM's outputs (sequences * length, size), sequence by sequence, and its last states.

        The buffers split sequences where an episode starts, so the states need resetting at a first step only: one call does
        what a call a step does. A caller's own sequences, with a start in their midst, are cut there.

        Args:
            features: (sequences * length, D), sequence by sequence.
            lstm_states: at the first step of each sequence.
            episode_starts: (sequences * length,), 1 where the step begins an episode.
        """
        count = lstm_states[0].shape[1]
        steps = features.reshape(count, -1, lstm.input_size).transpose(0, 1)  # (count * L, D) -> (L, count, D)
        starts = episode_starts.reshape(count, -1).transpose(0, 1)  # (L, count)
        inner = starts[1:].any(dim=1).nonzero().flatten() + 1 if len(starts) > 1 else starts.new_empty(0)
        edges = [0, *inner.tolist(), len(starts)]
        outputs = []
        for first, last in pairwise(edges):
            keep = (1.0 - starts[first]).view(1, count, 1)
            output, lstm_states = lstm(steps[first:last], (keep * lstm_states[0], keep * lstm_states[1]))
            outputs.append(output)
        whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return whole.transpose(0, 1).flatten(0, 1), lstm_states


class MlpLstmPolicy(OneCall, RecurrentActorCriticPolicy):  # type: ignore[misc]
    """LSTM actor and critic on flat observations."""


class CnnLstmPolicy(OneCall, RecurrentActorCriticCnnPolicy):  # type: ignore[misc]
    """The same on images."""


class MultiInputLstmPolicy(OneCall, RecurrentMultiInputActorCriticPolicy):  # type: ignore[misc]
    """The same on dictionaries."""
