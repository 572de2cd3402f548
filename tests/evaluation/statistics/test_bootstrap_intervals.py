"""Intervals of the figures: two roads to each figure, and widths where the answer is known."""

import numpy as np
import pandas as pd
import pytest
from helpers import episodes_of, make_candles, no_features

from agents import BuyAndHold, Flat, RandomTrader
from envs import EnvSettings
from evaluation import Episode, play
from evaluation.statistics import FIGURES, intervals, metrics
from evaluation.statistics.bootstrap_intervals import _bars_of, _figures
from market import simulate


@pytest.fixture(scope="module")
def episode():
    candles = simulate("bitcoin", bars=2_000, seed=3)
    return play(candles, no_features(candles), EnvSettings(), RandomTrader(1_999, 120, 900, seed=1))


def in_order(episode):
    """The kernel's figures over the bars as they came."""
    bars, out = _bars_of(episode), np.empty(len(FIGURES))
    _figures(bars, np.arange(len(bars)), episode.bars_per_year, episode.table["net_worth"].iloc[0], out)
    return dict(zip(FIGURES, out, strict=True))


def test_bars_in_their_own_order_give_the_figures_of_the_table(episode):
    """Two roads: njit over the bars, and pandas, numpy, empyrical."""
    own, other = metrics(episode), in_order(episode)
    assert list(other) == list(own)
    for name, value in own.items():
        assert other[name] == pytest.approx(value, rel=1e-9), name


def bounds_of(found: dict[str, tuple[float, float] | None], name: str) -> tuple[float, float]:
    """The interval of a figure that has one."""
    bounds = found[name]
    assert bounds is not None, name
    return bounds


def test_every_figure_has_an_interval_in_order_around_a_plausible_middle(episode):
    found, own = intervals(episode), metrics(episode)
    assert list(found) == list(FIGURES)
    for name in FIGURES:
        low, high = bounds_of(found, name)
        figure = own[name]
        assert figure is not None
        assert low < high, name
        if name not in ("max_drawdown", "drawdown_bars"):  # these depend on the order, and shuffling moves them
            assert low < figure < high, name


def test_the_interval_of_the_return_is_as_wide_as_independent_returns_make_it():
    rng, bars = np.random.default_rng(0), 4_000
    worth = 100 * np.exp(np.append(0, np.cumsum(rng.normal(0, 0.01, bars))))
    index = pd.date_range("2020", periods=bars + 1, freq="h", tz="UTC")
    table = pd.DataFrame({"close": worth, "net_worth": worth, "position": 1.0, "fees": 0.0}, index=index)
    trades = pd.DataFrame({"time": index[:0], "side": [], "coin": [], "price": [], "value": [], "fee": []})
    low, high = np.log1p(bounds_of(intervals(Episode(table, trades, 8766.0)), "total_return"))
    assert high - low == pytest.approx(2 * 1.96 * 0.01 * np.sqrt(bars), rel=0.12)


def test_what_is_undefined_has_no_interval():
    candles = make_candles([100.0, 101.0, 99.0, 102.0, 103.0, 101.0] * 10)
    flat = intervals(play(candles, no_features(candles), EnvSettings(), Flat()))
    assert flat["total_return"] == (0, 0)
    assert flat["trades"] == (0, 0)
    assert [flat[name] for name in ("sharpe", "sortino", "calmar", "omega", "win_rate")] == [None] * 5
    assert intervals(play(candles, no_features(candles), EnvSettings(), BuyAndHold()))["win_rate"] is None


def test_the_seed_decides_the_draws(episode):
    assert intervals(episode, seed=1) == intervals(episode, seed=1) != intervals(episode, seed=2)


def test_positions_with_a_long_memory_widen_the_interval_of_the_exposure():
    """Out for half of the range, then in, where the returns are too wild to tell: bar by bar, 95 % would be 0.036 wide."""
    moves = 0.0005 * np.clip(np.random.default_rng(0).standard_t(1.2, 3_000), -400, 400)
    agent, _ = episodes_of(np.arange(3_000) >= 1_500, moves)
    low, high = bounds_of(intervals(agent), "exposure")
    assert high - low > 0.3
