"""The audit catches a longer bar that is known too early, at its default size, and accuses no honest one."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from evaluation import leak_audit
from evaluation.audit.rare import frame_ends
from features import FeaturePipeline, FeatureSettings, longer_bars
from features.longer_bars import LongerBars, whole_bars
from market import Candles, simulate

Put = Callable[[Candles, pd.Timedelta], LongerBars]
HOURS = simulate("bitcoin", bars=3_000, seed=2)


def minutes(bars: int) -> Candles:
    index = pd.date_range("2020-01-01", periods=bars, freq="1min", tz="UTC", name="time")
    return Candles(simulate("bitcoin", bars, seed=2).frame.set_axis(index), pd.Timedelta("1min"), "BTC/USD", "minutes")


def known_from_the_start(candles: Candles, frame: pd.Timedelta) -> LongerBars:
    """The classic: the value of a day stands at its open time and is filled forward, so its close shows in the morning."""
    longer, closed = whole_bars(candles, frame)
    opens = pd.DatetimeIndex([]) if longer is None else longer.index
    return LongerBars(longer, np.searchsorted(opens, candles.index, side="right") if len(opens) else closed)


def known_one_bar_early(candles: Candles, frame: pd.Timedelta) -> LongerBars:
    longer, closed = whole_bars(candles, frame)
    return LongerBars(longer, np.append(closed[1:], closed[-1:]))


def pipeline(frames: str) -> FeaturePipeline:
    few = {"indicators": (), "sarimax": {"forecast_len": 0}, "volatility_bars": (), "calendar": False}
    columns = {"timeframes": frames, "timeframe_columns": "d_log_close,volatility_3"}
    return FeaturePipeline(FeatureSettings.model_validate(few | columns))


SLOW = pytest.mark.slow
FRAMES = [
    (HOURS, "1d"),
    (HOURS, "4h"),
    pytest.param(HOURS, "1w", marks=SLOW),
    pytest.param(simulate("bitcoin", bars=9_000, seed=2), "1M", marks=SLOW),
    pytest.param(minutes(9_000), "1h", marks=SLOW),
    pytest.param(minutes(40_000), "1d", marks=SLOW),
]


@pytest.mark.slow
@pytest.mark.parametrize("put", [known_from_the_start, known_one_bar_early])
@pytest.mark.parametrize(("candles", "frame"), FRAMES)
def test_a_longer_bar_that_is_known_early_is_caught(candles: Candles, frame: str, put: Put, monkeypatch):
    monkeypatch.setattr(longer_bars, "whole_bars", put)
    report = leak_audit(candles, pipeline(frame), only=("causal features",))
    name = "1month" if frame == "1M" else frame
    assert {finding.column for finding in report.findings} == {f"d_log_close_{name}", f"volatility_3_{name}"}


@pytest.mark.slow
@pytest.mark.parametrize(("candles", "frame"), FRAMES)
def test_a_longer_bar_that_is_known_when_it_has_closed_passes(candles: Candles, frame: str):
    checks = ("fitted on train", "aligned rows", "causal features", "look-back", "candles alone")
    report = leak_audit(candles, pipeline(frame), only=checks)
    assert report.passed, report.verdict
    assert not any(check.unjudged for check in report.checks)


def value_of_the_day(candles: Candles, bars_early: int) -> pd.DataFrame:
    """By hand: the day's close from the end of its last bar on, or so many bars before that; the first rows are left out."""
    days = candles.frame["close"].resample("1D").last()
    ends = pd.DatetimeIndex(days.index) + pd.Timedelta("1D")
    known = days.set_axis(ends - candles.bar * (1 + bars_early)).reindex(candles.index, method="ffill")
    return pd.DataFrame({"day": np.log(known / candles.frame["close"])}).iloc[3_000:]


@pytest.mark.parametrize("bars_early", [pytest.param(0, id="honest"), 1])
def test_a_day_of_minutes_is_caught_one_minute_early_wherever_the_rows_begin(bars_early):
    """One minute in 1,440 knows too much, far from the first rows and from the busiest bar."""
    report = leak_audit(minutes(20_000), lambda candles: value_of_the_day(candles, bars_early), only=("causal features",))
    assert report.passed == (bars_early == 0)
    if bars_early:
        time = report.findings[0].time
        assert time is not None
        assert (time.hour, time.minute) == (23, 58)


@pytest.mark.parametrize("bar", ["1min", "4h", "1D"])
def test_cuts_lie_where_longer_bars_close(bar):
    index = pd.date_range("2020-09-15", periods=40_000 if bar == "1min" else 900, freq=bar, tz="UTC", name="time")
    candles = Candles(simulate("bitcoin", len(index), seed=0).frame.set_axis(index), pd.Timedelta(bar), "BTC/USD", "times")
    ends = pd.DatetimeIndex([candles.ends[place] for place in frame_ends(candles, 50, seed=0)])
    assert (ends.normalize() == ends).sum() >= 7
    assert set(ends.day_of_week) == set(range(7))
    assert (ends.day == 1).any()
    assert ((ends.day == 1) & (ends.month % 3 == 1)).any()
    assert bar == "1min" or (ends.day_of_year == 1).any()
