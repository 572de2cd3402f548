"""The actor alone, in numpy: what a decision needs, without the conversions of the policy's own `predict`."""

from typing import Any

import numpy as np
import torch
from torch import nn

Memory = tuple[np.ndarray, np.ndarray]
"""hidden and cell state of the actor, float32 (layers, n, size) each"""


class Actor:
    """A copy of an `MlpLstmPolicy`'s LSTM, head and output layer; later changes of the policy do not reach it.

    Three of the four gates are sigmoids, and sigmoid(z) = (1 + tanh(z / 2)) / 2: with their weights halved beforehand, one tanh
    does for all four, and nothing can overflow.
    """

    def __init__(self, policy: Any) -> None:
        self.size = policy.lstm_actor.hidden_size
        self.layers = [_cell(policy.lstm_actor, layer) for layer in range(policy.lstm_actor.num_layers)]
        head = [module for module in policy.mlp_extractor.policy_net if isinstance(module, nn.Linear)]
        self.head = [_linear(module) for module in head]
        self.output = _linear(policy.action_net)

    def start(self, n: int) -> Memory:
        """The memory of n accounts that have seen nothing."""
        zeros = np.zeros((len(self.layers), n, self.size), np.float32)
        return zeros, zeros

    def __call__(self, observations: np.ndarray, memory: Memory, starts: np.ndarray | None) -> tuple[np.ndarray, Memory]:
        """One step.

        Args:
            observations: float32 (n, D).
            starts: bool (n,), True where an episode begins and the memory is cleared; None for nowhere.

        Returns:
            Logits of the actions, or the means of the Gaussian, float32 (n, A); and the memory after the step.
        """
        hidden, cell = memory
        if starts is not None and starts.any():
            keep = (~starts.astype(bool)).astype(np.float32)[:, None]
            hidden, cell = hidden * keep, cell * keep
        x = observations
        after_hidden, after_cell = np.empty_like(hidden), np.empty_like(cell)
        for layer, (weights, bias) in enumerate(self.layers):
            x, after_cell[layer] = self._step(np.concatenate((x, hidden[layer]), axis=1) @ weights + bias, cell[layer])
            after_hidden[layer] = x
        for weights, bias in self.head:
            x = np.tanh(x @ weights + bias)
        weights, bias = self.output
        return x @ weights + bias, (after_hidden, after_cell)

    def _step(self, gates: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hidden and cell state (n, size) from the gates (n, 4 * size) in torch's order: in, forget, candidate, out."""
        size = self.size
        gates = np.tanh(gates)
        into, forget, out = (gates[:, k * size : (k + 1) * size] * 0.5 + 0.5 for k in (0, 1, 3))
        cell = forget * cell + into * gates[:, 2 * size : 3 * size]
        return out * np.tanh(cell), cell


def _cell(lstm: nn.LSTM, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (D + size, 4 * size), of the input and of the hidden state in one, and bias (4 * size,)."""
    parts = [_array(getattr(lstm, f"{name}_l{layer}")) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    halved = np.full(4 * lstm.hidden_size, 0.5, np.float32)
    halved[2 * lstm.hidden_size : 3 * lstm.hidden_size] = 1.0
    weights = np.concatenate(parts[:2], axis=1).T * halved
    return np.ascontiguousarray(weights), (parts[2] + parts[3]) * halved


def _linear(module: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(_array(module.weight).T), _array(module.bias)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float32, copy=True)
