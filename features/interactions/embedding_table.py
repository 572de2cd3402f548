"""The embeddings of all features in one table: looked up, summed by field, and learned by a lazy Adam, in compiled loops."""

from typing import NamedTuple

import numpy as np
import torch
from numba import njit

from common.compiling import cached
from features.fields.rows import FieldRows

FIRST_SCALE = 0.01
"""standard deviation of the first embeddings; the linear weights begin at 0"""
DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-8
"""of Adam, as Kingma & Ba (2015) and torch have them"""


class LookedUp(NamedTuple):
    """A batch's share of the table: embeddings (B, F, k) and linear parts (B,), float32."""

    fields: torch.Tensor
    linear: torch.Tensor


class EmbeddingTable:
    """D rows of k numbers, a feature's embedding, and, with `has_linear`, its linear weight after them.

    A field's embedding is the sum of `value * embedding` over its entries: zeros without an entry. A linear part is the sum of
    `value * weight` over all entries of a row.

    The Adam is lazy, as torch's SparseAdam and TensorFlow's LazyAdam are: a step changes the features of its batch alone, and
    their moments. The moments of the others neither fade nor move their weights, so it is another rule than dense Adam. It is the
    rule at any D. Its time depends on the batch, not on D.

    The penalty adds `l2` times the squares of the weights that a row uses to the row's loss, once for each entry.

    Args:
        n_features: D.
        k: length of an embedding.
        has_linear: whether there are linear weights.
        generator: what the first embeddings are drawn from.
    """

    def __init__(self, n_features: int, k: int, has_linear: bool, generator: torch.Generator) -> None:
        self.k = k
        first = torch.zeros((n_features, k + has_linear))
        first[:, :k] = torch.randn((n_features, k), generator=generator) * FIRST_SCALE
        self.weights = first.numpy()
        self.moments_1, self.moments_2 = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.steps = 0
        self._places = np.full(n_features, -1, np.int32)

    def look_up(self, rows: FieldRows, batch: np.ndarray, out: LookedUp) -> None:
        """Fill `out` with the sums of the rows numbered in `batch`, int64 (B,); further rows of `out` become zeros."""
        _look_up(
            rows.starts, rows.features, rows.fields, rows.values, batch, self.weights, out.fields.numpy(), out.linear.numpy()
        )

    def learn(self, rows: FieldRows, batch: np.ndarray, gradients: LookedUp, rate: float, l2: float) -> None:
        """One step of Adam.

        Args:
            rows: the block.
            batch: int64 (B,), numbers of the batch's rows.
            gradients: of the batch's mean loss, by what `look_up` gave.
            rate: step size.
            l2: of the penalty.
        """
        self.steps += 1
        entries = int((rows.starts[batch + 1] - rows.starts[batch]).sum())
        touched = np.empty(entries, np.int32)
        sums = np.empty((entries, self.weights.shape[1]), np.float32)
        count = _gather_gradients(
            rows.starts, rows.features, rows.fields, rows.values, batch, self.weights, gradients.fields.numpy(),
            gradients.linear.numpy(), np.float32(2 * l2 / len(batch)), self._places, touched, sums,
        )  # fmt: skip
        size = rate / (1 - DECAY_1**self.steps)
        root = (1 - DECAY_2**self.steps) ** -0.5
        _adam(touched[:count], sums, self.weights, self.moments_1, self.moments_2, np.float32(size), np.float32(root))


@cached(njit)
def _look_up(starts, features, fields, values, batch, weights, out_fields, out_linear):  # type: ignore[no-untyped-def]
    k = out_fields.shape[2]
    out_fields[:] = 0
    out_linear[:] = 0
    for place in range(len(batch)):
        for entry in range(starts[batch[place]], starts[batch[place] + 1]):
            feature, field, value = features[entry], fields[entry], values[entry]
            for column in range(k):
                out_fields[place, field, column] += value * weights[feature, column]
            if weights.shape[1] > k:
                out_linear[place] += value * weights[feature, k]


@cached(njit)
def _gather_gradients(  # type: ignore[no-untyped-def]
    starts, features, fields, values, batch, weights, by_fields, by_linear, decay, places, touched, sums
):
    """Sum the gradients of each feature into a row of `sums`, in the order of the entries; the features are in `touched`."""
    count, k = 0, by_fields.shape[2]
    for place in range(len(batch)):
        for entry in range(starts[batch[place]], starts[batch[place] + 1]):
            feature, field, value = features[entry], fields[entry], values[entry]
            row = places[feature]
            if row < 0:
                row = places[feature] = count
                touched[row] = feature
                sums[row] = 0
                count += 1
            for column in range(k):
                sums[row, column] += value * by_fields[place, field, column] + decay * weights[feature, column]
            if weights.shape[1] > k:
                sums[row, k] += value * by_linear[place] + decay * weights[feature, k]
    for row in range(count):
        places[touched[row]] = -1
    return count


@cached(njit, error_model="numpy")
def _adam(touched, sums, weights, moments_1, moments_2, size, root):  # type: ignore[no-untyped-def]
    """`w -= size m / (sqrt(v) root + eps)`, after the moments m and v have taken in the gradients."""
    keep_1, keep_2 = np.float32(DECAY_1), np.float32(DECAY_2)
    take_1, take_2, epsilon = np.float32(1 - DECAY_1), np.float32(1 - DECAY_2), np.float32(EPSILON)
    for row in range(len(touched)):
        feature = touched[row]
        for column in range(weights.shape[1]):
            gradient = sums[row, column]
            first = keep_1 * moments_1[feature, column] + take_1 * gradient
            second = keep_2 * moments_2[feature, column] + take_2 * gradient * gradient
            moments_1[feature, column], moments_2[feature, column] = first, second
            weights[feature, column] -= size * first / (np.sqrt(second) * root + epsilon)
