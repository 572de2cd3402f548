"""From bytes of pixels to what a network sees."""

from dataclasses import dataclass

import numpy as np
import torch

from common import InputError, Tensors
from features.images.pictures import PictureData, PictureShape

BLOCK = 256
"""pictures that are read at once to measure them"""


@dataclass(frozen=True, eq=False)
class PixelScale:
    """Which channels a network sees, and how each is scaled: `(byte - mean) / std`.

    Args:
        order: int64 (c,): the picture's channel that the network's channel is made of.
        mean: float32 (c,), of bytes, 0 to 255.
        std: float32 (c,), of bytes.
    """

    order: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def pixels(self, pictures: np.ndarray) -> torch.Tensor:
        """float32 (n, c, H, W), the channels of a pixel side by side in memory, of uint8 (n, C, H, W)."""
        seen = torch.from_numpy(np.require(pictures, requirements=("C", "W")))
        if self.order.tolist() != list(range(pictures.shape[1])):
            seen = seen[:, self.order]
        values = seen.to(torch.float32, memory_format=torch.channels_last, copy=True)
        return values.sub_(self.mean[:, None, None]).div_(self.std[:, None, None])

    def for_channels(self, channels: int) -> "PixelScale":
        """The same for grey pictures, whose one channel is shown in all those that the network sees."""
        return self if channels > 1 else PixelScale(torch.zeros_like(self.order), self.mean, self.std)

    def require_channels(self, channels: int) -> None:
        """Raise `InputError` if it is not made for pictures of so many channels."""
        if not self.order.shape == self.mean.shape == self.std.shape or not set(self.order.tolist()) <= set(range(channels)):
            raise InputError(f"the scale of pixels must be for {channels} channels, but it has {self.order.tolist()}")

    def tensors(self) -> Tensors:
        """By name, for a file."""
        return {"order": self.order, "mean": self.mean, "std": self.std}


def fit_scale(train: PictureData) -> PixelScale:
    """Mean and standard deviation of each channel over all pixels of `train`, exact whatever the order of the pictures."""
    counts = np.zeros((train.shape.channels, 256), np.int64)
    for first in range(0, len(train), BLOCK):
        pictures = train.read(np.arange(first, min(first + BLOCK, len(train))))
        for channel in range(train.shape.channels):
            counts[channel] += np.bincount(pictures[:, channel].ravel(), minlength=256)
    share = counts / counts.sum(axis=1, keepdims=True)
    values = np.arange(256.0)
    mean = share @ values
    std = np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1))
    std[std == 0] = 255.0  # a channel without any contrast stays as it is
    return PixelScale(torch.arange(len(mean)), torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32))


def require_same_shape(name: str, data: PictureData, shape: PictureShape) -> None:
    """Raise `InputError` if the pictures have another size than those that a model was trained on."""
    if data.shape != shape:
        raise InputError(
            f"{name} was trained on pictures of {in_words(shape)}, but these have {in_words(data.shape)}; convert them to that "
            "size"
        )


def in_words(shape: PictureShape) -> str:
    """`64 x 60 pixels in 1 channel`: height first."""
    return f"{shape.height} x {shape.width} pixels in {shape.channels} channel{'s' if shape.channels > 1 else ''}"
