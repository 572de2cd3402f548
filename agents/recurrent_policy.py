"""The policies of sb3-contrib with one LSTM call for a whole minibatch, where theirs walk it step by step; and a masked one."""

from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import (
    RecurrentActorCriticCnnPolicy,
    RecurrentActorCriticPolicy,
    RecurrentMultiInputActorCriticPolicy,
)
from stable_baselines3.common.distributions import Distribution
from torch import nn

from common import InputError
from envs import ACCOUNT_COLUMNS, N_ORDERS

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


class MaskedMlpLstmPolicy(MlpLstmPolicy):
    """For the 12 orders in a cash account: no probability for a purchase without cash or a sale without coin.

    Such an order is refused and does nothing, as a hold does. What the account has stands in its own columns of the observation
    (see `BitcoinTradingEnv`), so the mask needs no room in a rollout and cannot disagree with it.
    """

    def __init__(self, observation_space: Any, action_space: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(action_space, spaces.Discrete) or action_space.n != N_ORDERS:
            raise InputError(
                f"a mask needs the {N_ORDERS} orders, but the actions are {action_space}; set agent.mask_orders: false"
            )
        super().__init__(observation_space, action_space, *args, **kwargs)
        self._observed = torch.empty(0)

    def extract_features(self, obs: Any, features_extractor: Any = None) -> Any:
        self._observed = obs  # of this pass, for the distribution at its end
        return super().extract_features(obs, features_extractor)

    def get_distribution(self, obs: Any, *args: Any, **kwargs: Any) -> Any:
        self._observed = obs  # sb3-contrib goes round `extract_features` here
        return super().get_distribution(obs, *args, **kwargs)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Distribution:
        logits = self.action_net(latent_pi).masked_fill(impossible_orders(self._observed), -torch.inf)
        return self.action_dist.proba_distribution(logits)


def impossible_orders(observations: torch.Tensor) -> torch.Tensor:
    """bool (n, 12) of observations (n, F + 5): purchases where no cash is left, sales where no coin is."""
    position, cash = observations[:, -len(ACCOUNT_COLUMNS)], observations[:, -len(ACCOUNT_COLUMNS) + 1]
    mask = torch.zeros((len(observations), N_ORDERS), dtype=torch.bool, device=observations.device)
    each = N_ORDERS // 3
    mask[:, :each] = (cash <= 0)[:, None]
    mask[:, each : 2 * each] = (position <= 0)[:, None]
    return mask
