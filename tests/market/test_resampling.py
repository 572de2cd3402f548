from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles

from common import InputError
from market import CandleError, parse_bar, resample
from market.resampling import extra_rules

HOURS = make_candles([float(100 + k % 7) for k in range(60)])  # from 2020-01-01 00:00


def test_a_day_is_its_hours():
    days = resample(HOURS, pd.Timedelta("1D"))
    assert [str(time) for time in days.index] == ["2020-01-01 00:00:00+00:00", "2020-01-02 00:00:00+00:00"]
    hours = HOURS.frame.iloc[24:48]
    expected = [hours.open.iloc[0], hours.high.max(), hours.low.min(), hours.close.iloc[-1], 240.0, hours.quote_volume.sum()]
    np.testing.assert_allclose(days.frame.iloc[1], expected, rtol=1e-12)


def test_partial_bars_at_the_ends_are_left_out_and_said():
    days = resample(HOURS[5:], pd.Timedelta("1D"))
    assert [time.day for time in days.index] == [2]
    assert "2 partial at the ends left out" in days.source
    assert "partial" not in resample(HOURS[:48], pd.Timedelta("1D")).source


def test_the_own_bar_changes_nothing():
    assert resample(HOURS, HOURS.bar).sha256 == HOURS.sha256


def test_twice_is_as_once():
    once = resample(HOURS, pd.Timedelta("12h"))
    assert resample(resample(HOURS, pd.Timedelta("4h")), pd.Timedelta("12h")).frame.equals(once.frame)


@pytest.mark.parametrize("bar", ["90min", "30min", "61min"])
def test_a_bar_that_does_not_fit_is_refused(bar):
    with pytest.raises(CandleError, match="whole multiple of 1h"):
        resample(HOURS, parse_bar(bar))


def test_too_few_bars_are_refused():
    with pytest.raises(CandleError, match="hold no whole bar of 1d"):
        resample(HOURS[:10], pd.Timedelta("1D"))


@pytest.mark.parametrize(("text", "minutes"), [("1h", 60), ("15min", 15), ("15m", 15), ("1d", 1440), ("4h", 240)])
def test_bars_are_written_as_exchanges_write_them(text, minutes):
    assert parse_bar(text) == pd.Timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["soon", "-1h", "0h", ""])
def test_a_bar_that_is_no_length_is_refused(text):
    with pytest.raises(InputError, match="length of time"):
        parse_bar(text)


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("trades", "sum"), ("taker_buy_volume", "sum"), ("liquidations", "sum"), ("trades_count", "sum"),
        ("discount_rate", "last"), ("account", "last"), ("volume_ma", "last"),
        ("volume_ma20", "last"), ("sma_20_volume", "last"), ("volume_24h", "last"),
        ("count_long_short_ratio", "last"), ("liquidation_price", "last"), ("volume_index", "last"),
    ],
)  # fmt: skip
def test_amounts_of_a_bar_are_added_up_and_nothing_else(column, rule):
    extra = pd.DataFrame({column: range(60)}, index=HOURS.index, dtype=float)
    assert extra_rules(replace(HOURS, extra=extra), {}) == {column: rule}
