"""The features that frozen convolutions see in each picture, computed once and kept in a file."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from common import InputError, atomic_file, hash_of
from features.images.inference import block_of, filled_up, gathered, resolved
from features.images.networks import blank_network
from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureData
from features.images.pixel_scale import PixelScale
from features.images.settings import PictureSettings
from features.images.weight_files import PretrainedWeights
from features.torch_tools import torch_threads

FORMAT = 1
DIGEST = 32
"""bytes of the sha256 with which a file ends"""


def vgg16_features(
    data: PictureData,
    weights: PretrainedWeights,
    settings: PictureSettings,
    folder: Path | None,
    on_part: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """What VGG16's convolutions see in each picture: its last maps, pooled, in one row.

    Args:
        data: N pictures.
        weights: of the convolutions.
        settings: `filters`, `precision` and `threads` decide the bits.
        folder: holds a file for each set of pictures and weights; one that is there is read, a damaged one is written once more.
            None: they are held in memory.
        on_part: called with the pictures that are done, and N.

    Returns:
        float32 (N, F), mapped from the file, read-only, or in memory.

    Raises:
        InputError: pictures that are too small, or weights of other filters than the settings'.
    """
    settings = resolved(settings)
    network = blank_network("vgg16", data.shape, 2, settings)
    give_pretrained(network, weights)
    scale = weights.scale.for_channels(data.shape.channels)
    key = hash_of([
        FORMAT, data.sha256, weights.sha256, *data.shape, *(getattr(settings, name) for name in ("precision", "threads"))
    ])  # fmt: skip
    shape = (len(data), network.n_features)
    with torch_threads(settings.threads):
        rows = _rows(network, scale, data, settings.precision, on_part)
        if folder is None:
            return np.concatenate([np.empty((0, shape[1]), np.float32), *rows])
        path = folder / f"vgg16-{key[:20]}.features"
        if not _is_whole(path, shape):
            _write(path, rows)
    return np.memmap(path, np.float32, "r", shape=shape)


def give_pretrained(network: PictureNetwork, weights: PretrainedWeights) -> None:
    """Put the weights into the frozen convolutions.

    Raises:
        InputError: they have another shape, for another setting of `filters`.
    """
    for name, own in network.state_dict().items():
        if name.startswith("features.") and own.shape != weights.tensors[name].shape:
            raise InputError(
                f"{name} of the network is {tuple(own.shape)}, but that of the weights is {tuple(weights.tensors[name].shape)}; "
                "leave `filters` as it is, or give weights that were made with it"
            )
    network.load_state_dict(weights.tensors, strict=False, assign=True)
    network.features.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _rows(
    network: PictureNetwork, scale: PixelScale, data: PictureData, precision: str, on_part: Callable[[int, int], None]
) -> Iterator[np.ndarray]:
    """float32 (n, F), block by block."""
    block = block_of(network)
    for first in range(0, len(data), block):
        numbers = np.arange(first, min(first + block, len(data)))
        with torch.inference_mode():
            pixels = filled_up(scale.pixels(data.read(numbers)), block)
            yield gathered(network, pixels, precision)[: len(numbers)].numpy()
        on_part(int(numbers[-1]) + 1, len(data))


def _write(path: Path, rows: Iterator[np.ndarray]) -> None:
    digest = hashlib.sha256()
    with atomic_file(path) as file:
        for part in rows:
            digest.update(part.tobytes())
            file.write(part.tobytes())
        file.write(digest.digest())


def _is_whole(path: Path, shape: tuple[int, int]) -> bool:
    """Whether the file is there, of that size, and as it was written."""
    if not path.exists() or path.stat().st_size != 4 * shape[0] * shape[1] + DIGEST:
        return False
    with path.open("rb") as file:
        digest, left = hashlib.sha256(), path.stat().st_size - DIGEST
        while left:
            part = file.read(min(left, 1 << 20))
            digest.update(part)
            left -= len(part)
        return file.read() == digest.digest()
