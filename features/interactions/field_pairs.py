"""How much each pair of fields moves the margin of a model that multiplies embeddings."""

import numpy as np
from numba import njit

from common import cached
from features.fields.rows import FieldData
from features.interactions.kernels import length_of, scaled
from features.interactions.settings import KERNELS, InteractionSettings

MAX_BLOCKS = 4
"""blocks that are looked at: a quarter of a million rows say what ten million would"""
PAIRWISE = ("fm", "ffm", "deepfm")
"""models with a part that is a sum of products of embeddings"""


def pair_strengths(
    name: str, data: FieldData, weights: dict[str, np.ndarray], settings: InteractionSettings
) -> np.ndarray | None:
    """float64 (F, F), symmetric: the standard deviation over the rows of what a pair of fields adds to the margin.

    A pair that adds the same to every row moves nothing and has 0, as has the diagonal where each row has one feature of a field.

    Args:
        name: of the model; None is returned for one without a pairwise part.
        data: the rows, of which the first blocks are looked at.
        weights: of the model, with `embeddings` (D, k), or for ffm (D, F k); a network has them as the first k of its `table`.
        settings: of the model.
    """
    if name not in PAIRWISE:
        return None
    embeddings = weights["embeddings"] if name in KERNELS else np.ascontiguousarray(weights["table"][:, : settings.k_of(name)])
    fields = len(data.field_names)
    sums, squares, count = np.zeros((fields, fields)), np.zeros((fields, fields)), 0
    normalize = settings.normalize_rows and name in KERNELS
    for number in range(min(data.n_blocks, MAX_BLOCKS)):
        rows = data.block(number)
        entries = rows.starts, rows.features, rows.fields, rows.values
        _add_products(*entries, embeddings, settings.k_of(name), name == "ffm", normalize, sums, squares)
        count += len(rows)
    return np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0.0))


@cached(njit, error_model="numpy")
def _add_products(starts, features, fields, values, embeddings, k, by_field, normalize, sums, squares):  # type: ignore[no-untyped-def]
    """Adds each row's products of fields, and their squares, to `sums` and `squares` (F, F)."""
    n_fields = len(sums)
    met, alone = np.zeros((n_fields, n_fields, k)), np.zeros(n_fields)
    for row in range(len(starts) - 1):
        met[:] = 0
        alone[:] = 0
        scale = length_of(values, starts[row], starts[row + 1], normalize)
        for entry in range(starts[row], starts[row + 1]):
            x, feature, field = scaled(values[entry], scale), features[entry], fields[entry]
            for other in range(n_fields):
                begin = other * k if by_field else 0
                for d in range(k):
                    part = embeddings[feature, begin + d] * x
                    met[field, other, d] += part
                    if other == field:
                        alone[field] += part * part
        for f in range(n_fields):
            for g in range(f + 1):
                product = -alone[f] / 2 if f == g else 0.0
                for d in range(k):
                    product += met[f, g, d] * met[g, f, d] / (2 if f == g else 1)
                sums[f, g] += product
                squares[f, g] += product * product
    for f in range(n_fields):
        for g in range(f):
            sums[g, f], squares[g, f] = sums[f, g], squares[f, g]
