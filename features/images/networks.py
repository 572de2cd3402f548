"""The networks of pictures by name, and their first weights. Nothing here draws from torch's global seed."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from common import InputError, free_memory, unknown
from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureShape
from features.images.settings import PictureModelSettings
from features.images.vgg16 import Vgg16
from features.torch_tools import Draw, drop

CHARTS = ((32, 2, 1, 1), (64, 3, 3, 2))
"""of charts up to that height: blocks, and stride and dilation of the first convolution's height; the paper's 5 and 20 bars"""
LARGER_CHARTS = (4, 3, 3)
"""the same of higher ones; the paper's 60 bars"""
LEAK = 0.01
"""slope of chart_cnn's leaky ReLU below 0, the paper's"""
DENSE = 64
"""width of small_cnn's hidden layer"""
COPIES = 4
"""of a weight in memory while it is trained: itself, its gradient, and two that Adam remembers"""


class ChartCnn(PictureNetwork):
    """The convolutional network of Jiang, Kelly & Xiu, "(Re-)Imag(in)ing Price Trends", Journal of Finance 78 (2023), figure 3.

    Each block is a convolution of 5 x 3, batch norm, leaky ReLU and max pooling of 2 x 1; each has twice the filters of the one
    before. Charts of 5, 20 and 60 bars are 32, 64 and 96 pixels high; pictures of other heights get the layout of the next higher
    chart, and those above 96 that of 60 bars.
    """

    SMALLEST = (5, 3)

    def __init__(self, name: str, shape: PictureShape, n_classes: int, settings: PictureModelSettings) -> None:
        super().__init__(name, shape)
        (self.dropout,) = settings.dropout_of(name)
        blocks, stride, dilation = next((layout for height, *layout in CHARTS if shape.height <= height), LARGER_CHARTS)
        self.blocks = nn.ModuleList()
        channels, filters, height = shape.channels, settings.filters_of(name), -(-shape.height // stride)
        for _ in range(blocks):
            padding = (2 * dilation, 1)
            convolution = nn.Conv2d(channels, filters, (5, 3), (stride, 1), padding, (dilation, 1))
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(filters), nn.LeakyReLU(LEAK)))
            channels, filters, height, stride, dilation = filters, 2 * filters, -(-height // 2), 1, 1
        self.n_features = channels * height * shape.width
        self.head = nn.Linear(self.n_features, n_classes)

    def stages(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        maps = pixels
        for number, block in enumerate(self.blocks):
            maps = block(self._pooled(maps) if number else maps)
            yield f"block{number + 1}", maps

    def gather(self, maps: Tensor) -> Tensor:
        return self._pooled(maps).flatten(1)

    def decide(self, features: Tensor, draw: Draw = None) -> Tensor:
        return self.head(drop(features, self.dropout, draw))

    def _pooled(self, maps: Tensor) -> Tensor:
        return functional.max_pool2d(maps, (2, 1), ceil_mode=True)


class SmallCnn(PictureNetwork):
    """Three convolutions of 3 x 3, padded, with ReLU and max pooling of 2 x 2 each, and a hidden dense layer.

    The network with which tutorials tell cats from dogs, such as F. Chollet, "Building powerful image classification models using
    very little data" (2016).
    """

    SMALLEST = (8, 8)

    def __init__(self, name: str, shape: PictureShape, n_classes: int, settings: PictureModelSettings) -> None:
        super().__init__(name, shape)
        self.dropout = settings.dropout_of(name)
        filters = settings.filters_of(name)
        channels = (shape.channels, filters, filters, 2 * filters)
        self.convolutions = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(channels))
        self.n_features = 2 * filters * (shape.height // 8) * (shape.width // 8)
        self.hidden = nn.Linear(self.n_features, DENSE)
        self.head = nn.Linear(DENSE, n_classes)

    def stages(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        maps = pixels
        for number, convolution in enumerate(self.convolutions):
            maps = functional.relu(convolution(functional.max_pool2d(maps, 2) if number else maps))
            yield f"conv{number + 1}", maps

    def gather(self, maps: Tensor) -> Tensor:
        return functional.max_pool2d(maps, 2).flatten(1)

    def decide(self, features: Tensor, draw: Draw = None) -> Tensor:
        hidden = functional.relu(self.hidden(drop(features, self.dropout[0], draw)))
        return self.head(drop(hidden, self.dropout[1], draw))


NETWORKS: dict[str, Callable[[str, PictureShape, int, PictureModelSettings], PictureNetwork]] = {
    "chart_cnn": ChartCnn,
    "small_cnn": SmallCnn,
    "vgg16": Vgg16,
}


def build_network(
    name: str, shape: PictureShape, n_classes: int, settings: PictureModelSettings, generator: torch.Generator
) -> PictureNetwork:
    """A network with its first weights.

    Args:
        name: of `NETWORKS`.
        shape: of the pictures.
        n_classes: K, 2 or more.
        settings: `filters` and `dropout` decide its shape.
        generator: draws the weights.

    Raises:
        InputError: an unknown name, pictures that are too small for it, a single class, or more weights than memory.
    """
    network = blank_network(name, shape, n_classes, settings)
    weights = sum(weight.numel() for weight in network.parameters())
    free = free_memory()
    if free is not None and 4 * COPIES * weights > free:
        raise InputError(
            f"{name} for pictures of {shape.height} x {shape.width} pixels has {weights:,} weights, whose training needs "
            f"{4 * COPIES * weights / 1e9:,.1f} GB of memory, but {free / 1e9:,.1f} GB are free; give smaller pictures"
        )
    network.to_empty(device="cpu")
    _initialise(network, generator)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def blank_network(name: str, shape: PictureShape, n_classes: int, settings: PictureModelSettings) -> PictureNetwork:
    """The same without weights, which takes no memory: they are to be loaded with `assign=True`. Errors of `build_network`."""
    if name not in NETWORKS:
        raise InputError(unknown("model of pictures", name, NETWORKS))
    if n_classes < 2:
        raise InputError(f"a model tells two classes apart or more, but got {n_classes}; give pictures of another one")
    with torch.device("meta"):
        return NETWORKS[name](name, PictureShape(*shape), n_classes, settings)


def _initialise(network: PictureNetwork, generator: torch.Generator) -> None:
    """Uniform weights of Glorot & Bengio (2010), named for Xavier Glorot, biases 0, and batch norms that change nothing yet."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
