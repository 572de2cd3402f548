"""Where a network looks, against calculations by hand."""

import numpy as np
import pytest
import torch
from picture_data import stripes
from torch.nn import functional

from common import InputError
from features.images import FittedPictures, PictureSettings, PictureShape, feature_maps, fit_pictures, grad_cam
from features.images.networks import blank_network

SETTINGS = PictureSettings(epochs=1, filters=4, precision="float32", batch_size=16)
PICTURE = stripes(1, 5).pictures[0]


@pytest.fixture(scope="module", params=["chart_cnn", "small_cnn"])
def fitted(request) -> FittedPictures:
    return fit_pictures(request.param, stripes(40, 0), None, SETTINGS)


@pytest.mark.parametrize("label", [0, 1])
def test_grad_cam_is_the_gradient_weighted_mean_of_the_last_maps(fitted, label):
    """The gradient by finite differences of each map as a whole: the sum of its gradient over all places."""
    network = fitted.network.double()
    maps = network.see(fitted.scale.pixels(PICTURE[None]).double())
    step, places = 1e-7, maps.shape[2] * maps.shape[3]
    weights = []
    for number in range(maps.shape[1]):
        moved = [maps.clone(), maps.clone()]
        moved[0][:, number] += step
        moved[1][:, number] -= step
        up, down = (float(network.decide(network.gather(each))[0, label]) for each in moved)
        weights.append((up - down) / (2 * step) / places)
    network.float()
    small = sum(weight * one for weight, one in zip(weights, maps[0], strict=True)).clamp(min=0)
    large = functional.interpolate(small[None, None], (32, 32), mode="bilinear", align_corners=False)[0, 0].numpy()
    told = grad_cam(fitted, PICTURE, label)
    assert (told.shape, told.dtype) == ((32, 32), np.float32)
    np.testing.assert_allclose(told, large / large.max() if large.max() > 0 else large, atol=2e-4)


def test_it_looks_at_the_spot_that_decides():
    """A network whose one filter copies the picture, and whose head counts what is bright in favour of class 1."""
    settings = SETTINGS.model_copy(update={"filters": 1})
    network = blank_network("small_cnn", PictureShape(1, 32, 32), 2, settings)
    tensors = {name: torch.zeros(weight.shape) for name, weight in network.state_dict().items()}
    for number in range(3):
        tensors[f"convolutions.{number}.weight"][0, 0, 1, 1] = 1
    tensors["hidden.weight"][0, :16] = 1
    tensors["head.weight"][1, 0], tensors["head.weight"][0, 0] = 1, -1
    arrays = {f"network/{name}": tensor.numpy() for name, tensor in tensors.items()}
    scale: dict[str, np.ndarray] = {
        "order": np.zeros(1, np.int64),
        "mean": np.zeros(1, np.float32),
        "std": np.full(1, 255, np.float32),
    }
    arrays |= {f"pixels/{name}": value for name, value in scale.items()}
    fitted = FittedPictures("small_cnn", settings, network.shape, ("dark", "bright"), (), arrays)
    picture = np.zeros((1, 32, 32), np.uint8)
    picture[0, 4:8, 20:24] = 200
    told = grad_cam(fitted, picture, 1)
    assert told.max() == 1
    assert told[4:8, 20:24].min() > 0.3
    assert told[16:].max() == told[:, :12].max() == 0
    assert not grad_cam(fitted, picture, 0).any(), "nothing speaks for the dark class"


def test_feature_maps_are_those_of_each_convolution(fitted):
    maps = feature_maps(fitted, PICTURE)
    names = {"chart_cnn": ["block1", "block2"], "small_cnn": ["conv1", "conv2", "conv3"]}[fitted.name]
    assert list(maps) == names
    assert maps[names[0]].shape == (4, 32, 32)
    assert all(each.dtype == np.float32 and np.isfinite(each).all() for each in maps.values())


def test_a_picture_or_class_that_does_not_fit_is_refused(fitted):
    with pytest.raises(InputError, match=r"must be uint8 \(3, 32, 32\), but got uint8 \(1, 32, 32\); convert it"):
        grad_cam(fitted, PICTURE[:1], 0)
    with pytest.raises(InputError, match=r"classes of .* are 0 to 1, but got 2; give one of them"):
        grad_cam(fitted, PICTURE, 2)
