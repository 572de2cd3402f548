"""Shows each picture of an epoch a little slanted, enlarged or mirrored, so that a model learns what does not change by that."""

from collections.abc import Callable

import numpy as np
from numba import njit

from common import InputError, cached
from features.images.pictures import PictureData
from features.images.settings import PictureSettings

VARIATION = 3
"""of the draws of an epoch; its order and dropout have other numbers"""
Vary = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""from uint8 (n, C, H, W) pictures and their int64 (n,) numbers to the pictures as an epoch shows them"""


def variation_of(settings: PictureSettings, epoch: int, count: int) -> Vary | None:
    """How an epoch shows its pictures. Seed, epoch and a picture's number alone decide it, not batches or threads.

    Args:
        settings: `shear`, `zoom`, `flip` and `seed`.
        epoch: 1 or more.
        count: pictures of the set.

    Returns:
        The variation, or None where the settings vary nothing.
    """
    if not settings.augments:
        return None
    draws = np.random.default_rng((settings.seed, epoch, VARIATION)).random((count, 4))
    slopes = settings.shear * (2 * draws[:, 0] - 1)
    zooms = 1 + settings.zoom * (2 * draws[:, 1:3] - 1)
    mirrored = (draws[:, 3] < 0.5) & settings.flip

    def vary(pictures: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        varied = np.empty_like(pictures)
        warp(np.ascontiguousarray(pictures), slopes[numbers], zooms[numbers], mirrored[numbers], varied)
        return varied

    return vary


def require_no_variation_of_charts(data: PictureData, settings: PictureSettings) -> None:
    """Raise `InputError` if charts are to be flipped, sheared or zoomed."""
    chosen = [f"`{name}` {getattr(settings, name)}" for name in ("shear", "zoom", "flip") if getattr(settings, name)]
    if data.is_chart and chosen:
        raise InputError(
            f"the pixels of a chart have a place in time and price, so charts are not varied, but got {' and '.join(chosen)}; "
            "leave it out"
        )


@cached(njit, error_model="numpy", nogil=True)
def warp(pictures: np.ndarray, slopes: np.ndarray, zooms: np.ndarray, mirrored: np.ndarray, varied: np.ndarray) -> None:
    """Write each picture as seen by an affine map about its centre, bilinearly; what lies outside repeats the border.

    The pixel (y, x) of the result, from the centre, is that at (zoom_h y, zoom_w x + slope y) of the picture, with -x for x where
    it is mirrored.

    Args:
        pictures: uint8 (n, C, H, W).
        slopes: float64 (n,).
        zooms: float64 (n, 2): of height and width.
        mirrored: bool (n,).
        varied: uint8 (n, C, H, W), written.
    """
    count, channels, height, width = pictures.shape
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    for picture in range(count):
        sign = -1.0 if mirrored[picture] else 1.0
        for y in range(height):
            from_y = min(max(zooms[picture, 0] * (y - middle_y) + middle_y, 0.0), height - 1.0)
            up = int(from_y)
            down, below = min(up + 1, height - 1), from_y - up
            moved = slopes[picture] * (y - middle_y) + middle_x
            for x in range(width):
                from_x = min(max(sign * zooms[picture, 1] * (x - middle_x) + moved, 0.0), width - 1.0)
                left = int(from_x)
                right, beside = min(left + 1, width - 1), from_x - left
                for channel in range(channels):
                    seen = pictures[picture, channel]
                    upper = seen[up, left] * (1 - beside) + seen[up, right] * beside
                    lower = seen[down, left] * (1 - beside) + seen[down, right] * beside
                    varied[picture, channel, y, x] = np.uint8(upper * (1 - below) + lower * below + 0.5)
