"""What every model of pictures promises, whatever it is made of."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_data import CLASSES, FILTERS, SHAPE, edge_tensors, stripes, vgg16_tensors, write_torchvision
from sklearn.metrics import log_loss

from common import InputError, SealError, write_sealed
from features.epochs import Epoch, Watch
from features.images import (
    NAMES,
    FittedPictures,
    PictureEpoch,
    PictureSettings,
    PicturesInMemory,
    fit_pictures,
    load_vgg16_weights,
)
from features.images.networks import NETWORKS
from features.images.settings import DROPOUT, FILTERS as OWN_FILTERS, RATES, PictureModelSettings

SETTINGS = PictureSettings(
    epochs=3, patience=3, batch_size=16, filters=FILTERS, learning_rate=1e-3, precision="float32", threads=1
)
TRAIN, STOP, UNSEEN = (stripes(count, seed) for seed, count in enumerate((48, 32, 150)))
with tempfile.TemporaryDirectory() as folder:
    WEIGHTS = load_vgg16_weights(write_torchvision(Path(folder) / "weights.pth", vgg16_tensors()), FILTERS)
EDGES = replace(WEIGHTS, tensors=edge_tensors(), sha256="edges")
every = pytest.mark.parametrize("name", NAMES)


def fit(name: str, train=TRAIN, validation=STOP, settings=SETTINGS, watch: Watch | None = None, **others) -> FittedPictures:
    return fit_pictures(name, train, validation, settings, watch, **({"weights": WEIGHTS} if name == "vgg16" else {}) | others)


FITTED = {name: fit(name) for name in NAMES}


def some_of(data: PicturesInMemory, numbers: np.ndarray) -> PicturesInMemory:
    return PicturesInMemory(data.pictures[numbers], data.labels[numbers], data.classes, data.is_chart)


def test_the_registry_is_what_the_settings_know():
    assert tuple(NETWORKS) == tuple(DROPOUT) == tuple(OWN_FILTERS) == tuple(RATES["adam"]) == tuple(RATES["sgd"]) == NAMES


@every
def test_forecasts_are_probabilities_in_the_order_of_the_pictures(name):
    told = FITTED[name].predict(UNSEEN)
    assert (told.shape, told.dtype) == ((150, 2), np.float64)
    np.testing.assert_allclose(told.sum(axis=1), 1)
    back = np.arange(149, -1, -1)
    assert FITTED[name].predict(some_of(UNSEEN, back)).tobytes() == told[back].tobytes()
    assert FITTED[name].predict(some_of(UNSEEN, back[:0])).shape == (0, 2)


@every
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_forecast_does_not_depend_on_the_other_pictures(name, precision):
    fitted = fit(name, settings=SETTINGS.model_copy(update={"precision": precision, "epochs": 1}))
    told = fitted.predict(UNSEEN)
    for count in (1, 2, 127, 128, 129):
        assert fitted.predict(some_of(UNSEEN, np.arange(count))).tobytes() == told[:count].tobytes(), count


@every
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_same_fit_gives_the_same_bytes_and_another_seed_others(name, optimizer):
    settings = SETTINGS.model_copy(update={"optimizer": optimizer, "epochs": 2})
    once, again = (fit(name, settings=settings).predict(UNSEEN) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    other = fit(name, settings=settings.model_copy(update={"seed": 1})).predict(UNSEEN)
    assert other.tobytes() != once.tobytes()


class Killed(Exception):
    """Stands for a process that ends."""


@every
@pytest.mark.parametrize("change", [{}, {"optimizer": "sgd"}, {"precision": "bfloat16", "flip": True, "zoom": 0.1}])
@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_training_goes_on_to_the_same_bytes(name, change, after, tmp_path):
    path, settings = tmp_path / "checkpoint.safetensors", SETTINGS.model_copy(update=change)

    def kill(epoch: Epoch) -> None:
        if epoch.number == after:
            raise Killed

    with pytest.raises(Killed):
        fit(name, settings=settings, watch=Watch(kill, path))
    seen: list[Epoch] = []
    fit(name, settings=settings, watch=Watch(seen.append, path)).save(tmp_path / "went on")
    fit(name, settings=settings).save(tmp_path / "whole")
    assert (tmp_path / "went on").read_bytes() == (tmp_path / "whole").read_bytes()
    assert [epoch.number for epoch in seen] == [1, 2, 3][: len(seen)]
    with pytest.raises(InputError, match=r"goes on with its own data and settings, but .* data: "):
        fit(name, STOP, TRAIN, settings, Watch(checkpoint=path))


@every
def test_saved_and_loaded_it_forecasts_the_same(name, tmp_path):
    FITTED[name].save(tmp_path / "model.safetensors")
    again = FittedPictures.load(tmp_path / "model.safetensors")
    assert (again.name, again.shape, again.classes, again.settings) == (name, SHAPE, CLASSES, SETTINGS)
    assert again.pretrained == (WEIGHTS.sha256 if name == "vgg16" else None)
    assert [epoch.accuracy for epoch in again.history] == [epoch.accuracy for epoch in FITTED[name].history]
    assert again.predict(UNSEEN).tobytes() == FITTED[name].predict(UNSEEN).tobytes()


@every
def test_a_damaged_file_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "model.safetensors"
    FITTED[name].save(path)
    content = path.read_bytes()
    for place in np.linspace(8, len(content) - 1, 12).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(SealError) as refused:
            FittedPictures.load(path)
        assert "\n" not in str(refused.value)


@every
@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 10**6, 10**6]}, {"shape": [1, 32, 32]}, {"classes": [str(k) for k in range(10**6)]}, {"classes": []},
        {"name": "oracle"}, {"format": 9}, {"settings": {"filters": 512}}, {"shape": [3, 32]},
    ],
)  # fmt: skip
def test_a_description_that_does_not_fit_its_weights_is_refused(name, change, tmp_path):
    """Sealed by another hand: before a network of that size would be made."""
    about = {
        "kind": "model of pictures", "format": 1, "name": name, "settings": SETTINGS.model_dump(mode="json"),
        "shape": list(SHAPE), "classes": list(CLASSES), "history": [], "pretrained": None,
    }  # fmt: skip
    tensors = {key: torch.from_numpy(array) for key, array in FITTED[name].arrays.items()}
    write_sealed(tmp_path / "forged", tensors, about | change)
    with pytest.raises(SealError, match="train it again"):
        FittedPictures.load(tmp_path / "forged")


@every
def test_pictures_of_another_size_are_refused(name):
    with pytest.raises(
        InputError, match=r"trained on pictures of 32 x 32 pixels in 3 channels, but these have 33 x 40 pixels in 1 ch"
    ):
        FITTED[name].predict(stripes(3, 0, (1, 33, 40)))
    with pytest.raises(InputError, match="but train has 32 x 32 pixels in 3 channels"):
        fit(name, TRAIN, stripes(3, 0, (3, 40, 40)))
    with pytest.raises(InputError, match=rf"{name} sees pictures of .* pixels or more, but these have 4 x 2; give larger"):
        fit(name, stripes(3, 0, (3, 4, 2)), None)


@every
@pytest.mark.parametrize("shape", [(1, 33, 47), (3, 70, 41), (1, 100, 60)])
def test_pictures_of_any_other_size_and_grey_ones_are_learned(name, shape):
    given = SETTINGS.model_copy(update={"epochs": 1})
    assert np.isfinite(fit(name, stripes(5, 0, shape), None, given).predict(stripes(3, 1, shape))).all()


@every
def test_the_best_epoch_on_validation_is_kept(name):
    given = SETTINGS.model_copy(update={"epochs": 10, "patience": 2, "learning_rate": 0.03})
    fitted = fit(name, settings=given)
    losses = [epoch.validation_loss for epoch in fitted.history]
    best = int(np.argmin(losses))
    assert len(losses) == min(best + 1 + 2, 10), "it ends after two epochs without a new best one"
    told = fitted.predict(STOP)
    assert log_loss(STOP.labels, told) == pytest.approx(losses[best], rel=1e-5)
    assert np.mean(told.argmax(axis=1) == STOP.labels) == fitted.history[best].validation_accuracy


@every
def test_without_validation_the_last_epoch_is_kept(name):
    seen: list[Epoch] = []
    fitted = fit(name, validation=None, watch=Watch(seen.append))
    assert len(fitted.history) == len(seen) == SETTINGS.epochs
    assert all(isinstance(epoch, PictureEpoch) and 0 <= epoch.accuracy <= 1 for epoch in seen)
    longer = fit(name, validation=None, settings=SETTINGS.model_copy(update={"epochs": 4}))
    assert longer.predict(UNSEEN).tobytes() != fitted.predict(UNSEEN).tobytes()


@every
def test_training_and_forecasting_leave_torch_and_the_pictures_as_they_were(name):
    torch.manual_seed(3)
    threads, state, pictures = torch.get_num_threads(), torch.random.get_rng_state(), TRAIN.pictures.tobytes()
    np.random.seed(3)  # noqa: NPY002
    drawn = np.random.get_state(legacy=False)["state"]["key"].tobytes()  # noqa: NPY002
    fit(name, settings=SETTINGS.model_copy(update={"epochs": 1, "flip": True, "shear": 0.2})).predict(TRAIN)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == drawn  # noqa: NPY002
    assert (torch.get_num_threads(), TRAIN.pictures.tobytes()) == (threads, pictures)


@every
def test_a_planted_pattern_is_found(name):
    given = SETTINGS.model_copy(update={"epochs": 12, "patience": 12, "learning_rate": 3e-3})
    fitted = fit(name, stripes(200, 0), stripes(60, 1), given, weights=EDGES if name == "vgg16" else None)
    assert np.mean(fitted.predict(UNSEEN).argmax(axis=1) == UNSEEN.labels) > 0.9


@every
def test_parts_of_an_epoch_are_told(name):
    parts: list[tuple[int, int]] = []
    fit(name, settings=SETTINGS.model_copy(update={"epochs": 1}), watch=Watch(on_part=lambda *part: parts.append(part)))
    assert parts == [(1, 3), (2, 3), (3, 3)]


@every
@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd"}, {"learning_rate": 2e-3}, {"decay": 0.1}, {"batch_size": 24}, {"dropout": "default, halved"},
        {"precision": "bfloat16"}, {"shear": 0.3}, {"zoom": 0.3}, {"flip": True}, {"seed": 2}, {"epochs": 2},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_setting_changes_something(name, change):
    if "dropout" in change:
        change = {"dropout": tuple(share / 2 for share in DROPOUT[name])}
    changed = fit(name, validation=None, settings=SETTINGS.model_copy(update=change)).predict(UNSEEN)
    assert changed.tobytes() != fit(name, validation=None).predict(UNSEEN).tobytes()


@every
def test_the_learning_rate_is_the_models_own_by_default(name):
    assert PictureModelSettings().rate_of(name) == RATES["adam"][name]
    assert PictureModelSettings(optimizer="sgd").rate_of(name) == RATES["sgd"][name]
    with pytest.raises(InputError, match=rf"{name} drops outputs at {len(DROPOUT[name])} places, but `dropout` gives 3"):
        fit(name, settings=SETTINGS.model_copy(update={"dropout": (0.1, 0.1, 0.1)}))


def test_settings_on_a_command_line():
    assert PictureModelSettings.model_validate({"dropout": "0.25, 0.5"}).dropout == (0.25, 0.5)
    with pytest.raises(ValueError, match="dropout is a share of 0 or more and below 1"):
        PictureModelSettings.model_validate({"dropout": "1"})


@every
@pytest.mark.parametrize("change", [{"flip": True}, {"shear": 0.1}, {"zoom": 0.1}])
def test_charts_are_not_varied(name, change):
    charts = stripes(8, 0, is_chart=True)
    with pytest.raises(InputError, match=r"charts are not varied, but got `(flip|shear|zoom)` .*; leave it out"):
        fit(name, charts, None, SETTINGS.model_copy(update=change))


@every
def test_a_loss_that_is_not_finite_is_one_line(name):
    given = SETTINGS.model_copy(update={"learning_rate": 10.0, "decay": 1e8, "optimizer": "sgd", "epochs": 9, "patience": 9})
    with pytest.raises(InputError, match=r"must stay finite, but is .*; lower the learning rate"):
        fit(name, settings=given)


@every
def test_data_without_pictures_or_classes_are_refused(name):
    with pytest.raises(InputError, match="the training data must have pictures, but have none"):
        fit(name, some_of(TRAIN, np.arange(0)))
    with pytest.raises(InputError, match="two classes apart or more, but got 1"):
        fit(name, PicturesInMemory(TRAIN.pictures, np.zeros_like(TRAIN.labels), ("all",)), None)


@every
def test_three_classes_and_the_resolved_precision(name):
    labels = np.arange(48) % 3
    fitted = fit(
        name, PicturesInMemory(TRAIN.pictures, labels, ("a", "b", "c")), None, SETTINGS.model_copy(update={"precision": "auto"})
    )
    assert fitted.predict(UNSEEN).shape == (150, 3)
    assert fitted.settings.precision in ("float32", "bfloat16")
