"""Pictures shown slanted, enlarged or mirrored, against scipy and by what decides it."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from features.images.augmentation import variation_of, warp
from features.images.settings import PictureSettings

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 3, 21, 17)).astype(np.uint8)
NUMBERS = np.array([5, 2, 9, 0, 7, 3])
ALL = PictureSettings(shear=0.3, zoom=0.4, flip=True)


def varied(settings: PictureSettings, epoch: int, pictures: np.ndarray = PICTURES, numbers: np.ndarray = NUMBERS) -> np.ndarray:
    vary = variation_of(settings, epoch, 400)
    assert vary is not None
    return vary(pictures, numbers)


def warped(slope=0.0, zoom=(1.0, 1.0), mirrored=False) -> np.ndarray:
    count, out = len(PICTURES), np.empty_like(PICTURES)
    warp(PICTURES, np.full(count, slope), np.tile(zoom, (count, 1)).astype(float), np.full(count, mirrored), out)
    return out


def test_without_change_a_picture_stays_to_the_byte_and_a_mirror_is_exact():
    assert warped().tobytes() == PICTURES.tobytes()
    assert warped(mirrored=True).tobytes() == PICTURES[..., ::-1].tobytes()


@pytest.mark.parametrize(("slope", "zoom", "mirrored"), [(0.3, (1, 1), False), (0, (0.7, 1.3), False), (-0.2, (1.2, 0.8), True)])
def test_it_is_scipys_affine_map(slope, zoom, mirrored):
    y, x = np.mgrid[:21, :17] - np.array([10, 8])[:, None, None]
    places = [zoom[0] * y + 10, zoom[1] * (-x if mirrored else x) + slope * y + 8]
    for picture, told in zip(PICTURES, warped(slope, zoom, mirrored), strict=True):
        for channel in range(3):
            expected = map_coordinates(picture[channel].astype(float), places, order=1, mode="nearest")
            np.testing.assert_allclose(told[channel], expected, atol=0.501)


def test_the_compiled_loop_is_the_loop():
    draw, count = np.random.default_rng(1), len(PICTURES)
    given = (draw.normal(0, 0.2, count), draw.uniform(0.7, 1.3, (count, 2)), draw.random(count) < 0.5)
    compiled, plain = np.empty_like(PICTURES), np.empty_like(PICTURES)
    warp(PICTURES, *given, compiled)
    warp.py_func(PICTURES.astype(float), *given, plain)
    assert compiled.tobytes() == plain.tobytes()


def test_a_variation_depends_on_seed_epoch_and_picture_alone():
    together = varied(ALL, 3)
    for place in range(6):
        assert varied(ALL, 3, PICTURES[place : place + 1], NUMBERS[place : place + 1]).tobytes() == together[place].tobytes()
    assert varied(ALL, 4).tobytes() != together.tobytes()
    assert varied(ALL.model_copy(update={"seed": 1}), 3).tobytes() != together.tobytes()
    assert variation_of(PictureSettings(), 3, 10) is None


def test_half_of_the_pictures_are_mirrored():
    pictures = np.repeat(PICTURES[:1], 400, axis=0)
    shown = varied(PictureSettings(flip=True), 1, pictures, np.arange(400))
    mirrored = (shown == PICTURES[0, :, :, ::-1]).all(axis=(1, 2, 3))
    assert ((shown == PICTURES[0]).all(axis=(1, 2, 3)) | mirrored).all()
    assert 150 < mirrored.sum() < 250
