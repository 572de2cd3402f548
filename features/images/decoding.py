"""Turns one picture file, whatever it holds, into bytes of one shape. Knows nothing of folders."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from common import InputError, one_line
from features.images.folder_listing import shown
from features.images.folder_settings import FolderSettings

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""what is tried; Pillow's other readers, some of which start programs, are not"""
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS, "bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}  # fmt: skip
GAP = 3
"""a JPEG is unpacked at no less than so many times the size that it is brought to: faster, and no difference is seen"""
ORIENTATION = 0x0112
"""the EXIF tag that says how a camera was held"""
SIDEWAYS = (5, 6, 7, 8)
"""its values that exchange height and width"""


class DamagedPictureError(InputError):
    """A file that is no picture, or a broken one, or one that is too large; the message says why, without the file's name."""


def decode_picture(content: bytes, settings: FolderSettings) -> np.ndarray:
    """The picture in a file's bytes, uint8 (C, H, W).

    The first frame of several counts. Transparent pixels show the background; a camera's rotation is undone; 16 bits are rounded
    to 8; CMYK becomes RGB without color profiles.

    Args:
        content: of a file in one of `FORMATS`.
        settings: with both sides, see `FolderSettings.of_model`.

    Raises:
        DamagedPictureError: it is no picture, ends too early, has more than `max_pixels`, or pixels without a known range.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is odd; the size is checked below
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _decoded(image, settings)
    except DamagedPictureError:
        raise
    except Image.DecompressionBombError as error:
        raise DamagedPictureError(f"it has more pixels than are read ({one_line(error)})") from None
    except Image.UnidentifiedImageError:
        raise DamagedPictureError("it is empty" if not content else f"it is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # a broken file raises whatever its reader stumbles over
        raise DamagedPictureError(one_line(error)) from None


def picture_of(path: Path, settings: FolderSettings) -> np.ndarray:
    """The picture in a file, uint8 (C, H, W).

    Raises:
        InputError: there is no such file, or one that `decode_picture` refuses.
    """
    try:
        return decode_picture(path.read_bytes(), settings)
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({error.strerror}); name a picture file") from None
    except DamagedPictureError as error:
        raise InputError(f"{shown(path)} cannot be read: {error}; name another file") from None


def _decoded(image: Image.Image, settings: FolderSettings) -> np.ndarray:
    columns, rows = image.size
    if columns * rows > settings.max_pixels:
        raise DamagedPictureError(
            f"it has {columns:,} x {rows:,} pixels, but `max_pixels` is {settings.max_pixels:,}; "
            "raise it if the file can be trusted"
        )
    height, width = settings.size
    if isinstance(image, JpegImageFile):  # those of phones with several pictures are, too
        sides = (height, width) if image.getexif().get(ORIENTATION) in SIDEWAYS else (width, height)
        image.draft(None, (GAP * sides[0], GAP * sides[1]))
    upright = ImageOps.exif_transpose(image)
    flat = _opaque(upright, settings.background).convert("RGB" if settings.channels == 3 else "L")
    method = FILTERS[settings.resize]
    resized = flat.resize((width, height), method) if settings.fit == "stretch" else ImageOps.fit(flat, (width, height), method)
    pixels = np.asarray(resized, np.uint8).reshape(height, width, settings.channels)
    return pixels.transpose(2, 0, 1).copy(order="C")  # (H, W, C) -> (C, H, W)


def _opaque(image: Image.Image, background: str) -> Image.Image:
    """With 8 bits a channel, and nothing to see through."""
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if image.mode == "F":
        raise DamagedPictureError("its pixels are fractions, of which nobody says what is white")
    if not image.has_transparency_data:
        return image
    seen = image.convert("RGBA")
    canvas = Image.new("RGBA", seen.size, background)
    return Image.alpha_composite(canvas, seen).convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.size and not 0 <= values.min() <= values.max() <= 0xFFFF:
        raise DamagedPictureError(f"its pixels go from {values.min()} to {values.max()}, but 16 bits end at {0xFFFF}")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))  # 65,535 -> 255, rounded
