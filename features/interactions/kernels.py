"""What the compiled loops of lr, fm and ffm share: a row's length, its loss, its linear part, and what is read ahead."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from common import cached
from features.interactions.quads import prefetch, quad

SQUARED = 1
"""`Rates.loss`; 0 is the logistic loss"""
NEXT_ROWS, NEXT_ENTRIES = 16, 8
"""rows ahead whose place, and whose entries, are read ahead; they lie anywhere in the block, and each would be waited for"""
LARGEST = float(np.finfo(np.float32).max)
"""which a scale does not exceed: a row of nothing but values below 1e-38 stays shorter than 1"""
FULL = 1e200
"""when the product of `loss_and_slope` has come so far, its logarithm is taken"""


class Rates(NamedTuple):
    """What the loops need of the settings, each number as float32, or as four of it.

    Args:
        rate: step size of sgd and adagrad.
        l2: their penalty; ftrl has `ftrl_l2`.
        nothing: 0.
        loss: 0 or `SQUARED`.
        normalize: whether a row is divided by its length.
        linear: whether there are a constant and a weight for each feature.
    """

    rate: Any
    l2: Any
    alpha: Any
    beta: Any
    ftrl_l1: Any
    ftrl_l2: Any
    nothing: Any
    loss: int
    normalize: bool
    linear: bool


class Loops(NamedTuple):
    """The compiled functions of one model, one size of embeddings and one optimizer.

    Args:
        learn: of (labels, starts, features, fields, values, order, bias, weights, embeddings, rates): the sum of the losses, each
            taken before the row was learned from. `bias` (S,), `weights` (D S,) and `embeddings` (D S width,), all flat, change.
        forecast: of (starts, features, fields, values, bias, weights, embeddings, rates): margins, float32 (n,).
    """

    learn: Callable[..., float]
    forecast: Callable[..., np.ndarray]


@cached(njit, error_model="numpy", inline="always")
def length_of(values: np.ndarray, begin: int, end: int, normalize: bool) -> np.float32:
    """What each value of the row is multiplied by, see `scaled`: 1 / sqrt(sum of squares), or 1.

    The squares of float32 numbers overflow, or become 0, in float32; in float64 they do neither.
    """
    if not normalize or begin == end:
        return np.float32(1.0)
    total = 0.0
    for entry in range(begin, end):
        value = np.float64(values[entry])
        total += value * value
    return np.float32(min(1 / np.sqrt(total), LARGEST))


@cached(njit, fastmath=False, error_model="numpy")
def scaled(value: np.float32, scale: np.float32) -> np.float32:
    """value * scale, before anything else is multiplied by either.

    A function of its own, compiled without fastmath (which it would take from its caller if it did not refuse it): with it the
    compiler may bring the two scales of a pair of values together, and 1e-25 * 1e-25 is 0 in float32.
    """
    return value * scale


@cached(njit, error_model="numpy", inline="always")
def loss_and_slope(margin: float, label: float, loss: int) -> tuple[float, float, float]:
    """A row's loss in two parts, which is `first + log(second)`, and its derivative by the margin.

    A logarithm takes long, and one of the product over many rows does for all of them; `second` is 1 to 2.
    """
    if loss == SQUARED:
        return (margin - label) * (margin - label) / 2, 1.0, margin - label
    # log(1 + exp(-|m|)) never overflows.
    small = math.exp(-abs(margin))
    probability = 1 / (1 + small) if margin >= 0 else small / (1 + small)
    wrong = -margin if label > 0.5 else margin
    return max(wrong, 0.0), 1 + small, probability - label


@cached(njit, fastmath=True, error_model="numpy", inline="always")
def linear_part(features, values, begin, end, scale, bias, weights, slots):  # type: ignore[no-untyped-def]
    """The constant, and the sum of weights times values; both tables are flat, a weight each `slots` numbers (uint64)."""
    margin = bias[0]
    for entry in range(begin, end):
        margin += weights[np.uint64(features[entry]) * slots] * scaled(values[entry], scale)
    return margin


@cached(njit, error_model="numpy", inline="always")
def read_ahead(number, order, labels, starts, features, fields, values):  # type: ignore[no-untyped-def]
    """Have what the next rows after row `number` of `order` need brought near: their places, then their entries."""
    if number + NEXT_ROWS < len(order):
        prefetch(starts, order[number + NEXT_ROWS])
        prefetch(labels, order[number + NEXT_ROWS])
    if number + NEXT_ENTRIES < len(order):
        entry = starts[order[number + NEXT_ENTRIES]]
        prefetch(features, entry)
        prefetch(fields, entry)
        prefetch(values, entry)


@cached(njit, error_model="numpy")
def four_times(rates):  # type: ignore[no-untyped-def]
    """The rates for four weights at once."""
    return Rates(
        quad(rates.rate), quad(rates.l2), quad(rates.alpha), quad(rates.beta), quad(rates.ftrl_l1), quad(rates.ftrl_l2),
        quad(rates.nothing), rates.loss, rates.normalize, rates.linear,
    )  # fmt: skip
