"""What every forecaster promises, whatever it is made of; and what each of them can and can't find."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import make_candles

from features import SealError, write_sealed
from features.forecasters import FORECASTERS, NAMES, FittedForecaster, ForecastSettings, fit_forecaster
from features.sarimax import SarimaxSettings, fit_sarimax, forecasts
from market import Candles, InputError, simulate

SETTINGS = ForecastSettings(past_bars=24, future_bars=3, units=4, epochs=2, conv_layers=4, batch_size=64, threads=1)
CANDLES = simulate("bitcoin", bars=1_000, seed=8)
TRAIN, STOP = CANDLES[:500], CANDLES[500:700]
LEARNING = [name for name in NAMES if name not in ("last_value", "lag")]
FITTED = {name: fit_forecaster(name, TRAIN, STOP, SETTINGS) for name in NAMES}
every = pytest.mark.parametrize("name", NAMES)


def planted(bars: int, seed: int, memory: tuple[float, float] = (0.5, -0.3)) -> Candles:
    """Log returns that follow an AR(2) with noise of 1 %."""
    noise = np.random.default_rng(seed).normal(0, 0.01, bars)
    returns = np.zeros(bars)
    for bar in range(2, bars):
        returns[bar] = memory[0] * returns[bar - 1] + memory[1] * returns[bar - 2] + noise[bar]
    return make_candles(list(100 * np.exp(np.cumsum(returns))))


def share_of_the_last_value(forecaster: FittedForecaster, unseen: Candles, horizon: int = 1) -> float:
    """Mean squared error of the log return, against that of forecasting none."""
    close = np.log(unseen.column("close"))
    ends = np.arange(forecaster.settings.past_bars - 1, len(close) - horizon)
    moves = close[ends + horizon] - close[ends]
    return float(((forecaster.forecast(unseen)[ends, horizon - 1] - moves) ** 2).mean() / (moves**2).mean())


def test_the_registry_is_what_the_settings_know():
    assert tuple(FORECASTERS) == NAMES


@every
def test_forecasts_have_a_row_a_bar_and_a_column_a_horizon(name):
    paths = FITTED[name].forecast(CANDLES)
    assert (paths.shape, paths.dtype) == ((1_000, 3), np.float64)
    assert np.isnan(paths[:23]).all()
    assert np.isfinite(paths[23:]).all()


@every
def test_the_same_fit_gives_the_same_bytes(name):
    again = fit_forecaster(name, TRAIN, STOP, SETTINGS)
    assert again.forecast(CANDLES).tobytes() == FITTED[name].forecast(CANDLES).tobytes()


@every
@pytest.mark.parametrize("bars", [23, 24, 25, 278, 279, 280, 281, 534, 535, 536, 999])
def test_a_prefix_gives_the_first_rows_to_the_bit(name, bars):
    """Networks see 256 windows at a time, so rows lie at other places of other blocks."""
    part = FITTED[name].forecast(CANDLES[:bars])
    assert part.tobytes() == FITTED[name].forecast(CANDLES)[:bars].tobytes()


@every
def test_another_future_changes_nothing_up_to_it(name):
    known = 600
    rest = simulate("martingale", bars=400, seed=1).frame * 3.0
    frame = pd.concat([CANDLES.frame[:known], rest.set_axis(CANDLES.index[known:])]).rename_axis("time")
    other = FITTED[name].forecast(Candles(frame, CANDLES.bar, CANDLES.symbol, "another future"))
    true = FITTED[name].forecast(CANDLES)
    assert other[:known].tobytes() == true[:known].tobytes()
    if name != "last_value":
        assert (other[known:] != true[known:]).any()


@every
def test_a_later_beginning_changes_nothing_that_does_not_remember_it(name):
    later, true = FITTED[name].forecast(CANDLES[100:]), FITTED[name].forecast(CANDLES)
    if FORECASTERS[name].recursive:
        np.testing.assert_allclose(later[200:], true[300:], atol=1e-9)
    else:
        assert later[23:].tobytes() == true[123:].tobytes()


@every
def test_fewer_bars_than_a_window_are_not_forecast(name):
    assert np.isnan(FITTED[name].forecast(CANDLES[:10])).all()


@pytest.mark.parametrize("name", [name for name in LEARNING if name != "sarimax"])
def test_fewer_bars_than_a_window_are_not_learned_from(name):
    with pytest.raises(InputError, match=r"a window needs 24 \+ 3 rows without a gap, but the longest stretch .* has 20"):
        fit_forecaster(name, CANDLES[:20], STOP, SETTINGS)


@every
def test_saved_and_loaded_it_forecasts_the_same(name, tmp_path):
    FITTED[name].save(tmp_path / "forecaster.safetensors")
    again = FittedForecaster.load(tmp_path / "forecaster.safetensors")
    assert again.name == name
    assert again.forecast(CANDLES).tobytes() == FITTED[name].forecast(CANDLES).tobytes()
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "forecaster.safetensors").read_bytes()


@every
def test_a_damaged_file_is_refused_in_one_line(name, tmp_path):
    path = tmp_path / "forecaster.safetensors"
    FITTED[name].save(path)
    content = path.read_bytes()
    for place in np.linspace(8, len(content) - 1, 12).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(SealError) as refused:
            FittedForecaster.load(path)
        assert "\n" not in str(refused.value)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SealError):
        FittedForecaster.load(path)


def test_another_file_or_none_is_refused(tmp_path):
    with pytest.raises(SealError, match=r"there is no forecaster .*nothing"):
        FittedForecaster.load(tmp_path / "nothing")
    write_sealed(tmp_path / "agent", {"weights": torch.zeros(3)}, {"kind": "agent"})
    with pytest.raises(SealError, match="it holds a agent"):
        FittedForecaster.load(tmp_path / "agent")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "oracle"}, "but it has 1 of a oracle"),
        ({"format": 2}, "but it has 2 of a gru"),
        ({"settings": {"units": 5}}, "size mismatch|Error"),
        ({"settings": {"units": 10_000_000}}, "describes 10,000,000 units, but its largest array has"),
    ],
)
def test_a_description_that_does_not_fit_its_weights_is_refused(change, reason, tmp_path):
    """Sealed by another hand: before a network of ten million units would be made."""
    tensors = {key: torch.from_numpy(array.copy()) for key, array in FITTED["gru"].estimates.items()}
    about = {"kind": "forecaster", "format": 1, "name": "gru", "settings": SETTINGS.model_dump(mode="json")}
    about |= {key: about[key] | value if isinstance(value, dict) else value for key, value in change.items()}
    write_sealed(tmp_path / "forged", tensors, about)
    with pytest.raises(SealError, match=reason):
        FittedForecaster.load(tmp_path / "forged")


# --- what each of them computes ---------------------------------------------------------------------------------------------


def test_the_last_value_and_the_last_values_by_hand():
    settings = SETTINGS.model_copy(update={"past_bars": 3, "future_bars": 2})
    candles = make_candles([100.0, 110.0, 121.0, 100.0, 50.0])
    last, lag = (FittedForecaster(name, settings, {}).forecast(candles) for name in ("last_value", "lag"))
    assert last[2:].tolist() == [[0.0, 0.0]] * 3
    np.testing.assert_allclose(lag[2], [np.log(110 / 121), 0.0])  # the closes of two bars ago and of this one come again
    np.testing.assert_allclose(lag[4], [np.log(100 / 50), 0.0])


@pytest.mark.parametrize("target", ["log_return", "price"])
def test_linear_is_least_squares_of_the_future_on_the_past(target):
    """As everybody would write it, without scaling: the solution is the same."""
    settings = SETTINGS.model_copy(update={"target": target, "past_bars": 6})
    fitted = fit_forecaster("linear", TRAIN, STOP, settings)
    close = np.log(TRAIN.column("close")) if target == "log_return" else TRAIN.column("close")
    ends = np.arange(5, len(close) - 3)
    shown = close[ends[:, None] + np.arange(-5, 1)]
    future = close[ends[:, None] + np.arange(1, 4)]
    if target == "log_return":
        shown, future = shown - close[ends, None], future - close[ends, None]
    rows = np.column_stack([shown, np.ones(len(shown))])
    expected = rows @ np.linalg.lstsq(rows, future, rcond=1e-10)[0]
    if target == "price":
        expected = np.log(expected / close[ends, None])
    np.testing.assert_allclose(fitted.forecast(TRAIN)[ends], expected, atol=2e-5)


def test_sarimax_adds_up_the_returns_that_the_columns_show():
    settings = SarimaxSettings(forecast_len=3)
    means = forecasts(CANDLES, settings, fit_sarimax(TRAIN, settings))[[f"sarimax_mean_{h}" for h in (1, 2, 3)]]
    np.testing.assert_array_equal(FITTED["sarimax"].forecast(CANDLES)[23:], np.cumsum(means.to_numpy(), axis=1)[23:])


# --- what each of them finds ------------------------------------------------------------------------------------------------

LEARNER = ForecastSettings(
    past_bars=16, future_bars=3, units=8, epochs=25, conv_layers=4, batch_size=64, learning_rate=5e-3, dropout=0.0, threads=1
)


KINDS = {name: (name, {}) for name in LEARNING if name != "cnn"} | {
    f"cnn {layers}": ("cnn", {"conv_layers": layers, "past_bars": bars}) for layers, bars in ((2, 72), (3, 72), (4, 24))
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_autoregression_is_found(kind):
    """Of the next return's variance the best forecast leaves 0.78; SARIMAX(1, 0, 1) cannot hold the second lag in full."""
    name, changes = KINDS[kind]
    candles = planted(4_000, seed=0)
    fitted = fit_forecaster(name, candles[:2_500], candles[2_500:3_000], LEARNER.model_copy(update=changes))
    share = share_of_the_last_value(fitted, candles[3_000:])
    assert 0.70 < share < 0.88, share


@pytest.mark.parametrize("kind", KINDS)
def test_in_noise_nothing_is_found(kind):
    """Beyond chance, which is a per cent or two over 1,000 bars; what was learned of noise costs something instead."""
    name, changes = KINDS[kind]
    candles = planted(4_000, seed=1, memory=(0.0, 0.0))
    fitted = fit_forecaster(name, candles[:2_500], candles[2_500:3_000], LEARNER.model_copy(update=changes))
    share = share_of_the_last_value(fitted, candles[3_000:])
    assert 0.98 < share < 1.05, share
