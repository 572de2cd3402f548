import numpy as np
import pytest
from helpers import make_candles
from hypothesis import given, settings
from hypothesis import strategies as st

from features import INDICATORS, FeaturePipeline, FeatureSettings, FittedFeatures, warmup_bars
from features.indicators import Indicator, compute_indicators
from features.stationary import log_differences
from market import Candles, InputError, read_candles, simulate, split

CANDLES = simulate("bitcoin", bars=900, seed=11)
FITTED = FeaturePipeline().fit(CANDLES[:500])
WHOLE = FITTED.transform(CANDLES)


def with_another_future(candles: Candles, after: int, factor: float) -> Candles:
    frame = candles.frame.copy()
    frame.iloc[after + 1 :] *= factor
    return Candles(frame, candles.bar, candles.symbol, "another future")


@settings(max_examples=30, deadline=None)
@given(bar=st.integers(WHOLE.warmup, len(CANDLES) - 2), factor=st.floats(0.01, 100))
def test_changing_the_future_changes_nothing_before_it(bar, factor):
    changed = FITTED.transform(with_another_future(CANDLES, bar, factor))
    rows = bar + 1 - WHOLE.warmup
    assert changed.values[:rows].tobytes() == WHOLE.values[:rows].tobytes()


@settings(max_examples=30, deadline=None)
@given(n=st.integers(WHOLE.warmup + 1, len(CANDLES)))
def test_features_of_a_prefix_are_the_prefix_of_the_features(n):
    prefix = FITTED.transform(CANDLES[:n])
    assert prefix.values.tobytes() == WHOLE.values[: len(prefix)].tobytes()
    assert len(prefix) == n - WHOLE.warmup


def test_nothing_is_fitted_outside_train():
    parts = split(CANDLES)
    changed = split(with_another_future(CANDLES, len(parts.train) - 1, 3.0))
    one, two = FeaturePipeline().fit(parts.train.candles), FeaturePipeline().fit(changed.train.candles)
    assert (one.center.tobytes(), one.scale.tobytes()) == (two.center.tobytes(), two.scale.tobytes())
    other = FeaturePipeline().fit(with_another_future(CANDLES, 300, 3.0)[:500])
    assert other.scale.tobytes() != FITTED.scale.tobytes()  # so the comparison above could have failed


def test_the_matrix_is_finite_bounded_float32_and_read_only():
    assert WHOLE.values.dtype == np.float32
    assert WHOLE.values.shape == (len(CANDLES) - WHOLE.warmup, 6 + len(INDICATORS))
    assert np.isfinite(WHOLE.values).all()
    assert np.abs(WHOLE.values).max() <= WHOLE.bound == 5
    with pytest.raises(ValueError, match="read-only"):
        WHOLE.values[0, 0] = 1.0


def test_train_is_centred_and_scaled():
    rows = FITTED.transform(CANDLES[:500]).values
    assert np.abs(np.median(rows, axis=0)).max() < 1e-5
    spread = np.subtract(*np.quantile(rows, [0.75, 0.25], axis=0))
    np.testing.assert_allclose(spread, 1.349, rtol=1e-4)


def test_log_differences_by_hand():
    table = log_differences(make_candles([100.0, 110.0, 99.0]))
    assert table.iloc[0].isna().all()
    np.testing.assert_allclose(table["d_log_close"].iloc[1:], [np.log(1.1), np.log(0.9)], rtol=1e-12)
    np.testing.assert_allclose(table["d_log_open"].iloc[1:], [0.0, np.log(1.1)], rtol=1e-12)
    np.testing.assert_array_equal(table["d_log_volume"].iloc[1:], 0.0)


def test_a_bar_without_trades_makes_no_spike():
    frame = CANDLES.frame.copy()
    frame.iloc[400, [4, 5]] = 0.0
    quiet = Candles(frame, CANDLES.bar, "", "one bar without trades")
    loud = FeaturePipeline(FeatureSettings(indicators=(), clip=1e9)).fit(CANDLES[:300])
    got, usual = loud.transform(quiet).values[:, 4], loud.transform(CANDLES).values[:, 4]
    raw = got * loud.scale[4] + loud.center[4]
    assert raw[399] == pytest.approx(0.0, abs=1e-6)  # the bar itself: nothing traded, nothing changed
    expected = np.log(frame["volume"].iloc[401] / frame["volume"].iloc[399])  # the next one looks back over it
    assert raw[400] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(np.delete(got, [399, 400]), np.delete(usual, [399, 400]))


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_does_not_depend_on_the_level_or_the_start(name):
    """Ten times the price gives the same column; so do other bars in front, once it is warm."""
    plain = compute_indicators(CANDLES.frame, (name,))[name]
    frame = CANDLES.frame.copy()
    frame[["open", "high", "low", "close", "quote_volume"]] *= 10
    np.testing.assert_allclose(compute_indicators(frame, (name,))[name], plain, rtol=1e-6, atol=1e-8)
    late = compute_indicators(CANDLES.frame.iloc[200:], (name,))[name].dropna()
    spread = plain.std()
    assert (late - plain[late.index]).abs().max() < 0.05 * spread


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_is_defined_on_a_flat_market(name):
    flat = make_candles([100.0] * 400, volume=0.0)
    values = compute_indicators(flat.frame, (name,))[name]
    warmup = INDICATORS[name].warmup
    assert values.iloc[:warmup].isna().all()
    assert np.isfinite(values.iloc[warmup:]).all()


def test_a_column_is_added_with_a_function_and_a_line(monkeypatch):
    monkeypatch.setitem(INDICATORS, "range", Indicator(lambda bars: (bars.high - bars.low) / bars.close, 0, 0.0))
    matrix = FeaturePipeline(FeatureSettings(indicators=("range",))).fit(CANDLES[:500]).transform(CANDLES)
    assert matrix.names[-1] == "range"
    assert matrix.values[:, -1].std() > 0


def test_saved_features_transform_to_the_same_bytes(tmp_path):
    FITTED.save(tmp_path)
    loaded = FittedFeatures.load(tmp_path)
    assert loaded.transform(CANDLES).values.tobytes() == WHOLE.values.tobytes()
    assert loaded.fitted_on_sha256 == CANDLES[:500].sha256
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["features.json", "features.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 50])
def test_damaged_files_get_one_line(tmp_path, name, content):
    FITTED.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read the features .*train again"):
        FittedFeatures.load(tmp_path)


def test_since_skips_to_a_bar_of_the_candles():
    late = WHOLE.since(600)
    assert late.index[0] == CANDLES.index[600]
    assert late.values.tobytes() == WHOLE.values[600 - WHOLE.warmup :].tobytes()
    assert WHOLE.since(3).index[0] == CANDLES.index[WHOLE.warmup]


def test_too_few_bars_get_one_line():
    with pytest.raises(InputError, match="100 bars after a warm-up"):
        FeaturePipeline().fit(CANDLES[:200])
    with pytest.raises(InputError, match="more than 169 bars"):
        FITTED.transform(CANDLES[:169])


def test_the_warm_up_is_that_of_the_slowest_column():
    assert warmup_bars(FeatureSettings(indicators=("rsi", "roc"))) == 98
    assert warmup_bars(FeatureSettings(indicators=())) == 1


def test_real_candles_become_finite_features(coinbase_hourly):
    candles = read_candles(coinbase_hourly)
    matrix = FeaturePipeline().fit(candles[:10_000]).transform(candles)
    assert np.isfinite(matrix.values).all()
    assert matrix.values[:9_000].std(axis=0).min() > 0.3
