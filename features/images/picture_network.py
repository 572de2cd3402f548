"""What all networks of pictures are to their training and to those who look inside."""

from collections.abc import Iterator

from torch import Tensor, nn

from common import InputError
from features.images.pictures import PictureShape
from features.torch_tools import Draw


class PictureNetwork(nn.Module):
    """Maps float32 (B, c, H, W) to float32 logits (B, K), in three steps: `see`, `gather`, `decide`.

    Attributes:
        shape: of the pictures; c is its channels, or 3 for a frozen network.
        n_features: F.
    """

    n_features: int
    FROZEN = False
    """whether the convolutions come from a file and are not trained"""
    SMALLEST = (1, 1)
    """height and width of the smallest pictures that it can see"""

    def __init__(self, name: str, shape: PictureShape) -> None:
        super().__init__()
        self.shape = shape
        if shape.height < self.SMALLEST[0] or shape.width < self.SMALLEST[1]:
            raise InputError(
                f"{name} sees pictures of {self.SMALLEST[0]} x {self.SMALLEST[1]} pixels or more, but these have "
                f"{shape.height} x {shape.width}; give larger ones"
            )

    def forward(self, pixels: Tensor, draw: Draw = None) -> Tensor:
        return self.decide(self.gather(self.see(pixels)), draw)

    def see(self, pixels: Tensor) -> Tensor:
        """(B, f, h, w): the activated maps of the last convolution."""
        maps = pixels
        for _, maps in self.stages(pixels):  # noqa: B007
            pass
        return maps

    def stages(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Name and activated maps (B, f, h, w) of each convolution, first one first."""
        raise NotImplementedError

    def gather(self, maps: Tensor) -> Tensor:
        """(B, F): the last maps pooled, in one row for each picture; it has no weights."""
        raise NotImplementedError

    def decide(self, features: Tensor, draw: Draw = None) -> Tensor:
        """(B, K): logits. Dropout draws from `draw`, and drops nothing without it."""
        raise NotImplementedError
