"""Columns of longer bars: what a longer bar holds, when it is known, where it begins, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from helpers import examples, make_candles, make_coin
from hypothesis import given, settings, strategies as st

from common import InputError
from configs import load_experiment
from features import INDICATORS, CoinFeatures, FeaturePipeline, FeatureSettings, FittedFeatures, Indicator, warmup_bars
from features.column_families import compute_columns
from features.indicators import compute_indicators
from features.longer_bars import DEFAULT_COLUMNS, timeframe_columns, whole_bars
from market import MONTH, Candles, bar_ends, parse_bar, resample, simulate

HOURS = simulate("bitcoin", bars=24 * 100, seed=4)
NAMES = ("d_log_close", "d_log_volume", "rsi", "stochastic", "volatility_3")
BARE = {"indicators": (), "sarimax": {"forecast_len": 0}, "volatility_bars": (), "calendar": False}
FRAMES = {"timeframes": "4h,1d", "timeframe_columns": "d_log_close,d_log_volume,stochastic,sma_12,volatility_6"}
PANDAS = {"4h": "4h", "1d": "1D", "1w": "W-MON", "1month": "MS", "3month": "QS", "5h": "5h"}
"""each frame as pandas calls it, with days from midnight and weeks from Monday"""


def settings_of(**given) -> FeatureSettings:
    return FeatureSettings.model_validate(BARE | given)


FITTED = FeaturePipeline(settings_of(**FRAMES)).fit(HOURS[:1_500])
WHOLE = FITTED.transform(HOURS)


def at_times(start: str, bar: str | pd.Timedelta, bars: int, seed: int = 0) -> Candles:
    """The simulated market at other times."""
    length = pd.Timedelta(bar)
    index = pd.date_range(start, periods=bars, freq="MS" if length == MONTH else length, tz="UTC", name="time")
    return Candles(simulate("bitcoin", bars, seed=seed).frame.set_axis(index), length, "BTC/USD", "other times")


# --- what is known when --------------------------------------------------------------------------------------------------


def by_pandas(candles: Candles, frame: str) -> pd.DataFrame:
    """The longer bars by pandas, those of which a part is missing left out."""
    origin = "epoch" if frame in ("4h", "5h") else "start_day"
    groups = candles.frame.resample(PANDAS[frame], label="left", closed="left", origin=origin)
    bars = groups.agg({
        "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum",
    })  # fmt: skip
    ends = bar_ends(pd.DatetimeIndex(bars.index), parse_bar(frame))
    whole = groups.size().to_numpy() == np.round((ends - bars.index) / candles.bar)
    return bars[whole]


@pytest.mark.parametrize(
    ("start", "bar", "bars", "frame"),
    [
        ("2021-03-03 05:00", "1h", 2_000, "4h"),
        ("2021-03-03 05:00", "1h", 4_000, "1d"),
        ("2021-03-03 05:00", "1h", 2_000, "5h"),
        ("2021-03-03", "1D", 1_200, "1w"),
        ("2020-01-30 22:00", "4h", 9_000, "1month"),
        ("2020-02-02", "1D", 2_500, "3month"),
        ("1969-12-30 23:59", "1min", 5_000, "4h"),
    ],
)
def test_a_row_shows_the_last_longer_bar_that_has_closed(start, bar, bars, frame):
    """Against pandas: its longer bars, and of these the newest one whose end lies at the close of the row's bar or before."""
    candles = at_times(start, bar, bars)
    longer = by_pandas(candles, frame)
    returns = np.log(longer["close"]).diff()
    values = compute_indicators(longer, ("rsi", "stochastic"))
    values["d_log_close"], values["volatility_3"] = returns, np.log(np.sqrt((returns**2).rolling(3).mean()))
    values.index = bar_ends(pd.DatetimeIndex(longer.index), parse_bar(frame))
    known = values.reindex(candles.ends, method="ffill")
    names = ("d_log_close", "rsi", "stochastic", "volatility_3")
    table = timeframe_columns(candles, (frame,), names)
    assert table.columns.tolist() == [f"{name}_{frame}" for name in names]
    assert table.notna().to_numpy()[-1, [0, 2, 3]].all()
    np.testing.assert_allclose(table, known[list(names)], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("frame", "length"), [("4h", "4h"), ("1d", "1D"), ("1month", MONTH)])
def test_the_longer_bars_are_those_of_resampling(frame, length):
    candles = at_times("2021-03-03 05:00", "1h", 2_000)
    ours, theirs = whole_bars(candles, parse_bar(frame)).candles, resample(candles, pd.Timedelta(length))
    assert ours is not None
    pd.testing.assert_frame_equal(ours.frame, theirs.frame, rtol=1e-12, check_freq=False)
    assert ours.bar == theirs.bar


def test_a_day_is_known_at_the_close_of_its_last_hour():
    """Closes are 1, 2, 3 and so on from midnight of 1 January 2020: that of day d (from 0) is 24 (d + 1)."""
    day = timeframe_columns(make_candles(np.arange(1.0, 24 * 4 + 1)), ("1d",), ("d_log_close",))["d_log_close_1d"]
    assert day.index[24 + 23] == pd.Timestamp("2020-01-02 23:00", tz="UTC")
    assert day.iloc[: 24 + 23].isna().all()  # until then no two days have closed
    np.testing.assert_allclose(day.iloc[24 + 23 : 48 + 23], np.log(48 / 24))  # all of 3 January, its last hour left out
    np.testing.assert_allclose(day.iloc[48 + 23 : 72 + 23], np.log(72 / 48))
    np.testing.assert_allclose(day.iloc[72 + 23 :], np.log(96 / 72))


def test_a_first_day_that_began_before_the_candles_is_left_out():
    """From 05:00 on, 19 hours of a day remain: its close would be right, but its high, its low and its volume would not."""
    day = timeframe_columns(make_candles(np.arange(1.0, 24 * 4 + 1))[5:], ("1d",), ("d_log_close",))["d_log_close_1d"]
    assert day.first_valid_index() == pd.Timestamp("2020-01-03 23:00", tz="UTC")
    assert np.isclose(day.loc["2020-01-03 23:00"], np.log(72 / 48)).all()


def test_weeks_begin_on_monday_and_months_on_their_first_day():
    candles = at_times("2024-01-01", "1D", 120)
    for frame, first, second in (("1w", "2024-01-14", "2024-01-21"), ("1M", "2024-02-29", "2024-03-31")):
        column = timeframe_columns(candles, (frame,), ("d_log_close",)).iloc[:, 0]
        changes = column.index[column.ne(column.shift()) & column.notna()]
        assert [str(time.date()) for time in changes[:2]] == [first, second]


def test_bars_that_open_at_half_past_are_known_when_the_last_of_them_closes():
    candles = at_times("2021-03-03 00:30", "1h", 48)
    longer, closed = whole_bars(candles, pd.Timedelta("4h"))
    assert longer is not None
    assert closed.tolist()[:9] == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert longer.frame["close"].iloc[0] == candles.frame["close"].iloc[3]


# --- the promises of every column ----------------------------------------------------------------------------------------


@settings(max_examples=examples(40), deadline=None)
@given(bar=st.integers(WHOLE.warmup, len(HOURS) - 2), factor=st.floats(0.01, 100))
def test_changing_the_future_changes_no_longer_bar_before_it(bar, factor):
    frame = HOURS.frame.copy()
    frame.iloc[bar + 1 :] *= factor
    changed = FITTED.transform(Candles(frame, HOURS.bar, HOURS.symbol, "another future"))
    rows = bar + 1 - WHOLE.warmup
    assert changed.values[:rows].tobytes() == WHOLE.values[:rows].tobytes()
    prefix = FITTED.transform(HOURS[: bar + 1])
    assert prefix.values.tobytes() == WHOLE.values[:rows].tobytes()


@pytest.mark.parametrize("hours", range(1, 25))
def test_where_the_candles_begin_changes_nothing(hours):
    """Windows of longer bars hold no trace of the start, whatever part of a day is left of the first one."""
    late = FITTED.transform(HOURS[hours:])
    np.testing.assert_array_equal(late.values, WHOLE.values[hours:])


@pytest.mark.parametrize(
    ("start", "bar", "frames"),
    [
        ("2021-03-03", "1h", "4h,1d"),
        ("2021-01-30", "1D", "1w,1M"),
        ("2020-02-28 20:00", "4h", "1M,3M"),
        ("2021-03-03", "7h", "1w"),
    ],
)
def test_the_warm_up_is_enough_wherever_the_candles_begin_and_no_longer(start, bar, frames):
    chosen = settings_of(timeframes=frames, timeframe_columns="d_log_close,volatility_3")
    warmup, tight = warmup_bars(chosen, pd.Timedelta(bar)), False
    candles = at_times(start, bar, 2 * warmup + 500)
    for first in range(0, min(warmup, 500), 5 if bar == "4h" else 1):
        table = timeframe_columns(candles[first : first + warmup + 1], chosen.timeframes, chosen.timeframe_columns)
        assert table.iloc[warmup].notna().all()
        tight |= bool(table.iloc[warmup - 1].isna().any())
    assert tight or "M" in frames  # two long months in a row are rare


@pytest.mark.parametrize("names", ["rsi,adx", "d_log_close,d_log_volume,volatility_6"])
@pytest.mark.parametrize("window", [1, 5])
def test_the_look_back_holds_the_longer_bars_that_a_row_needs(names, window):
    candles = simulate("bitcoin", bars=9_000, seed=6)
    fitted = FeaturePipeline(settings_of(timeframes="2h,6h", timeframe_columns=names, window=window)).fit(candles[:7_000])
    whole = fitted.transform(candles)
    assert fitted.warmup < fitted.lookback < 7_000
    for end in range(len(candles) - 30, len(candles) + 1):
        alone = fitted.transform(candles[end - fitted.lookback : end])
        np.testing.assert_allclose(alone.values[-1], whole.values[end - 1 - whole.warmup], rtol=0, atol=1e-6)
    assert fitted.notes == ()


def test_a_look_back_is_counted_in_the_shorter_bars():
    """A stochastic of 14 days needs these, and nearly one more: those of the day that is forming."""
    fitted = FeaturePipeline(settings_of(timeframes="1d", timeframe_columns="stochastic,d_log_volume")).fit(HOURS)
    memory = dict(zip(fitted.names, fitted.memory.tolist(), strict=True))
    assert memory["stochastic_1d"] == 14 * 24 + 23
    assert memory["d_log_volume_1d"] == 25 * 24 + 23  # it looks back over 24 days without a trade


def test_a_longer_bar_whose_start_still_shows_at_the_end_of_train_is_said():
    fitted = FeaturePipeline(settings_of(timeframes="12h", timeframe_columns="rsi")).fit(HOURS[: 24 * 75])
    assert fitted.lookback == 24 * 75
    assert any(note.startswith("rsi_12h still depends on where the data begin") for note in fitted.notes)


@pytest.mark.parametrize("length", [1, 3, 30, 700])
def test_short_series_have_no_longer_bars_yet(length):
    table = compute_columns(HOURS[:length], FITTED.settings, FITTED.estimates)
    pd.testing.assert_frame_equal(table, compute_columns(HOURS, FITTED.settings, FITTED.estimates).iloc[:length], rtol=0, atol=0)


def test_rows_since_a_bar_are_the_last_ones_of_all():
    late = FITTED.transform(HOURS, since=2_000)
    assert late.index[0] == HOURS.index[2_000]
    assert late.values.tobytes() == WHOLE.since(2_000).values.tobytes()


def test_saved_and_cached_time_frames_give_the_same_bytes(tmp_path):
    FITTED.save(tmp_path / "saved")
    assert FittedFeatures.load(tmp_path / "saved").transform(HOURS).values.tobytes() == WHOLE.values.tobytes()
    for _ in range(2):  # the second time from the cache
        fitted = FeaturePipeline(FITTED.settings, tmp_path / "cache").fit(HOURS[:1_500])
        assert fitted.transform(HOURS).values.tobytes() == WHOLE.values.tobytes()
    other = settings_of(**FRAMES | {"timeframes": "4h,12h"})
    assert FeaturePipeline(other, tmp_path / "cache").fit(HOURS[:1_500]).names != FITTED.names


def test_an_indicator_of_ones_own_in_a_time_frame_is_computed_every_time(monkeypatch, tmp_path):
    """Its code may change unseen, so nothing of it is kept."""
    monkeypatch.setitem(INDICATORS, "width", Indicator(lambda bars: (bars.high - bars.low) / bars.close, 0, 0.0))
    fitted = FeaturePipeline(settings_of(timeframes="4h", timeframe_columns="width"), tmp_path).fit(HOURS)
    longer = whole_bars(HOURS, pd.Timedelta("4h")).candles
    assert longer is not None
    width = ((longer.frame["high"] - longer.frame["low"]) / longer.frame["close"]).iloc[-1]
    shown = fitted.transform(HOURS).values[-1, fitted.names.index("width_4h")]
    assert np.isclose(shown * fitted.scale[-1] + fitted.center[-1], width, rtol=1e-4)
    assert not any(tmp_path.iterdir())


def test_each_coin_has_its_own_longer_bars():
    coins = [make_coin("BTC/USD", 900), make_coin("ETH/USD", 800, seed=1, late=70, price=1e-7)]
    chosen = settings_of(timeframes="4h,12h", timeframe_columns="d_log_close,sma_12")
    fitted = FeaturePipeline(chosen).fit_coins(coins)
    assert isinstance(fitted, CoinFeatures)
    assert fitted.names[-4:] == ("d_log_close_4h", "sma_12_4h", "d_log_close_12h", "sma_12_12h")
    for coin in coins:
        alone = FeaturePipeline(chosen).fit(coin).transform(coin)
        np.testing.assert_array_equal(fitted.transform(coin).values, alone.values)


def test_candles_without_volumes_leave_out_the_volumes_of_longer_bars():
    bare = Candles.from_frame(HOURS.frame[["open", "high", "low", "close"]])
    fitted = FeaturePipeline(settings_of(timeframes="4h", timeframe_columns="d_log_volume,vwap,rsi")).fit(bare)
    assert [name for name in fitted.names if name.endswith("_4h")] == ["rsi_4h"]
    assert any("has no volumes" in note for note in fitted.notes)
    nothing = FeaturePipeline(settings_of(timeframes="4h", timeframe_columns="d_log_volume")).fit(bare)
    assert not any(name.endswith("_4h") for name in nothing.names)


def test_bars_that_a_repair_filled_are_part_of_longer_ones():
    filled = np.zeros(len(HOURS), bool)
    filled[600:650] = True
    candles = Candles(HOURS.frame, HOURS.bar, HOURS.symbol, "repaired", filled)
    assert FITTED.transform(candles).values.tobytes() == WHOLE.values.tobytes()


def test_many_columns_of_many_frames_come_in_their_order():
    chosen = settings_of(timeframes="1d,2h", timeframe_columns=tuple(INDICATORS)[:20])
    table = compute_columns(HOURS, chosen, {})
    of_frames = [f"{name}_{frame}" for frame in ("1d", "2h") for name in chosen.timeframe_columns]
    assert [name for name in table.columns if name.endswith(("_1d", "_2h"))] == of_frames
    whole = timeframe_columns(HOURS, chosen.timeframes, chosen.timeframe_columns)
    pd.testing.assert_frame_equal(table[of_frames], whole, rtol=0, atol=0)


# --- how it is asked for, and what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["4h,1d", ["240min", "1D"], " 4h , 1d "])
def test_frames_are_given_by_commas_or_as_a_list(given):
    assert load_experiment(None, {"features.timeframes": given}).features.timeframes == ("4h", "1d")


def test_a_single_frame_and_the_default_columns():
    chosen = load_experiment(None, {"features.timeframes": "1w"}).features
    assert (chosen.timeframes, chosen.timeframe_columns) == (("1w",), DEFAULT_COLUMNS)
    assert load_experiment().features.timeframes == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeframes": "4h,240min"}, "each time frame may be named once, but got 4h, 240min; drop the repeated one"),
        ({"timeframes": "often"}, "a bar must be a length of time such as 15min, 1h, 1d or 1month, but got 'often'"),
        ({"timeframes": "4h", "timeframe_columns": "rsii"}, "no column of a time frame 'rsii'; did you mean 'rsi'"),
        ({"timeframes": "4h", "timeframe_columns": "rsi,rsi"}, "each one once, but got rsi, rsi"),
        ({"timeframes": "4h", "timeframe_columns": ""}, "a time frame needs a column"),
    ],
)
def test_what_is_no_time_frame_is_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as caught:
        load_experiment(None, {f"features.{name}": value for name, value in given.items()})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bar", "frame", "message"),
    [
        ("1h", "1h", "must be longer than the bar and a whole multiple of it, .* has 1h on bars of 1h; take 2h"),
        ("1h", "30m", "has 30min on bars of 1h; take 2h, or leave it out"),
        ("1h", "90min", "has 90min on bars of 1h; take 2h"),
        ("4h", "1h", "has 1h on bars of 4h; take 8h"),
        ("1D", "36h", "has 36h on bars of 1d; take 2d"),
        ("7h", "1M", "has 1month on bars of 7h; months are whole only of bars that divide a day"),
        (MONTH, "1w", "has 1w on bars of 1month; take 3month or 12month"),
    ],
)
def test_a_frame_that_bars_cannot_make_is_refused_in_one_line(bar, frame, message):
    candles = at_times("2020-01-01", bar, 300)
    with pytest.raises(InputError, match=message) as caught:
        FeaturePipeline(settings_of(timeframes=frame)).fit(candles)
    assert "\n" not in str(caught.value)


def test_too_few_bars_for_a_long_frame_are_refused_with_the_column_that_needs_them():
    needs = r"after a warm-up of 3214, but .* has 2400; .*or shorter time frames: `rsi` of the time frame 1d takes 133 whole bars"
    with pytest.raises(InputError, match=needs):
        FeaturePipeline(settings_of(timeframes="4h,1d", timeframe_columns="d_log_close,rsi")).fit(HOURS)
    with pytest.raises(InputError, match="features need more than"):
        FITTED.transform(HOURS[: FITTED.warmup])


def test_the_name_of_an_indicator_is_not_taken_by_a_time_frame(monkeypatch):
    monkeypatch.setitem(INDICATORS, "rsi_4h", INDICATORS["rsi"])
    with pytest.raises(ValueError, match="`rsi_4h` is a column of a time frame and an indicator"):
        FeatureSettings.model_validate({"timeframes": "4h", "timeframe_columns": "rsi"})


def test_the_warm_up_of_a_frame_needs_the_length_of_a_bar():
    with pytest.raises(InputError, match="depends on the bar"):
        warmup_bars(FITTED.settings)
