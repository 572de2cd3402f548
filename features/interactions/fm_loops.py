"""The compiled loops of fm, and of lr, which is an fm without embeddings."""

import math
from functools import cache

import numpy as np
from numba import njit

from common import cached
from features.interactions.kernels import FULL, Loops, length_of, linear_part, loss_and_slope, read_ahead, scaled
from features.interactions.optimizers import SLOTS, linear_step_of, step_of


@cache
def fm_loops(k: int, optimizer: str) -> Loops:
    """Factorization machine (Rendle 2010, equation 5) in O(m k) for a row of m entries; with `k` 0 it is lr.

    margin = bias + sum_i w_i x_i + 1/2 sum_d [(sum_i v_id x_i)^2 - sum_i (v_id x_i)^2]
    """
    step, linear_step = step_of(optimizer), linear_step_of(optimizer)
    slots, zero, one, width = np.uint64(SLOTS[optimizer]), np.uint64(0), np.uint64(1), np.uint64(k)
    size = np.uint64(SLOTS[optimizer] * k)

    @cached(njit, fastmath=True, error_model="numpy", inline="always")
    def pairs(features, values, begin, end, scale, embeddings, sums):  # type: ignore[no-untyped-def]
        """The sum over all pairs; fills `sums` (k,) with sum_i v_id x_i."""
        twice = np.float32(0.0)
        for d in range(k):
            sums[d] = 0
        for entry in range(begin, end):
            x, at = scaled(values[entry], scale), np.uint64(features[entry]) * size
            for d in range(k):
                part = embeddings[at + np.uint64(d)] * x
                sums[d] += part
                twice -= part * part
        for d in range(k):
            twice += sums[d] * sums[d]
        return twice * np.float32(0.5)

    @cached(njit, fastmath=True, error_model="numpy")
    def learn(labels, starts, features, fields, values, order, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        sums, total, product = np.zeros(k, np.float32), 0.0, 1.0
        for number in range(len(order)):
            read_ahead(number, order, labels, starts, features, fields, values)
            row = order[number]
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margin = pairs(features, values, begin, end, scale, embeddings, sums) if k else np.float32(0.0)
            if rates.linear:
                margin += linear_part(features, values, begin, end, scale, bias, weights, slots)
            loss, factor, wide = loss_and_slope(margin, labels[row], rates.loss)
            slope = np.float32(wide)
            total += loss
            product *= factor
            if product > FULL:
                total += math.log(product)
                product = 1.0
            if rates.linear:
                step(bias, zero, one, slope, rates)
                linear_step(features, values, begin, end, scale, weights, slope, rates)
            for entry in range(begin, end if k else begin):
                x, at = scaled(values[entry], scale), np.uint64(features[entry]) * size
                for d in range(k):
                    others = sums[d] - embeddings[at + np.uint64(d)] * x
                    step(embeddings, at + np.uint64(d), width, slope * x * others, rates)
        return total + math.log(product)

    @cached(njit, fastmath=True, error_model="numpy")
    def forecast(starts, features, fields, values, bias, weights, embeddings, rates):  # type: ignore[no-untyped-def]
        sums, margins = np.zeros(k, np.float32), np.empty(len(starts) - 1, np.float32)
        for row in range(len(margins)):
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            margins[row] = pairs(features, values, begin, end, scale, embeddings, sums)
            if rates.linear:
                margins[row] += linear_part(features, values, begin, end, scale, bias, weights, slots)
        return margins

    return Loops(learn, forecast)
