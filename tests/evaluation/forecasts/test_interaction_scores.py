"""The figures of models of interactions, each held against the slow road to it."""

import doctest
import io

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console
from scipy.stats import mannwhitneyu, norm

from common import InputError
from evaluation.forecasts import interaction_scores as scores
from evaluation.forecasts.interaction_scores import auc, compare_interactions, interactions_table, logloss

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


def by_pairs(labels: np.ndarray, forecasts: np.ndarray) -> float:
    won = [1.0 if one > zero else 0.5 if one == zero else 0.0 for one in forecasts[labels > 0] for zero in forecasts[labels == 0]]
    return sum(won) / len(won)


@settings(deadline=None)  # the first case compiles
@given(ROWS)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    labels, forecasts = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float)
    if 0 < labels.sum() < len(labels):
        assert auc(labels, forecasts) == by_pairs(labels, forecasts)
        ranks = mannwhitneyu(forecasts[labels > 0], forecasts[labels == 0]).statistic
        assert auc(labels, forecasts) == pytest.approx(ranks / (labels.sum() * (len(labels) - labels.sum())), abs=1e-12)
    else:
        assert auc(labels, forecasts) is None


@settings(deadline=None)  # the first case compiles
@given(ROWS, st.integers(0, 2**32 - 1))
def test_a_row_that_is_drawn_twice_counts_as_two_rows(rows, seed):
    labels, forecasts = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float)
    counts = np.random.default_rng(seed).integers(0, 4, len(rows)).astype(np.uint16)
    order, last = scores._ranked(forecasts[None])
    weighted = scores._weighted_auc(order[0], last[0], labels > 0, counts)
    repeated = auc(np.repeat(labels, counts), np.repeat(forecasts, counts)) if counts.any() else None
    assert weighted == repeated or (np.isnan(weighted) and repeated is None)
    assert scores._weighted_auc.py_func(order[0], last[0], labels > 0, counts.astype(object)) == weighted or repeated is None


def test_the_draws_are_those_of_plain_numpy():
    """AUC, logloss and squared errors of resampled rows, from the same draws of the generator."""
    rng = np.random.default_rng(3)
    labels, forecasts = (rng.random(60) < 0.4).astype(float), rng.random((2, 60)).round(1)
    generator = np.random.default_rng(9)
    rows = [generator.integers(0, 60, 60) for _ in range(30)]
    aucs = scores._drawn("auc", labels, forecasts, 9, 30, lambda done, total: None)
    np.testing.assert_allclose(aucs, [[auc(labels[r], forecast[r]) or 0.0 for forecast in forecasts] for r in rows])
    losses = scores._drawn("logloss", labels, forecasts, 9, 30, lambda done, total: None)
    np.testing.assert_allclose(losses, [[logloss(labels[r], forecast[r]) for forecast in forecasts] for r in rows])
    errors = scores._drawn("rmse", labels, forecasts, 9, 30, lambda done, total: None)
    np.testing.assert_allclose(errors, [[((f[r] - labels[r]) ** 2).mean() ** 0.5 for f in forecasts] for r in rows])


def test_a_probability_of_0_costs_what_the_clip_says():
    assert logloss(np.array([1.0]), np.array([0.0])) == pytest.approx(-np.log(1e-15))
    assert logloss(np.array([0.0]), np.array([1.0])) == pytest.approx(-np.log(1e-15), rel=1e-2)
    assert logloss(np.array([0.0, 1.0]), np.array([0.25, 0.5])) == pytest.approx((-np.log(0.75) - np.log(0.5)) / 2)


def noisy(labels: np.ndarray, strengths: list[float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Forecasts whose true AUC is norm.cdf(strength / sqrt(2)), with half of their noise in common."""
    common = rng.normal(size=len(labels))
    return {
        f"{place} at {strength}": strength * labels + (common + rng.normal(size=len(labels))) / np.sqrt(2)
        for place, strength in enumerate(strengths)
    }


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of one AUC, and of the three differences at once: 95 % of 300 samples, give or take three standard errors."""
    rng, alone, together, repeats = np.random.default_rng(0), 0, 0, 300
    strengths = [1.0, 0.7, 0.4]
    for seed in range(repeats):
        labels = (rng.random(250) < 0.4).astype(float)
        forecasts = noisy(labels, strengths, rng)
        truth = dict(zip(forecasts, norm.cdf(np.array(strengths) / np.sqrt(2)), strict=True))
        compared = compare_interactions(labels, forecasts, seed=seed, draws=200)
        first = next(iter(forecasts))
        alone += compared.scores[first].interval[0] <= truth[first] <= compared.scores[first].interval[1]
        together += all(pair.interval[0] <= truth[pair.better] - truth[pair.worse] <= pair.interval[1] for pair in compared.pairs)
    assert 0.91 <= alone / repeats <= 0.99
    assert 0.91 <= together / repeats <= 0.99


def test_between_equal_models_a_difference_is_seldom_shown():
    """Five models as good as each other: among ten pairs at once, at most one sample in twenty, give or take, shows one."""
    rng, shown = np.random.default_rng(1), 0
    for seed in range(100):
        labels = (rng.random(250) < 0.5).astype(float)
        compared = compare_interactions(labels, noisy(labels, [0.8] * 5, rng), seed=seed, draws=200)
        shown += any(pair.shown for pair in compared.pairs)
    assert shown <= 11


def test_the_words_name_what_is_shown_and_what_is_not():
    rng = np.random.default_rng(2)
    labels = (rng.random(2_000) < 0.5).astype(float)
    forecasts = noisy(labels, [0.2, 2.0], rng)
    forecasts = {"weak": forecasts["0 at 0.2"], "strong": forecasts["1 at 2.0"]} | {"twin": forecasts["1 at 2.0"]}
    compared = compare_interactions(labels, forecasts)
    assert list(compared.scores) == ["strong", "twin", "weak"]
    assert compared.unbeaten == ["strong", "twin"]
    words = "\n".join(compared.in_words)
    assert words.startswith("By AUC, with intervals sure to 95% for all 3 pairs at once:\nstrong is better than weak (by 0.3")
    assert "No difference is shown between strong and twin." in words
    assert compare_interactions(labels, forecasts) == compared  # seeded


def test_labels_that_are_all_alike_are_judged_by_logloss_and_said():
    compared = compare_interactions(np.ones(80), {"sure": np.full(80, 0.9), "unsure": np.full(80, 0.5)})
    assert compared.measure == "logloss"
    assert compared.scores["sure"].measures["auc"] is None
    assert compared.in_words[0] == "AUC is not defined here, for all 80 labels are 1."
    assert compared.in_words[2].startswith("sure is better than unsure (by 0.5878")


def test_few_rows_of_one_label_are_said():
    labels = np.array([1.0] * 4 + [0.0] * 90)
    compared = compare_interactions(labels, {"lr": np.linspace(0, 1, 94)})
    assert compared.in_words == ["Only 4 of the labels are 1: the intervals are rough, and more rows would mend that."]


def test_squared_forecasts_are_judged_by_their_errors():
    labels = np.random.default_rng(4).normal(size=500) * 1_000
    compared = compare_interactions(labels, {"far": labels + 30, "near": labels - 10}, "squared")
    assert compared.scores["near"].measures == {"rmse": pytest.approx(10), "mae": pytest.approx(10)}
    assert compared.ones is None
    assert compared.in_words[1] == "near is better than far (by 20, 20 to 20)."


def test_models_are_compared_on_rows():
    with pytest.raises(InputError, match="there are none"):
        compare_interactions(np.empty(0), {"lr": np.empty(0)})


def test_the_table_fits_a_terminal_of_80():
    labels = np.array([0.0, 1.0] * 100)
    compared = compare_interactions(labels, {"wide_deep": labels * 0.5 + 0.2, "lr": np.linspace(0, 1, 200)}, draws=50)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(interactions_table(compared, "test", dict.fromkeys(compared.scores, (12, 15, 12_345.6))))
    lines = console.export_text().splitlines()
    assert len(lines) == 4
    assert lines[1].split() == ["algorithm", "AUC", "95", "%", "logloss", "seconds", "epoch"]
    assert lines[2].split() == ["wide_deep", "1.0000", "1.0000", "to", "1.0000", "0.2899", "12345.6", "12", "of", "15"]


def test_examples():
    assert doctest.testmod(scores).failed == 0
