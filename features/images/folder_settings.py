"""How pictures of a folder are read."""

from typing import Literal

from pydantic import Field

from common import Settings


class FolderSettings(Settings):
    """What becomes of the picture files of a folder, before a network sees them."""

    height: int | None = Field(None, ge=1, le=4_096)
    """rows of pixels of a picture; by default 224 for vgg16, which was trained on such pictures, and 150 for the others"""
    width: int | None = Field(None, ge=1, le=4_096)
    """columns of pixels of a picture; by default 224 for vgg16, and 150 for the others"""
    colors: Literal["rgb", "grey"] = "rgb"
    """what a picture is turned into: three channels, or one of brightness"""
    resize: Literal["lanczos", "bicubic", "bilinear", "box"] = "lanczos"
    """filter that brings pictures to their size"""
    fit: Literal["stretch", "crop"] = "stretch"
    """where height and width have another ratio than a file: stretch it, or crop the middle out of it"""
    background: Literal["white", "black"] = "white"
    """what is seen through transparent pixels"""
    max_pixels: int = Field(89_478_485, ge=1)
    """pixels that a file may have: a small file can unpack into more than memory holds. The default is Pillow's own limit"""
    skip_damaged: bool = False
    """leave out files that cannot be read, and name them, instead of stopping at the first one"""
    workers: int | None = Field(None, ge=1, le=256)
    """processes that read pictures; by default one a core. The pictures do not depend on it"""

    def of_model(self, model: str) -> "FolderSettings":
        """The same with the size that a model has by default."""
        side = 224 if model == "vgg16" else 150
        return self.model_copy(update={"height": self.height or side, "width": self.width or side})

    @property
    def channels(self) -> int:
        """Of a picture."""
        return 3 if self.colors == "rgb" else 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, which `of_model` fills in.

        Raises:
            ValueError: one of them is still open.
        """
        if self.height is None or self.width is None:
            raise ValueError(f"a picture needs both sides, but got {self.height=} and {self.width=}; call `of_model` first")
        return self.height, self.width
