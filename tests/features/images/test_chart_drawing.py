"""Charts to the pixel: against pictures that a person can read, and against a drawing in plain Python."""

import zlib
from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pytest
from helpers import make_candles
from hypothesis import given, settings, strategies as st

from common import InputError
from evaluation.audit.futures import LEVELS, another_future
from features.images.chart_drawing import HEIGHTS, VERSION, ChartStyle, draw_charts
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=400, seed=4)
STYLES = [ChartStyle(bars, average, volume) for bars in HEIGHTS for average in (True, False) for volume in (True, False)]
every_style = pytest.mark.parametrize("style", STYLES, ids=str)


FIVE_BARS = """
.#.............
.#.............
.#...........#.
.#..#........##
.####........#.
.#..#........#.
.#..#........#.
.#..#........#.
.#..#........#.
.#..#........#.
.#..#........#.
.#..#........#.
.#####.......#.
.#..#.###..###.
.#....##.##..#.
.#.....#.....#.
.#.....#.....#.
.#.....#.....#.
.#.....#..#..#.
.#.....#..#.##.
.#.....#..##...
.#.....##.#....
.#.....#..#....
##........#....
.#.......##....
...............
.#.............
.#.............
.#.............
.#..#..........
.#..#........#.
.#..#.....#..#.
"""


def shown(chart: np.ndarray) -> list[str]:
    return ["".join("#" if pixel else "." for pixel in row) for row in chart]


def chart_of(candles: Candles, end: int, style: ChartStyle) -> list[str]:
    return shown(draw_charts(candles, np.array([end]), style)[0])


def slowly(candles: Candles, end: int, style: ChartStyle) -> list[str]:
    """The same chart as a set of white pixels (column, height above the bottom row), drawn by the words of the docstring."""
    n, frame = style.bars, candles.frame
    window = [bar for bar in range(end - n + 1, end + 1) if bar >= 0]
    average = {}
    for bar in window:
        if style.average and bar - n + 1 >= 0:
            closes = frame["close"].iloc[bar - n + 1 : bar + 1].tolist()
            average[bar] = closes[0] + reduce(add, ((close - closes[0]) / n for close in closes[1:]))
    prices = [*frame["high"].iloc[window], *frame["low"].iloc[window], *average.values()]
    low, high, volume_rows = min(prices), max(prices), style.height // 5 if style.volume else 0
    rows = style.height - volume_rows - 1 if style.volume else style.height
    floor = style.height - rows

    def height(price: float) -> int:
        nearest = int((price - low) / (high - low) * (rows - 1) + 0.5) if high > low else rows - 1 - rows // 2
        return floor + nearest

    white = set()
    for bar in window:
        column, row = 3 * (bar - end + n - 1), frame.iloc[bar]
        white |= {(column, height(row["open"])), (column + 2, height(row["close"]))}
        white |= {(column + 1, level) for level in range(height(row["low"]), height(row["high"]) + 1)}
        if bar in average:
            white.add((column + 1, height(average[bar])))
        if bar in average and bar - 1 in average:
            white |= between((column - 2, height(average[bar - 1])), (column + 1, height(average[bar])))
        if style.volume and frame["volume"].iloc[window].max() > 0:
            share = row["volume"] / frame["volume"].iloc[window].max()
            white |= {(column + 1, level) for level in range(int(share * volume_rows + 0.5))}
    lines = range(style.height - 1, -1, -1)
    return ["".join("#" if (column, level) in white else "." for column in range(3 * n)) for level in lines]


def between(one: tuple[int, int], other: tuple[int, int]) -> set[tuple[int, int]]:
    """The pixels nearest to the line between two pixels three columns apart, one a column, or one a row where it is steep."""
    rise = abs(other[1] - one[1])
    sign = 1 if other[1] > one[1] else -1
    steps = max(rise, 3)
    nearest = lambda share: int(share + Fraction(1, 2))  # noqa: E731
    return {
        (one[0] + nearest(Fraction(3 * step, steps)), one[1] + sign * nearest(Fraction(rise * step, steps)))
        for step in range(1, steps)
    }


def test_a_chart_of_five_bars_that_a_person_can_read():
    """Prices 100 to 124 in 25 rows of a dollar, averages 112, 112.4, 111, 109.8 and 112; volumes in six rows of a coin."""
    candles = make_candles(
        closes=[110, 110, 110, 110, 110.0, 120, 112, 103, 104, 121],
        opens=[110, 110, 110, 110, 110.0, 101, 120, 110, 100, 105],
        highs=[110, 110, 110, 110, 110.0, 124, 121, 111, 106, 122],
        lows=[110, 110, 110, 110, 110.0, 100, 111, 102, 100, 105],
        volume=np.array([9, 9, 9, 9, 9, 6, 3, 0, 1, 2.0]),
    )
    assert chart_of(candles, 9, ChartStyle(5)) == FIVE_BARS.split()


def test_without_volumes_the_prices_have_all_rows_and_without_an_average_nothing_reaches_back():
    candles = make_candles(
        closes=[131, 100, 131, 100.0, 116], highs=[131] * 5, lows=[100, 100, 100, 100, 110], opens=[100, 131, 100, 131, 110.0]
    )
    chart = chart_of(candles, 4, ChartStyle(5, average=False, volume=False))
    assert chart[0] == ".####..####..#."
    assert chart[15] == ".#..#..#..#..##"
    assert chart[20] == ".#..#..#..#..#."
    assert chart[21] == ".#..#..#..#.##."
    assert chart[22] == ".#..#..#..#...."
    assert chart[31] == "##..####..##..."


def test_where_all_prices_are_one_they_stand_in_the_middle():
    chart = chart_of(make_candles([0.1] * 9, volume=0.0), 8, ChartStyle(5))
    assert [number for number, row in enumerate(chart) if "#" in row] == [12]
    assert chart[12] == "#" * 15


def test_without_volumes_in_the_window_none_are_drawn():
    candles = make_candles([100, 101, 102, 103, 104.0] * 2, volume=np.array([1.0] * 5 + [0.0] * 5))
    assert "".join(chart_of(candles, 9, ChartStyle(5))[-7:]) == "." * 7 * 15
    assert chart_of(candles, 4, ChartStyle(5))[-6:] == [".#..#..#..#..#."] * 6


def test_before_the_first_bar_a_chart_is_black_and_without_an_average():
    candles = make_candles([100, 101, 102, 103, 104, 105, 106, 107, 108.0])
    assert all(row.startswith("." * 12) for row in chart_of(candles, 0, ChartStyle(5)))
    for end in range(4):
        with_average, without = (chart_of(candles, end, ChartStyle(5, average)) for average in (True, False))
        assert with_average == without
    last = chart_of(candles, 4, ChartStyle(5))  # of its last bar there is an average
    assert last != chart_of(candles, 4, ChartStyle(5, average=False))


@every_style
def test_the_compiled_loop_draws_what_plain_python_draws(style):
    ends = np.array([0, 1, 3, 4, 5, 18, 19, 20, 38, 39, 59, 60, 118, 119, 200, 399])
    charts = draw_charts(CANDLES, ends, style)
    assert charts.shape == (16, *{5: (32, 15), 20: (64, 60), 60: (96, 180)}[style.bars])
    assert set(np.unique(charts)) == {0, 255}
    for chart, end in zip(charts, ends.tolist(), strict=True):
        assert shown(chart) == slowly(CANDLES, end, style), end


@st.composite
def markets(draw: st.DrawFn) -> Candles:
    """A few bars, also flat ones, jumps, tiny and huge prices, and bars without a trade."""
    n = draw(st.integers(1, 14))
    price = st.sampled_from([1e-9, 1.0, 2.0, 3.0, 1e12]) | st.floats(0.5, 200.0)
    bars = [sorted(draw(st.tuples(price, price, price, price))) for _ in range(n)]
    turned = [draw(st.booleans()) for _ in range(n)]
    volume = np.array([draw(st.sampled_from([0.0, 1e-300, 1.0]) | st.floats(0.0, 9.0)) for _ in range(n)])
    opens, closes = ([bar[2 if up == which else 1] for bar, up in zip(bars, turned, strict=True)] for which in (True, False))
    return make_candles(closes, opens, volume, [bar[3] for bar in bars], [bar[0] for bar in bars])


@settings(max_examples=40, deadline=None)
@given(markets(), st.booleans(), st.booleans())
def test_any_market_is_drawn_as_plain_python_draws_it(candles, average, volume):
    style = ChartStyle(5, average, volume)
    charts = draw_charts(candles, np.arange(len(candles)), style)
    for end, chart in enumerate(charts):
        assert shown(chart) == slowly(candles, end, style)
        prices = np.flatnonzero(chart[: style.price_rows].any(axis=1))
        assert (prices[0], prices[-1]) in ((0, style.price_rows - 1), (style.price_rows // 2, style.price_rows // 2))


@every_style
@pytest.mark.parametrize("kind", LEVELS)
def test_a_chart_does_not_know_what_follows(style, kind):
    ends = np.arange(len(CANDLES))
    true = draw_charts(CANDLES, ends, style)
    for bar in (0, 18, 19, 150, 398):
        other = draw_charts(another_future(CANDLES, bar, kind, seed=5), ends, style)
        assert other[: bar + 1].tobytes() == true[: bar + 1].tobytes()
        assert other[bar + 1 :].tobytes() != true[bar + 1 :].tobytes()
        assert draw_charts(CANDLES[: bar + 1], ends[: bar + 1], style).tobytes() == true[: bar + 1].tobytes()


@every_style
def test_a_chart_depends_on_no_bar_before_those_that_are_said(style):
    true = draw_charts(CANDLES, np.arange(len(CANDLES)), style)
    later = draw_charts(CANDLES[100:], np.arange(300), style)
    whole = style.bars_back - 1
    assert later[whole:].tobytes() == true[100 + whole :].tobytes()
    assert later[whole - 1].tobytes() != true[100 + whole - 1].tobytes()


@every_style
def test_one_chart_is_drawn_as_among_others_and_into_what_is_given(style):
    ends = np.array([300, 10, 300, 399])
    charts = np.full((4, style.height, style.width), 7, np.uint8)
    assert draw_charts(CANDLES, ends, style, charts) is charts
    for end, chart in zip(ends, charts, strict=True):
        assert draw_charts(CANDLES, np.array([end]), style)[0].tobytes() == chart.tobytes()


def test_the_unit_of_the_money_changes_nothing():
    """But for rounding, which doubling and halving do not touch."""
    doubled = CANDLES.frame * 2.0
    twice = Candles(doubled, CANDLES.bar, CANDLES.symbol, "twice")
    ends = np.arange(400)
    assert draw_charts(twice, ends, ChartStyle()).tobytes() == draw_charts(CANDLES, ends, ChartStyle()).tobytes()


def test_other_pixels_need_another_version():
    """Else charts that were kept would be taken for those of today: raise `VERSION` with this number."""
    charts = [draw_charts(CANDLES, np.arange(0, 400, 7), style) for style in STYLES]
    assert (VERSION, zlib.crc32(b"".join(chart.tobytes() for chart in charts))) == (1, 231790745)


@pytest.mark.parametrize(
    ("ends", "style", "out", "words"),
    [
        ([400], ChartStyle(), None, r"charts end at bars 0 to 399 of .*, but 400 to 400 were asked for"),
        ([-1, 3], ChartStyle(), None, "but -1 to 3 were asked for"),
        ([3], ChartStyle(10), None, "a chart has 5, 20, 60 bars, but 10 were asked for"),
        ([3], ChartStyle(), np.zeros((1, 60, 64), np.uint8), r"drawn into uint8 \(1, 64, 60\), but got uint8 \(1, 60, 64\)"),
        ([3], ChartStyle(), np.zeros((1, 64, 60)), "but got float64"),
    ],
)
def test_what_can_not_be_drawn_is_refused_in_one_line(ends, style, out, words):
    with pytest.raises(InputError, match=words):
        draw_charts(CANDLES, np.array(ends), style, out)
