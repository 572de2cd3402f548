"""How one weight, or four at once, is moved by sgd, adagrad and ftrl.

A weight and what its optimizer remembers of it lie in slots of one table (D, S, width): `[weight]` for sgd, for adagrad `[weight,
sum of its squared gradients]`, for ftrl `[weight, that sum, z]`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from common import cached
from features.interactions.kernels import scaled
from features.interactions.quads import load, store

SLOTS = {"sgd": 1, "adagrad": 2, "ftrl": 3}
FIRST_SUM = 1.0
"""adagrad begins as if a gradient of 1 had been seen, as libffm and xLearn do, so that its first steps are not the largest"""


@cache
def rule_of(optimizer: str) -> Callable[..., Any]:
    """`rule(weight, total, z, slope, rates)`: all three after a step; `slope` is the derivative of the loss by the weight."""
    if optimizer == "adagrad":  # Duchi, Hazan & Singer 2011

        @cached(njit, fastmath=True, error_model="numpy", inline="always")
        def rule(weight, total, z, slope, rates):  # type: ignore[no-untyped-def]
            gradient = slope + rates.l2 * weight
            after = total + gradient * gradient
            return weight - rates.rate * gradient / np.sqrt(after), after, z

    elif optimizer == "sgd":

        @cached(njit, fastmath=True, error_model="numpy", inline="always")
        def rule(weight, total, z, slope, rates):  # type: ignore[no-untyped-def]
            return weight - rates.rate * (slope + rates.l2 * weight), total, z

    else:  # FTRL-proximal, McMahan et al. 2013, algorithm 1

        @cached(njit, fastmath=True, error_model="numpy", inline="always")
        def rule(weight, total, z, slope, rates):  # type: ignore[no-untyped-def]
            after = total + slope * slope
            moved = z + slope - (np.sqrt(after) - np.sqrt(total)) / rates.alpha * weight
            beyond = np.maximum(np.abs(moved) - rates.ftrl_l1, rates.nothing)
            size = beyond / ((rates.beta + np.sqrt(after)) / rates.alpha + rates.ftrl_l2)
            return np.copysign(size, rates.nothing - moved), after, moved

    return rule


@cache
def step_of(optimizer: str) -> Callable[..., None]:
    """`step(table, at, width, slope, rates)` moves the weight at `at` of the flat table; its other slots are `width` apart.

    Both are uint64, since for a signed number numba would look each time whether it counts from the end.
    """
    rule, slots = rule_of(optimizer), SLOTS[optimizer]

    @cached(njit, fastmath=True, error_model="numpy", inline="always")
    def step(table, at, width, slope, rates):  # type: ignore[no-untyped-def]
        total = table[at + width] if slots > 1 else slope
        z = table[at + width + width] if slots > 2 else slope
        weight, total, z = rule(table[at], total, z, slope, rates)
        table[at] = weight
        if slots > 1:
            table[at + width] = total
        if slots > 2:
            table[at + width + width] = z

    return step


@cache
def four_of(optimizer: str) -> tuple[Callable[..., Any], Callable[..., None]]:
    """`move(table, at, width, weight, slope, rates)` gives what four weights, `weight`, at `at` of the flat table become, and
    what the optimizer remembers of them; `put(table, at, width, moved)` writes it there."""
    rule, slots = rule_of(optimizer), SLOTS[optimizer]

    @cached(njit, fastmath=True, error_model="numpy", inline="always")
    def move(table, at, width, weight, slope, rates):  # type: ignore[no-untyped-def]
        total = load(table, at + width) if slots > 1 else slope
        z = load(table, at + 2 * width) if slots > 2 else slope
        return rule(weight, total, z, slope, rates)

    @cached(njit, fastmath=True, error_model="numpy", inline="always")
    def put(table, at, width, moved):  # type: ignore[no-untyped-def]
        weight, total, z = moved
        store(table, at, weight)
        if slots > 1:
            store(table, at + width, total)
        if slots > 2:
            store(table, at + 2 * width, z)

    return move, put


@cache
def linear_step_of(optimizer: str) -> Callable[..., None]:
    """Moves the weights of a row's features in the flat table (D S,)."""
    step, slots, one = step_of(optimizer), np.uint64(SLOTS[optimizer]), np.uint64(1)

    @cached(njit, fastmath=True, error_model="numpy", inline="always")
    def linear_step(features, values, begin, end, scale, weights, slope, rates):  # type: ignore[no-untyped-def]
        for entry in range(begin, end):
            step(weights, np.uint64(features[entry]) * slots, one, slope * scaled(values[entry], scale), rates)

    return linear_step
