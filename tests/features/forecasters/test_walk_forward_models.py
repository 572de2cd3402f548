"""Forecasts as columns: every bar's come from models of bars that had ended before it opened."""

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features import FeaturePipeline, FeatureSettings, FittedFeatures
from features.forecasters import ForecastSettings, fit_and_stop, fit_forecaster, registry as registry_module, walk_forward
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=1_100, seed=4)
TRAIN = CANDLES[:900]
TINY = ForecastSettings(
    models="linear,sarimax,cnn,gru", past_bars=32, future_bars=4, first_fit_bars=400, refit_bars=200, ensemble=2, units=4,
    epochs=2, conv_layers=4, batch_size=64, threads=1,
)  # fmt: skip
SETTINGS = FeatureSettings(indicators=("rsi",), forecasts=TINY)
FITTED = FeaturePipeline(SETTINGS).fit(TRAIN)
MARKS = [400, 600, 800, 900]
COLUMNS = FITTED.out_of_fold(CANDLES)


def path_at(candles: Candles, bar: int, name: str, seed: int, mark: int) -> np.ndarray:
    """(K,): fitted on the bars before the mark, and asked at the bar."""
    fitted = fit_forecaster(name, *fit_and_stop(name, candles[:mark]), TINY.model_copy(update={"seed": seed}))
    return fitted.forecast(candles[: bar + 1])[bar]


@pytest.mark.parametrize(("bar", "mark"), [(400, 400), (599, 400), (600, 600), (899, 800), (900, 900), (1_099, 900)])
@pytest.mark.parametrize("name", ["linear", "sarimax", "cnn"])
def test_a_bar_is_forecast_by_the_newest_model_of_bars_that_ended_before_it(bar, mark, name):
    seeds = (0, 1) if name == "cnn" else (0,)
    paths = np.stack([path_at(CANDLES, bar, name, seed, mark) for seed in seeds])
    row = COLUMNS.loc[CANDLES.index[bar]]
    np.testing.assert_allclose(row[f"{name}_path_mean"], paths.mean(axis=0).mean(), rtol=1e-12)
    np.testing.assert_allclose(row[f"{name}_path_end"], paths.mean(axis=0)[-1], rtol=1e-12)
    if name == "cnn":
        np.testing.assert_allclose(row["cnn_path_spread"], abs(paths[0, -1] - paths[1, -1]) / 2, rtol=1e-9)


def test_no_model_is_shown_a_bar_that_it_will_be_asked_for(monkeypatch):
    """Each model here forecasts one number: when the last bar that it was trained on had ended."""

    def estimate(train, validation, settings, watch):
        ends = max(train.index[-1], validation.index[-1]) + train.bar
        return {"ended": np.array((ends - CANDLES.index[0]) / train.bar)}

    def forecast(candles, settings, estimates):
        rows = np.full((len(candles), settings.future_bars), estimates["ended"])
        rows[: settings.past_bars - 1] = np.nan
        return rows

    for name, forecaster in registry_module.FORECASTERS.items():
        dated = forecaster._replace(estimate=estimate, forecast=forecast)
        monkeypatch.setitem(registry_module.FORECASTERS, name, dated)
    fitted = FeaturePipeline(SETTINGS).fit(TRAIN)
    for candles in (CANDLES, CANDLES[150:]):
        table = fitted.out_of_fold(candles)
        opened = np.arange(len(CANDLES))[-len(table) :]
        expected = np.select([opened < 600, opened < 800, opened < 900], [400, 600, 800], 900)
        for name in (str(column) for column in table if not str(column).endswith("spread")):
            assert (table[name] <= opened).all(), name
            np.testing.assert_array_equal(table[name], expected, err_msg=name)
    assert FITTED.estimates["forecasts"]["marks"].tolist() == [CANDLES.index[mark].value for mark in MARKS]


def test_columns_are_named_and_only_networks_have_a_spread():
    assert list(COLUMNS) == [
        "linear_path_mean", "linear_path_end", "sarimax_path_mean", "sarimax_path_end",
        "cnn_path_mean", "cnn_path_end", "cnn_path_spread", "gru_path_mean", "gru_path_end", "gru_path_spread",
    ]  # fmt: skip
    assert set(COLUMNS) <= set(FITTED.names)
    assert COLUMNS.index[0] == CANDLES.index[400]
    assert np.isfinite(COLUMNS.to_numpy()).all()


@pytest.mark.parametrize("bars", [401, 402, 601, 777, 900, 901, 1_099])
def test_a_prefix_gives_the_first_rows_to_the_bit(bars):
    part = FITTED.out_of_fold(CANDLES[:bars])
    assert part.to_numpy().tobytes() == COLUMNS.iloc[: len(part)].to_numpy().tobytes()
    assert len(part) == bars - 400


@pytest.mark.slow
def test_other_last_bars_of_train_change_no_forecast_before_them():
    known = 650
    rest = simulate("martingale", bars=900 - known, seed=9).frame * 0.5
    frame = pd.concat([TRAIN.frame[:known], rest.set_axis(TRAIN.index[known:])]).rename_axis("time")
    other = Candles(frame, TRAIN.bar, TRAIN.symbol, "another end")
    again = FeaturePipeline(SETTINGS).fit(other).out_of_fold(other)
    before = known - 400
    assert again.iloc[:before].to_numpy().tobytes() == COLUMNS.iloc[:before].to_numpy().tobytes()
    assert (again.iloc[before:].to_numpy() != COLUMNS.iloc[before : len(again)].to_numpy()).any(axis=0).all()


def test_the_newest_row_comes_from_the_look_back_alone():
    whole = FITTED.transform(CANDLES).values
    for end in (1_000, 1_050, 1_100):
        live = FITTED.transform(CANDLES[end - FITTED.lookback : end]).values[-1]
        np.testing.assert_allclose(live, whole[end - FITTED.transform(CANDLES).warmup - 1], atol=1e-6)
    networks = [FITTED.names.index(name) for name in ("cnn_path_end", "gru_path_mean", "linear_path_end")]
    assert set(FITTED.memory[networks]) == {TINY.past_bars}


@pytest.mark.slow
def test_bars_older_than_the_models_are_refused_with_the_time_from_which_on_it_works():
    late = FeaturePipeline(SETTINGS).fit(CANDLES[100:1_000])
    with pytest.raises(InputError, match=r"give candles from 2017-01-05 04:00:00\+00:00 on, or fit anew"):
        late.out_of_fold(CANDLES)
    assert len(late.out_of_fold(CANDLES[100:])) == 600


def test_too_few_bars_are_refused_in_one_line():
    with pytest.raises(InputError, match=r"after a warm-up of 400, but .* has 450; give more candles"):
        FeaturePipeline(SETTINGS).fit(CANDLES[:450])


def test_saved_features_forecast_the_same(tmp_path):
    FITTED.save(tmp_path)
    again = FittedFeatures.load(tmp_path)
    assert again.out_of_fold(CANDLES).to_numpy().tobytes() == COLUMNS.to_numpy().tobytes()
    assert again.transform(CANDLES).values.tobytes() == FITTED.transform(CANDLES).values.tobytes()


def test_the_second_fit_trains_nothing(tmp_path, monkeypatch):
    small = FeatureSettings(indicators=(), forecasts=TINY.model_copy(update={"models": ("linear",)}))
    first = FeaturePipeline(small, tmp_path).fit(TRAIN)
    for name in registry_module.FORECASTERS:
        refusing = registry_module.FORECASTERS[name]._replace(estimate=lambda *given: pytest.fail("trained again"))
        monkeypatch.setitem(registry_module.FORECASTERS, name, refusing)
    second = FeaturePipeline(small, tmp_path).fit(TRAIN)
    assert second.out_of_fold(CANDLES).equals(first.out_of_fold(CANDLES))


def test_bars_that_a_repair_filled_in_are_part_of_the_key(tmp_path):
    """Same prices, another mask: other windows, so another forecaster."""
    small = FeatureSettings(indicators=(), forecasts=TINY.model_copy(update={"models": ("linear",)}))
    filled = np.zeros(len(TRAIN), bool)
    filled[300:310] = True
    repaired = Candles(TRAIN.frame, TRAIN.bar, TRAIN.symbol, TRAIN.source, filled)
    plain, other = (FeaturePipeline(small, tmp_path).fit(train).out_of_fold(CANDLES) for train in (TRAIN, repaired))
    assert repaired.sha256 == TRAIN.sha256
    assert not plain.equals(other)


def test_without_a_model_there_are_no_columns():
    fitted = FeaturePipeline(FeatureSettings(indicators=())).fit(TRAIN)
    assert not len(fitted.out_of_fold(CANDLES).columns)
    assert not any("path" in name for name in fitted.names)


def test_candles_within_a_window_have_no_row():
    assert walk_forward(CANDLES[:10], TINY, FITTED.estimates["forecasts"]).isna().all(axis=None)
