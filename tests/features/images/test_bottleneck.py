"""The features of frozen convolutions, computed once and kept."""

from dataclasses import replace

import numpy as np
import pytest
from picture_data import FILTERS, stripes, vgg16_tensors, write_torchvision

from common import InputError
from features.epochs import Epoch, Watch
from features.images import PictureSettings, bottleneck, fit_pictures, load_vgg16_weights, vgg16_features

SETTINGS = PictureSettings(filters=FILTERS, epochs=2, batch_size=16, precision="float32", learning_rate=1e-3)
DATA, STOP = stripes(150, 0), stripes(20, 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return load_vgg16_weights(write_torchvision(tmp_path_factory.mktemp("weights") / "w.pth", vgg16_tensors()), FILTERS)


def test_features_are_computed_once(weights, tmp_path, monkeypatch):
    parts: list[tuple[int, int]] = []
    told = vgg16_features(DATA, weights, SETTINGS, tmp_path, lambda *part: parts.append(part))
    assert (told.shape, told.dtype, isinstance(told, np.memmap)) == ((150, 32), np.float32, True)
    assert parts == [(128, 150), (150, 150)]
    assert vgg16_features(DATA, weights, SETTINGS, None).tobytes() == told.tobytes()
    monkeypatch.setattr(bottleneck, "gathered", None)
    assert vgg16_features(DATA, weights, SETTINGS, tmp_path).tobytes() == told.tobytes()
    with pytest.raises(TypeError):
        vgg16_features(STOP, weights, SETTINGS, tmp_path)
    with pytest.raises(TypeError):
        vgg16_features(DATA, replace(weights, sha256="another"), SETTINGS, tmp_path)
    with pytest.raises(TypeError):
        vgg16_features(DATA, weights, SETTINGS.model_copy(update={"precision": "bfloat16"}), tmp_path)


@pytest.mark.parametrize("damage", [lambda content: content[:-40], lambda content: b"x" + content[1:], lambda content: b""])
def test_a_damaged_file_is_written_once_more(weights, tmp_path, damage):
    whole = vgg16_features(DATA, weights, SETTINGS, tmp_path).tobytes()
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert vgg16_features(DATA, weights, SETTINGS, tmp_path).tobytes() == whole


def test_a_training_on_kept_features_gives_the_same_bytes(weights, tmp_path):
    kept = fit_pictures("vgg16", DATA, STOP, SETTINGS, weights=weights, features_folder=tmp_path / "features")
    assert len(list((tmp_path / "features").iterdir())) == 2
    plain = fit_pictures("vgg16", DATA, STOP, SETTINGS, weights=weights)
    kept.save(tmp_path / "kept")
    plain.save(tmp_path / "plain")
    assert (tmp_path / "kept").read_bytes() == (tmp_path / "plain").read_bytes()
    assert np.mean(kept.predict(STOP).argmax(axis=1) == STOP.labels) == max(
        epoch.validation_accuracy for epoch in kept.history if epoch.best
    )


def test_varied_pictures_are_seen_in_each_epoch(weights, tmp_path):
    settings = SETTINGS.model_copy(update={"flip": True})
    fit_pictures("vgg16", DATA, STOP, settings, weights=weights, features_folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1, "those of validation alone are kept"


def test_the_weight_file_belongs_to_the_training(weights, tmp_path):
    path = tmp_path / "checkpoint"

    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_pictures("vgg16", DATA, STOP, SETTINGS, Watch(stop, path), weights=weights)
    with pytest.raises(InputError, match=r"goes on with its own data and settings, but .* weights: .* -> another"):
        fit_pictures("vgg16", DATA, STOP, SETTINGS, Watch(checkpoint=path), weights=replace(weights, sha256="another"))
