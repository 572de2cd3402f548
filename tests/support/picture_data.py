"""Small pictures, and weight files of VGG16 in both layouts, for tests."""

from pathlib import Path

import h5py
import numpy as np
import torch

from features.images import PicturesInMemory

CLASSES = ("lying", "standing")
SHAPE = (3, 32, 32)
FILTERS = 4
VGG16 = (
    ("features.0", "block1_conv1", 3, 1), ("features.2", "block1_conv2", 1, 1), ("features.5", "block2_conv1", 1, 2),
    ("features.7", "block2_conv2", 2, 2), ("features.10", "block3_conv1", 2, 4), ("features.12", "block3_conv2", 4, 4),
    ("features.14", "block3_conv3", 4, 4), ("features.17", "block4_conv1", 4, 8), ("features.19", "block4_conv2", 8, 8),
    ("features.21", "block4_conv3", 8, 8), ("features.24", "block5_conv1", 8, 8), ("features.26", "block5_conv2", 8, 8),
    ("features.28", "block5_conv3", 8, 8),
)  # fmt: skip
"""of each convolution: torchvision's name, Keras' name, channels in (3 of pixels) and out, in multiples of the filters"""


def stripes(
    count: int, seed: int, shape: tuple[int, int, int] = SHAPE, noise: int = 40, is_chart: bool = False
) -> PicturesInMemory:
    """Waves of random phase, lying or standing, in noise: no pixel alone says which."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count)
    phase = draw.uniform(0, 2 * np.pi, (count, 1, 1, 1))
    y, x = np.mgrid[: shape[1], : shape[2]]
    along = np.where(labels[:, None, None, None] == 1, x, y)
    values = 128 + 70 * np.sin(along * np.pi / 3 + phase) + draw.normal(0, noise, (count, *shape))
    return PicturesInMemory(values.clip(0, 255).astype(np.uint8), labels, CLASSES, is_chart)


def vgg16_tensors(filters: int = FILTERS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights by torchvision's names, of a size that neither grows nor fades from layer to layer."""
    generator, tensors = torch.Generator().manual_seed(seed), {}
    for name, _, before, after in VGG16:
        channels = 3 if name == "features.0" else before * filters
        spread = (2 / (9 * channels)) ** 0.5
        tensors[f"{name}.weight"] = spread * torch.randn((after * filters, channels, 3, 3), generator=generator)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(after * filters, generator=generator)
    return tensors


def edge_tensors() -> dict[str, torch.Tensor]:
    """Weights that see something: edges in four directions, which later layers hand on as they are."""
    tensors = {name: torch.zeros_like(tensor) for name, tensor in vgg16_tensors().items()}
    for filter_, (y, x) in enumerate(((0, 1), (2, 1), (1, 0), (1, 2))):
        tensors["features.0.weight"][filter_, :, 1, 1], tensors["features.0.weight"][filter_, :, y, x] = 1, -1
    for name, *_ in VGG16[1:]:
        weight = tensors[f"{name}.weight"]
        for filter_ in range(len(weight)):
            weight[filter_, filter_ % FILTERS, 1, 1] = 1
    return tensors


def write_torchvision(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """As torchvision publishes them, with the layers above the convolutions."""
    torch.save({**tensors, "classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}, path)
    return path


def write_keras(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """As Keras publishes them: a group for each layer, those without weights included; kernels are (height, width, in, out)."""
    with h5py.File(path, "w") as file:
        for ours, name, *_ in VGG16:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group[f"{name}_W_1:0"] = tensors[f"{ours}.weight"].permute(2, 3, 1, 0).numpy()
            group[f"{name}_b_1:0"] = tensors[f"{ours}.bias"].numpy()
        for name in ("input_1", "block1_pool"):
            file.create_group(name)
    return path
