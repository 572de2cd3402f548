"""What every model of interactions promises, whatever it is made of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from field_data import FEATURES, NAMES, in_memory, planted, random_rows
from sklearn.metrics import log_loss, roc_auc_score

from common import InputError, SealError, write_sealed
from features.epochs import Epoch, Watch
from features.fields import FieldRows, RowsInMemory
from features.interactions import (
    KERNELS,
    LEARNERS,
    MODELS,
    PAIRWISE,
    FittedInteractions,
    InteractionSettings,
    Shape,
    fit_interactions,
    losses_of,
    make_learner,
    probabilities_of,
    registry,
)
from features.interactions.registry import bytes_of

SETTINGS = InteractionSettings(epochs=3, batch_size=64, hidden_layers=(8,), cin_layers=(4, 4), threads=1)
SHAPE = Shape(len(NAMES) * FEATURES, len(NAMES))
TRAIN, STOP, UNSEEN = (in_memory(random_rows(count, seed)) for seed, count in enumerate((300, 100, 200)))
FITTED = {name: fit_interactions(name, TRAIN, STOP, SETTINGS) for name in MODELS}
every = pytest.mark.parametrize("name", MODELS)


def test_the_registry_is_what_the_settings_know():
    assert tuple(LEARNERS) == MODELS


@every
def test_forecasts_are_probabilities_in_the_order_of_the_rows(name):
    told = FITTED[name].predict(UNSEEN)
    assert (told.shape, told.dtype) == ((200,), np.float64)
    assert ((told > 0) & (told < 1)).all()
    back = np.arange(199, -1, -1)
    order = np.concatenate([np.arange(4 * row, 4 * row + 4) for row in back])
    rows = UNSEEN.rows
    turned = FieldRows(rows.labels[back], rows.starts, rows.features[order], rows.fields[order], rows.values[order])
    assert FITTED[name].predict(in_memory(turned)).tobytes() == told[back].tobytes()


@every
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 199])
def test_a_forecast_does_not_depend_on_the_other_rows(name, count):
    assert FITTED[name].predict(in_memory(UNSEEN.rows[:count])).tobytes() == FITTED[name].predict(UNSEEN)[:count].tobytes()


@every
def test_the_same_fit_gives_the_same_bytes_and_another_seed_others(name):
    again = fit_interactions(name, TRAIN, STOP, SETTINGS)
    assert again.predict(UNSEEN).tobytes() == FITTED[name].predict(UNSEEN).tobytes()
    other = fit_interactions(name, TRAIN, STOP, SETTINGS.model_copy(update={"seed": 1}))
    assert other.predict(UNSEEN).tobytes() != FITTED[name].predict(UNSEEN).tobytes()


class Killed(Exception):
    """Stands for a process that ends."""


@every
@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_training_goes_on_to_the_same_bytes(name, after, tmp_path):
    path = tmp_path / "checkpoint.safetensors"

    def kill(epoch: Epoch) -> None:
        if epoch.number == after:
            raise Killed

    with pytest.raises(Killed):
        fit_interactions(name, TRAIN, STOP, SETTINGS, Watch(kill, path))
    seen: list[Epoch] = []
    went_on = fit_interactions(name, TRAIN, STOP, SETTINGS, Watch(seen.append, path))
    went_on.save(tmp_path / "went on")
    FITTED[name].save(tmp_path / "whole")
    assert (tmp_path / "went on").read_bytes() == (tmp_path / "whole").read_bytes()
    assert [epoch.number for epoch in seen] == [1, 2, 3][: len(FITTED[name].history)]
    with pytest.raises(InputError, match=r"goes on with its own data and settings, but .* data: "):
        fit_interactions(name, STOP, TRAIN, SETTINGS, Watch(checkpoint=path))


@every
def test_saved_and_loaded_it_forecasts_the_same(name, tmp_path):
    FITTED[name].save(tmp_path / "model.safetensors")
    again = FittedInteractions.load(tmp_path / "model.safetensors")
    assert (again.name, again.field_names) == (name, NAMES)
    assert again.predict(UNSEEN).tobytes() == FITTED[name].predict(UNSEEN).tobytes()


@every
def test_a_damaged_file_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "model.safetensors"
    FITTED[name].save(path)
    content = path.read_bytes()
    for place in np.linspace(8, len(content) - 1, 12).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(SealError) as refused:
            FittedInteractions.load(path)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [{"n_features": 10**9}, {"name": "oracle"}, {"format": 9}, {"settings": {"k": 250}}])
def test_a_description_that_does_not_fit_its_weights_is_refused(change, tmp_path):
    """Sealed by another hand: before tables of a billion features would be made."""
    tensors = {key: torch.from_numpy(array.copy()) for key, array in FITTED["fm"].arrays.items()}
    about = {
        "kind": "model of interactions", "format": 1, "name": "fm", "settings": SETTINGS.model_dump(mode="json"),
        "field_names": list(NAMES), "n_features": 12, "history": [],
    }  # fmt: skip
    write_sealed(tmp_path / "forged", tensors, about | change)
    with pytest.raises(SealError, match="train it again"):
        FittedInteractions.load(tmp_path / "forged")


@every
def test_neither_training_nor_forecasting_changes_the_rows(name):
    rows = random_rows(80, 7)
    before = [array.copy() for array in (rows.labels, rows.starts, rows.features, rows.fields, rows.values)]
    fit_interactions(name, in_memory(rows), None, SETTINGS).predict(in_memory(rows))
    for array, was in zip((rows.labels, rows.starts, rows.features, rows.fields, rows.values), before, strict=True):
        assert array.tobytes() == was.tobytes()


@every
def test_rows_without_entries_and_fields_with_several_are_forecast(name):
    rows = random_rows(60, 9, several=True)
    empty = FieldRows(rows.labels[:1], np.array([0, 0]), rows.features[:0], rows.fields[:0], rows.values[:0])
    assert np.isfinite(FITTED[name].predict(in_memory(empty))).all()
    assert np.isfinite(fit_interactions(name, in_memory(rows), None, SETTINGS).predict(in_memory(rows))).all()


@every
def test_the_best_epoch_on_validation_is_kept(name):
    given = SETTINGS.model_copy(update={"epochs": 12, "patience": 2, "learning_rate": 0.5 if name in KERNELS else 0.05})
    fitted = fit_interactions(name, TRAIN, STOP, given)
    losses = [epoch.validation_loss for epoch in fitted.history]
    best = int(np.argmin(losses))
    assert len(losses) == min(best + 1 + 2, 12), "it ends after two epochs without a new best one"
    assert log_loss(STOP.rows.labels, fitted.predict(STOP)) == pytest.approx(losses[best], rel=1e-5)


@every
def test_the_epoch_can_be_chosen_by_the_order_alone(name):
    given = SETTINGS.model_copy(
        update={"epochs": 8, "patience": 8, "stop_by": "auc", "learning_rate": 0.3 if name in KERNELS else 0.03}
    )
    fitted = fit_interactions(name, TRAIN, STOP, given)
    best = max(-epoch.to_beat for epoch in fitted.history)
    assert roc_auc_score(STOP.rows.labels, fitted.predict(STOP)) == pytest.approx(best, abs=1e-9)
    one_kind = in_memory(replace(STOP.rows, labels=np.ones_like(STOP.rows.labels)))
    with pytest.raises(InputError, match="an AUC needs rows of both labels, but all 100 are 1; set stop_by to loss"):
        fit_interactions(name, TRAIN, one_kind, given)


@every
def test_without_validation_the_last_epoch_is_kept(name):
    seen: list[Epoch] = []
    fitted = fit_interactions(name, TRAIN, None, SETTINGS, Watch(seen.append))
    assert len(fitted.history) == len(seen) == SETTINGS.epochs
    longer = fit_interactions(name, TRAIN, None, SETTINGS.model_copy(update={"epochs": 4}))
    assert longer.predict(UNSEEN).tobytes() != fitted.predict(UNSEEN).tobytes()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name not in ("fm", "ffm", "deepfm") else ()) for name in MODELS]
)
def test_the_squared_loss_forecasts_numbers(name):
    """Labels between 10 and 12, where a probability could not be."""
    rows = planted(1_500, 0)
    shown = replace(rows, labels=10 + 2 * (rows.features.reshape(-1, 4)[:, 0] == 0).astype(np.float32))
    rate = 0.1 if name in KERNELS else 0.02
    given = SETTINGS.model_copy(update={"loss": "squared", "epochs": 40, "learning_rate": rate})
    told = fit_interactions(name, in_memory(shown), None, given).predict(in_memory(shown))
    assert np.sqrt(np.mean((told - shown.labels) ** 2)) < 0.35


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in ("xdeepfm", "dcn_v2") else ()) for name in MODELS]
)
def test_a_planted_pair_is_found_but_not_by_a_linear_model(name):
    """The best forecast is right nine times of ten."""
    given = InteractionSettings(threads=1, epochs=30, patience=6, batch_size=128, hidden_layers=(16,), cin_layers=(8, 8))
    given = given if name in KERNELS else given.model_copy(update={"learning_rate": 0.01})
    fitted = fit_interactions(name, in_memory(planted(4_000, 0)), in_memory(planted(1_000, 1)), given)
    unseen = planted(2_000, 2)
    right = np.mean((fitted.predict(in_memory(unseen)) > 0.5) == (unseen.labels > 0.5))
    assert right < 0.56 if name == "lr" else right > 0.87


@every
def test_pairs_of_fields_are_told_by_models_that_multiply_them(name):
    if name not in PAIRWISE:
        with pytest.raises(InputError, match=f"{name} multiplies no pairs of fields; train fm, ffm, deepfm to"):
            FITTED[name].field_pairs()
        return
    pairs = FITTED[name].field_pairs()
    assert pairs.shape == (4, 4)
    np.testing.assert_array_equal(pairs, pairs.T)
    np.testing.assert_allclose(np.diag(pairs), 0, atol=1e-6)


def test_a_pairs_strength_is_the_deviation_of_what_it_adds():
    fitted = FITTED["ffm"]
    embeddings = fitted.arrays["embeddings"].reshape(12, 4, -1).astype(float)
    features = TRAIN.rows.features.reshape(-1, 4)
    values = TRAIN.rows.values.reshape(-1, 4).astype(float)
    values = values / np.sqrt((values**2).sum(axis=1, keepdims=True))
    added = (embeddings[features[:, 1], 3] * embeddings[features[:, 3], 1]).sum(axis=1) * values[:, 1] * values[:, 3]
    assert fitted.field_pairs()[1, 3] == pytest.approx(added.std(), rel=1e-6)


def test_data_of_other_fields_or_features_are_refused():
    others = RowsInMemory(UNSEEN.rows, ("a", "b", "c", "d"), 12)
    with pytest.raises(InputError, match="read them with the schema of the training file"):
        FITTED["fm"].predict(others)


def test_an_unknown_model_and_no_rows_are_refused_in_one_line():
    with pytest.raises(InputError, match="no model of interactions 'deepmf'; did you mean 'deepfm'"):
        make_learner("deepmf", SHAPE, SETTINGS)
    with pytest.raises(InputError, match="the training data must have rows, but have none"):
        fit_interactions("lr", in_memory(random_rows(0)), None, SETTINGS)


def test_a_loss_that_is_not_finite_is_refused():
    given = SETTINGS.model_copy(update={"optimizer": "sgd", "learning_rate": 10.0, "loss": "squared", "normalize_rows": False})
    wild = replace(random_rows(300), labels=np.full(300, 1e18, np.float32))
    with pytest.raises(InputError, match=r"the loss of fm must stay finite, but is .*; lower the learning rate"):
        fit_interactions("fm", in_memory(wild), None, given)


@every
def test_a_model_too_large_for_the_memory_is_refused_before_it_is_made(name, monkeypatch):
    rows, size = random_rows(20), Shape(2**30, 40)
    monkeypatch.setattr(registry, "free_memory", lambda: 8 * 10**9)
    with pytest.raises(InputError, match=rf"^{name} with 1,073,741,824 features.* GB are free; lower .*hash_bits, or leave out"):
        make_learner(name, size, SETTINGS)
    monkeypatch.setattr(registry, "free_memory", lambda: bytes_of(name, SHAPE, SETTINGS) - 1)
    with pytest.raises(InputError, match=f"^{name} with 12 features"):
        fit_interactions(name, in_memory(rows), None, SETTINGS)
    monkeypatch.setattr(registry, "free_memory", lambda: bytes_of(name, SHAPE, SETTINGS))
    fit_interactions(name, in_memory(rows), None, SETTINGS)


@every
def test_the_memory_of_a_model_is_that_of_its_arrays(name):
    learner = make_learner(name, SHAPE, SETTINGS)
    held = sum(array.nbytes for key, array in learner.state().items() if key.split("/")[0] in ("linear", "embeddings", "table"))
    if name not in KERNELS:
        held += 2 * learner.state()["table"].nbytes  # the moments
    drawn = 0 if name == "lr" else 4 * SHAPE.n_features * SETTINGS.k_of(name) * (SHAPE.n_fields if name == "ffm" else 1)
    assert held + drawn <= bytes_of(name, SHAPE, SETTINGS) <= held + drawn + 24 * SHAPE.n_features


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("lr", "wide_deep")])  # those multiply no values
def test_a_forecast_that_is_not_finite_is_refused_with_its_row(name):
    given = SETTINGS.model_copy(update={"normalize_rows": False})
    model, rows = fit_interactions(name, in_memory(random_rows(60)), None, given), random_rows(9)
    rows.values[rows.starts[4] : rows.starts[5]] = 3e38
    with pytest.raises(
        InputError, match=rf"that of {name} for row 5, whose largest value is 3e\+38, is (nan|-?inf); train on val"
    ):
        model.predict(in_memory(rows))


def test_a_loss_of_huge_values_names_them_and_not_the_step_size():
    huge = random_rows(60)
    huge.values[7] = 1e30
    with pytest.raises(InputError, match=r"after epoch 1 .*; values reach 1e\+30: train on values nearer to 1"):
        fit_interactions("deepfm", in_memory(huge), None, SETTINGS)
    fit_interactions("ffm", in_memory(huge), None, SETTINGS)  # which divides each row by its length


def test_losses_and_probabilities_by_another_library():
    margins, labels = np.linspace(-30, 30, 61).astype(np.float32), (np.arange(61) % 2).astype(np.float32)
    assert losses_of(margins, labels, "logloss").mean() == pytest.approx(log_loss(labels, probabilities_of(margins)), rel=1e-5)
    assert losses_of(margins, labels, "squared")[3] == pytest.approx((margins[3] - labels[3]) ** 2 / 2)
    assert np.isfinite(losses_of(np.array([1e4, -1e4], np.float32), np.array([0, 1], np.float32), "logloss")).all()
