"""Numbers near 1, estimated on train alone, and back again."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles

from features.forecasters import Epoch, ForecastSettings, Watch, fit_forecaster, scaled_loss, windows_of
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
@pytest.mark.parametrize("name", ["linear", "gru"])
def test_the_validation_bars_have_no_say(name, target):
    """A model's center and scale are those of train, whatever it was stopped on."""
    settings = SETTINGS.model_copy(update={"target": target, "epochs": 1, "units": 4})
    expected = fit_scaling(TRAIN, settings).arrays
    frame = CANDLES.frame[500:] * 7.0
    for stop in (CANDLES[500:], Candles(frame, CANDLES.bar, CANDLES.symbol, "another future")):
        estimates = fit_forecaster(name, TRAIN, stop, settings).estimates
        assert all(estimates[key].tobytes() == array.tobytes() for key, array in expected.items())
    everything = fit_scaling(CANDLES, settings).arrays
    assert all(everything[key].tobytes() != array.tobytes() for key, array in expected.items() if "center" in key)


def test_bars_that_a_repair_filled_in_have_no_say():
    """A spike among them changes nothing, for no window holds it."""
    filled = np.zeros(500, bool)
    filled[200:210] = True
    frame = TRAIN.frame.copy()
    frame.iloc[203:207] *= 50.0
    one, two = (
        fit_scaling(Candles(held, TRAIN.bar, TRAIN.symbol, TRAIN.source, filled), SETTINGS).arrays
        for held in (TRAIN.frame, frame)
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


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


@pytest.mark.parametrize("name", ["last_value", "lag", "linear", "sarimax", "lstm", "gru", "cnn"])
def test_the_level_of_the_price_does_not_matter_to_forecasts_of_returns(name):
    changes = {"inputs": ("close", "high"), "past_bars": 16, "units": 4, "epochs": 2, "conv_layers": 4}
    fitted = fit_forecaster(name, TRAIN, CANDLES[500:600], SETTINGS.model_copy(update=changes))
    for factor in (1_000, 1e-4):
        prices = CANDLES.frame[["open", "high", "low", "close"]] * factor
        frame = pd.concat([prices, CANDLES.frame[["volume", "quote_volume"]]], axis=1)
        other = fitted.forecast(Candles(frame, CANDLES.bar, CANDLES.symbol, "another currency"))
        np.testing.assert_allclose(other[15:], fitted.forecast(CANDLES)[15:], atol=1e-6)


@targets
def test_a_market_that_never_moves_scales_to_finite_numbers(target):
    still = make_candles([100.0] * 60)
    settings = SETTINGS.model_copy(update={"target": target})
    scaling = fit_scaling(still, settings)
    assert all(np.isfinite(array).all() for array in scaling.arrays.values())
    assert np.isfinite(inputs(still, windows_of(still, settings), slice(None), settings, scaling)).all()
    moves = fit_forecaster("linear", still, still, settings).forecast(still)[11:]
    np.testing.assert_allclose(moves, 0, atol=1e-6)


@targets
@pytest.mark.parametrize("volume", [3.0, 7.3, 10.0])
def test_a_column_that_never_moves_in_train_does_not_explode_later(volume, target):
    """Its deviation is 0, so that its scale is 1, and not what rounding left of 0."""
    closes = [100 + np.sin(bar) for bar in range(300)]
    candles = make_candles(closes, volume=np.where(np.arange(300) < 200, volume, 2 * volume))
    settings = SETTINGS.model_copy(update={"inputs": ("close", "volume"), "target": target})
    scaling = fit_scaling(candles[:200], settings)
    rows = inputs(candles, windows_of(candles, settings), slice(None), settings, scaling)
    assert np.abs(rows[:, :, 1]).max() < 100


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


def test_a_tiny_series_of_prices_by_hand():
    """Closes 1, 2, 4, 2 in windows of 2 + 1: targets 4 and 2, in a range of 3."""
    settings = ForecastSettings(past_bars=2, future_bars=1, target="price")
    candles = make_candles([1.0, 2.0, 4.0, 2.0])
    scaling, windows = fit_scaling(candles, settings), windows_of(candles, settings)
    np.testing.assert_allclose(scaling.input_center, 1)
    np.testing.assert_allclose(scaling.input_scale, 3)
    np.testing.assert_allclose(scaling.target_center, 3)
    np.testing.assert_allclose(scaling.target_scale, 3)
    np.testing.assert_allclose(scaling.target_low, -1 / 3)
    np.testing.assert_allclose(
        inputs(candles, windows, slice(None), settings, scaling)[:, :, 0], [[0, 1 / 3], [1 / 3, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(scaled_targets(raw_targets(candles, windows, settings), scaling), [[1 / 3], [-1 / 3]])


# --- one loss for all -------------------------------------------------------------------------------------------------------


@targets
@pytest.mark.parametrize("name", ["cnn", "lstm", "gru"])
def test_the_loss_of_a_networks_forecasts_is_the_lowest_that_it_saw_on_validation(name, target):
    """Two roads: in training, and from what it forecasts in log returns; over more than one block of windows."""
    stop = CANDLES[500:]
    changes = {"past_bars": 16, "units": 4, "epochs": 5, "conv_layers": 4, "learning_rate": 0.02, "target": target}
    settings = SETTINGS.model_copy(update=changes)
    history: list[Epoch] = []
    fitted = fit_forecaster(name, TRAIN, stop, settings, Watch(history.append))
    lowest = min(epoch.validation_loss for epoch in history)
    assert scaled_loss(fitted.forecast(stop), TRAIN, stop, settings) == pytest.approx(lowest, rel=1e-6)


def test_the_loss_of_forecasting_no_move_by_hand():
    settings = ForecastSettings(past_bars=2, future_bars=1)
    train, later = make_candles([1.0, 2.0, 4.0, 2.0]), make_candles([1.0, 1.0, 4.0, 4.0])
    still = np.zeros((4, 1))
    assert scaled_loss(still, train, later, settings) == pytest.approx((2**2 + 0**2) / 2)  # moves of 2 ln 2 and 0, in ln 2
    assert scaled_loss(np.log([[9.0], [4.0], [1.0], [9.0]]), train, later, settings) == pytest.approx(0)
