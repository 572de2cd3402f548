"""Runs a network over pictures outside training: in blocks of one shape, so that a row's bits do not depend on the others."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from features.images.picture_network import PictureNetwork
from features.images.settings import PictureSettings

MOST_PICTURES = 128
"""of a block"""
BLOCK_PIXELS = 1 << 19
"""most pixels of one channel in a block, so that the first maps of 64 filters take 128 MB"""
Read = Callable[[np.ndarray], Tensor]
"""from int64 (n,) numbers of pictures to what a network is given of them"""


def resolved(settings: PictureSettings) -> PictureSettings:
    """The same with the precision that `auto` means on this machine."""
    if settings.precision != "auto":
        return settings
    return settings.model_copy(update={"precision": "bfloat16" if has_bfloat16() else "float32"})


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 by itself, by AVX512 or AMX; elsewhere it is slower than float32."""
    asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return any(ask is not None and ask() for ask in asked)


def gathered(network: PictureNetwork, pixels: Tensor, precision: str) -> Tensor:
    """float32 (B, F): the convolutions in that precision, and the last maps pooled."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        return network.gather(network.see(pixels)).float()


def block_of(network: PictureNetwork) -> int:
    """Pictures of a block; the size of the pictures decides it alone."""
    return max(1, min(MOST_PICTURES, BLOCK_PIXELS // (network.shape.height * network.shape.width)))


def in_blocks(call: Callable[[Tensor], Tensor], read: Read, count: int, block: int) -> np.ndarray:
    """float32 (count, ...): what `call` gives for rows 0 to count - 1, the last block filled up with zeros."""
    told: list[np.ndarray] = []
    with torch.inference_mode():
        for first in range(0, count, block):
            part = read(np.arange(first, min(first + block, count)))
            told.append(call(filled_up(part, block))[: len(part)].numpy())
    return np.concatenate(told)


def filled_up(part: Tensor, block: int) -> Tensor:
    """Torch's own memory, laid out alike for every block: the last bit of a product can depend on the alignment of its input."""
    whole = torch.zeros((block, *part.shape[1:]))
    if part.ndim == 4:
        whole = whole.contiguous(memory_format=torch.channels_last)
    whole[: len(part)] = part
    return whole


def softmax(logits: np.ndarray) -> np.ndarray:
    """float64 (N, K): probabilities."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def cross_entropies(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 (N,): minus the logarithm of the probability of each label, without forming it."""
    above = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(above).sum(axis=1)) - above[np.arange(len(labels)), labels]
