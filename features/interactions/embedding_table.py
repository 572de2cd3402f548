"""The embeddings of all features in one table: looked up, summed by field, and learned by a lazy Adam, in compiled loops."""

from typing import NamedTuple

import numpy as np
import torch
from numba import njit

from common import cached
from features.fields.rows import FieldRows

FIRST_SCALE = 0.001
"""standard deviation of the first embeddings; the linear weights begin at 0. With 0.01 the least logloss of DeepFM on Frappe's
test rows was 0.003 higher: what a feature that is rarely seen begins with is noise"""
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

    Each feature has an Adam of its own: its weights, moments and count of steps change in the batches where it occurs, and in no
    other. So a rare feature's first step is as long as a common one's. Dense Adam is another rule: it moves all features at each
    step by their fading moments. torch's SparseAdam counts the steps of all features together, which makes a rare feature's first
    step three times as long. The rule is the same at any D, and a step's time depends on the batch, not on D.

    The penalty adds `l2 / 2` times the squares of the weights that a row uses to the row's loss, once for each entry. Its
    gradient is `l2` times the weight, as in the kernels.

    Args:
        n_features: D.
        k: length of an embedding.
        has_linear: whether there are linear weights.
        generator: what the first embeddings are drawn from.
    """

    def __init__(self, n_features: int, k: int, has_linear: bool, generator: torch.Generator) -> None:
        first = torch.randn((n_features, k), generator=generator) * FIRST_SCALE
        self._cells = np.zeros((n_features, 3, k + has_linear), np.float32)  # a feature's weights and moments side by side
        self.weights, self.moments_1, self.moments_2 = (self._cells[:, part] for part in range(3))
        self.weights[:, :k] = first.numpy()
        self.steps = np.zeros(n_features, np.int32)
        self._places = np.full(n_features, -1, np.int32)

    def look_up(self, rows: FieldRows, batch: np.ndarray, out: LookedUp) -> None:
        """Fill `out` with the sums of the rows numbered in `batch`, int64 (B,); further rows of `out` become zeros."""
        _look_up(rows.starts, rows.features, rows.fields, rows.values, batch, self._cells, out.fields.numpy(), out.linear.numpy())

    def learn(self, rows: FieldRows, batch: np.ndarray, gradients: LookedUp, rate: float, l2: float) -> None:
        """One step of Adam.

        Args:
            rows: the block.
            batch: int64 (B,), numbers of the batch's rows.
            gradients: of the batch's mean loss, by what `look_up` gave.
            rate: step size.
            l2: of the penalty.
        """
        entries = int((rows.starts[batch + 1] - rows.starts[batch]).sum())
        touched, uses = np.empty(entries, np.int32), np.empty(entries, np.int32)
        sums = np.empty((entries, self.weights.shape[1]), np.float32)
        count = _gather_gradients(
            rows.starts, rows.features, rows.fields, rows.values, batch, gradients.fields.numpy(),
            gradients.linear.numpy(), self._places, touched, uses, sums,
        )  # fmt: skip
        _adam(touched[:count], uses, sums, rate, np.float32(l2 / len(batch)), self._cells, self.steps)


@cached(njit)
def _look_up(starts, features, fields, values, batch, cells, out_fields, out_linear):  # type: ignore[no-untyped-def]
    k = out_fields.shape[2]
    out_fields[:] = 0
    out_linear[:] = 0
    for place in range(len(batch)):
        for entry in range(starts[batch[place]], starts[batch[place] + 1]):
            feature, field, value = features[entry], fields[entry], values[entry]
            for column in range(k):
                out_fields[place, field, column] += value * cells[feature, 0, column]
            if cells.shape[2] > k:
                out_linear[place] += value * cells[feature, 0, k]


@cached(njit)
def _gather_gradients(  # type: ignore[no-untyped-def]
    starts, features, fields, values, batch, by_fields, by_linear, places, touched, uses, sums
):
    """Sum each feature's gradients into a row of `sums`, in the order of the entries.

    `touched` becomes the features of the rows, `uses` the number of entries that each has in the batch.
    """
    count, k = 0, by_fields.shape[2]
    for place in range(len(batch)):
        for entry in range(starts[batch[place]], starts[batch[place] + 1]):
            feature, field, value = features[entry], fields[entry], values[entry]
            row = places[feature]
            if row < 0:
                row = places[feature] = count
                touched[row] = feature
                sums[row], uses[row] = 0, 0
                count += 1
            uses[row] += 1
            for column in range(k):
                sums[row, column] += value * by_fields[place, field, column]
            if sums.shape[1] > k:
                sums[row, k] += value * by_linear[place]
    for row in range(count):
        places[touched[row]] = -1
    return count


@cached(njit, error_model="numpy")
def _adam(touched, uses, sums, rate, decay, cells, steps):  # type: ignore[no-untyped-def]
    """`w -= rate m / (1 - d1^t) / (sqrt(v / (1 - d2^t)) + eps)`, after moments m and v have taken in t gradients.

    A gradient is a row of `sums` and, of the penalty, `decay` times the weight for each of its uses.
    """
    keep_1, keep_2 = np.float32(DECAY_1), np.float32(DECAY_2)
    take_1, take_2, epsilon = np.float32(1 - DECAY_1), np.float32(1 - DECAY_2), np.float32(EPSILON)
    for row in range(len(touched)):
        feature, shrink = touched[row], decay * np.float32(uses[row])
        steps[feature] += 1
        size = np.float32(rate / (1 - DECAY_1 ** steps[feature]))
        root = np.float32((1 - DECAY_2 ** steps[feature]) ** -0.5)
        for column in range(cells.shape[2]):
            weight = cells[feature, 0, column]
            gradient = sums[row, column] + shrink * weight
            first = keep_1 * cells[feature, 1, column] + take_1 * gradient
            second = keep_2 * cells[feature, 2, column] + take_2 * gradient * gradient
            cells[feature, 0, column] = weight - size * first / (np.sqrt(second) * root + epsilon)
            cells[feature, 1, column], cells[feature, 2, column] = first, second
