"""lr, fm and ffm: every number by a second road."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from field_data import FEATURES, NAMES, in_memory, planted, random_rows
from sklearn.linear_model import LogisticRegression

from common import InputError
from features.fields import FieldRows
from features.interactions import InteractionSettings, Shape, fit_interactions, losses_of
from features.interactions.kernel_learner import KernelLearner
from features.interactions.kernels import loss_and_slope

SHAPE = Shape(len(NAMES) * FEATURES, len(NAMES))
KINDS = ("lr", "fm", "ffm")
OPTIMIZERS = ("sgd", "adagrad", "ftrl")
K = 4
Weights = dict[str, np.ndarray]


def settings(**changes) -> InteractionSettings:
    return InteractionSettings.model_validate({"k": K, "l2": 0.0, "learning_rate": 1.0} | changes)


def margin_by_pairs(name: str, weights: Weights, rows: FieldRows, row: int, given: InteractionSettings) -> float:
    """In float64, over all pairs of the row's entries, as the papers write it."""
    entries = range(rows.starts[row], rows.starts[row + 1])
    values = {entry: float(rows.values[entry]) for entry in entries}
    if given.normalize_rows:
        length = math.sqrt(sum(value**2 for value in values.values()))
        values = {entry: value / length for entry, value in values.items()}
    total = 0.0
    if given.linear:
        total += float(weights["bias"][0]) + sum(float(weights["linear"][rows.features[i]]) * values[i] for i in entries)
    for i, j in combinations(entries if name != "lr" else (), 2):
        first, second = rows.features[i], rows.features[j]
        if name == "fm":
            left, right = weights["embeddings"][first], weights["embeddings"][second]
        else:  # the embedding for the other's field
            left = weights["embeddings"][first].reshape(SHAPE.n_fields, -1)[rows.fields[j]]
            right = weights["embeddings"][second].reshape(SHAPE.n_fields, -1)[rows.fields[i]]
        total += float(left.astype(float) @ right.astype(float)) * values[i] * values[j]
    return total


@pytest.mark.parametrize("several", [False, True], ids=["one a field", "several a field"])
@pytest.mark.parametrize("factor", [1e-38, 1e-30, 1e-20, 1e25, 1e37])
@pytest.mark.parametrize("name", KINDS)
def test_values_whose_squares_float32_cannot_hold_change_nothing(name, factor, several):
    rows, given = random_rows(50, several=several), settings(learning_rate=0.2)
    same = replace(rows, values=(rows.values.astype(float) * factor).astype(np.float32))
    usual, extreme = KernelLearner(name, SHAPE, given), KernelLearner(name, SHAPE, given)
    assert extreme.learn(same, np.arange(50)) == pytest.approx(usual.learn(rows, np.arange(50)), rel=1e-5)
    np.testing.assert_allclose(extreme.margins(same), usual.margins(rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_values_beneath_the_smallest_float32_of_full_precision_stay_finite(name):
    rows, learner = random_rows(50), KernelLearner(name, SHAPE, settings())
    tiny = replace(rows, values=np.full(len(rows.values), 1e-44, np.float32))
    assert math.isfinite(learner.learn(tiny, np.arange(50)))
    assert np.isfinite(learner.margins(tiny)).all()


def loss_of(margin: float, label: float, loss: str) -> float:
    return (margin - label) ** 2 / 2 if loss == "squared" else math.log1p(math.exp(-margin if label else margin))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("several", [False, True], ids=["one a field", "several a field"])
@pytest.mark.parametrize("name", KINDS)
def test_a_margin_is_the_sum_over_all_pairs(name, several, normalize):
    given = settings(normalize_rows=normalize)
    learner, rows = KernelLearner(name, SHAPE, given), random_rows(50, several=several)
    learner.learn(rows, np.arange(50))  # so that no weight is 0
    expected = [margin_by_pairs(name, learner.weights(), rows, row, given) for row in range(50)]
    np.testing.assert_allclose(learner.margins(rows), expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("loss", ["logloss", "squared"])
@pytest.mark.parametrize("several", [False, True], ids=["one a field", "several a field"])
@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_those_of_finite_differences(name, several, loss):
    """One step of sgd of size 1 moves each weight by its derivative."""
    given = settings(optimizer="sgd", loss=loss, normalize_rows=False)
    rows = random_rows(1, seed=3, several=several)
    learner = KernelLearner(name, SHAPE, given)
    draw = np.random.default_rng(0)
    before = {key: draw.normal(0, 0.3, array.shape).astype(np.float32) for key, array in learner.weights().items()}
    learner.load_weights(before)
    learner.learn(rows, np.zeros(1, np.int64))
    for key, array in learner.weights().items():
        found = (before[key] - array).ravel()
        for place in range(array.size):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {k: a.astype(float) for k, a in before.items()}
                moved[key].ravel()[place] += step
                sides.append(loss_of(margin_by_pairs(name, moved, rows, 0, given), float(rows.labels[0]), loss))
            assert found[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=2e-5), (key, place)


def one_step(optimizer: str, **changes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings before, their gradient, and embeddings after two steps on the same row, of which the second one is asked for."""
    rows, order = random_rows(1, seed=5, ones=True), np.zeros(1, np.int64)
    learner = KernelLearner("fm", SHAPE, settings(optimizer=optimizer, **changes))
    before = learner.weights()
    plain = KernelLearner("fm", SHAPE, settings(optimizer="sgd"))
    plain.load_weights(before)
    plain.learn(rows, order)
    gradient = before["embeddings"] - plain.weights()["embeddings"]
    learner.learn(rows, order)
    return before["embeddings"], gradient, learner.weights()["embeddings"]


def test_adagrad_divides_by_the_root_of_the_squares_so_far():
    """Duchi, Hazan & Singer 2011, begun at a sum of 1."""
    before, gradient, after = one_step("adagrad", learning_rate=0.2)
    np.testing.assert_allclose(after, before - 0.2 * gradient / np.sqrt(1 + gradient**2), atol=1e-6)


def test_the_penalty_pulls_what_a_row_uses_and_nothing_else():
    before, gradient, after = one_step("sgd", l2=0.1)
    used = np.abs(gradient).sum(axis=1) > 0
    np.testing.assert_allclose(after[used], (before - gradient - 0.1 * before)[used], atol=1e-6)
    np.testing.assert_array_equal(after[~used], before[~used])


def test_ftrl_is_its_formula():
    """McMahan et al. 2013, algorithm 1, for the first step from a weight that is not 0."""
    alpha, beta, l1, l2 = 0.3, 1.0, 0.01, 0.5
    before, gradient, after = one_step("ftrl", ftrl_alpha=alpha, ftrl_beta=beta, ftrl_l1=l1, ftrl_l2=l2)
    z = gradient - np.abs(gradient) / alpha * before
    size = np.maximum(np.abs(z) - l1, 0) / ((beta + np.abs(gradient)) / alpha + l2)
    used = np.abs(gradient).sum(axis=1) > 0
    np.testing.assert_allclose(after[used], (-np.sign(z) * size)[used], atol=1e-6)
    np.testing.assert_array_equal(after[~used], before[~used])


def test_ftrl_sets_weights_to_zero():
    rows = random_rows(400, ones=True)
    learner = KernelLearner("lr", SHAPE, settings(optimizer="ftrl", ftrl_l1=30.0))
    learner.learn(rows, np.arange(400))
    assert (learner.weights()["linear"] == 0).all()


@pytest.mark.parametrize("optimizer", [pytest.param("sgd", marks=pytest.mark.slow), "adagrad"])
def test_an_ffm_of_one_field_is_an_fm(optimizer):
    rows = random_rows(200, several=True)
    one = FieldRows(rows.labels, rows.starts, rows.features, np.zeros_like(rows.fields), rows.values)
    shape, given = Shape(SHAPE.n_features, 1), settings(optimizer=optimizer, learning_rate=0.1, l2=1e-3)
    fm, ffm = KernelLearner("fm", shape, given), KernelLearner("ffm", shape, given)
    for _ in range(3):
        assert fm.learn(one, np.arange(200)) == pytest.approx(ffm.learn(one, np.arange(200)), rel=1e-5)
    np.testing.assert_allclose(fm.margins(one), ffm.margins(one), atol=1e-4)


@pytest.mark.parametrize("optimizer", ["adagrad", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sgd", "ftrl"))])
def test_an_ffm_row_by_pairs_is_the_same_row_by_sums_over_fields(optimizer):
    """Rows whose entries are not in the order of their fields are summed up in the other way."""
    rows = random_rows(150, seed=8)
    turned = np.concatenate([np.arange(4 * row + 3, 4 * row - 1, -1) for row in range(150)])
    other = FieldRows(rows.labels, rows.starts, rows.features[turned], rows.fields[turned], rows.values[turned])
    given = settings(optimizer=optimizer, learning_rate=0.1, l2=1e-3)
    by_pairs, by_sums = KernelLearner("ffm", SHAPE, given), KernelLearner("ffm", SHAPE, given)
    for _ in range(3):
        losses = by_pairs.learn(rows, np.arange(150)), by_sums.learn(other, np.arange(150))
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    np.testing.assert_allclose(by_pairs.margins(rows), by_sums.margins(other), atol=1e-5)
    for key, array in by_pairs.weights().items():
        np.testing.assert_allclose(array, by_sums.weights()[key], atol=1e-5, err_msg=key)


def test_lr_finds_what_scikit_learn_finds():
    rows = random_rows(3_000, seed=1)
    table = np.zeros((3_000, SHAPE.n_features))
    table[np.repeat(np.arange(3_000), 4), rows.features] = rows.values
    chance = 1 / (1 + np.exp(-(table @ np.linspace(-1, 1, SHAPE.n_features) - 0.3)))
    labels = (np.random.default_rng(2).random(3_000) < chance).astype(np.float32)
    rows = FieldRows(labels, rows.starts, rows.features, rows.fields, rows.values)
    given = settings(normalize_rows=False, learning_rate=0.05, epochs=60)
    ours = fit_interactions("lr", in_memory(rows), None, given)
    theirs = LogisticRegression(C=1e9, max_iter=1_000).fit(table, labels)
    np.testing.assert_allclose(ours.predict(in_memory(rows)), theirs.predict_proba(table)[:, 1], atol=0.02)
    np.testing.assert_allclose(ours.arrays["linear"], theirs.coef_[0], atol=0.08)


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_of_many_rows_is_the_sum_of_theirs(name):
    rows, still = random_rows(3_000), KernelLearner(name, SHAPE, settings(optimizer="sgd", learning_rate=1e-12))
    expected = losses_of(still.margins(rows), rows.labels, "logloss").sum()
    assert still.learn(rows, np.arange(3_000)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("margin", "label"), [(0.0, 1), (3.0, 0), (-40.0, 1), (800.0, 0), (-800.0, 1), (800.0, 1)])
def test_the_logistic_loss_never_overflows(margin, label):
    first, second, slope = loss_and_slope(margin, label, 0)
    expected = max(-margin if label else margin, 0) if abs(margin) > 30 else loss_of(margin, label, "logloss")
    assert first + math.log(second) == pytest.approx(expected, rel=1e-9)
    assert 1 <= second <= 2
    assert slope == pytest.approx(1 / (1 + math.exp(-max(min(margin, 700), -700))) - label, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "k"),
    [("ffm", 3), *(pytest.param(*case, marks=pytest.mark.slow) for case in (("fm", 1), ("fm", 8), ("ffm", 1), ("ffm", 5)))],
)
def test_embeddings_of_any_length(name, k):
    given = settings(k=k)
    learner, rows = KernelLearner(name, SHAPE, given), random_rows(20, several=True)
    learner.learn(rows, np.arange(20))
    expected = [margin_by_pairs(name, learner.weights(), rows, row, given) for row in range(20)]
    np.testing.assert_allclose(learner.margins(rows), expected, rtol=1e-3, atol=1e-4)


def test_rows_of_another_schema_are_refused_before_the_loops_would_read_beyond_their_tables():
    learner, rows = KernelLearner("ffm", SHAPE, settings()), random_rows(5)
    beyond = FieldRows(rows.labels, rows.starts, rows.features + 6, rows.fields, rows.values)
    for call in (lambda: learner.margins(beyond), lambda: learner.learn(beyond, np.arange(5))):
        with pytest.raises(InputError, match=r"the model knows 12 features in 4 fields, but the rows have feature 1\d"):
            call()


def test_the_loss_on_small_criteo_is_that_of_libffm(ctr):
    """`ffm-train -k 4 -t 15 -r 0.2 -l 2e-5`: .47600 in training, .54265 in validation; ours of ten seeds .4763 and .5404."""
    train, test = (libffm(ctr / f"criteo-small.{part}.libffm") for part in ("train", "test"))
    given = settings(learning_rate=0.2, l2=2e-5, epochs=15, patience=15, linear=False, init_scale=1.0)
    found = [fit_interactions("ffm", train, test, given.model_copy(update={"seed": seed})).history[-1] for seed in range(3)]
    assert np.mean([epoch.loss for epoch in found]) == pytest.approx(0.476, abs=0.006)
    assert np.mean([epoch.validation_loss for epoch in found]) == pytest.approx(0.543, abs=0.006)


def libffm(path):
    """As another reader would: a plain loop over lines."""
    from features.fields import RowsInMemory

    labels, starts, features, fields, values = [], [0], [], [], []
    for line in path.read_text().splitlines():
        label, *entries = line.split()
        labels.append(float(label))
        for field, feature, value in (entry.split(":") for entry in entries):
            fields.append(int(field))
            features.append(int(feature))
            values.append(float(value))
        starts.append(len(features))
    rows = FieldRows(
        np.array(labels, np.float32), np.array(starts, np.int64), np.array(features, np.int32), np.array(fields, np.uint16),
        np.array(values, np.float32),
    )  # fmt: skip
    return RowsInMemory(rows, [str(field) for field in range(40)], 10_000)


@pytest.mark.parametrize("name", ["fm", "ffm"])
def test_a_planted_pair_is_found_and_named(name):
    fitted = fit_interactions(name, in_memory(planted(4_000, 0)), in_memory(planted(2_000, 1)), InteractionSettings())
    told, came = fitted.predict(in_memory(planted(2_000, 2))), planted(2_000, 2).labels
    assert np.mean((told > 0.5) == (came > 0.5)) > 0.87
    pairs = fitted.field_pairs()
    assert np.unravel_index(np.triu(pairs, 1).argmax(), pairs.shape) == (0, 1)
