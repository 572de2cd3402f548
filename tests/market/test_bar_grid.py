"""Bars of one length and of calendar months: which number a bar has, and when it opens."""

import numpy as np
import pandas as pd
import pytest

from market import MONTH, Candles, SplitSettings, simulate, split
from market.bar_grid import bar_ends, bar_name, bars_between, grid_numbers, grid_times, later, months_of, usual_bar

QUARTER, YEAR = 3 * MONTH, 12 * MONTH


@pytest.mark.parametrize(
    ("freq", "bar"), [("h", pd.Timedelta("1h")), ("7D", pd.Timedelta("7D")), ("MS", MONTH), ("QS", QUARTER), ("YS", YEAR)]
)
def test_the_bar_and_the_number_of_each_time_are_found_and_give_the_times_back(freq, bar):
    times = pd.date_range("2016-01-01", periods=30, freq=freq).to_numpy().astype("datetime64[ns]")
    assert usual_bar(times) == bar
    numbers, on_grid = grid_numbers(times, bar)
    assert on_grid.all()
    assert set(np.diff(numbers)) == {1}
    np.testing.assert_array_equal(grid_times(times[0], 30, bar), times)
    assert [bars_between(pd.Timestamp(times[0]), pd.Timestamp(time), bar) for time in times] == list(range(30))


def test_times_beside_the_grid_are_told():
    times = np.array(["2020-01-01", "2020-02-02", "2020-03-01"], "datetime64[ns]")
    assert list(grid_numbers(times, MONTH)[1]) == [True, False, True]
    hours = np.array(["2020-01-01T00", "2020-01-01T01", "2020-01-01T02", "2020-01-01T02:30"], "datetime64[ns]")
    assert list(grid_numbers(hours, pd.Timedelta("1h"))[1]) == [True, True, True, False]


def test_thirty_days_are_no_month():
    times = pd.date_range("2020-01-01", periods=12, freq="30D").to_numpy()
    assert usual_bar(times) == pd.Timedelta("30D")
    assert (months_of(MONTH), months_of(pd.Timedelta("30D"))) == (1, 0)
    assert [bar_name(bar) for bar in (MONTH, QUARTER, pd.Timedelta("90min"), pd.Timedelta("1D"))] == [
        "1month",
        "3month",
        "90min",
        "1d",
    ]


@pytest.mark.parametrize(
    ("freq", "bar"), [("h", pd.Timedelta("1h")), ("7D", pd.Timedelta("7D")), ("MS", MONTH), ("QS", QUARTER), ("YS", YEAR)]
)
def test_a_bar_ends_where_the_next_one_opens(freq, bar):
    index = pd.date_range("2016-01-01", periods=30, freq=freq, tz="UTC")
    assert list(bar_ends(index[:-1], bar)) == list(index[1:])


def test_a_month_later_is_a_calendar_month_later():
    times = pd.DatetimeIndex(["2023-01-31", "2024-02-01 06:00"], tz="UTC")
    assert [f"{time:%Y-%m-%d %H:%M}" for time in later(times, MONTH)] == ["2023-02-28 00:00", "2024-03-01 06:00"]
    assert list(later(times, pd.Timedelta("1D"))) == list(times + pd.Timedelta("1D"))


def test_the_ledger_knows_the_calendar_end_of_a_range_of_months():
    frame = simulate("bitcoin", 400, seed=1).frame.set_axis(
        pd.date_range("1990-01-01", periods=400, freq="MS", tz="UTC", name="time")
    )
    parts = split(Candles(frame, MONTH, "BTC/USD", "months"), SplitSettings(train=0.5, validation=0.25))
    assert parts.test_known_as.end == "2023-05-01T00:00:00+00:00"
