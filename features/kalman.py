"""A Kalman filter with fixed matrices, run once over a series: from each bar's filtered state come the forecasts of all horizons.

Durbin & Koopman, Time Series Analysis by State Space Methods (2012), chapter 4. Every row uses its bar and the bars before it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from common import cached

CONVERGED = 1e-14  # relative change of the state's covariance below which it has settled, and is computed no more

compiled = cached(njit, error_model="numpy")


class StateSpace(NamedTuple):
    """y_t = Z a_t; a_{t+1} = T a_t + noise of covariance Q; a_1 has the given mean and covariance. k states, float64."""

    design: np.ndarray
    """Z (k,)"""
    transition: np.ndarray
    """T (k, k)"""
    noise: np.ndarray
    """Q (k, k)"""
    mean: np.ndarray
    """(k,)"""
    covariance: np.ndarray
    """(k, k)"""


def forecast_all(model: StateSpace, series: np.ndarray, horizons: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of y_{t+1} ... y_{t+horizons} given y_1 ... y_t, for every t.

    Args:
        series: float64 (T,), finite.

    Returns:
        float64 (T, horizons) and (T, horizons).
    """
    weights = np.empty((horizons, len(model.design)))  # Z T^h
    noises = np.empty(horizons)  # variance of what happens between t and t + h
    row, noise = model.design, 0.0
    for horizon in range(horizons):
        noise += row @ model.noise @ row
        row = row @ model.transition
        weights[horizon], noises[horizon] = row, noise
    matrices = StateSpace(*(np.ascontiguousarray(array, np.float64) for array in model))
    means, deviations = _filter(np.ascontiguousarray(series), *matrices, weights, noises)
    return means, deviations


@compiled
def _filter(series, design, transition, noise, mean, covariance, weights, noises):  # type: ignore[no-untyped-def]
    """Predict, compare, correct: the state's mean at each bar, its covariance until that settles.

    Plain loops, not BLAS: the order of summation, and so the last bit, must not depend on anything but the numbers.
    """
    bars, horizons, states = len(series), len(weights), len(design)
    means, deviations = np.empty((bars, horizons)), np.empty((bars, horizons))
    mean, covariance = mean.copy(), covariance.copy()
    gain, state, spread = np.empty(states), np.empty(states), np.empty(horizons)
    before, product, settled = np.empty((states, states)), np.empty((states, states)), False
    for t in range(bars):
        if not settled:
            _correct(covariance, design, gain, before)
            for h in range(horizons):
                spread[h] = np.sqrt(max(_quadratic(covariance, weights[h]) + noises[h], 0.0))
            settled = _predict(covariance, transition, noise, before, product)
        surprise = series[t] - _dot(design, mean)
        for k in range(states):
            state[k] = mean[k] + gain[k] * surprise
        for k in range(states):
            mean[k] = _dot(transition[k], state)
        for h in range(horizons):
            means[t, h], deviations[t, h] = _dot(weights[h], state), spread[h]
    return means, deviations


@compiled
def _correct(covariance, design, gain, before):  # type: ignore[no-untyped-def]
    """What a look at the series leaves of the state's covariance, in place; writes the gain and what it was."""
    states = len(design)
    for k in range(states):
        gain[k] = _dot(covariance[k], design)
    variance = _dot(design, gain)  # of what is seen, given the past
    for k in range(states):
        gain[k] = gain[k] / variance if variance > 0 else 0.0
    for k in range(states):
        for j in range(states):
            before[k, j] = covariance[k, j]
            covariance[k, j] -= variance * (gain[k] * gain[j])


@compiled
def _predict(covariance, transition, noise, before, product):  # type: ignore[no-untyped-def]
    """T P T' + Q in place of P, the covariance corrected; whether it is what it was a bar ago."""
    states = len(noise)
    for k in range(states):
        for j in range(states):
            product[k, j] = _dot(covariance[j], transition[k])  # P is symmetric
    largest = change = 0.0
    for k in range(states):
        for j in range(states):
            predicted = _dot(product[k], transition[j]) + noise[k, j]
            change, largest = max(change, abs(predicted - before[k, j])), max(largest, abs(predicted))
            covariance[k, j] = predicted
    return change <= CONVERGED * largest


@compiled
def _quadratic(matrix, vector):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(len(vector)):
        total += vector[k] * _dot(matrix[k], vector)
    return total


@compiled
def _dot(one, two):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(len(one)):
        total += one[k] * two[k]
    return total
