"""What each network promises as a `Learner`: the same bytes from the same calls, rows on their own, and crosses that it finds."""

import numpy as np
import pytest
from helpers import SHARED
from scipy.stats import mannwhitneyu

from common import InputError
from features.fields.rows import FieldRows
from features.interactions import InteractionSettings, Shape
from features.interactions.losses import losses_of
from features.interactions.network_learner import MARGIN_ROWS, NetworkLearner
from features.interactions.networks import NETWORKS

SHAPE = Shape(n_features=12, n_fields=3)
SETTINGS = InteractionSettings(k=4, hidden_layers=(8, 4), cin_layers=(6, 4), batch_size=32, threads=1, learning_rate=0.01)

FIRST = np.array([0, 4, 8])
"""each field's first feature"""


def learner(name: str = "deepfm", **changes) -> NetworkLearner:
    return NetworkLearner(name, SHAPE, SETTINGS.model_copy(update=changes))


def rows(count: int = 100, seed: int = 0) -> FieldRows:
    """0 to 3 entries a row: empty rows, fields without an entry and fields with several."""
    draw = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(draw.integers(0, 4, count))])
    entries = int(starts[-1])
    features, fields = draw.integers(0, 12, entries).astype(np.int32), draw.integers(0, 3, entries).astype(np.uint16)
    return FieldRows(
        draw.integers(0, 2, count).astype(np.float32), starts, features, fields, draw.normal(size=entries).astype("f4")
    )


def one_hot(features: np.ndarray, labels: np.ndarray) -> FieldRows:
    """One entry of value 1 in each field: (n, F) feature numbers."""
    count, n_fields = features.shape
    fields = np.tile(np.arange(n_fields, dtype=np.uint16), count)
    starts = np.arange(count + 1) * n_fields
    return FieldRows(labels.astype("f4"), starts, features.ravel().astype("i4"), fields, np.ones(features.size, np.float32))


def trained(made: NetworkLearner, epochs: range = range(3), seed: int = 0) -> list[float]:
    given = rows(seed=seed)
    return [made.learn(given, np.random.default_rng(epoch).permutation(len(given))) for epoch in epochs]


def content(state: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in state.items()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_calls_give_the_same_bytes(name, threads):
    first, second = (learner(name, dropout=0.2, threads=threads) for _ in range(2))
    assert trained(first) == trained(second)
    assert content(first.state()) == content(second.state())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("before", [0, 2])
def test_it_goes_on_to_the_same_bytes_from_a_state(name, before):
    whole, resumed = learner(name, dropout=0.2), learner(name, dropout=0.2, seed=8)
    trained(whole, range(before))
    trained(resumed, range(1), seed=3)  # of which nothing stays
    resumed.load_state(whole.state())
    assert trained(whole, range(before, 5)) == trained(resumed, range(before, 5))
    assert content(whole.state()) == content(resumed.state())


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_states_are_copies_and_all_that_margins_need(name):
    first, second = learner(name), learner(name, seed=8)
    weights, state = first.weights(), first.state()
    held = content(weights), content(state)
    trained(first)
    assert (content(weights), content(state)) == held
    second.load_weights(first.weights())
    assert second.margins(rows()).tobytes() == first.margins(rows()).tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_rows_bits_depend_on_that_row_alone(name, threads):
    made, given = learner(name, threads=threads), rows(2 * MARGIN_ROWS + 70)
    trained(made)
    margins = made.margins(given)
    assert margins.dtype == np.float32
    for first, last in ((5, 6), (MARGIN_ROWS - 1, MARGIN_ROWS + 3), (100, len(given))):
        assert made.margins(given[first:last]).tobytes() == margins[first:last].tobytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_without_entries_has_a_margin_and_teaches(name):
    made = learner(name)
    empty = FieldRows(np.ones(3, np.float32), np.zeros(4, np.int64), np.empty(0, "i4"), np.empty(0, "u2"), np.empty(0, "f4"))
    losses = [made.learn(empty, np.arange(3)) for _ in range(30)]
    assert losses[-1] < losses[0]
    assert np.isfinite(made.margins(empty)).all()
    assert made.margins(empty[:0]).shape == (0,)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unseen_feature_hardly_moves_a_margin(name):
    made, features = learner(name), np.random.default_rng(0).integers(0, 3, (200, 3)) + FIRST
    made.learn(one_hot(features, features[:, 0] == 1), np.arange(200))
    known = one_hot(np.array([[1, 4, 8]]), np.ones(1))
    without = FieldRows(known.labels, np.array([0, 2]), known.features[:2], known.fields[:2], known.values[:2])
    unseen = one_hot(np.array([[1, 4, 11]]), np.ones(1))
    assert made.margins(unseen)[0] == pytest.approx(made.margins(without)[0], abs=0.05)


@pytest.mark.parametrize("loss", ["logloss", "squared"])
def test_the_loss_is_the_sum_over_rows_before_they_were_learned_from(loss):
    made, given = learner(loss=loss, batch_size=1_000, l2=5.0), rows()
    expected = losses_of(made.margins(given), given.labels, loss)
    assert made.learn(given, np.arange(len(given))) == pytest.approx(expected.sum(), rel=1e-5)


def test_the_order_decides_which_rows_share_a_batch():
    first, second = learner(), learner()
    given = rows(64)
    first.learn(given, np.arange(64))
    second.learn(given, np.arange(64)[::-1].copy())
    assert content(first.weights()) != content(second.weights())


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.02},
        {"embedding_rate": 3.0},
        {"l2": 0.1},
        {"batch_size": 50},
        {"dropout": 0.5},
        {"seed": 1},
        {"loss": "squared"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_changes_what_is_learned(change):
    usual, changed = learner(), learner(**change)
    trained(usual)
    trained(changed)
    assert content(usual.weights()) != content(changed.weights())


def test_the_embedding_rate_lengthens_the_step_of_the_table_alone():
    usual, longer = learner(), learner(embedding_rate=3.0)
    first, given = usual.weights(), rows(32)
    for made in (usual, longer):
        made.learn(given, np.arange(32))
    moved, further = ({name: made.weights()[name] - first[name] for name in first} for made in (usual, longer))
    np.testing.assert_allclose(further["table"], 3 * moved["table"], rtol=1e-4, atol=1e-7)
    for name in first.keys() - {"table"}:
        np.testing.assert_array_equal(further[name], moved[name])


def test_l2_shortens_the_weights():
    loose, tight = learner(l2=0.0), learner(l2=1.0)
    trained(loose, range(20))
    trained(tight, range(20))
    assert np.square(tight.weights()["table"]).sum() < 0.5 * np.square(loose.weights()["table"]).sum()


@pytest.mark.parametrize(
    ("features", "fields", "said"), [([12], [0], "features of a model made for 12"), ([1], [3], "fields of")]
)
def test_numbers_beyond_the_shape_are_refused(features, fields, said):
    made = learner()
    strange = FieldRows(np.ones(1, "f4"), np.array([0, 1]), np.array(features, "i4"), np.array(fields, "u2"), np.ones(1, "f4"))
    with pytest.raises(InputError, match=said):
        made.margins(strange)
    with pytest.raises(InputError, match=said):
        made.learn(strange, np.arange(1))


def exclusive_or() -> FieldRows:
    """The label is the exclusive or of two fields; a third one is noise."""
    features = np.random.default_rng(4).integers(0, 2, (1_024, 3))
    return one_hot(features + FIRST, features[:, 0] ^ features[:, 1])


def test_a_linear_model_cannot_tell_an_exclusive_or():
    given = exclusive_or()
    inputs = np.zeros((len(given), SHAPE.n_features))
    np.put_along_axis(inputs, given.features.reshape(-1, 3), 1, axis=1)
    forecast = inputs @ np.linalg.lstsq(inputs, given.labels, rcond=None)[0]
    assert np.abs(forecast - given.labels.mean()).max() < 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_finds_an_exclusive_or(name):
    made, given = learner(name, batch_size=128), exclusive_or()
    for epoch in range(40):
        made.learn(given, np.random.default_rng(epoch).permutation(len(given)))
    assert ((made.margins(given) > 0) == (given.labels > 0)).mean() == 1.0


def frappe(part: str) -> FieldRows:
    """Clicks on apps: ten fields, one feature of value 1 in each."""
    path = SHARED / "data" / "ctr" / f"frappe.{part}.libfm"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    lines = [line.split() for line in path.read_text().splitlines()]
    features = np.array([[int(entry.split(":")[0]) for entry in line[1:]] for line in lines])
    return one_hot(features, np.array([float(line[0]) > 0 for line in lines]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_ranks_real_clicks(name):
    """deepctr-torch's models of the same sizes reach an AUC of 0.926 to 0.929 here, before they overfit."""
    train, test = frappe("train"), frappe("test")
    settings = InteractionSettings(threads=1)
    made = NetworkLearner(name, Shape(1 + int(max(train.features.max(), test.features.max())), 10), settings)
    for epoch in range(2):
        made.learn(train, np.random.default_rng(epoch).permutation(len(train)))
    margins, clicked = made.margins(test), test.labels > 0
    pairs = clicked.sum() * (~clicked).sum()
    assert mannwhitneyu(margins[clicked], margins[~clicked]).statistic / pairs > 0.926
