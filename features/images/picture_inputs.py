"""What a network is given of pictures: their pixels, or what frozen convolutions have seen in them before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from features.images.augmentation import Vary
from features.images.inference import block_of, gathered, in_blocks
from features.images.picture_network import PictureNetwork
from features.images.pictures import PictureData
from features.images.pixel_scale import PixelScale


class PictureInputs:
    """The pictures of one set as a network is given them.

    Args:
        data: N pictures.
        network: whose convolutions see them.
        scale: of its pixels.
        precision: of its convolutions.
        kept: float32 (N, F), what its frozen convolutions have seen in each picture, or None.
    """

    def __init__(
        self, data: PictureData, network: PictureNetwork, scale: PixelScale, precision: str, kept: np.ndarray | None = None
    ) -> None:
        self.data, self.network, self.scale, self.precision, self.kept = data, network, scale, precision, kept

    def read(self, numbers: np.ndarray) -> Tensor:
        """Pixels float32 (n, c, H, W), or the kept features (n, F), in torch's own memory."""
        return self._given(self._read(numbers, None))

    def ahead(self, batches: list[np.ndarray], vary: Vary | None = None) -> Iterator[Tensor]:
        """`read` of each batch; another thread reads the next one meanwhile. Torch works in this thread alone."""
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, batches[0], vary)
            for following in batches[1:]:
                read = coming.result()
                coming = reader.submit(self._read, following, vary)
                yield self._given(read)
            yield self._given(coming.result())

    def features(self, given: Tensor) -> Tensor:
        """float32 (n, F) of what `read` gave; gradients flow to the convolutions unless these are frozen."""
        if self.kept is not None:
            return given
        if self.network.FROZEN:  # in blocks, since pictures for it are large
            seen = in_blocks(self._seen, lambda numbers: given[numbers], len(given), block_of(self.network))
            return torch.tensor(seen)
        return self._seen(given)

    def logits(self) -> np.ndarray:
        """float32 (N, K) of all pictures, in blocks."""
        decide, size = self.network.decide, block_of(self.network)
        return in_blocks(lambda given: decide(self.features(given)), self.read, len(self.data), size)

    def _seen(self, pixels: Tensor) -> Tensor:
        return gathered(self.network, pixels, self.precision)

    def _read(self, numbers: np.ndarray, vary: Vary | None) -> np.ndarray:
        if self.kept is not None:
            return np.asarray(self.kept[numbers])
        pictures = self.data.read(numbers)
        return pictures if vary is None else vary(pictures, numbers)

    def _given(self, read: np.ndarray) -> Tensor:
        return torch.tensor(read) if self.kept is not None else self.scale.pixels(read)
