import empyrical
import numpy as np
import pandas as pd
import pytest
from helpers import FREE, make_candles, no_features

from agents import BuyAndHold, SignalStrategy
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import Episode, play
from evaluation.statistics import FIGURES, format_figure, metrics, round_trips


def episode_of(returns, bars_per_year=252.0):
    worth = 100 * np.cumprod([1, *(1 + np.array(returns))])
    index = pd.date_range("2020", periods=len(worth), freq="D")
    table = pd.DataFrame({"close": worth, "net_worth": worth, "position": 1.0, "fees": 0.0}, index=index)
    return Episode(table, pd.DataFrame(columns=["time", "reason", "side", "coin", "price", "value", "fee"]), bars_per_year)


MIXED = np.array([1, 10, -4, 2, 3, 2, 1, -10]) / 100
NEGATIVE = np.array([0, -6, -7, -1, -9, -2, -6, -8, -5]) / 100


def test_the_published_vectors():
    mixed, negative = metrics(episode_of(MIXED)), metrics(episode_of(NEGATIVE))
    assert mixed["sortino"] == pytest.approx(2.605531251673693)
    assert mixed["sharpe"] == pytest.approx(1.7238613961706866)
    with_a_flat_day = metrics(episode_of([0.0, *MIXED]))  # the published series begins with a NaN, which counts as a day
    assert with_a_flat_day["calmar"] == pytest.approx(19.135925373194233)
    assert negative["sortino"] == pytest.approx(-13.532743075043401)
    assert negative["max_drawdown"] == pytest.approx(-0.36590730)


def test_figures_by_hand():
    candles = make_candles([100, 100, 200, 200, 100])
    sides = SignalStrategy(np.array([BUY, HOLD, SELL, HOLD, HOLD]))
    figures = metrics(play(candles, no_features(candles), EnvSettings(**FREE | {"fee_bps": 10.0}), sides))
    bought = 10_000 / 1.001
    assert figures["total_return"] == pytest.approx(bought * 2 * 0.999 / 10_000 - 1)
    assert figures["fees_paid"] == pytest.approx(10_000 - bought + bought * 2 * 0.001)
    assert figures["exposure"] == pytest.approx(0.5)  # two of the four closes
    assert figures["trades"] == 2


def test_growth_is_annualised_over_the_calendar():
    year = episode_of([0.0] * 365 + [0.21], bars_per_year=365.25)
    assert metrics(year)["cagr"] == pytest.approx(1.21 ** (365.25 / 366) - 1)


def test_an_undefined_figure_is_none_never_nan():
    flat, rising = metrics(episode_of([0.0] * 5)), metrics(episode_of([0.01] * 5))
    assert [flat[name] for name in ("total_return", "max_drawdown", "trades")] == [0, 0, 0]
    assert [flat[name] for name in ("sharpe", "sortino", "calmar", "omega")] == [None] * 4
    assert rising["sortino"] is None
    assert metrics(episode_of([1e6], bars_per_year=1e5))["cagr"] is None
    assert format_figure("calmar", None) == "-"


def test_buy_and_hold_is_the_price_less_one_buy():
    candles = make_candles([100, 120, 90, 150])
    figures = metrics(play(candles, no_features(candles), EnvSettings(), BuyAndHold()))
    assert figures["total_return"] == pytest.approx(150 / 100 / 1.001 / 1.0003 - 1)


def test_every_figure_is_in_its_place():
    figures = metrics(episode_of(MIXED))
    assert list(figures) == list(FIGURES)
    assert all(isinstance(format_figure(name, value), str) for name, value in figures.items())
    assert format_figure("trades", 1_234.5) == "1,234"  # the bounds of intervals are no whole numbers


def test_the_ratios_are_those_of_empyrical():
    returns = np.random.default_rng(0).normal(0.001, 0.02, 700)
    figures = metrics(episode_of(returns, bars_per_year=8766.0))
    theirs = {
        "volatility": empyrical.annual_volatility,
        "sharpe": empyrical.sharpe_ratio,
        "sortino": empyrical.sortino_ratio,
        "calmar": empyrical.calmar_ratio,
        "omega": empyrical.omega_ratio,
    }
    for name, function in theirs.items():
        assert figures[name] == pytest.approx(function(returns, annualization=8766.0), rel=1e-9), name


@pytest.mark.parametrize(
    ("worth", "bars"),
    [
        ([100, 101, 102], 0),
        ([100, 100, 100], 0),
        ([100, 90, 100, 110], 2),  # back at the peak
        ([100, 90, 95, 110, 109], 3),
        ([100, 110, 90, 95, 100, 99], 4),  # to the end
        ([100, 99], 1),
        ([100, 99, 100, 90, 90, 90], 3),  # from the last time at the peak
    ],
)
def test_the_longest_drawdown_runs_from_a_peak_until_it_is_back_or_to_the_end(worth, bars):
    assert metrics(episode_of(np.diff(worth) / np.array(worth[:-1], float)))["drawdown_bars"] == bars


def test_turnover_is_what_was_traded_in_a_year_over_the_mean_net_worth():
    candles = make_candles([100, 100, 200, 200, 100])
    episode = play(candles, no_features(candles), EnvSettings(**FREE), SignalStrategy(np.array([BUY, HOLD, SELL, HOLD, HOLD])))
    mean = (10_000 + 10_000 + 20_000 + 20_000 + 20_000) / 5
    assert metrics(episode)["turnover"] == pytest.approx((10_000 + 20_000) / mean * candles.bars_per_year / 4)


def trades_of(*fills):
    """(side, coin, price), an hour apart, at a fee of 1 %."""
    times = pd.date_range("2020", periods=len(fills), freq="h", tz="UTC")
    frame = pd.DataFrame(fills, columns=["side", "coin", "price"]).assign(time=times, reason="order")
    frame["value"] = frame["coin"] * frame["price"]
    frame["fee"] = frame["value"] * 0.01
    return Episode(pd.DataFrame(), frame, 8766.0)


def test_a_round_trip_is_held_against_the_average_cost():
    trips = round_trips(trades_of(("buy", 1, 100), ("buy", 1, 200), ("sell", 0.5, 180), ("sell", 1.5, 120)))
    cost = 150 * 1.01
    np.testing.assert_allclose(trips["return"], [180 * 0.99 / cost - 1, 120 * 0.99 / cost - 1])
    np.testing.assert_allclose(trips["coin"], [0.5, 1.5])
    assert list(trips["entry"].dt.hour) == [0, 0]
    assert list(trips["exit"].dt.hour) == [2, 3]


def test_a_short_gains_as_the_price_falls_and_a_turn_closes_one_side_and_opens_the_other():
    trips = round_trips(trades_of(("sell", 1, 100), ("buy", 3, 80), ("sell", 2, 90)))
    np.testing.assert_allclose(trips["return"], [1 - 80 * 1.01 / (100 * 0.99), 90 * 0.99 / (80 * 1.01) - 1])
    np.testing.assert_allclose(trips["coin"], [-1, 2])
    assert list(trips["entry"].dt.hour) == [0, 1]


def test_what_rounding_leaves_of_a_position_is_no_position():
    trips = round_trips(trades_of(("buy", 0.1, 100), ("buy", 0.2, 100), ("sell", 0.3, 110), ("buy", 1, 200), ("sell", 1, 100)))
    assert list(trips["entry"].dt.hour) == [0, 3]


def test_a_trip_wins_only_after_its_costs():
    wins = trades_of(("buy", 1, 100), ("sell", 1, 103), ("buy", 1, 100), ("sell", 1, 101))
    table = pd.DataFrame({"close": 100.0, "net_worth": 100.0, "position": 0.0, "fees": 0.0}, index=wins.trades["time"])
    assert metrics(Episode(table, wins.trades, 8766.0))["win_rate"] == 0.5
    assert metrics(episode_of(MIXED))["win_rate"] is None


def test_the_net_worth_grows_by_what_the_round_trips_say():
    """Each whole trip of all the cash multiplies the net worth by 1 + its return."""
    candles = make_candles([100, 100, 130, 120, 150, 140, 140, 160])
    sides = SignalStrategy(np.array([BUY, HOLD, SELL, BUY, HOLD, SELL, HOLD]))
    episode = play(candles, no_features(candles), EnvSettings(min_trade=0), sides)
    grown = float(np.prod(1 + round_trips(episode)["return"].to_numpy()))
    assert episode.table["net_worth"].iloc[-1] == pytest.approx(10_000 * grown, rel=1e-12)
