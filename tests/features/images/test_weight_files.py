"""Weights of VGG16 from files in the layouts of torchvision and Keras."""

import os
import pickle

import h5py
import numpy as np
import pytest
import torch
from picture_data import FILTERS, SHAPE, stripes, vgg16_tensors, write_keras, write_torchvision

from common import InputError
from features.images import PictureSettings, PictureShape, build_network, fit_pictures, load_vgg16_weights
from features.images.bottleneck import give_pretrained

SETTINGS = PictureSettings(filters=FILTERS)
WRITERS = {"torchvision": write_torchvision, "keras": write_keras}
TENSORS = vgg16_tensors()
each_layout = pytest.mark.parametrize("layout", list(WRITERS))


@each_layout
def test_the_weights_are_those_of_the_file(layout, tmp_path):
    weights = load_vgg16_weights(WRITERS[layout](tmp_path / "weights", TENSORS), FILTERS)
    assert list(weights.tensors) == list(TENSORS)
    assert all(torch.equal(weights.tensors[name], tensor) for name, tensor in TENSORS.items())
    told = ("the layers above the convolutions are not used: classifier.0.weight, classifier.0.bias",)
    assert weights.notes == (told if layout == "torchvision" else ())


def test_both_files_give_the_same_features_of_what_the_network_sees(tmp_path):
    pixels, seen = torch.randn((2, *SHAPE), generator=torch.Generator().manual_seed(0)), []
    for layout, write in WRITERS.items():
        network = build_network("vgg16", PictureShape(*SHAPE), 2, SETTINGS, torch.Generator().manual_seed(0))
        give_pretrained(network, load_vgg16_weights(write(tmp_path / layout, TENSORS), FILTERS))
        seen.append(network.gather(network.see(pixels)))
    assert torch.equal(*seen)
    assert seen[0].any()


def test_each_file_brings_its_own_preparation_of_pixels(tmp_path):
    picture = np.array([10, 100, 250], np.uint8).reshape(1, 3, 1, 1)  # red, green, blue
    ours, keras = (load_vgg16_weights(write(tmp_path / name, TENSORS), FILTERS) for name, write in WRITERS.items())
    expected = [(10 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (250 / 255 - 0.406) / 0.225]
    np.testing.assert_allclose(ours.scale.pixels(picture).ravel(), expected, rtol=1e-5)
    np.testing.assert_allclose(keras.scale.pixels(picture).ravel(), [250 - 103.939, 100 - 116.779, 10 - 123.68], rtol=1e-5)
    np.testing.assert_allclose(
        keras.scale.for_channels(1).pixels(picture[:, :1]).ravel(), [-93.939, -106.779, -113.68], rtol=1e-5
    )


def test_files_of_the_published_size_are_read(tmp_path):
    tensors = vgg16_tensors(64)
    for layout, write in WRITERS.items():
        weights = load_vgg16_weights(write(tmp_path / layout, tensors))
        assert torch.equal(weights.tensors["features.28.weight"], tensors["features.28.weight"])
        with pytest.raises(InputError, match=r"(features.0.weight|_conv1_W_1:0) is .*float32 \(.*64.*\), but VGG16 has"):
            load_vgg16_weights(tmp_path / layout, FILTERS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"features.5.bias": None}, "it has no features.5.bias"),
        ({"features.30.weight": torch.zeros(1)}, "it has features.30.weight, which VGG16 has not"),
        ({"features.2.bias": torch.zeros(5)}, r"features.2.bias is torch.float32 \(5,\), but VGG16 has torch.float32 \(4,\)"),
        ({"features.2.bias": torch.zeros(4).double()}, r"features.2.bias is torch.float64 \(4,\), but VGG16 has"),
        ({"features.2.bias": [0.0] * 4}, "its features.2.bias is no plain tensor"),
        ({"features.2.bias": torch.zeros(4).to_sparse()}, "its features.2.bias is no plain tensor"),
        ({"features.2.bias": torch.full((4,), torch.nan)}, "its features.2.bias holds a number that is not finite"),
    ],
)
def test_a_file_of_torchvisions_that_does_not_fit_is_refused(change, told, tmp_path):
    tensors = {name: tensor for name, tensor in (TENSORS | change).items() if tensor is not None}
    with pytest.raises(InputError, match=told) as refused:
        load_vgg16_weights(write_torchvision(tmp_path / "weights.pth", tensors), FILTERS)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(
        "give vgg16-397923af.pth, which torchvision publishes, or vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5, which Keras "
        "publishes"
    )


def _delete(name):
    return lambda file: file.__delitem__(name)


def _put(name, value):
    def put(file):
        if name in file:
            del file[name]
        file[name] = value

    return put


BIAS = "block2_conv2/block2_conv2_b_1:0"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_delete(BIAS), f"it has no {BIAS}"),
        (_delete("block5_conv3"), "it has no block5_conv3/block5_conv3_W_1:0"),
        (_put("block3_conv4/kernel", np.zeros(3)), "it has block3_conv4/kernel, which VGG16 has not"),
        (_put(BIAS, np.zeros(9, "f4")), rf"its {BIAS} is float32 \(9,\), but VGG16 has float32 \(8,\)"),
        (_put(BIAS, np.zeros(8)), rf"its {BIAS} is float64 \(8,\), but"),
        (_put(BIAS, np.full(8, np.inf, "f4")), "its features.7.bias holds a number that is not finite"),
        (_put(BIAS, h5py.ExternalLink("other.h5", "secret")), "its block2_conv2_b_1:0 is a link"),
        (_put("block2_conv2", h5py.SoftLink("/block2_conv1")), "its block2_conv2 is a link"),
        (_put("block9", np.zeros(2)), "its block9 is a dataset"),
    ],
)
def test_a_file_of_keras_that_does_not_fit_is_refused(change, told, tmp_path):
    path = write_keras(tmp_path / "weights.h5", TENSORS)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=told) as refused:
        load_vgg16_weights(path, FILTERS)
    assert "\n" not in str(refused.value)


def test_the_dense_layers_of_keras_are_left_out_and_named(tmp_path):
    path = write_keras(tmp_path / "weights.h5", TENSORS)
    with h5py.File(path, "r+") as file:
        file["fc1/fc1_W_1:0"] = np.zeros(3)
    assert load_vgg16_weights(path, FILTERS).notes == ("the layers above the convolutions are not used: fc1/fc1_W_1:0",)


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_refused_and_not_run(legacy, tmp_path):
    path, made = tmp_path / "weights.pth", tmp_path / "made"
    torch.save({"features.0.weight": Code(made)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match="it holds something else than tensors by name, which was not run"):
        load_vgg16_weights(path, FILTERS)
    path.write_bytes(pickle.dumps(Code(made)))
    with pytest.raises(InputError, match=r"cannot read .* as weights of VGG16"):
        load_vgg16_weights(path, FILTERS)
    assert not made.exists()


@each_layout
def test_a_damaged_file_is_one_line(layout, tmp_path):
    path = WRITERS[layout](tmp_path / "weights", TENSORS)
    content = path.read_bytes()
    for length in (0, 1, 7, 100, 1_000, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cannot read .* as weights of VGG16: ") as refused:
            load_vgg16_weights(path, FILTERS)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"cannot read the weights .*missing: No such file or directory; give vgg16-39"):
        load_vgg16_weights(tmp_path / "missing", FILTERS)


def test_without_weights_it_is_said_where_they_come_from(tmp_path):
    with pytest.raises(
        InputError, match=r"vgg16 needs weights .* vgg16-397923af.pth, which torchvision publishes, or .* Keras publ"
    ):
        fit_pictures("vgg16", stripes(4, 0), None, SETTINGS)
    weights = load_vgg16_weights(write_keras(tmp_path / "weights.h5", TENSORS), FILTERS)
    with pytest.raises(InputError, match="small_cnn is trained from its first weights on, but got those of a file"):
        fit_pictures("small_cnn", stripes(4, 0), None, SETTINGS, weights=weights)
    with pytest.raises(InputError, match=r"features.0.weight of the network is \(64, 3, 3, 3\), .* leave `filters` as it is"):
        fit_pictures("vgg16", stripes(4, 0), None, PictureSettings(), weights=weights)
