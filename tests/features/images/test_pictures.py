"""Pictures in memory, and the scale of their pixels."""

import numpy as np
import pytest
from picture_data import stripes

from common import InputError
from features.images import PicturesInMemory
from features.images.pixel_scale import fit_scale

PICTURES, LABELS = np.arange(2 * 3 * 8 * 9).reshape(2, 3, 8, 9).astype(np.uint8), np.array([0, 1])


def test_pictures_are_read_by_number_in_any_order():
    data = PicturesInMemory(PICTURES, LABELS, ("cat", "dog"))
    assert (data.shape, len(data), data.is_chart) == ((3, 8, 9), 2, False)
    assert data.read(np.array([1, 0, 1])).tobytes() == PICTURES[[1, 0, 1]].tobytes()


def test_the_hash_is_of_pictures_labels_classes_and_kind():
    others = [
        PicturesInMemory(PICTURES, LABELS, ("cat", "dog")), PicturesInMemory(PICTURES, LABELS[::-1], ("cat", "dog")),
        PicturesInMemory(PICTURES, LABELS, ("dog", "cat")), PicturesInMemory(PICTURES ^ 1, LABELS, ("cat", "dog")),
        PicturesInMemory(PICTURES.reshape(2, 3, 9, 8), LABELS, ("cat", "dog")),
        PicturesInMemory(PICTURES, LABELS, ("cat", "dog"), True),
    ]  # fmt: skip
    assert len({data.sha256 for data in others}) == len(others)
    assert others[0].sha256 == PicturesInMemory(PICTURES.copy(), LABELS.copy(), ["cat", "dog"]).sha256


@pytest.mark.parametrize(
    ("pictures", "labels", "told"),
    [
        (PICTURES.astype(float), LABELS, r"must be uint8 \(N, 1 or 3, H, W\), but got float64 \(2, 3, 8, 9\)"),
        (PICTURES[:, :2], LABELS, r"but got uint8 \(2, 2, 8, 9\)"),
        (PICTURES, LABELS.astype(float), r"labels of 2 pictures must be int64 \(2,\), but got float64"),
        (PICTURES, LABELS[:1], r"but got int64 \(1,\)"),
        (PICTURES, np.array([0, 2]), "labels must be 0 to 1, .* but that of picture 1 is 2; give each picture one of cat, dog"),
        (PICTURES, np.array([-1, 0]), "that of picture 0 is -1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(pictures, labels, told):
    with pytest.raises(InputError, match=told):
        PicturesInMemory(pictures, labels, ("cat", "dog"))


def test_the_scale_is_mean_and_deviation_of_each_channel():
    data = stripes(300, 0)
    scale = fit_scale(data)
    np.testing.assert_allclose(scale.mean, data.pictures.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scale.std, data.pictures.std(axis=(0, 2, 3)), rtol=1e-6)
    pixels = scale.pixels(data.pictures)
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), 1, atol=1e-4)
    assert pixels.stride()[1] == 1, "the channels of a pixel lie side by side"


def test_pictures_of_one_tone_and_arrays_that_may_not_be_written_are_scaled(recwarn):
    pictures = np.full((3, 1, 8, 8), 200, np.uint8)
    pictures.flags.writeable = False
    scale = fit_scale(PicturesInMemory(pictures, np.zeros(3, np.int64), ("a", "b")))
    assert not scale.pixels(pictures).any()
    assert not scale.pixels(pictures[:, :, ::-1]).any()
    assert not recwarn.list
