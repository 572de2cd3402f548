import numpy as np
import pandas as pd
import pytest
from helpers import FREE, make_candles, no_features

from agents import BuyAndHold, SignalStrategy
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import Episode, format_figure, metrics, play


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
