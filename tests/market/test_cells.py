"""Numbers and times as people and programs write them: each cell means what it says, or is named."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market.number_cells import has_decimal_comma, number_cells
from market.times import parse_times


def column(cells):
    return pa.chunked_array([pa.array(cells)])


def numbers(cells):
    return number_cells(column(cells), has_decimal_comma([column(cells)]))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2,509.17", "951", "1,200.5"], [2509.17, 951, 1200.5]),
        (["2.509,17", "9,5", "1.200"], [2509.17, 9.5, 1200]),
        (["$8,051", "$7,975.89"], [8051, 7975.89]),
        (["114.60K", "1.2M", "951"], [114_600, 1_200_000, 951]),
        (["2 509.5", "1 200.25"], [2509.5, 1200.25]),
        (["1e-8", "2.5e3", ".5", "7."], [1e-8, 2500, 0.5, 7]),
        (["8051", "", "nan", "-", "N/A"], [8051, np.nan, np.nan, np.nan, np.nan]),
    ],
)
def test_the_usual_spellings_of_numbers_are_read(cells, expected):
    values, odd = numbers(cells)
    np.testing.assert_array_equal(values, expected)
    assert not odd


@pytest.mark.parametrize(
    ("cells", "row", "said"),
    [
        (["2,509", "1,200"], 0, "comma may stand before decimals or between thousands"),
        (["8051.5", "1.5E+12"], 1, "shortened by a spreadsheet"),
        (["8051.5", "ten"], 1, "ten"),
        (["8051.5", "8 051.5"], 1, "8 051.5"),  # set apart in one cell only: a cell was damaged
        (["8051.5", "80.51.5"], 1, "80.51.5"),
    ],
)
def test_a_number_that_can_be_two_is_none(cells, row, said):
    values, odd = numbers(cells)
    assert np.isnan(values[row])
    assert said in odd[row]


ONE = "2019-07-04 13:00"


@pytest.mark.parametrize(
    "cell",
    [
        "2019-07-04 13:00", "2019-07-04T13:00:00Z", "2019-07-04 13:00:00+00:00", "2019-07-04 15:00 +0200", "2019/07/04 13:00",
        "2019.07.04 13:00", "2019/7/4 13:00:00", "20190704 130000", "20190704 1300", "20190704130000", "201907041300",
        "04.07.2019 13:00", "04.07.2019 13:00:00.000 GMT+0000", "Jul 04, 2019 13:00", "4 July 2019 1:00 PM", "04-Jul-2019 13:00",
        "Thu, 04 Jul 2019 13:00:00 GMT", "2019-07-04 01-PM", "2019-07-04 1:00 PM", "1562245200", "1562245200000",
        "1562245200000000", "1562245200000000000", "2019-07-04 13:00 UTC", "13/13/2019".replace("13/13", "07/04") + " 13:00",
    ],
)  # fmt: skip
def test_the_usual_spellings_of_times_are_read(cell):
    parsed = parse_times(column([cell]), "month_first")
    assert list(parsed.times) == [np.datetime64(ONE)]
    assert not parsed.odd


@pytest.mark.parametrize(
    ("cells", "first", "order"),
    [
        (["7/1/2017 22:00", "7/1/2017 23:00", "7/2/2017 0:00", "7/2/2017 1:00"], "2017-07-01 22:00", "month/day/year"),
        (["1/7/2017 22:00", "1/7/2017 23:00", "2/7/2017 0:00", "2/7/2017 1:00"], "2017-07-01 22:00", "day/month/year"),
        (["13/04/2019", "14/04/2019"], "2019-04-13", "day/month/year"),
        (["04/13/19", "04/14/19"], "2019-04-13", "month/day/year"),
    ],
)
def test_day_and_month_are_told_by_the_one_order_that_gives_even_steps(cells, first, order):
    parsed = parse_times(column(cells))
    assert parsed.times[0] == np.datetime64(first)
    assert order in parsed.notes[0]


@pytest.mark.parametrize(
    "cells", [["03/04/2019"], ["7/1/2017 11:00", "7/1/2017 12:00"], [f"{month}/1/2019" for month in range(1, 6)]]
)
def test_dates_that_fit_both_ways_are_not_guessed(cells):
    parsed = parse_times(column(cells))
    assert np.isnat(parsed.times).all()
    assert "which number is the month" in parsed.odd[0]
    assert not np.isnat(parse_times(column(cells), "day_first").times).any()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1.5E+12"], "shortened by a spreadsheet"),
        (["43101.79"], "spreadsheet's number of a day"),
        (["2019-05-17 09:3"], "09:3"),
        (["2019-02-30 10:00"], "2019-02-30"),
        (["2019-05-17 9:00", "2019-05-17 09:00"], "9:00"),  # others are padded: a digit was lost
        (["2019-05-17 25:00"], "25:00"),
        (["yesterday"], "yesterday"),
    ],
)
def test_what_is_no_time_is_named(cells, said):
    parsed = parse_times(column(cells))
    assert np.isnat(parsed.times[0])
    assert said in parsed.odd[0]


def test_times_of_all_units_may_stand_in_one_column():
    seconds = pd.Timestamp(ONE).value // 10**9
    parsed = parse_times(column([seconds * 10**power for power in (0, 3, 6, 9)]))
    assert set(parsed.times) == {np.datetime64(ONE)}
