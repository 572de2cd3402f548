"""Series of other files reach a bar when they are known, and not before."""

import numpy as np
import pandas as pd
import pytest

from market import CandleError, ExternalFile, MarketSettings, load_candles, simulate, with_external, write_candles

CANDLES = simulate("bitcoin", 72, seed=1)  # hours from 2017-01-01 00:00


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
        (days([1.0, 2.0]).rename(columns={"date": "when"}), "needs a column of times"),
        (days(["a", "b"], more=["c", "d"]), "needs a column of numbers"),
        (days([1.0]).assign(date="2020-01-01"), "must begin before the candles end"),
    ],
)
def test_what_is_no_series_gets_one_line(tmp_path, frame, message):
    path = written(tmp_path, "series.csv", frame)
    with pytest.raises(CandleError, match=message):
        with_external(CANDLES, {"series": ExternalFile(file=path)})
