import numpy as np
import pandas as pd
import pytest

from market import CandleError, read_candles

HEADER = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"
ROWS = [  # newest first, as the files are
    "2019-07-04 03:00,BTCUSD,103,104,102,103.5,4,412",
    "2019-07-04 02:00,BTCUSD,102,103.5,101,103,3,307.5",
    "2019-07-04 01:00,BTCUSD,101,102.5,100,102,2,203",
    "2019-07-04 00:00,BTCUSD,100,101.5,99,101,1,100.5",
]


@pytest.fixture
def write(tmp_path):
    def write(*lines: str):
        path = tmp_path / "candles.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_rows_come_in_time_order(write):
    candles = read_candles(write(HEADER, *ROWS))
    assert list(candles.frame["open"]) == [100, 101, 102, 103]
    assert list(candles.frame.iloc[0]) == [100, 101.5, 99, 101, 1, 100.5]
    assert candles.bar == pd.Timedelta("1h")
    assert candles.symbol == "BTCUSD"


def test_am_and_pm_are_times_not_text(write):
    """As text `01-AM < 01-PM < 02-AM`: the mistake behind the field's best-known result."""
    cells = ["10-AM", "11-AM", "12-PM", "01-PM", "02-PM"]
    rows = [f"2019-05-16 {cell},BTCUSD,{p},{p},{p},{p},1,{p}" for cell, p in zip(cells, range(10, 15), strict=True)]
    candles = read_candles(write(HEADER, *reversed(rows)))
    assert list(candles.index.hour) == [10, 11, 12, 13, 14]
    assert list(candles.frame["close"]) == [10, 11, 12, 13, 14]


def test_midnight_is_twelve_am(write):
    rows = [f"2019-05-{day},BTCUSD,1,1,1,1,1,1" for day in ("16 11-PM", "17 12-AM", "17 01-AM")]
    assert list(read_candles(write(HEADER, *rows)).index.hour) == [23, 0, 1]


def test_a_banner_line_and_the_other_column_names_are_read(write):
    plain = read_candles(write(HEADER, *ROWS))
    other = read_candles(write("www.example.com", HEADER.replace("VolumeFrom,VolumeTo", "Volume BTC,Volume USD"), *ROWS))
    assert other.sha256 == plain.sha256


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_rows_reads_the_same(write, seed):
    plain = read_candles(write(HEADER, *ROWS))
    shuffled = np.random.default_rng(seed).permutation(ROWS)
    assert read_candles(write(HEADER, *shuffled)).sha256 == plain.sha256


def test_a_duplicate_is_refused_and_repaired_only_on_request(write):
    path = write(HEADER, *ROWS, ROWS[1])
    before = path.read_bytes()
    with pytest.raises(CandleError, match=r"2019-07-04 02:00.*repair=True"):
        read_candles(path)
    repaired = read_candles(path, repair=True)
    assert repaired.sha256 == read_candles(write(HEADER, *ROWS)).sha256
    assert "repeated rows dropped: 1" in repaired.source
    path.write_bytes(before)
    with pytest.raises(CandleError, match="once"):  # two different bars of one time: nothing can choose
        read_candles(write(HEADER, *ROWS, ROWS[1].replace("103.5", "109")), repair=True)


def test_a_gap_is_refused_and_filled_only_on_request(write):
    path = write(HEADER, *[row for row in ROWS if "02:00" not in row])
    with pytest.raises(CandleError, match=r"line 3 \(2019-07-04 01:00\).*1 missing bars, until 2019-07-04 03:00"):
        read_candles(path)
    bar = read_candles(path, repair=True).frame.loc["2019-07-04 02:00"]
    assert list(bar) == [102, 102, 102, 102, 0, 0]  # flat at the last close; nothing is taken from the bar after the gap
    assert "missing bars filled flat: 1" in read_candles(path, repair=True).source


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, *ROWS[:2], ROWS[2].replace("2019-07-04 01:00", "yesterday")], r"line 4 .*'yesterday'"),
        ([HEADER, *ROWS[:2], ROWS[2].replace(",101,", ",abc,")], r"must be a number, but line 4 .*'abc' as open"),
        ([HEADER, *ROWS[:2], ROWS[2].replace(",101,", ",,")], r"`open` must be a finite number, but line 4"),
        (["a,b,c", "1,2,3", "4,5,6"], r"columns \['a', 'b', 'c'\]"),
        ([HEADER, ROWS[0]], "at least 2 bars"),
        ([HEADER, ROWS[0], ROWS[0]], "distance of two times"),
        ([HEADER, *ROWS, "2019-07-04 03:30,BTCUSD,1,1,1,1,1,1"], "grid of 1h, but line 6"),
    ],
)
def test_a_bad_file_gets_one_line_that_names_the_place(write, lines, message):
    path = write(*lines)
    with pytest.raises(CandleError, match=message) as error:
        read_candles(path)
    assert "candles.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_binary_file_gets_one_line(tmp_path):
    path = tmp_path / "candles.csv"
    path.write_bytes(b"\x80\x81\x82" * 100)
    with pytest.raises(CandleError, match="no text, no Parquet and no Feather"):
        read_candles(path)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        read_candles("nowhere.csv")


def test_the_real_coinbase_file(coinbase_hourly):
    candles = read_candles(coinbase_hourly)
    assert len(candles) == 17_583
    assert (str(candles.index[0]), str(candles.index[-1])) == ("2017-07-01 11:00:00+00:00", "2019-07-04 01:00:00+00:00")
    assert list(candles.frame.loc["2019-07-04 00:00"]) == [11976.42, 12064.26, 11812.01, 11849.99, 1627.53, 19416056.06]


def test_the_real_am_pm_file_holds_the_same_bars(coinbase_hourly):
    newer = read_candles(coinbase_hourly).frame
    older = read_candles(coinbase_hourly.with_name("coinbase-btcusd-1h-ampm.csv"), repair=True).frame
    assert (newer.loc[older.index, "open"] == older["open"]).mean() > 0.999


def test_the_real_daily_file_has_a_gap(coinbase_hourly):
    with pytest.raises(CandleError, match=r"line 97 \(2019-03-19 00:00\).*12 missing bars, until 2019-04-01"):
        read_candles(coinbase_hourly.with_name("coinbase-btcusd-1d.csv"))
