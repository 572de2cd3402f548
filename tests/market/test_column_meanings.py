"""What columns mean where it can be two things: times, volumes, coins, and columns beside those of a candle."""

import numpy as np
import pandas as pd
import pytest
from helpers import filled_of

from common import InputError
from envs import EnvSettings
from features import FeaturePipeline, FeatureSettings
from market import MONTH, CandleError, Candles, read_candles, resample, simulate, write_candles

HOURS = pd.date_range("2019-07-01 22:00", periods=60, freq="h")
PRICES = simulate("bitcoin", 60, seed=1).frame.to_numpy()[:, :4]
COINS = np.linspace(50, 110, 60)


@pytest.fixture
def write(tmp_path):
    def write(name="bars.csv", **columns):
        frame = pd.DataFrame(PRICES, columns=["open", "high", "low", "close"])
        for column, values in columns.items():
            frame[column] = values
        path = tmp_path / name
        frame.to_csv(path, index=False)
        return path

    return write


# --- times ------------------------------------------------------------------------------------------------------------------


def test_two_columns_of_times_must_agree(write):
    path = write(time=HOURS, timestamp=(HOURS + pd.Timedelta("3h")).astype("int64"), volume=COINS)
    with pytest.raises(CandleError, match=r"two columns of times must agree.*3 h apart in 60 of 60 rows"):
        read_candles(path)
    one_off = np.array(HOURS)
    one_off[5] += np.timedelta64(1, "h")
    with pytest.raises(CandleError, match=r"line 7 .*its `timestamp` says"):
        read_candles(write(time=HOURS, timestamp=one_off.astype("int64"), volume=COINS))


@pytest.mark.parametrize("just_before", ["1ms", "1s", "1us"])
def test_close_times_are_turned_into_open_times(write, just_before):
    closes = HOURS + pd.Timedelta("1h") - pd.Timedelta(just_before)
    for columns in ({"time": closes}, {"time": HOURS, "close_time": closes}, {"close_time": closes}):
        candles = read_candles(write(**columns, volume=COINS))
        assert list(candles.index.tz_localize(None)) == list(HOURS)
    on_the_hour = read_candles(write(close_time=HOURS + pd.Timedelta("1h"), volume=COINS))
    assert list(on_the_hour.index.tz_localize(None)) == list(HOURS)
    told = read_candles(write(time=HOURS + pd.Timedelta("1h"), volume=COINS), times="close")
    assert list(told.index.tz_localize(None)) == list(HOURS)


def test_months_open_on_their_first_whether_named_by_first_or_last_day(tmp_path):
    firsts = pd.date_range("2012-01-01", periods=24, freq="MS")
    rows = [f"{{:%Y-%m-%d}},{k + 1},{k + 3},{k + 0.5},{k + 2},{k + 7}" for k in range(24)]
    for stamps in (firsts, firsts + pd.offsets.MonthEnd()):
        path = tmp_path / "months.csv"
        path.write_text("\n".join(["time,open,high,low,close,volume", *map(str.format, rows, stamps)]))
        candles = read_candles(path)
        assert list(candles.index.tz_localize(None)) == list(firsts)
        assert (candles.bar, candles.bars_per_year) == (MONTH, 12.0)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for k, line in enumerate(lines) if k != 6))
    with pytest.raises(CandleError, match="1 missing bars, until 2012-07-01"):
        read_candles(path)
    assert len(read_candles(path, repair=True)) == 24


def test_days_become_months(write):
    days = simulate("bitcoin", 24 * 100, seed=2)
    months = resample(days, MONTH)
    assert [f"{time:%Y-%m-%d}" for time in months.index] == ["2017-01-01", "2017-02-01", "2017-03-01"]
    february = days.frame.loc["2017-02-01":"2017-02-28"]
    assert list(months.frame.iloc[1])[:4] == [
        february.open.iloc[0],
        february.high.max(),
        february.low.min(),
        february.close.iloc[-1],
    ]


def in_new_york(utc):
    return utc.tz_localize("UTC").tz_convert("America/New_York").tz_localize(None)


@pytest.mark.parametrize("first", ["2019-11-01 22:00", "2019-03-09 00:00"])
def test_local_times_with_a_clock_change_are_named_and_read_on_request(write, first):
    utc = pd.date_range(first, periods=60, freq="h")
    path = write(time=in_new_york(utc), volume=COINS)
    with pytest.raises(CandleError, match=r"clocks (are|were) put .*timezone='Europe/Berlin'"):
        read_candles(path)
    candles = read_candles(path, timezone="America/New_York")
    assert list(candles.index.tz_localize(None)) == list(utc)
    assert "read as America/New_York" in candles.source
    with pytest.raises(CandleError, match="cannot be read as Mars/Base"):
        read_candles(path, timezone="Mars/Base")


def test_local_days_are_named(tmp_path):
    days = pd.date_range("2019-03-20", periods=60, freq="D", tz="Europe/Berlin")
    path = tmp_path / "days.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *(f"{day.isoformat()},1,1,1,1,1" for day in days)]))
    with pytest.raises(CandleError, match=r"an hour beside it, as bars of local days do.*0:00 UTC"):
        read_candles(path)


# --- volumes ----------------------------------------------------------------------------------------------------------------


def test_a_volume_in_money_is_told_by_its_size_or_by_the_person(write):
    money = COINS * PRICES[:, 3]
    path = write("large.csv", time=HOURS, volume=COINS * 1e5)
    assert "assumed" not in read_candles(write(time=HOURS, volume_btc=COINS, volume=money)).source
    both = read_candles(write(time=HOURS, volume_btc=COINS, volume=money))
    np.testing.assert_array_equal(both.frame["volume"], COINS)
    np.testing.assert_array_equal(both.frame["quote_volume"], money)
    with pytest.raises(CandleError, match=r"may be either.*`volume='base'` or `volume='quote'`"):
        read_candles(path)  # of which money the prices are is not known
    too_much = read_candles(path, symbol="BTC/USD")  # as coins, more than any market trades
    np.testing.assert_array_equal(too_much.frame["quote_volume"], COINS * 1e5)
    np.testing.assert_array_equal(read_candles(path, volume="base").frame["volume"], COINS * 1e5)
    few = write(time=HOURS, volume=COINS)
    np.testing.assert_array_equal(read_candles(few).frame["volume"], COINS)
    np.testing.assert_array_equal(read_candles(few, volume="quote").frame["quote_volume"], COINS)
    np.testing.assert_allclose(read_candles(few, volume="quote").frame["volume"] * PRICES.mean(axis=1), COINS)


def test_a_file_without_volumes_is_read_and_features_say_what_is_missing(write):
    candles = read_candles(write(time=HOURS))
    assert not candles.has_volumes
    assert "no volumes" in candles.source


# --- coins ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("Binance_BTCUSDT_1h.csv", "BTC/USDT"),
        ("XBTUSD_60.csv", "XBT/USD"),
        ("eth-eur-daily.csv", "ETH/EUR"),
        ("bars.csv", "unnamed coin"),
    ],
)
def test_the_name_of_the_coin_comes_from_the_name_of_the_file_or_is_not_there(write, name, symbol):
    assert read_candles(write(name, time=HOURS, volume=COINS)).symbol == symbol


@pytest.mark.parametrize("scale", [1e-8 / 1000, 1e7 / 1000])
def test_coins_of_any_price_go_through_files_and_features(write, tmp_path, scale):
    frame = pd.DataFrame(PRICES * scale, columns=["open", "high", "low", "close"]).assign(time=HOURS, volume=COINS / scale)
    path = tmp_path / "coin.csv"
    frame.to_csv(path, index=False)
    candles = read_candles(path, symbol="SHIB/USD")
    np.testing.assert_array_equal(candles.frame["close"], PRICES[:, 3] * scale)
    write_candles(candles, tmp_path / "coin.parquet")
    assert read_candles(tmp_path / "coin.parquet").sha256 == candles.sha256


def extra_of(candles):
    assert candles.extra is not None
    return candles.extra


# --- further columns ----------------------------------------------------------------------------------------------------------


def with_extra(write):
    funding = np.where(np.arange(60) % 8 == 0, np.arange(60) * 1e-5, np.nan)
    return write(
        time=HOURS,
        volume=COINS,
        **{"Funding Rate": funding, "open_interest": 1e6 + COINS, "note": "a", "trades": 3 + COINS.astype(int)},
    )


def test_further_columns_of_numbers_are_kept_through_files_slices_and_resampling(write, tmp_path):
    candles = read_candles(with_extra(write))
    assert list(extra_of(candles).columns) == ["funding_rate", "open_interest", "trades"]
    assert list(extra_of(candles[8:20])["funding_rate"].dropna()) == [8e-5, 16e-5]
    assert candles.sha256 != read_candles(write(time=HOURS, volume=COINS)).sha256
    for name in ("out.parquet", "out.csv"):
        write_candles(candles, tmp_path / name)
        assert read_candles(tmp_path / name).sha256 == candles.sha256
    days = resample(candles, pd.Timedelta("4h"), {"funding_rate": "mean"})
    own = extra_of(candles).loc[days.index[1] : days.index[1] + pd.Timedelta("3h")]
    assert extra_of(days)["open_interest"].iloc[1] == own["open_interest"].iloc[-1]
    assert extra_of(days)["trades"].iloc[1] == own["trades"].sum()
    assert "funding_rate: mean, open_interest: last, trades: sum" in days.source
    with pytest.raises(CandleError, match="did you mean 'funding_rate'"):
        resample(candles, pd.Timedelta("4h"), {"funding_rat": "mean"})


def test_a_filled_bar_has_no_further_values(write):
    path = with_extra(write)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for k, line in enumerate(lines) if k != 10))
    candles = read_candles(path, repair=True)
    assert np.isnan(extra_of(candles)["open_interest"].iloc[9])
    assert list(np.flatnonzero(filled_of(candles))) == [9]


# --- DataFrames ---------------------------------------------------------------------------------------------------------------


def test_a_data_frame_becomes_candles_and_back():
    frame = pd.DataFrame(PRICES, columns=["Open", "High", "Low", "Close"], index=HOURS.tz_localize("UTC")).assign(
        Volume=COINS, score=COINS
    )
    candles = Candles.from_frame(frame, symbol="ETH/USD", bar=pd.Timedelta("1h"))
    assert candles.symbol == "ETH/USD"
    np.testing.assert_array_equal(candles.frame[["open", "high", "low", "close", "volume"]], frame.iloc[:, :5])
    assert list(extra_of(candles).columns) == ["score"]
    assert Candles.from_frame(candles.frame, symbol="ETH/USD").frame.equals(candles.frame)
    assert Candles.from_frame(frame.reset_index(names="when").rename(columns={"when": "Date"})).frame.equals(candles.frame)
    with pytest.raises(CandleError, match="asked for, but those of the DataFrame are 1h apart"):
        Candles.from_frame(frame, bar=pd.Timedelta("1D"))
    with pytest.raises(CandleError, match="none of them is the close"):
        Candles.from_frame(frame.drop(columns="Close"))


def test_yfinances_two_levels_are_read():
    columns = pd.MultiIndex.from_product([["Open", "High", "Low", "Close"], ["BTC-USD"]], names=["Price", "Ticker"])
    frame = pd.DataFrame(PRICES, columns=columns, index=HOURS.rename("Datetime"))
    assert Candles.from_frame(frame).symbol == "BTC-USD"


def test_a_data_frame_may_be_handed_to_the_pipeline():
    bars = simulate("bitcoin", 400, seed=1)
    settings = FeatureSettings(indicators="rsi,ema_8")
    fitted = FeaturePipeline(settings).fit(bars.frame)
    np.testing.assert_array_equal(fitted.transform(bars.frame).values, FeaturePipeline(settings).fit(bars).transform(bars).values)


def test_impact_without_volumes_is_refused_before_a_training(write):
    candles = read_candles(write(time=HOURS))
    EnvSettings().require_volumes(candles)
    with pytest.raises(InputError, match=r"impact is computed from volumes, but .* has none; .*`impact=0`"):
        EnvSettings(impact=1.0).require_volumes(candles)
