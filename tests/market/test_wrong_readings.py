"""Files that could be read wrong without a word: each is read right, or refused with what is doubtful."""

import json

import numpy as np
import pandas as pd
import pytest

from market import CandleError, Candles, read_all_candles, read_candles, simulate
from market.__main__ import main

FRAME = simulate("bitcoin", 40, seed=5).frame
INDEX = pd.DatetimeIndex(FRAME.index)
TIMES = INDEX.tz_localize(None)
UNIX = INDEX.as_unit("s").asi8
PRICES = FRAME[["open", "high", "low", "close"]].to_numpy()
COINS = FRAME["volume"].round(4).to_numpy()
BARS = np.column_stack([UNIX, PRICES, COINS])


@pytest.fixture
def write(tmp_path):
    def write(rows, names="", name="some.file"):
        path = tmp_path / name
        text = "\n".join(([names] if names else []) + [",".join(str(cell) for cell in row) for row in rows])
        path.write_text(text)
        return path

    return write


def rows(*more):
    """Lines of a file without names: times, prices, volumes, and further columns."""
    return [[int(time), *(f"{price:.2f}" for price in prices), *(column[k] for column in (COINS, *more))]
            for k, (time, prices) in enumerate(zip(UNIX, PRICES, strict=True))]  # fmt: skip


def is_read(path, **told):
    candles = read_candles(path, **told)
    np.testing.assert_allclose(candles.frame.iloc[:, :4], PRICES, atol=0.006)
    assert list(candles.index.as_unit("s").asi8) == list(UNIX)
    return candles


# --- columns without names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (PRICES[:, 1] * 1.01, "columns 3 and 7 could both be the high"),
        (PRICES[:, 2] * 0.99, "columns 4 and 7 could both be the low"),
        (np.linspace(30, 70, 40), "columns 6 and 7 could both be the volume"),
    ],
)
def test_a_further_column_is_not_taken_for_a_price_or_the_volume(write, column, message):
    with pytest.raises(CandleError, match=message):
        read_candles(write(rows(column)))


def test_a_whole_number_is_no_count_where_it_may_be_the_volume(write):
    coins = (COINS * 1e6).astype(int)
    without = [row[:5] for row in rows()]
    with pytest.raises(CandleError, match="columns 6 and 7 could both be the volume"):
        read_candles(write([[*row, whole, 55.5 + k % 7] for k, (row, whole) in enumerate(zip(without, coins, strict=True))]))
    counted = is_read(write(rows(np.arange(40) * 7 + 100)))  # trades are counted behind the volume
    np.testing.assert_array_equal(counted.frame["volume"], COINS)


def test_a_large_volume_is_no_time(write):
    path = write([[*row[:5], 1.7e9 + 1e7 * coins] for row, coins in zip(rows(), COINS, strict=True)])
    assert is_read(path, symbol="SHIB/USD").frame["volume"].max() > 0


def test_a_missing_cell_does_not_lose_a_column(write):
    lines = rows()
    lines[4][5] = ""
    with pytest.raises(CandleError, match=r"`volume` must be a finite number, but line 5"):
        read_candles(write(lines))
    lines = rows()
    lines[4][0] = "soon"
    with pytest.raises(CandleError, match=r"a time must be readable, but line 5 .*'soon'"):
        read_candles(write(lines))


def test_numbers_of_rows_and_of_columns_are_no_values(write):
    numbered = [[k, *row] for k, row in enumerate(rows())]
    is_read(write(numbered))
    is_read(write(numbered, names=",0,1,2,3,4,5"))


def test_two_bars_are_too_few_to_tell_open_and_close(write):
    with pytest.raises(CandleError, match="2 bars are too few"):
        read_candles(write(rows()[:2]))


# --- rows -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", ["null", "", "NaN"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_first_rows_without_prices_are_no_names(write, nothing, count):
    lines = [[f"{time:%Y-%m-%d %H:%M}", *row[1:]] for time, row in zip(TIMES, rows(), strict=True)]
    lines[:count] = [[line[0], *[nothing] * 5] for line in lines[:count]]
    path = write(lines, names="Date,Open,High,Low,Close,Volume")
    with pytest.raises(CandleError, match="a bar must have prices, but line 2"):
        read_candles(path)
    assert len(read_candles(path, repair=True)) == 40 - count
    assert read_candles(path, repair=True).symbol == "unnamed coin"


def test_a_quote_that_is_never_closed_drops_no_row(write):
    path = write(rows(), names="time,open,high,low,close,volume")
    path.write_text(path.read_text().replace("\n", '\n"', 1))
    with pytest.raises(CandleError, match=r"cannot be read|cells like the header"):
        read_candles(path)


def test_lines_above_and_below_the_bars_are_left_out_and_said(write):
    path = write(rows(), names="time,open,high,low,close,volume")
    path.write_text("# made by hand, with care, for tests, and more, and more\n\n" + path.read_text() + "\n,,,,,\n,,,,,\n")
    assert "lines of empty cells left out: 2" in is_read(path).source
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    is_read(path)


def test_an_index_without_a_name_in_the_first_line_shifts_nothing(write):
    is_read(write([[k, *row] for k, row in enumerate(rows())], names="time,open,high,low,close,volume"))
    is_read(write([[*row, ""] for row in rows()], names="time,open,high,low,close,volume"))


# --- JSON -------------------------------------------------------------------------------------------------------------------


def answer(tmp_path, value):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(value))
    return path


def test_all_coins_and_all_pages_of_an_answer_are_read(tmp_path):
    bars = BARS.tolist()
    two = answer(tmp_path, {"BTC/USD": bars, "ETH/USD": bars})
    with pytest.raises(CandleError, match="holds 2: BTC/USD, ETH/USD"):
        read_candles(two)
    assert list(read_all_candles(two)) == ["BTC/USD", "ETH/USD"]
    for pages in ([bars[:15], bars[15:18], bars[18:]], [{"result": {"XBTUSD": bars[:20]}}, {"result": {"XBTUSD": bars[20:]}}]):
        candles = is_read(answer(tmp_path, pages))
        assert "lists of candles joined" in candles.source
    with pytest.raises(CandleError, match="holds 2: spot, perp"):
        read_candles(answer(tmp_path, {"spot": bars, "perp": bars}))


def test_words_beside_columns_and_numbered_names_are_no_hindrance(tmp_path):
    columns = dict(zip(("t", "o", "h", "l", "c", "v"), BARS.T.tolist(), strict=True))
    is_read(answer(tmp_path, {"s": "ok", **columns}))
    keys = [f"{k + 1}. {name}" for k, name in enumerate(("open", "high", "low", "close", "volume"))]
    bars = [dict(zip(keys, map(str, bar[1:]), strict=True)) for bar in BARS]
    named = {f"{time:%Y-%m-%d %H:%M:%S}": bar for time, bar in zip(TIMES, bars, strict=True)}
    is_read(answer(tmp_path, {"Meta Data": {"1. Information": "bars"}, "Time Series Crypto (60min)": named}))


# --- times, numbers, names --------------------------------------------------------------------------------------------------


def with_names(write, **columns):
    table = pd.DataFrame(PRICES, columns=["open", "high", "low", "close"])
    return write(
        table.assign(volume=COINS, **columns).to_numpy().tolist(), names="open,high,low,close,volume," + ",".join(columns)
    )


def test_ends_of_bars_are_told_by_the_last_minute_or_by_their_source(write):
    is_read(with_names(write, time=TIMES + pd.Timedelta("59min")))
    ends = TIMES + pd.Timedelta("1h")
    bitmex = with_names(write, timestamp=ends, homeNotional=COINS * 2, foreignNotional=COINS * 2 * PRICES[:, 3])
    np.testing.assert_array_equal(is_read(bitmex).frame["volume"], COINS * 2)


def test_the_time_of_a_trade_or_a_download_is_not_the_bars(write):
    rng = np.random.default_rng(0)
    traded = TIMES + pd.to_timedelta(rng.integers(1, 3_500, 40), unit="s")
    is_read(with_names(write, time_period_start=TIMES, time_open=traded))
    is_read(with_names(write, open_time=TIMES, timestamp=traded + pd.Timedelta("90D")))
    is_read(with_names(write, date=TIMES.strftime("%Y-%m-%d"), unix=UNIX))


def test_a_column_of_an_unknown_name_may_hold_the_times(write):
    is_read(with_names(write, Zeitstempel=TIMES))
    is_read(with_names(write, id=UNIX))


def test_an_indicator_called_d_is_no_time_and_no_name_is_lost(write):
    oscillator = np.linspace(20, 80, 40)
    candles = is_read(
        with_names(write, time=TIMES, K=oscillator, D=oscillator + 1, **{"Funding Rate": COINS / 9, "funding_rate": COINS / 7})
    )
    assert candles.extra is not None
    assert list(candles.extra.columns) == ["k", "d", "funding_rate", "funding_rate_2"]


@pytest.mark.parametrize("first", [0, 900])
def test_a_decimal_comma_is_never_taken_for_thousands(write, first):
    """`1,001` may be two numbers, `0,939` beside it may not."""
    volumes = [(first + 3 * k) / 1000 for k in range(40)]
    written = [f"{volume:.3f}".replace(".", ",") for volume in volumes]
    path = write(
        [[*row[:5], f'"{volume}"'] for row, volume in zip(rows(), written, strict=True)], names="time,open,high,low,close,volume"
    )
    try:
        np.testing.assert_allclose(is_read(path).frame["volume"], volumes)
    except CandleError as error:
        assert "as volume" in str(error)  # noqa: PT017


# --- DataFrames and commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index",
    [
        pd.PeriodIndex(TIMES, freq="h"),
        TIMES.astype(str),
        pd.MultiIndex.from_product([["BTC/USD"], TIMES], names=["symbol", "time"]),
        UNIX,
    ],
    ids=["periods", "text", "two levels", "numbers"],
)
def test_any_index_of_times_is_read(index):
    frame = pd.DataFrame(PRICES, columns=["Open", "High", "Low", "Close"], index=index).assign(Volume=COINS)
    candles = Candles.from_frame(frame)
    assert list(candles.index.as_unit("s").asi8) == list(UNIX)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.set_index("time", drop=False),
        lambda frame: pd.concat([frame, frame[["close"]]], axis=1),
        lambda frame: frame.assign(note=[{"a": 1}] * 40, list=[[1]] * 40),
        lambda frame: frame.assign(close=[*frame["close"][:-1].astype(object), "ten"]),
    ],
)
def test_whatever_else_is_in_a_data_frame_is_read_past_or_refused_in_one_line(spoil):
    frame = pd.DataFrame(PRICES, columns=["open", "high", "low", "close"]).assign(volume=COINS, time=TIMES)
    try:
        assert len(Candles.from_frame(spoil(frame))) == 40
    except CandleError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_what_is_repaired_is_never_overwritten(write, capsys):
    path = write(rows(), names="time,open,high,low,close,volume", name="bars.csv")
    before = path.read_bytes()
    assert main(["repair", str(path), str(path)]) == 2
    assert "never written to" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_check_says_what_it_can_where_no_time_is_readable(write, capsys):
    path = write([["soon", *row[1:]] for row in rows()], names="time,open,high,low,close,volume")
    assert main(["check", str(path)]) == 1
    assert "a time must be readable; 40 do not" in capsys.readouterr().out


def test_volumes_that_count_up_are_volumes(write):
    """Only a column before the times counts the rows."""
    path = write([[*row[:5], k + 1] for k, row in enumerate(rows())])
    assert list(is_read(path).frame["volume"]) == list(range(1, 41))
