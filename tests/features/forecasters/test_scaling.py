"""Numbers near 1, estimated on train alone, and back again."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles

from features.forecasters import ForecastSettings, fit_forecaster, windows_of
from features.forecasters.scaling import fit_scaling, inputs, paths_of, raw_of_paths, raw_targets, scaled_targets
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=800, seed=6)
TRAIN = CANDLES[:500]
SETTINGS = ForecastSettings(past_bars=12, future_bars=3, inputs="close,high,volume", threads=1)
targets = pytest.mark.parametrize("target", ["log_return", "price"])


def seen(candles: Candles, settings: ForecastSettings) -> np.ndarray:
    return inputs(candles, windows_of(candles, settings), slice(None), settings, fit_scaling(TRAIN, settings))


def test_prices_are_seen_relative_to_the_last_close():
    """Undone: the log of each price over the last close; the newest close itself is 0."""
    scaling = fit_scaling(TRAIN, SETTINGS)
    rows = seen(CANDLES, SETTINGS) * scaling.input_scale + scaling.input_center
    close, high, end = np.log(CANDLES.column("close")), np.log(CANDLES.column("high")), 400
    np.testing.assert_allclose(rows[end - 11, :, 0], close[end - 11 : end + 1] - close[end], atol=1e-6)
    np.testing.assert_allclose(rows[end - 11, :, 1], high[end - 11 : end + 1] - close[end], atol=1e-6)
    np.testing.assert_allclose(rows[:, -1, 0], 0, atol=1e-6)
    np.testing.assert_allclose(rows[end - 11, :, 2], np.log1p(CANDLES.column("volume"))[end - 11 : end + 1], rtol=1e-5)


def test_inputs_and_targets_of_train_have_mean_0_and_deviation_1():
    rows = seen(TRAIN, SETTINGS).astype(np.float64)
    np.testing.assert_allclose(rows.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(rows.std(axis=(0, 1)), 1, atol=1e-5)
    scaled = scaled_targets(raw_targets(TRAIN, windows_of(TRAIN, SETTINGS), SETTINGS), fit_scaling(TRAIN, SETTINGS))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-12)


def test_price_targets_and_inputs_are_scaled_by_the_range_of_train():
    settings = SETTINGS.model_copy(update={"target": "price"})
    rows = seen(TRAIN, settings)
    close, window = TRAIN.column("close"), windows_of(TRAIN, settings)
    assert rows.min() == 0.0
    assert rows.max() == 1.0
    np.testing.assert_allclose(rows[5, :, 0], (close[5:17] - close.min()) / (close.max() - close.min()), atol=1e-6)
    scaled = scaled_targets(raw_targets(TRAIN, window, settings), fit_scaling(TRAIN, settings))
    np.testing.assert_allclose(scaled.max(axis=0) - scaled.min(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)


@targets
def test_the_later_bars_have_no_say(target):
    settings = SETTINGS.model_copy(update={"target": target})
    frame = CANDLES.frame.copy()
    frame.iloc[500:] *= 7.0
    other = Candles(frame, CANDLES.bar, CANDLES.symbol, "another future")
    one, two = (fit_scaling(candles[:500], settings) for candles in (CANDLES, other))
    assert all(one.arrays[name].tobytes() == two.arrays[name].tobytes() for name in one.arrays)
    everything = fit_scaling(CANDLES, settings)
    assert any(one.arrays[name].tobytes() != everything.arrays[name].tobytes() for name in one.arrays)


@targets
def test_what_is_scaled_comes_back(target):
    settings = SETTINGS.model_copy(update={"target": target})
    windows, scaling = windows_of(CANDLES, settings), fit_scaling(TRAIN, settings)
    close = CANDLES.column("close")
    moves = np.log(close[windows.ends[:, None] + [1, 2, 3]] / close[windows.ends, None])
    scaled = scaled_targets(raw_targets(CANDLES, windows, settings), scaling)
    np.testing.assert_allclose(paths_of(scaled, close[windows.ends], settings, scaling), moves, atol=1e-10)
    raw = raw_of_paths(moves, close[windows.ends], settings)
    np.testing.assert_allclose(raw, raw_targets(CANDLES, windows, settings), rtol=1e-12)


def test_a_price_that_no_market_has_counts_as_a_hundredth():
    settings = SETTINGS.model_copy(update={"target": "price"})
    scaling = fit_scaling(TRAIN, settings)
    paths = paths_of(np.full((1, 3), -1e6), np.array([50.0]), settings, scaling)
    np.testing.assert_allclose(paths, np.log(0.01))


def test_the_level_of_the_price_does_not_matter_to_forecasts_of_returns():
    fitted = fit_forecaster("linear", TRAIN, TRAIN, SETTINGS.model_copy(update={"inputs": ("close", "high")}))
    prices = CANDLES.frame[["open", "high", "low", "close"]] * 1_000
    thousandfold = pd.concat([prices, CANDLES.frame[["volume", "quote_volume"]]], axis=1)
    other = fitted.forecast(Candles(thousandfold, CANDLES.bar, CANDLES.symbol, "a thousandfold"))
    np.testing.assert_allclose(other[11:], fitted.forecast(CANDLES)[11:], atol=1e-6)


@targets
def test_a_market_that_never_moves_scales_to_finite_numbers(target):
    still = make_candles([100.0] * 60)
    settings = SETTINGS.model_copy(update={"target": target})
    scaling = fit_scaling(still, settings)
    assert all(np.isfinite(array).all() for array in scaling.arrays.values())
    assert np.isfinite(inputs(still, windows_of(still, settings), slice(None), settings, scaling)).all()


def test_a_tiny_series_by_hand():
    """Closes 1, 2, 4, 2 in windows of 2 + 1: targets ln 2 and -ln 2."""
    settings = ForecastSettings(past_bars=2, future_bars=1)
    candles = make_candles([1.0, 2.0, 4.0, 2.0])
    scaling, log2 = fit_scaling(candles, settings), np.log(2)
    np.testing.assert_allclose(scaling.target_center, 0, atol=1e-12)
    np.testing.assert_allclose(scaling.target_scale, log2)
    np.testing.assert_allclose(scaling.target_low, -1)
    np.testing.assert_allclose(scaling.input_center, -log2 / 2)  # inputs are -ln 2, 0, -ln 2, 0
    np.testing.assert_allclose(scaling.input_scale, log2 / 2)
