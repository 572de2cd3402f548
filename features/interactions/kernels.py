"""The compiled loops of lr, fm and ffm: forecast a row, then move every weight that the row used.

A weight and what its optimizer remembers of it lie side by side, in slots: `[weight]` for sgd, for adagrad `[weight, sum of its
squared gradients]`, for ftrl `[weight, that sum, z]`.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from common.compiling import cached

LANES = 8
"""the embeddings of an ffm feature are a multiple of this, so that a processor handles that many numbers at once"""
SLOTS = {"sgd": 1, "adagrad": 2, "ftrl": 3}
SQUARED = 1
"""`Rates.loss`; 0 is the logistic loss"""
FIRST_SUM = 1.0
"""adagrad begins as if a gradient of 1 had been seen, as libffm and xLearn do, so that its first steps are not the largest"""


class Rates(NamedTuple):
    """What the loops need of the settings, in float32.

    Args:
        rate: step size of sgd and adagrad.
        l2: their penalty; ftrl has `ftrl_l2`.
        loss: 0 or `SQUARED`.
        normalize: whether a row is divided by its length.
        linear: whether there are a constant and a weight for each feature.
    """

    rate: np.float32
    l2: np.float32
    alpha: np.float32
    beta: np.float32
    ftrl_l1: np.float32
    ftrl_l2: np.float32
    loss: int
    normalize: bool
    linear: bool


class Loops(NamedTuple):
    """The compiled functions for one size of embedding and one optimizer.

    Args:
        learn: of (labels, starts, features, fields, values, order, bias, weights, embeddings, rates): the sum of the losses, each
            taken before the row was learned from. `bias` (S,), `weights` (D, S), `embeddings` (D, S, k) or (D, F, S, k) change.
        forecast: of (starts, features, fields, values, bias, weights, embeddings, rates): margins, float32 (n,).
    """

    learn: Callable[..., float]
    forecast: Callable[..., np.ndarray]


@cached(njit, fastmath=True, error_model="numpy")
def length_of(values: np.ndarray, begin: int, end: int, normalize: bool) -> np.float32:
    """What each value of the row is multiplied by: 1 / sqrt(sum of squares), or 1."""
    if not normalize or begin == end:
        return np.float32(1.0)
    total = np.float32(0.0)
    for entry in range(begin, end):
        total += values[entry] * values[entry]
    return np.float32(1.0) / np.sqrt(total)


@cached(njit, error_model="numpy")
def loss_and_slope(margin: float, label: float, loss: int) -> tuple[float, float]:
    """The loss of a row, and its derivative by the margin."""
    if loss == SQUARED:
        return (margin - label) * (margin - label) / 2, margin - label
    # log(1 + exp(-|m|)) never overflows.
    small = math.exp(-abs(margin))
    probability = 1 / (1 + small) if margin >= 0 else small / (1 + small)
    wrong = -margin if label > 0.5 else margin
    return math.log1p(small) + max(wrong, 0.0), probability - label


@cache
def step_of(optimizer: str, width: int) -> Callable[..., None]:
    """`step(table, place, slopes, row, used, factor, rates)` moves the weights `table[place, 0]` (width,).

    `factor * slopes[row, d]` is the derivative of the loss by weight d, without the penalty. `used[d]`
    is 1 where the row uses weight d, and 0 where it stays as it is: to multiply is faster than to leave out.
    """
    if optimizer == "adagrad":

        @cached(njit, fastmath=True, error_model="numpy")
        def step(table, place, slopes, row, used, factor, rates):  # type: ignore[no-untyped-def]
            for d in range(width):
                gradient = used[d] * (factor * slopes[row, d] + rates.l2 * table[place, 0, d])
                total = table[place, 1, d] + gradient * gradient
                table[place, 1, d] = total
                table[place, 0, d] -= rates.rate * gradient / np.sqrt(total)

    elif optimizer == "sgd":

        @cached(njit, fastmath=True, error_model="numpy")
        def step(table, place, slopes, row, used, factor, rates):  # type: ignore[no-untyped-def]
            for d in range(width):
                table[place, 0, d] -= rates.rate * used[d] * (factor * slopes[row, d] + rates.l2 * table[place, 0, d])

    else:

        @cached(njit, fastmath=True, error_model="numpy")
        def step(table, place, slopes, row, used, factor, rates):  # type: ignore[no-untyped-def]
            for d in range(width):
                if used[d] > 0:
                    gradient, before = factor * slopes[row, d], np.sqrt(table[place, 1, d])
                    table[place, 1, d] += gradient * gradient
                    after = np.sqrt(table[place, 1, d])
                    z = table[place, 2, d] + gradient - (after - before) / rates.alpha * table[place, 0, d]
                    beyond = max(abs(z) - rates.ftrl_l1, np.float32(0.0))
                    size = beyond / ((rates.beta + after) / rates.alpha + rates.ftrl_l2)
                    table[place, 2, d] = z
                    table[place, 0, d] = -size if z > 0 else size

    return step


@cached(njit, fastmath=True, error_model="numpy")
def linear_part(features, values, begin, end, scale, bias, weights):  # type: ignore[no-untyped-def]
    """The constant, and the sum of weights times values."""
    margin = bias[0, 0, 0]
    for entry in range(begin, end):
        margin += weights[features[entry], 0, 0] * values[entry] * scale
    return margin


@cache
def fm_loops(k: int, optimizer: str) -> Loops:
    """Factorization machine (Rendle 2010, equation 5) in O(m k) for a row of m entries; with `k` 0 it is lr.

    margin = bias + sum_i w_i x_i + 1/2 sum_d [(sum_i v_id x_i)^2 - sum_i (v_id x_i)^2]
    """
    step_one, step = step_of(optimizer, 1), step_of(optimizer, k)

    @cached(njit, fastmath=True, error_model="numpy")
    def pairs(features, values, begin, end, scale, embeddings, sums):  # type: ignore[no-untyped-def]
        """The sum over all pairs; fills `sums` (k,) with sum_i v_id x_i."""
        twice = np.float32(0.0)
        sums[:] = 0
        for entry in range(begin, end):
            x, feature = values[entry] * scale, features[entry]
            for d in range(k):
                part = embeddings[feature, 0, d] * x
                sums[d] += part
                twice -= part * part
        for d in range(k):
            twice += sums[d] * sums[d]
        return twice * np.float32(0.5)

    @cached(njit, fastmath=True, error_model="numpy")
    def learn(labels, starts, features, fields, values, order, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        ones, total = np.ones((1, 1), np.float32), 0.0
        sums, slopes, used = np.zeros(k, np.float32), np.zeros((1, k), np.float32), np.ones(k, np.float32)
        for row in order:
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margin = pairs(features, values, begin, end, scale, embeddings, sums)
            if rates.linear:
                margin += linear_part(features, values, begin, end, scale, bias, weights)
            loss, wide = loss_and_slope(margin, labels[row], rates.loss)
            slope = np.float32(wide)
            total += loss
            if rates.linear:
                step_one(bias, 0, ones, 0, ones[0], slope, rates)
            for entry in range(begin, end):
                x, feature = values[entry] * scale, features[entry]
                if rates.linear:
                    step_one(weights, feature, ones, 0, ones[0], slope * x, rates)
                for d in range(k):
                    slopes[0, d] = sums[d] - embeddings[feature, 0, d] * x
                step(embeddings, feature, slopes, 0, used, slope * x, rates)
        return total

    @cached(njit, fastmath=True, error_model="numpy")
    def forecast(starts, features, fields, values, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        sums, margins = np.zeros(k, np.float32), np.empty(len(starts) - 1, np.float32)
        for row in range(len(margins)):
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margins[row] = pairs(features, values, begin, end, scale, embeddings, sums)
            if rates.linear:
                margins[row] += linear_part(features, values, begin, end, scale, bias, weights)
        return margins

    return Loops(learn, forecast)


@cache
def ffm_loops(k: int, width: int, optimizer: str) -> Loops:
    """Field-aware factorization machine (Juan et al. 2016, equation 1) by sums over fields, in O(m F k) for m entries.

    A feature i has an embedding v_ig for each of the F fields g, side by side in one row of F k numbers, filled up with zeros to
    `width`. With s_fg, the sum of v_ig x_i over the entries i of field f, and `met[f]`, the row of the s_gf of all g, which is
    what an entry of field f meets, the sum over all pairs of entries is

    1/2 sum_i [x_i v_i . met[f_i] - |x_i v_if_i|^2]

    and its derivative by v_ig is x_i s_gf; where g is the entry's own field, x_i (s_gf - x_i v_ig).
    """
    step_one, step = step_of(optimizer, 1), step_of(optimizer, width)

    @cached(njit, fastmath=True, error_model="numpy")
    def pairs(features, fields, values, begin, end, scale, embeddings, met, counts, products):  # type: ignore[no-untyped-def]
        """The sum over all pairs; fills `met` (F, width), and counts in `counts` (width,) the entries of each field."""
        twice = np.float32(0.0)
        met[:] = 0
        counts[:] = 0
        products[:] = 0
        for entry in range(begin, end):
            x, feature, own = values[entry] * scale, features[entry], np.int64(fields[entry]) * k
            for other in range(len(met)):
                for d in range(k):
                    met[other, own + d] += embeddings[feature, 0, other * k + d] * x
            for d in range(own, own + k):
                counts[d] += 1
                part = embeddings[feature, 0, d] * x
                twice -= part * part
        for entry in range(begin, end):
            x, feature, field = values[entry] * scale, features[entry], fields[entry]
            for d in range(width):  # summed up at the end, since a sum within a short loop is slow
                products[d] += embeddings[feature, 0, d] * met[field, d] * x
        for d in range(width):
            twice += products[d]
        return twice * np.float32(0.5)

    @cached(njit, fastmath=True, error_model="numpy")
    def learn(labels, starts, features, fields, values, order, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        ones, n_fields, total = np.ones((1, 1), np.float32), embeddings.shape[2] // k, 0.0
        met, counts, products = np.zeros((n_fields, width), np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
        used, itself = np.zeros(width, np.float32), np.zeros(k, np.float32)
        for row in order:
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margin = pairs(features, fields, values, begin, end, scale, embeddings, met, counts, products)
            if rates.linear:
                margin += linear_part(features, values, begin, end, scale, bias, weights)
            loss, wide = loss_and_slope(margin, labels[row], rates.loss)
            slope = np.float32(wide)
            total += loss
            if rates.linear:
                step_one(bias, 0, ones, 0, ones[0], slope, rates)
            for d in range(width):
                used[d] = min(counts[d], np.float32(1.0))
            for entry in range(begin, end):
                x, feature, field = values[entry] * scale, features[entry], fields[entry]
                own = np.int64(field) * k
                if rates.linear:
                    step_one(weights, feature, ones, 0, ones[0], slope * x, rates)
                for d in range(k):  # within its own field an entry meets the others alone
                    itself[d] = embeddings[feature, 0, own + d] * x
                    met[field, own + d] -= itself[d]
                    used[own + d] = min(counts[own + d] - 1, np.float32(1.0))
                step(embeddings, feature, met, field, used, slope * x, rates)
                for d in range(k):
                    met[field, own + d] += itself[d]
                    used[own + d] = np.float32(1.0)
        return total

    @cached(njit, fastmath=True, error_model="numpy")
    def forecast(starts, features, fields, values, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        n_fields, margins = embeddings.shape[2] // k, np.empty(len(starts) - 1, np.float32)
        met, counts, products = np.zeros((n_fields, width), np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
        for row in range(len(margins)):
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margins[row] = pairs(features, fields, values, begin, end, scale, embeddings, met, counts, products)
            if rates.linear:
                margins[row] += linear_part(features, values, begin, end, scale, bias, weights)
        return margins

    return Loops(learn, forecast)
