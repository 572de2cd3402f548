"""The stationary bootstrap: known answers for white noise and for an autoregression."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from evaluation.statistics import block_length, iqm, resampled_means


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


@pytest.mark.parametrize("memory", [0.3, 0.6, 0.9])
def test_the_block_is_the_one_that_theory_has_for_an_autoregression(memory):
    """With G = 2 c f / (1 - f)^2 and D = 2 (c (1 + f) / (1 - f))^2 it is (2 f / (1 - f^2))^(2/3) n^(1/3)."""
    bars = 20_000
    found = [block_length(autoregression(bars, memory, seed)) for seed in range(30)]
    assert np.mean(found) == pytest.approx((2 * memory / (1 - memory**2)) ** (2 / 3) * bars ** (1 / 3), rel=0.08)


def test_noise_needs_no_blocks_and_a_trend_long_ones_but_never_more_than_a_third():
    noise = [block_length(np.random.default_rng(seed).normal(size=3_000)) for seed in range(20)]
    assert np.median(noise) < 4
    assert block_length(np.arange(900.0)) > 40
    assert block_length(np.sin(np.arange(30) / 30 * 4 * np.pi)) == 10
    assert block_length(np.tile([1.0, -1.0], 500)) >= 1


@pytest.mark.parametrize("values", [[], [1.0], [0.0] * 9, [0.1] * 100, [0.0] * 100])
def test_a_series_without_a_variance_has_a_block_of_one(values):
    assert block_length(np.array(values)) == 1


def test_the_automatic_block_gives_an_autoregression_its_standard_error():
    truth = 1 / (1 - 0.8) / np.sqrt(4_000)
    errors = []
    for seed in range(10):
        values = autoregression(4_000, 0.8, seed)
        errors.append(resampled_means(values[:, None], block_length(values), 500, seed).std())
    assert np.mean(errors) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 8, 11])
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(seeds):
    values = np.random.default_rng(seeds).normal(size=seeds) ** 3
    assert iqm(values)[0] == pytest.approx(trim_mean(values, 0.25))
    assert iqm(np.array([0.0, 1.0, 2.0, 1_000.0]))[0] == 1.5


def test_the_interval_over_seeds_holds_the_truth_and_one_seed_has_none_to_speak_of():
    held = 0
    for seed in range(200):
        _, low, high = iqm(np.random.default_rng(seed).normal(5.0, 1.0, 20), draws=500, seed=seed)
        held += low <= 5 <= high
    assert 0.87 <= held / 200 <= 0.99
    assert iqm(np.array([3.0])) == (3, 3, 3)


def test_seeds_are_drawn_within_their_task():
    """Two tasks of very different levels, without a spread in each: drawn together they would vary."""
    assert iqm(np.array([[0.0, 100.0]] * 6)) == (50, 50, 50)
