import os

import numpy as np
import pandas as pd
import pytest
from helpers import filled_of

from market import CandleError, read_candles, write_candles
from market.checks import check
from market.raw_table import read_raw
from market.read import read_and_repair

HEADER = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"


def line(hour, price=100.0, volume=2.0, **cells):
    cell = {"o": price, "h": price + 1, "l": price - 1, "c": price, "v": volume, "q": volume * price} | cells
    time = pd.Timestamp("2019-07-01") + pd.Timedelta(hours=hour)
    return f"{time:%Y-%m-%d %H:%M},BTCUSD,{cell['o']},{cell['h']},{cell['l']},{cell['c']},{cell['v']},{cell['q']}"


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        path = tmp_path / "bars.csv"
        path.write_text("\n".join([HEADER, *lines]) + "\n")
        return path

    return write


GOOD = [line(hour) for hour in range(10)]


def test_a_good_file_has_no_problem_and_is_not_changed(write):
    path = write(*GOOD)
    assert check(read_raw(path)).problems == ()
    candles, changes = read_and_repair(path, 24)
    assert changes == []
    assert candles.filled is None
    assert candles.sha256 == read_candles(path).sha256


@pytest.mark.parametrize(
    ("lines", "rule", "count", "first"),
    [
        ([*GOOD, line(9)], "each time must occur once", 1, 12),
        ([*GOOD, line(9, volume=7)], "each time must occur once", 1, 12),
        ([*GOOD[:3], *GOOD[6:8], *GOOD[9:]], "each bar must open 1h after", 2, 4),
        ([*GOOD, line(9.5)], "on a grid of 1h", 1, 12),
        ([*GOOD, line(10, o=0, l=0)], "`open` must be above 0", 1, 12),
        ([*GOOD, line(10, c=-5, l=-5)], "`low` must be above 0", 1, 12),
        ([*GOOD, line(10, h=99)], "low <= open, close <= high", 1, 12),
        ([*GOOD, line(10, l=100.5)], "low <= open, close <= high", 1, 12),
        ([*GOOD, line(10, v=-2)], "`volume` must be 0 or more", 1, 12),
        ([*GOOD, line(10, c="")], "`close` must be a finite number", 1, 12),
        ([*GOOD, line(10, c="ten")], "a value must be a number", 1, 12),
        ([*GOOD, line(10, q="")], "`quote_volume` must be a finite number", 1, 12),
        ([*GOOD, line(10, v=200, q=2)], "near the quote volume", 1, 12),
        ([*GOOD, line(10, q=1_000)], "near the quote volume", 1, 12),
        ([*GOOD, line(10, o="", h="", l="", c="", v="", q="")], "a bar must have prices", 1, 12),
        ([*GOOD, line(10, c=101, v=0, q=0)], "the last bar must be finished", 1, 12),
    ],
)
def test_each_broken_rule_is_an_error_with_its_count_and_line(write, lines, rule, count, first):
    report = check(read_raw(write(*lines)))
    found = [problem for problem in report.errors if rule in problem.rule]
    assert [problem.count for problem in found] == [count]
    assert report.raw.numbers[found[0].rows[0]] == first
    with pytest.raises(CandleError, match=f"line {first} "):
        read_candles(report.raw.path)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ([GOOD[1], GOOD[0], *GOOD[2:]], "in one order (oldest first"),
        ([*reversed(GOOD[2:]), GOOD[0], GOOD[1]], "in one order (newest first"),
        ([*GOOD[:5], line(5, c=101, v=0, q=0), *GOOD[6:]], "should not move without a trade"),
        ([*[line(h, 100 + h % 2) for h in range(50)], line(50, 300), *[line(h, 100 + h % 2) for h in range(51, 60)]], "robust"),
    ],
)
def test_a_doubt_is_a_warning_and_the_file_is_read(write, lines, rule):
    report = check(read_raw(write(*lines)))
    assert report.errors == ()
    assert any(rule in problem.rule for problem in report.problems)
    assert len(read_candles(report.raw.path)) == len(lines)


def test_reading_out_of_order_says_so(write):
    assert "rows out of order, sorted by time: 1" in read_candles(write(GOOD[1], GOOD[0], *GOOD[2:])).source


def test_when_a_file_was_written_decides_nothing_but_a_warning(write):
    """A copy has another time than its original, and must read to the same candles."""
    path = write(*GOOD)
    before = read_candles(path, repair=True).sha256
    running = pd.Timestamp("2019-07-01 09:30", tz="UTC").timestamp()
    os.utime(path, (running, running))
    report = check(read_raw(path))
    assert [problem.rule for problem in report.problems] == ["the last bar should be finished"]
    assert report.errors == ()
    assert read_candles(path).sha256 == read_candles(path, repair=True).sha256 == before


def test_a_filled_bar_is_flat_at_the_last_close_and_flagged_through_every_file(write, tmp_path):
    path = write(*GOOD[:3], line(5, 90), line(6, 80))
    candles, changes = read_and_repair(path, 24)
    assert [str(change) for change in changes] == ["missing bars filled flat: 2"]
    assert [str(pd.Timestamp(time)) for time in changes[0].times] == ["2019-07-01 03:00:00", "2019-07-01 04:00:00"]
    assert list(candles.frame["close"]) == [100, 100, 100, 100, 100, 90, 80]
    assert list(candles.frame["volume"]) == [2, 2, 2, 0, 0, 2, 2]
    assert filled_of(candles) == [False, False, False, True, True, False, False]
    assert filled_of(candles[2:5]) == [False, True, True]
    assert candles[:3].filled is None
    for name in ("bars.parquet", "bars.out.csv"):
        write_candles(candles, tmp_path / name)
        again = read_candles(tmp_path / name)
        assert again.sha256 == candles.sha256
        assert filled_of(again) == filled_of(candles)
        assert again.symbol == candles.symbol


def test_a_gap_beyond_the_limit_is_refused_even_by_repair(write):
    path = write(*GOOD[:2], line(8), line(9))
    assert len(read_and_repair(path, 6)[0]) == 10
    with pytest.raises(CandleError, match=r"up to 5 bars are filled, .*6 bars missing after 2019-07-01 01:00"):
        read_and_repair(path, 5)


@pytest.mark.parametrize(
    "lines", [[*GOOD, line(9, volume=7)], [*GOOD, line(9.5)], [*GOOD, line(10, h=99)], [*GOOD, line(10, c="ten")]]
)
def test_what_no_rule_mends_stays_refused(write, lines):
    with pytest.raises(CandleError, match=r"drop (this|the) line"):
        read_candles(write(*lines), repair=True)


def test_everything_at_once(write):
    lines = [line(9), *GOOD[:4], GOOD[2], line(4, v=200, q=2), *GOOD[7:9], line(10, c=101, v=0, q=0)]
    candles, changes = read_and_repair(write(*lines), 24)
    assert [str(change) for change in changes] == [
        "rows out of order, sorted by time: 2", "swapped volumes put back: 1", "repeated rows dropped: 1",
        "unfinished last bars dropped: 1", "missing bars filled flat: 2",
    ]  # fmt: skip
    assert len(candles) == 10
    assert list(np.flatnonzero(filled_of(candles))) == [5, 6]


def test_the_input_is_never_touched(write):
    path = write(*GOOD, GOOD[3])
    before = path.read_bytes(), path.stat().st_mtime_ns
    read_candles(path, repair=True)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
