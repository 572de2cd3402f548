import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import no_features
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch
from outcomes import make_outcome

from agents import Flat
from envs import EnvSettings
from evaluation import play
from evaluation.report import draw_figures, png_figures as drawn
from evaluation.report.palette import DARK, LIGHT, line_styles
from evaluation.report.return_histogram import histogram
from market import simulate

NAMES = ["net_worth", "trades", "drawdown", "exposure", "monthly", "distribution", "costs", "learning"]


@pytest.fixture(scope="module")
def outcome():
    return make_outcome(seeds=2)


def line_of(figure, name):
    return next(line for line in figure.axes[0].lines if line.get_label().split("  ")[0] == name)


def test_each_chart_is_a_picture(outcome, tmp_path):
    paths = draw_figures(outcome, tmp_path / "figures")
    assert paths == [tmp_path / "figures" / f"{name}.png" for name in NAMES]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_without_looks_at_validation_there_is_no_picture_of_them(outcome, tmp_path):
    assert [path.stem for path in draw_figures(replace(outcome, learning={}), tmp_path)] == NAMES[:-1]
    assert not (tmp_path / "learning.png").exists()


def test_the_same_outcome_gives_the_same_bytes(outcome, tmp_path):
    first, second = draw_figures(outcome, tmp_path / "first"), draw_figures(outcome, tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_agent_is_drawn_above_all_others_and_strongest(outcome):
    lines = [line for line in drawn.net_worth(outcome).axes[0].lines if not str(line.get_label()).startswith("_")]
    assert str(lines[-1].get_label()).startswith("agent ")
    assert to_hex(lines[-1].get_color()) == LIGHT["agent"]
    assert all(line.get_linewidth() < lines[-1].get_linewidth() for line in lines[:-1])


def test_the_legend_stands_beside_the_data_in_the_order_of_the_table(outcome):
    figure = drawn.net_worth(outcome)
    assert [text.get_text().split("  ")[0] for text in figure.legends[0].get_texts()] == list(outcome.episodes)
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().x0 > figure.axes[0].get_window_extent().x1


def test_a_long_line_is_thinned_without_losing_its_extremes():
    worth = pd.Series(np.random.default_rng(0).normal(0, 1, 20_000).cumsum())
    thinned = drawn._thinned(worth, 100)
    assert len(thinned) <= 200
    assert thinned.equals(worth[thinned.index])
    for stretch in np.array_split(worth, 100):
        assert {stretch.min(), stretch.max()} <= set(thinned)


def test_perfect_foresight_leaves_the_picture_rather_than_press_the_others_flat(outcome):
    far = outcome.episodes["agent"]
    far = replace(far, table=far.table.assign(net_worth=far.table["net_worth"] * np.logspace(0, 9, len(far.table))))
    axes = drawn.net_worth(replace(outcome, episodes=outcome.episodes | {"perfect foresight": far})).axes[0]
    assert axes.get_ylim() == drawn.net_worth(outcome).axes[0].get_ylim()


def test_debt_and_missing_months_are_drawn_without_a_warning(outcome, tmp_path):
    agent = outcome.episodes["agent"]
    ruined = replace(agent, table=agent.table.iloc[:1_000].assign(net_worth=lambda table: table["net_worth"] - 9_990))
    costs, monthly = outcome.costs.copy(), outcome.monthly.copy()
    costs.loc["agent", 4.0], monthly.loc[monthly.index[-1], "agent"] = -1.2, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_figures(replace(outcome, episodes=outcome.episodes | {"agent": ruined}, costs=costs, monthly=monthly), tmp_path)


def test_an_agent_that_never_traded_has_pictures(outcome, tmp_path):
    candles = simulate("bitcoin", bars=1_500, seed=7)
    flat = play(candles, no_features(candles), EnvSettings(), Flat())
    assert len(draw_figures(replace(outcome, episodes=outcome.episodes | {"agent": flat}), tmp_path)) == len(NAMES)


def test_every_fill_is_counted_beside_its_triangle(outcome):
    sides = outcome.episodes["agent"].trades["side"].value_counts()
    labels = [text.get_text() for text in drawn.trades(outcome).legends[0].get_texts()]
    assert labels == [f"buy ({sides['buy']})", f"sell ({sides['sell']})"]


def test_the_distribution_counts_every_return_once(outcome):
    still = histogram(outcome.episodes).still
    assert still["agent"] > still["buy and hold"]
    for patch, name in zip(drawn.distribution(outcome).axes[0].patches, ("buy and hold", "agent"), strict=True):
        assert isinstance(patch, StepPatch)
        assert patch.get_label() == name
        assert patch.get_data()[0].sum() + still[name] == pytest.approx(1.0)


def test_optimistic_fills_are_marked_in_every_picture(outcome):
    marked = replace(outcome, optimistic=True)
    for name in NAMES:
        assert "OPTIMISTIC" in getattr(drawn, name)(marked).axes[0].get_title("left")


def test_light_and_dark_have_the_same_colors():
    assert list(LIGHT) == list(DARK)


def test_strategies_can_be_told_apart():
    names = ["agent", "buy and hold", "buy and hold, same exposure", "flat", "random, same turnover", "perfect foresight"]
    many = line_styles([*names, *(f"follows {k}" for k in range(14))], seeds=())
    assert len({(look.color, look.dash) for look in many.values()}) == len(many)


def test_the_learning_curve_is_titled_for_the_validation_range(outcome):
    """Not for the test range, as the other figures are."""
    title = drawn.learning(outcome).axes[0].get_title(loc="left")
    assert title == "Learning: BTC/USD, validation range 2016-06-01 to 2016-12-31"
