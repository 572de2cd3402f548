"""The contract of every indicator, and each one's numbers against the `ta` library's."""

import numpy as np
import pandas as pd
import pytest
import ta
from helpers import make_candles

from common import InputError
from features import INDICATORS, rolling
from features.indicators import Indicator, compute_indicators
from market import read_candles, simulate

NAMES = tuple(INDICATORS)
PRICES = ["open", "high", "low", "close", "quote_volume"]
BARS = simulate("bitcoin", bars=900, seed=11).frame
TABLE = compute_indicators(BARS, NAMES)
SPREAD = TABLE.std()
WARM = max(indicator.warmup for indicator in INDICATORS.values())


def scaled(columns, factor):
    bars = BARS.copy()
    bars[columns] *= factor
    return bars


def with_a_dead_stretch(first=400, length=48):
    """The price stands still and nothing is traded."""
    bars = BARS.copy()
    dead = slice(first, first + length)
    bars.iloc[dead, :4] = bars["close"].iloc[first - 1]
    bars.iloc[dead, 4:] = 0.0
    return bars


def worst_difference(one, two):
    """Of each column, in its standard deviations."""
    return ((one - two).abs() / SPREAD).max()


# The contract


def test_a_warm_up_is_nan_and_all_that_follows_is_finite():
    for name in NAMES:
        warmup = INDICATORS[name].warmup
        assert TABLE[name].iloc[:warmup].isna().all(), name
        assert np.isfinite(TABLE[name].iloc[warmup:]).all(), name
    assert TABLE.shape == (len(BARS), len(NAMES))
    assert set(TABLE.dtypes) == {np.dtype(np.float64)}
    assert TABLE.index.equals(BARS.index)


@pytest.mark.parametrize("n", [*range(0, 900, 23), *range(WARM - 2, WARM + 18)])
def test_the_columns_of_a_prefix_are_the_prefix_of_the_columns_to_the_bit(n):
    prefix = compute_indicators(BARS.iloc[:n], NAMES)
    differing = [name for name in NAMES if prefix[name].to_numpy().tobytes() != TABLE[name].iloc[:n].to_numpy().tobytes()]
    assert differing == []


@pytest.mark.parametrize("bar", [WARM, 500, 777])
def test_another_future_changes_nothing_before_it(bar):
    other = BARS.copy()
    other.iloc[bar + 1 :] = simulate("bitcoin", bars=900, seed=12).frame.iloc[bar + 1 :]
    table = compute_indicators(other, NAMES)
    pd.testing.assert_frame_equal(table.iloc[: bar + 1], TABLE.iloc[: bar + 1], check_exact=True)
    assert not table.equals(TABLE)  # so the comparison above could have failed


@pytest.mark.parametrize("factor", [10, 0.1, 3.7])
@pytest.mark.parametrize("columns", [PRICES, ["volume", "quote_volume"]], ids=["price", "volume"])
def test_the_level_of_price_and_of_volume_does_not_show(columns, factor):
    differences = worst_difference(compute_indicators(scaled(columns, factor), NAMES), TABLE)
    assert differences.max() < 1e-9, differences.idxmax()


def test_the_level_does_not_show_on_a_dead_stretch_either():
    """There a smoothed series moves by rounding errors, whose place in their own range would be noise."""
    bars = with_a_dead_stretch()
    tenfold = bars.copy()
    tenfold[PRICES] *= 10
    differences = worst_difference(compute_indicators(tenfold, NAMES), compute_indicators(bars, NAMES))
    assert differences.max() < 1e-9, differences.idxmax()


def test_the_start_of_the_data_does_not_show_after_the_warm_up():
    """Of a thousandth of its deviation, but for the stop-and-reverse price, whose stop is the same or another one."""
    slow = {"schaff_trend_cycle": 0.01}
    bars = simulate("bitcoin", bars=2_500, seed=3).frame
    whole = compute_indicators(bars, NAMES)
    for start in range(301, 1_801, 60):
        late = compute_indicators(bars.iloc[start : start + 600], NAMES)
        drift = (late - whole.loc[late.index]).abs().max() / whole.std()
        too_far = [name for name in NAMES if drift[name] > slow.get(name, 1e-3)]
        assert too_far == [], start


def test_a_column_of_windows_has_no_memory_beyond_them():
    windowed = ["sma_168", "bollinger_position", "cci", "kst", "money_flow", "chaikin_money_flow", "volatility_ratio", "aroon_up"]
    late = compute_indicators(BARS.iloc[300:], tuple(windowed)).dropna()
    pd.testing.assert_frame_equal(late, TABLE.loc[late.index, windowed], check_exact=True)


def test_a_market_that_never_moves_nor_trades_is_neutral():
    flat = compute_indicators(make_candles([4327.15] * 400, volume=0.0).frame, NAMES)
    for name in NAMES:
        neutral = INDICATORS[name].neutral
        np.testing.assert_allclose(flat[name].iloc[INDICATORS[name].warmup :], neutral, rtol=0, atol=1e-9, err_msg=name)


def test_a_dead_stretch_is_finite_and_forgotten():
    table = compute_indicators(with_a_dead_stretch(), NAMES)
    assert np.isfinite(table.iloc[WARM:]).all(axis=None)
    assert worst_difference(table.iloc[400:448], TABLE.iloc[400:448]).max() > 1
    after = worst_difference(table.iloc[448 + WARM :], TABLE.iloc[448 + WARM :])
    assert after.max() < 0.01, after.idxmax()


def test_a_missing_bar_is_finite_and_forgotten():
    bars = BARS.copy()
    bars.iloc[400] = np.nan
    table = compute_indicators(bars, NAMES)
    assert np.isfinite(table.iloc[WARM:]).all(axis=None)
    after = worst_difference(table.iloc[401 + WARM :], TABLE.iloc[401 + WARM :])
    assert after.max() < 0.01, after.idxmax()


@pytest.mark.parametrize("bars", [0, 1, 2, 5, 30])
def test_a_short_series_gives_no_value_where_there_is_none(bars):
    table = compute_indicators(BARS.iloc[:bars], NAMES)
    assert len(table) == bars
    assert table[[name for name in NAMES if INDICATORS[name].warmup >= bars]].isna().all(axis=None)


def test_the_candles_are_left_as_they_are():
    bars = BARS.copy()
    compute_indicators(bars, NAMES)
    pd.testing.assert_frame_equal(bars, BARS, check_exact=True)


def test_a_column_is_added_with_a_function_and_a_line(monkeypatch):
    added = Indicator(lambda b: (b.high - b.low) / b.close, warmup=0, neutral=0.0, group="volatility")
    monkeypatch.setitem(INDICATORS, "range", added)
    expected = (BARS["high"] - BARS["low"]) / BARS["close"]
    pd.testing.assert_series_equal(compute_indicators(BARS, ("range",))["range"], expected, check_names=False)
    assert Indicator(added.compute, 0, 0.0).group == "others"


def test_a_column_of_another_length_gets_one_line(monkeypatch):
    monkeypatch.setitem(INDICATORS, "late", Indicator(lambda b: b.close.pct_change().dropna(), 1, 0.0))
    with pytest.raises(InputError, match=r"one value for each bar, but 'late' returned the shape \(899,\) for 900 bars"):
        compute_indicators(BARS, ("late",))


def test_every_column_has_a_group():
    assert {indicator.group for indicator in INDICATORS.values()} == {"volume", "volatility", "trend", "momentum", "others"}


# Against `ta`


def same(column, bars):
    return column


def gap(column, bars):
    return bars["close"] / column - 1


def over_close(column, bars):
    return column / bars["close"]


def stepped(column, bars):
    return column.diff() / bars["volume"].rolling(24).mean()


def stepped_where_it_moved(column, bars):
    return stepped(column, bars).where(bars["close"].diff() != 0)  # `ta` adds the volume of an unchanged close


def over_a_day(column, bars):
    return column / column.shift(24) - 1


def over_a_week(column, bars):
    growth = column / 100 + 1
    return 100 * (growth / growth.shift(168) - 1)


def over_money(column, bars):
    return column / bars["volume"].ewm(span=13, adjust=False).mean() / bars["close"]


def eased(column, bars):
    return column / 1e8 * bars["volume"].rolling(24).mean() / bars["close"] ** 2


def below_close(column, bars):
    return (bars["close"] / column - 1).fillna(0.0)


TA = {
    "adi_diff": ("volume_adi", stepped), "obv_diff": ("volume_obv", stepped_where_it_moved),
    "chaikin_money_flow": ("volume_cmf", same), "force_index": ("volume_fi", over_money),
    "ease_of_movement": ("volume_em", eased), "ease_of_movement_sma": ("volume_sma_em", eased),
    "vpt_diff": ("volume_vpt", stepped), "vwap": ("volume_vwap", gap), "money_flow": ("volume_mfi", same),
    "nvi_change": ("volume_nvi", over_a_day),
    "bollinger_middle": ("volatility_bbm", gap), "bollinger_upper": ("volatility_bbh", gap),
    "bollinger_lower": ("volatility_bbl", gap), "bollinger_width": ("volatility_bbw", same),
    "bollinger_position": ("volatility_bbp", same), "bollinger_above": ("volatility_bbhi", same),
    "bollinger_below": ("volatility_bbli", same),
    "keltner_middle": ("volatility_kcc", gap), "keltner_upper": ("volatility_kch", gap),
    "keltner_lower": ("volatility_kcl", gap), "keltner_width": ("volatility_kcw", same),
    "keltner_position": ("volatility_kcp", same), "keltner_above": ("volatility_kchi", same),
    "keltner_below": ("volatility_kcli", same),
    "donchian_lower": ("volatility_dcl", gap), "donchian_upper": ("volatility_dch", gap),
    "donchian_middle": ("volatility_dcm", gap), "donchian_width": ("volatility_dcw", same),
    "donchian_position": ("volatility_dcp", same), "atr_10": ("volatility_atr", over_close),
    "ulcer_index": ("volatility_ui", same),
    "macd": ("trend_macd", over_close), "macd_signal": ("trend_macd_signal", over_close),
    "macd_diff": ("trend_macd_diff", over_close), "sma_12": ("trend_sma_fast", gap), "sma_26": ("trend_sma_slow", gap),
    "ema_12": ("trend_ema_fast", gap), "ema_26": ("trend_ema_slow", gap), "vortex_positive": ("trend_vortex_ind_pos", same),
    "vortex_negative": ("trend_vortex_ind_neg", same), "vortex": ("trend_vortex_ind_diff", same), "trix": ("trend_trix", same),
    "mass_index": ("trend_mass_index", same), "dpo": ("trend_dpo", over_close), "kst": ("trend_kst", same),
    "kst_signal": ("trend_kst_sig", same), "kst_diff": ("trend_kst_diff", same),
    "ichimoku_conversion": ("trend_ichimoku_conv", gap), "ichimoku_base": ("trend_ichimoku_base", gap),
    "ichimoku_a": ("trend_ichimoku_a", gap), "ichimoku_b": ("trend_ichimoku_b", gap),
    "ichimoku_visual_a": ("trend_visual_ichimoku_a", gap), "ichimoku_visual_b": ("trend_visual_ichimoku_b", gap),
    "schaff_trend_cycle": ("trend_stc", same), "adx": ("trend_adx", same), "adx_positive": ("trend_adx_pos", same),
    "adx_negative": ("trend_adx_neg", same), "cci": ("trend_cci", same), "aroon_up": ("trend_aroon_up", same),
    "aroon_down": ("trend_aroon_down", same), "aroon": ("trend_aroon_ind", same),
    "psar_up_distance": ("trend_psar_up", below_close), "psar_down_distance": ("trend_psar_down", below_close),
    "psar_turns_up": ("trend_psar_up_indicator", same), "psar_turns_down": ("trend_psar_down_indicator", same),
    "rsi": ("momentum_rsi", same), "stochastic_rsi": ("momentum_stoch_rsi", same),
    "stochastic_rsi_k": ("momentum_stoch_rsi_k", same), "stochastic_rsi_d": ("momentum_stoch_rsi_d", same),
    "tsi": ("momentum_tsi", same), "ultimate": ("momentum_uo", same), "stochastic": ("momentum_stoch", same),
    "stochastic_signal": ("momentum_stoch_signal", same), "williams_r": ("momentum_wr", same),
    "awesome": ("momentum_ao", over_close), "roc": ("momentum_roc", same), "ppo": ("momentum_ppo", same),
    "ppo_signal": ("momentum_ppo_signal", same), "ppo_diff": ("momentum_ppo_hist", same), "pvo": ("momentum_pvo", same),
    "pvo_signal": ("momentum_pvo_signal", same), "pvo_diff": ("momentum_pvo_hist", same), "kama": ("momentum_kama", gap),
    "simple_return": ("others_dr", same), "log_return": ("others_dlr", same), "cumulative_return": ("others_cr", over_a_week),
}  # fmt: skip
"""Each indicator: the column of `ta.add_all_ta_features`, and how its level is taken away."""


def ta_columns(bars):
    """All of `ta`, on a RangeIndex: its stop-and-reverse price is wrong on times."""
    return ta.add_all_ta_features(bars.reset_index(drop=True), *["open", "high", "low", "close", "volume"]).iloc[:, 6:]


def with_gaps():
    """Each bar a little above or below the close before it, as simulated ones never are."""
    bars = BARS.copy()
    bars[["open", "high", "low", "close"]] *= np.exp(np.random.default_rng(2).normal(0, 0.01, (len(bars), 1)))
    return bars


GAPPED = with_gaps()
GAPPED_TABLE = compute_indicators(GAPPED, NAMES)


@pytest.fixture(scope="module")
def from_ta():
    return ta_columns(BARS)


@pytest.fixture(scope="module")
def from_ta_with_gaps():
    return ta_columns(GAPPED)


def off_by(name, table, columns, bars):
    """By how much each warm row differs from `ta`, relative to the larger of its value and the column's deviation."""
    column, form = TA[name]
    expected = form(columns[column], bars.reset_index(drop=True)).to_numpy()
    got = table[name].to_numpy()
    known = np.isfinite(expected) & np.isfinite(got)
    size = np.maximum(np.abs(expected), np.std(expected[known]))
    return np.abs(got - expected)[known] / size[known]


@pytest.mark.parametrize("name", TA)
def test_an_indicator_is_that_of_ta(name, from_ta, from_ta_with_gaps):
    for table, columns, bars in ((TABLE, from_ta, BARS), (GAPPED_TABLE, from_ta_with_gaps, GAPPED)):
        differences = off_by(name, table, columns, bars)
        assert len(differences) > 0.9 * (len(bars) - INDICATORS[name].warmup)
        assert differences.max() < 1e-9


def test_every_column_of_ta_is_there(from_ta):
    assert {column for column, _ in TA.values()} == set(from_ta.columns)


def test_the_real_indicators_are_those_of_ta(coinbase_hourly):
    """But for the few rows on which `ta` divides rounding errors by each other, or takes one for a move of the price."""
    share_of_rounding = {"money_flow": 0.001, "bollinger_position": 0.002, "schaff_trend_cycle": 0.01}
    share_of_rounding |= dict.fromkeys(["stochastic_rsi", "stochastic_rsi_k", "stochastic_rsi_d"], 0.0005)
    bars = read_candles(coinbase_hourly).frame
    table, columns = compute_indicators(bars, NAMES), ta_columns(bars)
    for name in TA:
        differences = off_by(name, table, columns, bars)
        assert len(differences) > 0.99 * (len(bars) - INDICATORS[name].warmup), name
        assert (differences >= 1e-9).mean() <= share_of_rounding.get(name, 0.0), name


EXTRAS = {
    "obv_change": lambda b: (np.sign(b.close.diff()) * b.volume).rolling(24).sum() / b.volume.rolling(24).sum(),
    "donchian_48_position": lambda b: ta.volatility.donchian_channel_pband(b.high, b.low, b.close, 48),
    "atr": lambda b: ta.volatility.average_true_range(b.high, b.low, b.close, 14) / b.close,
    "volatility_ratio": lambda b: np.log(
        np.log(b.close).diff().rolling(24).std(ddof=0) / np.log(b.close).diff().rolling(168).std(ddof=0)),
    "sma_168": lambda b: b.close / ta.trend.sma_indicator(b.close, 168) - 1,
    "ema_8": lambda b: b.close / ta.trend.ema_indicator(b.close, 8) - 1,
    "ema_24": lambda b: b.close / ta.trend.ema_indicator(b.close, 24) - 1,
}  # fmt: skip


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_indicator_is_as_defined(name):
    expected = EXTRAS[name](BARS)[INDICATORS[name].warmup :]
    np.testing.assert_allclose(TABLE[name].dropna(), expected, rtol=1e-9, atol=1e-9 * SPREAD[name])


def test_all_indicators_are_held_against_ta_or_a_definition():
    assert set(NAMES) == set(TA) | set(EXTRAS)


# The windows beneath them

CLOSE = BARS["close"].iloc[:300]
WINDOWS = {
    "rolling_sum": lambda window: CLOSE.rolling(window).sum(),
    "rolling_mean": lambda window: CLOSE.rolling(window).mean(),
    "rolling_max": lambda window: CLOSE.rolling(window).max(),
    "rolling_min": lambda window: CLOSE.rolling(window).min(),
    "rolling_std": lambda window: CLOSE.rolling(window).apply(np.std, raw=True),  # its own keeps a rounding error of the past
    "rolling_argmax": lambda window: CLOSE.rolling(window).apply(np.argmax, raw=True),
    "ema": lambda span: CLOSE.ewm(span=span, min_periods=span, adjust=False).mean(),
}


@pytest.mark.parametrize("window", [2, 7, 100])
@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_that_of_pandas(name, window):
    np.testing.assert_allclose(getattr(rolling, name)(CLOSE, window), WINDOWS[name](window), rtol=1e-9)


@pytest.mark.parametrize("name", ["rolling_sum", "rolling_max", "rolling_argmax", "rolling_std", "rolling_deviation"])
def test_a_window_says_the_same_compiled_or_not_and_forgets_a_nan(name):
    values = CLOSE.to_numpy().copy()
    values[100] = np.nan
    compiled = getattr(rolling, name)
    got = compiled(values, 10)
    np.testing.assert_allclose(got, compiled.__wrapped__.py_func(values, 10), rtol=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(got)), [*range(9), *range(100, 110)])


def test_an_average_passes_over_a_nan_as_in_pandas():
    values = CLOSE.copy()
    values.iloc[[0, 50, 51, 200]] = np.nan
    expected = values.ewm(span=12, min_periods=12, adjust=False).mean()
    np.testing.assert_allclose(rolling.ema(values, 12), expected, rtol=1e-12)


def test_wilders_average_by_hand():
    got = rolling.wilder(np.array([np.nan, 3.0, 5.0, 8.0, 2.0]), 2)
    np.testing.assert_array_equal(got, [np.nan, np.nan, 4.0, 6.0, 4.0])
