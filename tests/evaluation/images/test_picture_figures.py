"""The pictures are drawn, of the same bytes each time, whatever the names hold."""

import warnings

import numpy as np
import pytest
from PIL import Image

from evaluation.images.picture_figures import Shown, draw_confusion, draw_curves, draw_feature_maps, draw_sheet, shortened
from features.images import PictureEpoch

ODD = "$x_{ 猫\n\x1b[2J"
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 10, 14), dtype=np.uint8)
HISTORY = [
    PictureEpoch(
        number=number, loss=1 / number, validation_loss=1.1 / number, best=number < 3, seconds=0.0, accuracy=0.5,
        validation_accuracy=0.6,
    )
    for number in (1, 2, 3)
]  # fmt: skip


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: draw_curves(HISTORY, True, ODD, path),
        lambda path: draw_curves(HISTORY[:1], False, ODD, path),
        lambda path: draw_confusion([[3, 1], [0, 0]], ["a", ODD], ODD, path),
        lambda path: draw_confusion(np.eye(30, dtype=int).tolist(), [f"class {n}" for n in range(30)], ODD, path),
        lambda path: draw_sheet([Shown(PIXELS, (ODD,), True)], ODD, path),
        lambda path: draw_sheet([Shown(PIXELS[:1], ("x", "y"), False, np.zeros((10, 14), np.float32))] * 7, ODD, path),
        lambda path: draw_feature_maps(PIXELS, [("conv1", np.zeros((3, 10, 14))), ("conv2", np.ones((20, 5, 7)))], ODD, path),
    ],
)
def test_a_figure_is_drawn_to_the_byte_without_a_warning(draw, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(tmp_path / "one.png")
        draw(tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as drawn:
        assert 300 < drawn.width < 2_000


def test_long_names_keep_both_ends():
    assert shortened("a" * 30 + "b.jpg") == "aaaaaaaaaaa…aaaaab.jpg"
