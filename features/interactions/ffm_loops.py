"""The compiled loops of ffm.

A feature i has an embedding v_ig for each field g, and the margin (Juan et al. 2016, equation 1) is

    bias + sum_i w_i x_i + sum over the pairs of entries i < j of <v_i,f_j , v_j,f_i> x_i x_j

Rows with one entry a field, which most data have, are summed up pair by pair as it stands there. With several, the entries of a
field are summed up first: with s_fg, the sum of v_ig x_i over the entries i of field f, the sum over the pairs is

    sum_{f < g} s_fg . s_gf + 1/2 sum_f [|s_ff|^2 - sum_{i in f} |v_if x_i|^2]

in O(m F k) for m entries in F fields, and its derivative by v_ig is x_i s_gf, or x_i (s_gf - x_i v_ig) where g is i's own field.
A test holds both ways to each other. Embeddings are moved four numbers at a time, so each takes up a multiple of four; what is
too many stays 0.
"""

import math
from functools import cache

import numpy as np
from numba import njit

from common import cached
from features.interactions.kernels import FULL, Loops, four_times, length_of, linear_part, loss_and_slope, read_ahead, scaled
from features.interactions.optimizers import SLOTS, four_of, linear_step_of, step_of
from features.interactions.quads import WIDTH, load, quad, store, total_of


def room_for(k: int) -> int:
    """Numbers that an embedding takes up."""
    return -(-k // WIDTH) * WIDTH


@cached(njit, error_model="numpy")
def one_entry_a_field(fields, begin, end):  # type: ignore[no-untyped-def]
    """Whether the row's fields rise from entry to entry; rows in another order are taken for rows with several."""
    rising = True
    for entry in range(begin + 1, end):
        rising &= fields[entry] > fields[entry - 1]
    return rising


@cache
def ffm_loops(k: int, n_fields: int, optimizer: str) -> Loops:
    """See above; `table` is (D S F room_for(k),), flat: for each feature its slots, in each slot an embedding for each field."""
    (move, put), step, linear_step = four_of(optimizer), step_of(optimizer), linear_step_of(optimizer)
    room = room_for(k)
    slots, zero, one = np.uint64(SLOTS[optimizer]), np.uint64(0), np.uint64(1)
    width, size = n_fields * room, SLOTS[optimizer] * n_fields * room

    @cached(njit, fastmath=True, error_model="numpy")
    def sum_of_pairs(features, fields, values, begin, end, scale, table):  # type: ignore[no-untyped-def]
        """One entry a field."""
        total = quad(np.float32(0.0))
        for i in range(begin, end):
            i_at, i_field, i_value = np.int64(features[i]) * size, np.int64(fields[i]) * room, scaled(values[i], scale)
            for j in range(i + 1, end):
                j_at, j_field = np.int64(features[j]) * size, np.int64(fields[j]) * room
                x = quad(i_value * scaled(values[j], scale))
                for d in range(0, room, WIDTH):
                    total += load(table, i_at + j_field + d) * load(table, j_at + i_field + d) * x
        return total_of(total)

    @cached(njit, fastmath=True, error_model="numpy")
    def step_pairs(features, fields, values, begin, end, scale, weights, table, slope, rates, by_four):  # type: ignore[no-untyped-def]
        """One entry a field."""
        for i in range(begin, end):
            i_at, i_field, i_slope = np.int64(features[i]) * size, np.int64(fields[i]) * room, slope * scaled(values[i], scale)
            if rates.linear:
                step(weights, np.uint64(features[i]) * slots, one, i_slope, rates)
            for j in range(i + 1, end):
                j_at, j_field = np.int64(features[j]) * size, np.int64(fields[j]) * room
                x = quad(i_slope * scaled(values[j], scale))
                for d in range(0, room, WIDTH):
                    left, right = load(table, i_at + j_field + d), load(table, j_at + i_field + d)
                    # Both are computed before either is written, so that neither waits for the other.
                    new_left = move(table, i_at + j_field + d, width, left, x * right, by_four)
                    new_right = move(table, j_at + i_field + d, width, right, x * left, by_four)
                    put(table, i_at + j_field + d, width, new_left)
                    put(table, j_at + i_field + d, width, new_right)

    @cached(njit, fastmath=True, error_model="numpy")
    def sum_of_fields(features, fields, values, begin, end, scale, table, sums):  # type: ignore[no-untyped-def]
        """Several entries a field; fills `sums` (F F room,) with s_fg at (f F + g) room."""
        sums[:] = 0
        twice, total = quad(np.float32(0.0)), quad(np.float32(0.0))
        for entry in range(begin, end):
            at, field, x = np.int64(features[entry]) * size, np.int64(fields[entry]), quad(scaled(values[entry], scale))
            for d in range(0, width, WIDTH):
                store(sums, field * width + d, load(sums, field * width + d) + load(table, at + d) * x)
            for d in range(field * room, field * room + room, WIDTH):
                part = load(table, at + d) * x
                twice -= part * part
        for f in range(n_fields):
            for d in range(0, room, WIDTH):
                own = load(sums, f * width + f * room + d)
                twice += own * own
                for g in range(f):
                    total += load(sums, f * width + g * room + d) * load(sums, g * width + f * room + d)
        return total_of(total) + np.float32(0.5) * total_of(twice)

    @cached(njit, fastmath=True, error_model="numpy")
    def step_fields(features, fields, values, begin, end, scale, table, sums, counts, slope, rates):  # type: ignore[no-untyped-def]
        """Several entries a field; a field that the row lacks, or in which an entry is alone, moves nothing of it."""
        counts[:] = 0
        for entry in range(begin, end):
            counts[fields[entry]] += 1
        for entry in range(begin, end):
            at, field, x = np.int64(features[entry]) * size, np.int64(fields[entry]), scaled(values[entry], scale)
            for g in range(n_fields):
                if counts[g] > (g == field):
                    itself = quad(x if g == field else np.float32(0.0))
                    for d in range(0, room, WIDTH):
                        weight = load(table, at + g * room + d)
                        others = load(sums, g * width + field * room + d) - itself * weight
                        moved = move(table, at + g * room + d, width, weight, quad(slope * x) * others, rates)
                        put(table, at + g * room + d, width, moved)

    @cached(njit, fastmath=True, error_model="numpy")
    def learn(labels, starts, features, fields, values, order, bias, weights, table, rates):  # type: ignore[no-untyped-def]
        sums, counts = np.zeros(n_fields * width, np.float32), np.zeros(n_fields, np.int64)
        by_four, total, product = four_times(rates), 0.0, 1.0
        for number in range(len(order)):
            read_ahead(number, order, labels, starts, features, fields, values)
            row = order[number]
            begin, end = starts[row], starts[row + 1]
            scale, simple = length_of(values, begin, end, rates.normalize), one_entry_a_field(fields, begin, end)
            if simple:
                margin = sum_of_pairs(features, fields, values, begin, end, scale, table)
            else:
                margin = sum_of_fields(features, fields, values, begin, end, scale, table, sums)
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
            if simple:
                step_pairs(features, fields, values, begin, end, scale, weights, table, slope, rates, by_four)
            else:
                if rates.linear:
                    linear_step(features, values, begin, end, scale, weights, slope, rates)
                step_fields(features, fields, values, begin, end, scale, table, sums, counts, slope, by_four)
        return total + math.log(product)

    @cached(njit, fastmath=True, error_model="numpy")
    def forecast(starts, features, fields, values, bias, weights, table, rates):  # type: ignore[no-untyped-def]
        sums = np.zeros(n_fields * width, np.float32)
        margins = np.empty(len(starts) - 1, np.float32)
        for row in range(len(margins)):
            begin, end = starts[row], starts[row + 1]
            scale = length_of(values, begin, end, rates.normalize)
            if one_entry_a_field(fields, begin, end):
                margins[row] = sum_of_pairs(features, fields, values, begin, end, scale, table)
            else:
                margins[row] = sum_of_fields(features, fields, values, begin, end, scale, table, sums)
            if rates.linear:
                margins[row] += linear_part(features, values, begin, end, scale, bias, weights, slots)
        return margins

    return Loops(learn, forecast)
