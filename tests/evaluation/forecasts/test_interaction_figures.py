"""The pictures of models of interactions: each is drawn from what it may be given, and the same data give the same bytes."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from evaluation.forecasts import interaction_figures
from evaluation.forecasts.interaction_figures import (
    LONGEST_NAME,
    draw_comparison,
    draw_field_pairs,
    draw_interaction_losses,
    shortened,
)
from evaluation.forecasts.interaction_scores import compare_interactions
from features.forecasters import Epoch


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header of a PNG."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def strengths_of(fields: int) -> np.ndarray:
    values = np.random.default_rng(0).exponential(size=(fields, fields))
    return values + values.T


@pytest.mark.parametrize("fields", [1, 3, 40, 90])
def test_a_heatmap_of_any_number_of_fields_is_no_larger_than_a_screen_shows(tmp_path, fields):
    names = tuple(f"a_field_with_a_rather_long_name_{number}" for number in range(fields))
    draw_field_pairs(strengths_of(fields), names, "ffm", tmp_path / "pairs.png")
    width, height = size_of(tmp_path / "pairs.png")
    assert 500 < height <= width < 2_000


def test_a_heatmap_without_any_strength_is_drawn(tmp_path):
    draw_field_pairs(np.zeros((2, 2)), ("user", "item"), "fm", tmp_path / "pairs.png")
    assert size_of(tmp_path / "pairs.png")


@pytest.mark.parametrize(("highest", "texts"), [(2.04, {"2.04", "0.02", "0"}), (31_000.0, {"31,000", "310", "0"})])
def test_cells_are_numbered_with_three_digits_of_the_strongest(highest, texts):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    interaction_figures._number_cells(axes, np.array([[1e-9, highest], [0.01 * highest, 0.0]]), highest)
    assert {text.get_text() for text in axes.texts} == texts


def test_long_names_keep_both_ends():
    assert len(shortened("x" * 99)) == LONGEST_NAME
    assert shortened("previous_campaign_1", 10) != shortened("previous_campaign_2", 10)
    assert shortened("user") == "user"
    assert doctest.testmod(interaction_figures).failed == 0


def test_a_comparison_is_drawn_of_one_model_or_several(tmp_path):
    labels = np.array([0.0, 1.0] * 100)
    forecasts = {"lr": np.linspace(0, 1, 200), "ffm": labels / 2 + np.linspace(0, 0.8, 200)}
    for name, some in (("one", {"lr": forecasts["lr"]}), ("two", forecasts), ("again", forecasts)):
        draw_comparison(compare_interactions(labels, some, draws=20), "test rows", tmp_path / f"{name}.png")
    assert size_of(tmp_path / "two.png")[0] == 1_100  # ten inches
    assert size_of(tmp_path / "one.png")[1] < size_of(tmp_path / "two.png")[1]
    assert (tmp_path / "two.png").read_bytes() == (tmp_path / "again.png").read_bytes()


@pytest.mark.parametrize("validated", [True, False])
def test_losses_are_drawn_with_and_without_validation(tmp_path, validated):
    history = [Epoch(number, 0.7 / number, 0.6, number == 1 or not validated, 1.0) for number in (1, 2, 3)]
    draw_interaction_losses(history, validated, "fm", tmp_path / "loss.png")
    assert size_of(tmp_path / "loss.png") == (880, 440)
