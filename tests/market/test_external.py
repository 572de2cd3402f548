"""Series of other files reach a bar when they are known, and not before."""

import json

import numpy as np
import pandas as pd
import pytest

from market import (
    MONTH,
    CandleError,
    Candles,
    ExternalFile,
    MarketSettings,
    load_candles,
    parse_bar,
    resample,
    simulate,
    with_external,
    write_candles,
)
from market.bar_grid import bar_ends

CANDLES = simulate("bitcoin", 72, seed=1)  # hours from 2017-01-01 00:00
DAYS = simulate("bitcoin", 365 * 2 + 60, seed=2).frame.set_axis(pd.date_range("2017-01-01", periods=790, tz="UTC", name="time"))


def written(tmp_path, name, frame):
    path = tmp_path / name
    frame.to_csv(path, index=False)
    return path


def extra_of(candles):
    assert candles.extra is not None
    return candles.extra


def days(values, **more):
    return pd.DataFrame({"date": pd.date_range("2017-01-01", periods=len(values)), "value": values, **more})


@pytest.mark.parametrize(("delay", "first"), [("", 0), ("1h", 0), ("2h", 1), ("1d", 23)])
def test_a_value_reaches_the_first_bar_that_closes_after_its_time_and_delay(tmp_path, delay, first):
    path = written(tmp_path, "fear.csv", days([10.0, 20.0, 30.0]))
    joined = with_external(CANDLES, {"fear": ExternalFile(file=path, delay=delay)})
    values = extra_of(joined)["fear"].to_numpy()
    known = [np.searchsorted(np.where(np.isnan(values), 0, values), level) for level in (10, 20, 30)]
    # the bar of hour 23 closes at 0:00, when the next day's value is there
    assert known[:2] == [first, max(first, 0) + (23 if first == 0 and delay == "" else 24)]
    assert joined.sha256 != CANDLES.sha256


def test_another_markets_candles_are_known_when_they_close(tmp_path):
    other = simulate("bitcoin", 72, seed=9)
    write_candles(other, tmp_path / "other.parquet")
    joined = with_external(CANDLES, {"other": ExternalFile(file=tmp_path / "other.parquet")})
    assert list(extra_of(joined).columns) == ["other_close", "other_volume"]
    np.testing.assert_array_equal(extra_of(joined)["other_close"], other.frame["close"])


def test_settings_name_files_with_and_without_a_delay(tmp_path):
    path = written(tmp_path, "fear.csv", days([10.0, 20.0], greed=[1.0, 2.0]))
    write_candles(CANDLES, tmp_path / "bars.parquet")
    settings = MarketSettings(file=tmp_path / "bars.parquet", external={"fear": str(path), "late": {"file": path, "delay": "1d"}})
    candles = load_candles(settings)
    assert list(extra_of(candles).columns) == ["fear_value", "fear_greed", "late_value", "late_greed"]
    assert "fear: 2 values of fear.csv; late: 2 values of fear.csv, 1d later" in candles.source


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (days([1.0, 2.0]).assign(date="2017-01-01"), "one value a time, but .* has 2017-01-01 00:00 twice"),
        (days([1.0, 2.0]).assign(date=["2017-01-01", "soon"]), r"line 3 of .*'soon'"),
        (days([1.0, 2.0]).rename(columns={"date": "when"}).assign(when=["early", "late"]), "needs a column of times"),
        (days(["1", "x", "3"]), r"`value` in line 3 of .* has 'x'"),
        (days(["1,234", "2,345"]), r"`value` in line 2 of .* '1,234, whose comma"),
        (days([1.0, 2.0]).assign(date=["03/04/2017", "04/05/2017"]), "which number is the month'; write it as"),
        (days(["a", "b"], more=["c", "d"]), "needs a column of numbers"),
        (days([1.0]).assign(date="2020-01-01"), "must begin before the candles end"),
    ],
)
def test_what_is_no_series_gets_one_line(tmp_path, frame, message):
    path = written(tmp_path, "series.csv", frame)
    with pytest.raises(CandleError, match=message):
        with_external(CANDLES, {"series": ExternalFile(file=path)})


def joined(tmp_path, text, name="series.csv", delay="", candles=CANDLES):
    path = tmp_path / name
    path.write_text(text)
    return with_external(candles, {"series": ExternalFile(file=path, delay=delay)})


def first_of(candles, column="series"):
    """The end of the first bar with a value."""
    return str((extra_of(candles)[column].first_valid_index() + candles.bar).tz_localize(None))


# --- when a value is known -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bar", ["1month", "3month", "12month"])
def test_candles_of_calendar_months_are_known_when_these_end(tmp_path, bar):
    days_of = Candles(DAYS, pd.Timedelta("1D"), "BTC/USD", "days")
    longer = resample(days_of, parse_bar(bar))
    write_candles(longer, tmp_path / "longer.parquet")
    values = extra_of(with_external(days_of, {"x": ExternalFile(file=tmp_path / "longer.parquet")}))["x_close"]
    for opened, close in zip(longer.index, longer.frame["close"], strict=True):
        ends = opened + pd.DateOffset(months=int(bar.removesuffix("month")))
        assert values[values == close].index[0] + pd.Timedelta("1D") == ends


def test_bars_of_months_get_what_is_known_when_the_month_ends(tmp_path):
    months = resample(Candles(DAYS, pd.Timedelta("1D"), "BTC/USD", "days"), MONTH)
    path = written(tmp_path, "days.csv", pd.DataFrame({"date": DAYS.index, "value": np.arange(len(DAYS))}))
    values = extra_of(with_external(months, {"x": ExternalFile(file=path)}))["x"]
    stamped = DAYS.index[values.to_numpy(int)]
    assert list(stamped) == list(bar_ends(months.index, MONTH))
    late = extra_of(with_external(months, {"x": ExternalFile(file=path, delay="1month")}))["x"]
    assert list(DAYS.index[late.to_numpy(int)]) == list(months.index)


def test_a_close_of_its_day_needs_a_delay(tmp_path):
    text = "date,Close\n2017-01-01,5\n2017-01-02,6\n"
    with pytest.raises(CandleError, match=r"`Close` of .* is known when its day or bar ends; give a delay, such as .*delay: 1d"):
        joined(tmp_path, text)
    assert first_of(joined(tmp_path, text, delay="1d")) == "2017-01-02 00:00:00"
    assert first_of(joined(tmp_path, "close_time,close\n2017-01-01 12:00,5\n2017-01-02,6\n")) == "2017-01-01 12:00:00"


@pytest.mark.parametrize("open_time", ["open_time", "date"])
def test_of_two_times_the_later_one_counts(tmp_path, open_time):
    text = f"{open_time},close_time,value\n2017-01-01,2017-01-01 23:59:59.999,5\n2017-01-02,2017-01-02 23:59:59.999,6\n"
    assert first_of(joined(tmp_path, text)) == "2017-01-02 00:00:00"


def test_an_empty_cell_leaves_the_value_before_it(tmp_path):
    values = extra_of(joined(tmp_path, "DATE,DTWEXBGS\n2017-01-01,5\n2017-01-02,.\n2017-01-03,7\n"))["series"]
    assert list(values.iloc[[0, 30, 60]]) == [5, 5, 7]


# --- files of all kinds --------------------------------------------------------------------------------------------------------

STAMPS = (1483228800, 1483315200)  # 2017-01-01 and the day after
SERIES = {
    "fear and greed": json.dumps({"name": "F", "data": [{"value": str(5 + k), "value_classification": "Fear", "timestamp": str(t)}
                                                        for k, t in enumerate(STAMPS)], "metadata": {"error": None}}),
    "funding": json.dumps([{"symbol": "BTCUSDT", "fundingTime": t * 1000, "fundingRate": str(5 + k)}
                           for k, t in enumerate(STAMPS)]),
    "pairs": json.dumps({"prices": [[t * 1000, 5.0 + k] for k, t in enumerate(STAMPS)]}),
    "FRED": "observation_date,DTWEXBGS\n2017-01-01,5\n2017-01-02,6\n",
    "Binance": "calc_time,last_funding_rate\n1483228800000,5\n1483315200000,6\n",
    "metrics": "create_time,symbol,sum_open_interest\n2017-01-01 00:00:00,BTCUSDT,5\n2017-01-02 00:00:00,BTCUSDT,6\n",
    "two columns": "Date,Time,value\n2017-01-01,00:00,5\n2017-01-02,00:00,6\n",
    "any name": "when,value\n2017-01-01,5\n2017-01-02,6\n",
    "no names": "2017-01-01,5\n2017-01-02,6\n",
    "Unix, no names": "1483228800,5\n1483315200,6\n",
    "percents": "date,value\n2017-01-01,5%\n2017-01-02,6 %\n",
    "decimal commas": "date;value\n2017-01-01;5,0\n2017-01-02;6,00\n",
    "newest first": "date,value\n2017-01-02,6\n2017-01-01,5\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", SERIES)
def test_series_of_all_kinds_read_to_the_same_values(tmp_path, kind):
    values = extra_of(joined(tmp_path, SERIES[kind]))
    assert list(values.columns) == ["series"]
    assert list(values["series"].iloc[[0, 22, 23, 71]]) == [5, 5, 6, 6]


def test_columns_that_are_not_used_are_named(tmp_path):
    assert "2 values of series.csv, not used: `value_classification`" in joined(tmp_path, SERIES["fear and greed"]).source


@pytest.mark.parametrize("name", ["close", "series"])
def test_a_name_that_is_taken_gets_one_line(tmp_path, name):
    candles = joined(tmp_path, "date,value\n2017-01-01,5\n")
    with pytest.raises(CandleError, match=f"`{name}` is a column of the candles already; call '{name}' something else"):
        with_external(candles, {name: ExternalFile(file=tmp_path / "series.csv")})


def test_external_candles_that_are_refused_say_how_they_are_mended(tmp_path):
    frame = CANDLES.frame.reset_index()
    gap = written(tmp_path, "gap.csv", frame.drop(index=[5, 6]))
    with pytest.raises(
        CandleError, match=r"external candles `x` .*2 missing bars.*python -m market repair .*gap.csv OUT.parquet`"
    ):
        with_external(CANDLES, {"x": ExternalFile(file=gap)})
    coins = written(tmp_path, "coins.csv", pd.concat([frame.assign(tic=coin) for coin in ("BTC", "ETH")]))
    with pytest.raises(CandleError, match=r"holds 2: BTC, ETH; .*python -m market repair .*coins.csv OUT.parquet --symbol BTC`"):
        with_external(CANDLES, {"x": ExternalFile(file=coins)})


def test_candles_without_names_are_no_series(tmp_path):
    frame = CANDLES.frame.reset_index().iloc[:, :6]
    frame.to_csv(tmp_path / "bars.csv", index=False, header=False)
    candles = with_external(CANDLES, {"x": ExternalFile(file=tmp_path / "bars.csv")})
    assert list(extra_of(candles).columns) == ["x_close", "x_volume"]
    np.testing.assert_array_equal(extra_of(candles)["x_close"], CANDLES.frame["close"])


def test_rows_of_several_coins_are_named(tmp_path):
    with pytest.raises(CandleError, match="keep the rows of one `symbol` of BTC, ETH"):
        joined(tmp_path, "date,symbol,value\n2017-01-01,BTC,5\n2017-01-01,ETH,6\n")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="for the external series 'x'"):
        with_external(CANDLES, {"x": ExternalFile(file=tmp_path / "none.csv")})
