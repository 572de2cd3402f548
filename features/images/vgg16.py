"""VGG16 without its top, with the parameter names of torchvision, and a head of dense layers.

Source: Simonyan & Zisserman (2015), configuration D.
"""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureShape
from features.images.settings import PictureModelSettings
from features.torch_tools import Draw, drop

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""of each block: filters, in multiples of the first one's, and convolutions; a pooling of 2 x 2 ends it"""
HEAD = (512, 256)
"""widths of the head's hidden layers"""


class Vgg16(PictureNetwork):
    """Convolutions of 3 x 3 that are not trained, and a head that is. Grey pictures are shown in all three channels."""

    FROZEN, SMALLEST = True, (32, 32)

    def __init__(self, name: str, shape: PictureShape, n_classes: int, settings: PictureModelSettings) -> None:
        super().__init__(name, shape)
        self.dropout = settings.dropout_of(name)
        filters = settings.filters_of(name)
        self.features = nn.Sequential(*convolutions(filters))
        self.features.requires_grad_(False)
        self.n_features = BLOCKS[-1][0] * filters * (shape.height // 32) * (shape.width // 32)
        widths = (self.n_features, *HEAD, n_classes)
        self.head = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))

    def stages(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        maps, names = pixels, iter(keras_names())
        for layer in list(self.features)[:-1]:
            maps = layer(maps)
            if isinstance(layer, nn.ReLU):
                yield next(names), maps

    def gather(self, maps: Tensor) -> Tensor:
        return self.features[-1](maps).flatten(1)

    def decide(self, features: Tensor, draw: Draw = None) -> Tensor:
        *hidden, last = self.head
        for layer, share in zip(hidden, self.dropout, strict=True):
            features = drop(functional.relu(layer(features)), share, draw)
        return last(features)


def convolutions(filters: int) -> list[nn.Module]:
    """The layers of torchvision's `vgg16().features`, in their order, which gives each its name."""
    layers: list[nn.Module] = []
    channels = 3
    for multiple, count in BLOCKS:
        for _ in range(count):
            layers += [nn.Conv2d(channels, multiple * filters, 3, padding=1), nn.ReLU()]
            channels = multiple * filters
        layers.append(nn.MaxPool2d(2))
    return layers


def keras_names() -> list[str]:
    """`block1_conv1` to `block5_conv3`, in the order of the convolutions."""
    return [f"block{block}_conv{conv}" for block, (_, count) in enumerate(BLOCKS, 1) for conv in range(1, count + 1)]


def convolution_names() -> list[str]:
    """`features.0` to `features.28`, in the same order."""
    names, number = [], 0
    for _, count in BLOCKS:
        names += [f"features.{number + 2 * conv}" for conv in range(count)]
        number += 2 * count + 1
    return names
