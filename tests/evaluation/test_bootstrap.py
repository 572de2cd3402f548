"""The stationary bootstrap: known answers for white noise and for an autoregression."""

import numpy as np
import pytest

from evaluation.bootstrap import resampled_means


def autoregression(bars: int, memory: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=bars)
    values = np.empty(bars)
    values[0] = noise[0] / np.sqrt(1 - memory**2)
    for bar in range(1, bars):
        values[bar] = memory * values[bar - 1] + noise[bar]
    return values


def test_single_draws_give_the_standard_error_of_white_noise():
    values = np.random.default_rng(0).normal(3.0, 2.0, (2_000, 1))
    means = resampled_means(values, 1.0, 4_000, seed=1)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)
    assert means.std() == pytest.approx(values.std() / np.sqrt(2_000), rel=0.05)


def test_blocks_give_the_standard_error_of_an_autoregression_and_single_draws_do_not():
    """Of the mean of n values of an AR(1) with memory .9: 1 / (1 - .9) / sqrt(n), 4.4 times that of as many independent ones."""
    truth = 1 / (1 - 0.9) / np.sqrt(5_000)
    in_blocks, single = [], []
    for seed in range(10):
        values = autoregression(5_000, 0.9, seed)[:, None]
        in_blocks.append(resampled_means(values, 100.0, 1_000, seed).std())
        single.append(resampled_means(values, 1.0, 1_000, seed).std())
    assert np.mean(in_blocks) == pytest.approx(truth, rel=0.15)
    assert np.mean(single) < 0.3 * truth


def test_an_interval_of_95_per_cent_holds_the_true_mean_about_as_often():
    held = 0
    for seed in range(200):
        values = autoregression(1_000, 0.5, seed)[:, None]
        low, high = np.quantile(resampled_means(values, 20.0, 500, seed), [0.025, 0.975])
        held += low <= 0 <= high
    assert 0.88 <= held / 200 <= 0.98


def test_columns_are_resampled_alike():
    values = np.random.default_rng(0).normal(size=(300, 1))
    means = resampled_means(np.hstack([values, 2 * values + 1]), 10.0, 50, seed=0)
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0] + 1, rtol=1e-12)


def test_the_seed_decides_the_draws():
    values = np.random.default_rng(0).normal(size=(300, 2))
    one, same, other = (resampled_means(values, 10.0, 50, seed) for seed in (0, 0, 1))
    assert one.tobytes() == same.tobytes() != other.tobytes()


def test_blocks_have_the_length_that_was_asked_for():
    """In a series 0, 1, 2, ... that wraps around, a step of another size than 1 begins a block."""
    rows = 400
    markers = np.eye(rows)  # the mean of column k is how often row k was drawn
    counts = resampled_means(markers, 8.0, 200, seed=0) * rows
    np.testing.assert_allclose(counts.sum(axis=1), rows)
    neighbours = np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]
    assert neighbours == pytest.approx(1 - 1 / 8, abs=0.03)
