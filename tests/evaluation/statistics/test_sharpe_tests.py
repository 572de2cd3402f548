"""Sharpe ratios against luck: the published vectors, and what must come out where the answer is known."""

import math
import warnings

import numpy as np
import pytest

from evaluation.statistics import (
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record_length,
    probabilistic_sharpe,
    probability_of_overfitting,
    sharpe_moments,
)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_published_vectors():
    assert expected_max_sharpe(100) == pytest.approx(2.5306028932, abs=1e-9)
    assert expected_max_sharpe(10) == pytest.approx(1.5745983, abs=1e-7)
    assert probabilistic_sharpe(1.585 / math.sqrt(12), 24, -2.448, 10.164) == pytest.approx(0.9132343069, abs=1e-9)
    sharpe, spread = 2.5 / math.sqrt(250), math.sqrt(0.5 / 250)
    assert deflated_sharpe(sharpe, 1250, 100, spread, -3, 10) == pytest.approx(0.9003968344, abs=1e-9)
    assert deflated_sharpe(sharpe, 1250, 46, spread, -3, 10) == pytest.approx(0.9505017, abs=1e-7)
    assert deflated_sharpe(sharpe, 1250, 88, spread, 0, 3) == pytest.approx(0.9504908, abs=1e-7)


def test_one_trial_is_not_deflated():
    assert expected_max_sharpe(1) == 0
    assert deflated_sharpe(0.05, 1_000, 1, 0.03, -0.5, 6) == probabilistic_sharpe(0.05, 1_000, -0.5, 6)


def test_more_trials_deflate_more():
    deflated = [deflated_sharpe(0.08, 1_000, trials) for trials in (1, 2, 10, 100, 10_000)]
    assert deflated == sorted(deflated, reverse=True)
    assert deflated[0] > 0.95 > deflated[-1]


def test_the_best_of_trials_without_skill_comes_to_what_is_expected():
    best = np.random.default_rng(0).normal(size=(4_000, 50)).max(axis=1)
    assert expected_max_sharpe(50) == pytest.approx(best.mean(), rel=0.02)


def test_the_probability_is_that_of_simulated_track_records():
    """Of 4,000 records without an edge, 5 % have a probability above 0.95."""
    returns = np.random.default_rng(1).normal(size=(4_000, 250))
    sure = np.mean([probabilistic_sharpe(s, 250, g3, g4) > 0.95 for s, g3, g4 in map(sharpe_moments, returns)])
    assert sure == pytest.approx(0.05, abs=0.012)


def test_after_the_minimum_track_record_the_probability_is_the_confidence():
    bars = min_track_record_length(0.1, -0.7, 5.0, benchmark=0.02, confidence=0.9)
    assert bars is not None
    assert probabilistic_sharpe(0.1, math.ceil(bars), -0.7, 5.0, 0.02) >= 0.9
    assert probabilistic_sharpe(0.1, math.floor(bars), -0.7, 5.0, 0.02) <= 0.9
    assert min_track_record_length(0.02, benchmark=0.02) is None


def test_moments_by_hand():
    sharpe, skew, kurtosis = sharpe_moments(np.array([0.0, 0.0, 0.0, 4.0]))
    assert sharpe == pytest.approx(1 / math.sqrt(3))
    assert skew == pytest.approx(2 / math.sqrt(3))
    assert kurtosis == pytest.approx(7 / 3)


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 50, [0.01] * 50])
def test_a_series_that_never_moves_says_nothing(returns):
    sharpe, skew, kurtosis = sharpe_moments(np.array(returns, float))
    assert (sharpe, skew, kurtosis) == (0, 0, 3)
    assert probabilistic_sharpe(sharpe, len(returns), skew, kurtosis) == 0.5
    assert 0 <= deflated_sharpe(sharpe, len(returns), 10) <= 0.5


def overfitting_of(returns: np.ndarray, blocks: int = 16) -> float:
    """Of trials for which it is defined."""
    probability = probability_of_overfitting(returns, blocks)
    assert probability is not None
    return probability


def test_choosing_among_trials_without_skill_overfits_every_other_time():
    found = [overfitting_of(np.random.default_rng(seed).normal(size=(480, 20)), 8) for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_choosing_a_trial_with_skill_does_not_overfit():
    returns = np.random.default_rng(0).normal(size=(960, 20))
    returns[:, 7] += 0.3
    assert overfitting_of(returns) < 0.01


def test_what_wins_on_one_half_and_loses_on_the_other_overfits():
    """Each trial has its own good block, and pays for it in all others: the best inside is the worst outside."""
    returns = np.random.default_rng(0).normal(0, 1e-3, (160, 16))
    for trial in range(16):
        returns[:, trial] -= 0.01
        returns[10 * trial : 10 * trial + 10, trial] += 0.16
    assert probability_of_overfitting(returns) == 1


def test_all_choices_by_hand():
    """Two blocks, two trials: each wins its own block, so the choice is always wrong."""
    wins, loses = [1.0, 1.1], [-1.0, -1.1]
    assert probability_of_overfitting(np.array([wins + loses, loses + wins]).T, 2) == 1
    assert probability_of_overfitting(np.array([wins + wins, loses + loses]).T, 2) == 0


def test_overfitting_is_undefined_without_a_choice_or_halves():
    assert probability_of_overfitting(np.ones((100, 1))) is None
    assert probability_of_overfitting(np.ones((3, 5))) is None
    assert probability_of_overfitting(np.zeros((100, 5))) == 1  # a choice among equals
    assert 0 <= overfitting_of(np.random.default_rng(0).normal(size=(9, 3))) <= 1
