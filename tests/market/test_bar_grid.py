"""Bars of one length and of calendar months: which number a bar has, and when it opens."""

import numpy as np
import pandas as pd
import pytest

from market import MONTH
from market.bar_grid import bar_name, bars_between, grid_numbers, grid_times, months_of, usual_bar

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
