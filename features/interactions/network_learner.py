"""Trains a network of interactions in batches: Adam on the mean loss of a batch, to the bit from any state on."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from common import InputError
from features.fields.rows import FieldRows
from features.interactions.embedding_table import EmbeddingTable, LookedUp
from features.interactions.learner import Shape
from features.interactions.networks import build_network
from features.interactions.settings import InteractionSettings
from features.torch_tools import keep_freed_memory, torch_threads

MARGIN_ROWS = 256
"""rows that a network is given at once outside training, always: with one shape, a row's bits do not depend on the others'"""


class NetworkLearner:
    """A `Learner`: one network of `NETWORKS`, its table of embeddings, and Adam for both.

    The network's layers have one Adam of step size `settings.learning_rate`. Each feature of the table has its own, see
    `EmbeddingTable`, whose step is `settings.embedding_rate` times as long. `settings.l2` is for the table alone.
    `normalize_rows`, `init_scale` and the settings of ftrl are for other models.

    Args:
        name: of `NETWORKS`.
        shape: sizes of the data.
        settings: of the network and its training.
    """

    def __init__(self, name: str, shape: Shape, settings: InteractionSettings) -> None:
        keep_freed_memory()
        self.name, self.shape, self.settings = name, shape, settings
        self.k, self.rate = settings.k_of(name), settings.rate_of(name)
        self.table_rate = self.rate * settings.embedding_rate
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.network = build_network(name, shape, settings, self.generator)
        self.table = EmbeddingTable(shape.n_features, self.k, self.network.HAS_LINEAR, self.generator)
        self.optimizer = torch.optim.Adam(self.network.parameters(), self.rate, fused=True)

    def start_from(self, margin: float) -> None:
        """The constant of the deep part's last layer, which all networks have."""
        with torch.no_grad():
            self.network.deep.head.bias.fill_(margin)

    def learn(self, rows: FieldRows, order: np.ndarray) -> float:
        """Learn in batches of `settings.batch_size` rows; the last one may be smaller. The sum of the rows' losses.

        With dropout the losses are those of the network with its dropped outputs.

        Raises:
            InputError: the rows hold a feature or field that the shape does not have.
        """
        self._check(rows)
        size, total = self.settings.batch_size, 0.0
        with torch_threads(self.settings.threads):
            for first in range(0, len(order), size):
                total += self._update(rows, order[first : first + size])
        return total

    def margins(self, rows: FieldRows) -> np.ndarray:
        """float32 (n,), without dropout; see `Learner.margins`.

        Raises:
            InputError: the rows hold a feature or field that the shape does not have.
        """
        self._check(rows)
        margins, numbers = np.empty(len(rows), np.float32), np.arange(len(rows))
        looked_up = self._room(MARGIN_ROWS)
        with torch_threads(self.settings.threads), torch.inference_mode():
            for first in range(0, len(rows), MARGIN_ROWS):
                batch = numbers[first : first + MARGIN_ROWS]
                self.table.look_up(rows, batch, looked_up)
                margins[batch] = self.network(*looked_up)[: len(batch)].numpy()
        return margins

    def weights(self) -> dict[str, np.ndarray]:
        """`table`, float32 (D, k or k + 1), see `EmbeddingTable`, and `network/...`, the layers."""
        layers = {f"network/{name}": weight.detach().numpy().copy() for name, weight in self.network.named_parameters()}
        return {"table": self.table.weights.copy()} | layers

    def load_weights(self, weights: dict[str, np.ndarray]) -> None:
        self.table.weights[:] = weights["table"]
        with torch.no_grad():
            for name, weight in self.network.named_parameters():
                weight.copy_(torch.tensor(weights[f"network/{name}"]))

    def state(self) -> dict[str, np.ndarray]:
        """`weights`, and `adam/...` and `draws`."""
        moments = {f"adam/{name}": value.numpy().copy() for name, value in self._dense_moments()}
        table = {"adam/table/1": self.table.moments_1.copy(), "adam/table/2": self.table.moments_2.copy()}
        steps = {"adam/table/steps": self.table.steps.copy()}
        return self.weights() | moments | table | steps | {"draws": self.generator.get_state().numpy().copy()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.load_weights(state)
        self.table.moments_1[:], self.table.moments_2[:] = state["adam/table/1"], state["adam/table/2"]
        self.table.steps[:] = state["adam/table/steps"]
        self.generator.set_state(torch.tensor(state["draws"]))
        self._load_dense_moments(state)

    def _update(self, rows: FieldRows, batch: np.ndarray) -> float:
        """One step of Adam; the batch's sum of losses."""
        looked_up = self._room(len(batch))
        self.table.look_up(rows, batch, looked_up)
        looked_up.fields.requires_grad_()
        looked_up.linear.requires_grad_(self.network.HAS_LINEAR)
        loss = self._loss(self.network(*looked_up, self.generator), torch.from_numpy(rows.labels[batch]))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        by_linear = looked_up.linear.grad if self.network.HAS_LINEAR else looked_up.linear
        assert looked_up.fields.grad is not None
        assert by_linear is not None
        self.table.learn(rows, batch, LookedUp(looked_up.fields.grad, by_linear), self.table_rate, self.settings.l2)
        return float(loss.detach()) * len(batch)

    def _loss(self, margins: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch; half the squared difference, as `losses.py` has it."""
        if self.settings.loss == "logloss":
            return functional.binary_cross_entropy_with_logits(margins, labels)
        return functional.mse_loss(margins, labels) / 2

    def _room(self, count: int) -> LookedUp:
        """Torch's own memory, which is aligned: the last bit of a product can depend on the alignment of its input."""
        return LookedUp(torch.empty(count, self.shape.n_fields, self.k), torch.empty(count))

    def _dense_moments(self) -> Iterator[tuple[str, Tensor]]:
        """What Adam holds of each layer's weights: its moments and the count of steps; nothing before the first step."""
        for name, weight in self.network.named_parameters():
            for entry, value in self.optimizer.state.get(weight, {}).items():
                yield f"{name}/{entry}", value

    def _load_dense_moments(self, state: dict[str, np.ndarray]) -> None:
        self.optimizer.state.clear()
        for name, weight in self.network.named_parameters():
            prefix = f"adam/{name}/"
            held = {key.removeprefix(prefix): torch.tensor(value) for key, value in state.items() if key.startswith(prefix)}
            if held:
                self.optimizer.state[weight] = held

    def _check(self, rows: FieldRows) -> None:
        """A number beyond the table would be read from foreign memory."""
        for kind, numbers, count in zip(("feature", "field"), (rows.features, rows.fields), self.shape, strict=True):
            if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < count:
                raise InputError(
                    f"{kind}s of a model made for {count} of them go from 0 to {count - 1}, but the rows hold {numbers.min()} to "
                    f"{numbers.max()}; read the rows with the names of the training data"
                )
