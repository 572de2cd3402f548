"""Forecasters of a rise: what is asked for, what they see, and that they find a planted pair of fields and nothing in noise."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles
from pydantic import ValidationError

from common import InputError
from features import FeaturePipeline, FeatureSettings
from features.forecasters import FIELD_MODELS, ForecastSettings, fit_forecaster, rises
from features.forecasters.candle_fields import field_rows, fit_edges
from market import Candles, simulate

FIELDS = ("hour", "weekday", "signs_1", "range_6")
SETTINGS = ForecastSettings(
    past_bars=8, future_bars=1, rise_bps=0, fields=FIELDS, threads=1, interactions={"epochs": 10, "learning_rate": 0.05}
)
BASE, MOVE = 0.5, 0.003


def planted(bars: int, seed: int, edge: float) -> Candles:
    """The sign of the next return is the product of the last sign and of the half of the day, with probability (1 + edge) / 2.

    Neither of the two alone says anything.
    """
    draw = np.random.default_rng(seed)
    signs, times = np.ones(bars, int), pd.date_range("2020-01-01", periods=bars, freq="1h", tz="UTC")
    halves = np.where(times.hour < 12, 1, -1)
    for bar in range(1, bars):
        agrees = draw.random() < (1 + edge) / 2
        signs[bar] = signs[bar - 1] * halves[bar - 1] * (1 if agrees else -1)
    sizes = np.abs(draw.normal(MOVE, MOVE / 5, bars))
    return make_candles(list(100 * np.exp(np.cumsum(signs * sizes))), start="2020-01-01")


def skill(name: str, candles: Candles, settings: ForecastSettings = SETTINGS) -> float:
    """Share of the base rate's squared error that is gone, on bars after those that were learned from."""
    first, second = len(candles) // 2, len(candles) * 5 // 8
    fitted = fit_forecaster(name, candles[:first], candles[first:second], settings)
    unseen = candles[second:]
    told = fitted.probability(unseen)
    assert told is not None
    ends = np.arange(settings.past_bars - 1, len(unseen) - settings.future_bars)
    came = rises(unseen.column("close"), ends, settings)
    return float(1 - ((told[ends] - came) ** 2).mean() / came.var())


def test_a_rise_is_a_close_within_the_horizon_that_exceeds_the_costs():
    close = np.array([100.0, 100.2, 99.0, 100.3, 90.0, 90.0])
    settings = SETTINGS.model_copy(update={"future_bars": 3, "rise_bps": 25.0})
    assert rises(close, np.array([0, 1, 2]), settings).tolist() == [1.0, 0.0, 1.0]
    assert rises(close, np.array([0]), settings.model_copy(update={"rise_bps": 31.0})).tolist() == [0.0]


def test_fields_by_hand():
    closes = [100.0, 101.0, 101.0, 99.0, 100.0, 103.0, 102.0]
    candles = make_candles(closes, start="2024-01-01 22:00")  # a Monday
    names = ("hour", "weekday", "signs_2", "range_3")
    edges = {"range_3": np.array([0.25, 0.75])}
    data = field_rows(candles, np.arange(7), np.zeros(7), names, edges)
    rows = data.block(0)
    told = [[data.feature_name(f) for f in rows.features[rows.starts[i] : rows.starts[i + 1]]] for i in range(7)]
    assert told[0] == ["hour=22", "weekday=Mon"]  # nothing is known yet of signs and ranges
    assert told[2][:3] == ["hour=00", "weekday=Tue", "signs_2=+0"]
    assert told[3][:3] == ["hour=01", "weekday=Tue", "signs_2=0-"]
    assert told[6][2] == "signs_2=+-"
    frame = candles.frame
    low, high = frame["low"][4:7].min(), frame["high"][4:7].max()
    place = (102.0 - low) / (high - low)
    assert told[6][3] == ("range_3=from 0.75" if place >= 0.75 else "range_3=0.25 to 0.75")
    assert data.n_features == 24 + 7 + 9 + 3
    assert data.field_names == names


def test_bins_are_quantiles_of_train_alone():
    candles = simulate("bitcoin", bars=900, seed=3)
    edges = fit_edges(candles[:600], ("volatility_6", "regime", "hour", "roc"), 4)
    assert {name: len(values) for name, values in edges.items()} == {"volatility_6": 3, "regime": 2, "roc": 3}
    rows = field_rows(candles[:600], np.arange(6, 600), np.zeros(594), ("volatility_6",), edges).block(0)
    assert np.bincount(rows.features).tolist() == pytest.approx([594 / 4] * 4, abs=1)
    again = field_rows(candles, np.arange(6, 600), np.zeros(594), ("volatility_6",), edges).block(0)
    assert again.features.tobytes() == rows.features.tobytes()


@pytest.mark.parametrize("name", [name for name in FIELD_MODELS if name not in ("lr", "wide_deep", "dcn_v2", "xdeepfm")])
def test_a_planted_pair_of_fields_is_found(name):
    """The best forecast has skill edge ** 2 = 0.36."""
    found = skill(name, planted(6_000, seed=0, edge=0.6), network(name))
    assert 0.22 < found < 0.45, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide_deep", "dcn_v2", "xdeepfm"])
def test_a_planted_pair_of_fields_is_found_by_the_others(name):
    found = skill(name, planted(6_000, seed=0, edge=0.6), network(name))
    assert 0.22 < found < 0.45, found


def test_a_linear_model_does_not_find_it():
    assert abs(skill("lr", planted(6_000, seed=0, edge=0.6))) < 0.01


@pytest.mark.parametrize("name", ["lr", "fm", "ffm", "deepfm"])
def test_in_noise_nothing_is_found(name):
    found = skill(name, planted(6_000, seed=1, edge=0.0), network(name))
    assert -0.05 < found < 0.01, found


def network(name: str) -> ForecastSettings:
    """Networks learn from few rows with larger steps than from many."""
    if name in ("lr", "fm", "ffm"):
        return SETTINGS
    return SETTINGS.model_copy(
        update={
            "interactions": SETTINGS.interactions.model_copy(
                update={"learning_rate": 0.01, "batch_size": 128, "hidden_layers": (16,), "k": 8}
            )
        }
    )


def test_columns_are_the_probability_the_end_of_the_path_and_the_members_spread():
    candles = simulate("bitcoin", bars=900, seed=4)
    forecasts = SETTINGS.model_copy(
        update={"models": ("fm",), "first_fit_bars": 400, "refit_bars": 200, "ensemble": 2, "past_bars": 32}
    )
    fitted = FeaturePipeline(FeatureSettings(indicators=("rsi",), forecasts=forecasts)).fit(candles[:800])
    table = fitted.out_of_fold(candles)
    assert list(table) == ["fm_probability", "fm_path_end", "fm_path_spread"]
    assert table["fm_probability"].between(0, 1).all()
    members = []
    for seed in (0, 1):
        cut = 400 - 400 // 5
        of_seed = forecasts.model_copy(update={"seed": seed})
        told = fit_forecaster("fm", candles[:cut], candles[cut:400], of_seed).probability(candles[:600])
        assert told is not None
        members.append(told)
    np.testing.assert_allclose(table["fm_probability"].to_numpy()[:200], np.mean(members, axis=0)[400:], rtol=1e-12)
    np.testing.assert_allclose(table["fm_path_spread"].to_numpy()[:200], np.std(members, axis=0)[400:], atol=1e-12)


def test_the_path_weighs_the_mean_paths_of_train_by_the_probability():
    candles = simulate("bitcoin", bars=700, seed=4)
    settings = SETTINGS.model_copy(update={"future_bars": 4, "rise_bps": 20.0})
    fitted = fit_forecaster("fm", candles[:400], candles[400:500], settings)
    close, ends = np.log(candles[:400].column("close")), np.arange(7, 396)
    paths = close[ends[:, None] + np.arange(1, 5)] - close[ends, None]
    came = rises(candles[:400].column("close"), ends, settings) == 1
    told = fitted.probability(candles)
    assert told is not None
    expected = told[10] * paths[came].mean(axis=0) + (1 - told[10]) * paths[~came].mean(axis=0)
    np.testing.assert_allclose(fitted.forecast(candles)[10], expected, rtol=1e-9)


def test_candles_without_volumes_leave_out_the_fields_made_of_them():
    settings = FeatureSettings(forecasts=ForecastSettings(models="fm", fields="hour,d_log_volume,signs_2,money_flow"))
    assert settings.without_volumes().forecasts.fields == ("hour", "signs_2")


def test_candles_without_volumes_say_which_fields_are_left():
    whole = simulate("bitcoin", bars=500, seed=0)
    bare = Candles(whole.frame.assign(volume=0.0, quote_volume=0.0), whole.bar, whole.symbol, "bare.csv")
    settings = SETTINGS.model_copy(update={"fields": ("hour", "d_log_volume", "signs_2")})
    with pytest.raises(InputError, match=r"leave such fields out: --features.forecasts.fields hour,signs_2"):
        fit_forecaster("fm", bare[:300], bare[300:], settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": "hour,weekdya"}, "did you mean 'weekday'"),
        ({"fields": "signs_9"}, "`signs_N` is for N from 1 to 6"),
        ({"fields": ""}, "needs a field, but got none"),
        ({"fields": "hour,hour"}, "each field may be named once"),
        ({"interactions": {"hidden_layers": ()}}, "layers are one width or more"),
    ],
)
def test_settings_that_can_not_be_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        ForecastSettings.model_validate(change)


def test_bars_that_never_rise_are_refused_in_one_line():
    with pytest.raises(InputError, match=r"a rise of more than 9000 bps within 1 bars must come now and then, but none of the"):
        fit_forecaster("fm", planted(400, 0, 0.0), planted(200, 1, 0.0), SETTINGS.model_copy(update={"rise_bps": 9_000.0}))
