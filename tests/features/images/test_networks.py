"""The networks against explicit formulas, and their sizes against the paper."""

import numpy as np
import pytest
import torch
from picture_data import VGG16, vgg16_tensors
from torch.nn import functional

from common import InputError
from features.images import NAMES, PictureSettings, PictureShape, build_network
from features.images.networks import blank_network

SETTINGS = PictureSettings(filters=4)
PIXELS = torch.randn((3, 3, 64, 40), generator=torch.Generator().manual_seed(1))


def network_of(name: str, pixels: torch.Tensor = PIXELS, settings: PictureSettings = SETTINGS):
    network = build_network(name, PictureShape(*pixels.shape[1:]), 2, settings, torch.Generator().manual_seed(0))
    for buffer in network.buffers():  # statistics that are not those of the start
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(2))
    return network, network.state_dict()


def shapes(network: torch.nn.Module, begin: str, end: str) -> list[tuple[int, ...]]:
    """Of the parameters whose names begin and end so."""
    return [tuple(weight.shape) for name, weight in network.named_parameters() if name.startswith(begin) and name.endswith(end)]


@pytest.mark.parametrize(("shape", "count"), [((1, 32, 15), 155_138), ((1, 64, 60), 708_866), ((1, 96, 180), 2_952_962)])
def test_the_chart_cnn_has_the_parameters_of_the_paper(shape, count):
    network = blank_network("chart_cnn", PictureShape(*shape), 2, PictureSettings())
    assert sum(weight.numel() for weight in network.parameters()) == count


def test_vgg16_has_the_parameters_of_torchvision():
    network = blank_network("vgg16", PictureShape(3, 224, 224), 2, PictureSettings())
    frozen = {name: tuple(weight.shape) for name, weight in network.named_parameters() if not weight.requires_grad}
    assert frozen == {name: tuple(tensor.shape) for name, tensor in vgg16_tensors(64).items()}
    assert sum(int(np.prod(shape)) for shape in frozen.values()) == 14_714_688
    assert shapes(network, "head.", ".weight") == [(512, 25_088), (256, 512), (2, 256)]


def test_the_small_cnn_has_the_layers_of_the_article():
    network = blank_network("small_cnn", PictureShape(3, 64, 64), 2, PictureSettings())
    assert shapes(network, "convolutions.", ".weight") == [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3)]
    assert shapes(network, "h", ".weight") == [(64, 64 * 8 * 8), (2, 64)]


def test_the_chart_cnn_is_the_papers_formula():
    network, w = network_of("chart_cnn")
    maps = PIXELS
    for block, (stride, dilation) in enumerate([(3, 2), (1, 1), (1, 1)]):
        prefix = f"blocks.{block}"
        maps = functional.pad(maps, (1, 1, 2 * dilation, 2 * dilation))
        maps = functional.conv2d(maps, w[f"{prefix}.0.weight"], w[f"{prefix}.0.bias"], (stride, 1), 0, (dilation, 1))
        mean, variance = (w[f"{prefix}.1.running_{kind}"][:, None, None] for kind in ("mean", "var"))
        maps = (maps - mean) / torch.sqrt(variance + 1e-5) * w[f"{prefix}.1.weight"][:, None, None] + w[f"{prefix}.1.bias"][
            :, None, None
        ]
        maps = torch.where(maps > 0, maps, 0.01 * maps)
        if maps.shape[2] % 2:
            maps = functional.pad(maps, (0, 0, 0, 1), value=-torch.inf)
        maps = torch.maximum(maps[:, :, ::2], maps[:, :, 1::2])
    logits = maps.flatten(1) @ w["head.weight"].T + w["head.bias"]
    torch.testing.assert_close(network.eval()(PIXELS), logits)


def test_the_small_cnn_is_its_formula():
    network, w = network_of("small_cnn")
    maps = PIXELS
    for number in range(3):
        maps = functional.conv2d(maps, w[f"convolutions.{number}.weight"], w[f"convolutions.{number}.bias"], padding=1).clamp(
            min=0
        )
        maps = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    hidden = (maps.flatten(1) @ w["hidden.weight"].T + w["hidden.bias"]).clamp(min=0)
    torch.testing.assert_close(network.eval()(PIXELS), hidden @ w["head.weight"].T + w["head.bias"])


def test_vgg16_is_its_formula():
    network, w = network_of("vgg16")
    maps = PIXELS
    for name, keras, *_ in VGG16:
        if keras.endswith("conv1") and keras != "block1_conv1":
            maps = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        maps = functional.conv2d(maps, w[f"{name}.weight"], w[f"{name}.bias"], padding=1).clamp(min=0)
    features = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)).flatten(1)
    for layer in range(2):
        features = (features @ w[f"head.{layer}.weight"].T + w[f"head.{layer}.bias"]).clamp(min=0)
    torch.testing.assert_close(network.eval()(PIXELS), features @ w["head.2.weight"].T + w["head.2.bias"])
    assert [name for name, _ in network.stages(PIXELS)] == [keras for _, keras, *_ in VGG16]


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_are_glorots(name):
    for weight_name, weight in network_of(name)[1].items():
        if weight.ndim > 1:
            inside = weight[0, 0].numel()
            edge = (6 / ((weight.shape[0] + weight.shape[1]) * inside)) ** 0.5
            assert float(weight.abs().max()) <= edge
            assert float(weight.abs().max()) > 0.8 * edge
        elif weight_name.endswith("bias"):
            assert not weight.any()


@pytest.mark.parametrize("name", NAMES)
def test_dropout_draws_from_its_generator_alone(name):
    network, _ = network_of(name)
    network.train()
    first, again = (network(PIXELS, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, network(PIXELS, torch.Generator().manual_seed(6)))


@pytest.mark.parametrize("height", [5, 8, 31, 32, 33, 64, 65, 96, 97, 224])
def test_the_chart_cnn_sees_pictures_of_any_height(height):
    pixels = torch.zeros((2, 3, height, 7))
    assert network_of("chart_cnn", pixels)[0].eval()(pixels).shape == (2, 2)


def test_an_unknown_name_and_too_large_a_network_are_one_line(monkeypatch):
    with pytest.raises(InputError, match="there is no model of pictures 'chart_cn'; did you mean 'chart_cnn'"):
        network_of("chart_cn")
    monkeypatch.setattr("features.images.networks.free_memory", lambda: 1_000_000)
    with pytest.raises(InputError, match=r"chart_cnn for pictures of 64 x 40 pixels has .* GB are free; give smaller pictures"):
        network_of("chart_cnn", settings=PictureSettings())
