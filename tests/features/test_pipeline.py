"""The fitted pipeline: causal to the bit, fitted on train alone, bounded, saved without code, and honest about its memory."""

import json

import numpy as np
import pandas as pd
import pytest
from gymnasium import spaces
from helpers import examples, record
from hypothesis import given, settings, strategies as st

from agents import TrialSettings
from common import InputError
from envs import HOLD, BitcoinTradingEnv
from features import FAMILIES, INDICATORS, Family, FeaturePipeline, FeatureSettings, FittedFeatures, Indicator, warmup_bars
from features.column_families import compute_columns
from market import Candles, read_candles, resample, simulate, split
from training import TrainingListener, TrainSettings, train_agent

CANDLES = simulate("bitcoin", bars=2_500, seed=11)
TRAIN = CANDLES[:2_000]
EVERYTHING = FeatureSettings.model_validate({
    "differencing": "both", "fractional_threshold": 1e-3, "sarimax": {"forecast_len": 3}, "window": 2,
})  # fmt: skip
FITTED = FeaturePipeline(EVERYTHING).fit(TRAIN)
WHOLE = FITTED.transform(CANDLES)


def with_another_future(candles: Candles, after: int, factor: float) -> Candles:
    frame = candles.frame.copy()
    frame.iloc[after + 1 :] *= factor
    return Candles(frame, candles.bar, candles.symbol, "another future")


@settings(max_examples=examples(25), deadline=None)
@given(bar=st.integers(WHOLE.warmup, len(CANDLES) - 2), factor=st.floats(0.01, 100))
def test_changing_the_future_changes_nothing_before_it(bar, factor):
    changed = FITTED.transform(with_another_future(CANDLES, bar, factor))
    rows = bar + 1 - WHOLE.warmup
    assert changed.values[:rows].tobytes() == WHOLE.values[:rows].tobytes()


@settings(max_examples=examples(25), deadline=None)
@given(n=st.integers(WHOLE.warmup + 1, len(CANDLES)))
def test_features_of_a_prefix_are_the_prefix_of_the_features(n):
    prefix = FITTED.transform(CANDLES[:n])
    assert prefix.values.tobytes() == WHOLE.values[: len(prefix)].tobytes()
    assert len(prefix) == n - WHOLE.warmup


def with_another_market(candles: Candles, after: int) -> Candles:
    """Other bars, at three times the price, behind bar `after`."""
    frame = candles.frame.copy()
    frame.iloc[after + 1 :] = 3 * simulate("ou", bars=len(candles), seed=5).frame.iloc[after + 1 :]
    return Candles(frame, candles.bar, candles.symbol, "another market")


class HasBegun(Exception):
    pass


class StopsAtTheStart(TrainingListener):
    def on_start(self, step, history, checkpoint):
        raise HasBegun


FEW = FeatureSettings(indicators=("rsi", "sma_12", "sma_26", "ema_8"), keep_indicators=2, volatility_bars=(6,))


def fitted_for_a_training(candles: Candles, monkeypatch) -> FittedFeatures:
    """What a training on the train range of these candles fits; it ends before its first step."""
    fit, fitted = FeaturePipeline.fit, []

    def fit_and_keep(self, train):
        fitted.append(fit(self, train))
        return fitted[-1]

    monkeypatch.setattr(FeaturePipeline, "fit", fit_and_keep)
    with pytest.raises(HasBegun):
        train_agent(split(candles), TrialSettings(features=FEW), TrainSettings(), seed=0, listener=StopsAtTheStart())
    monkeypatch.undo()
    assert len(fitted) == 1
    return fitted[0]


def test_nothing_is_fitted_outside_train(monkeypatch):
    """A training fits on the first 60 % of the bars; those after them, another market, change nothing that it estimated."""
    candles, train_bars = CANDLES[:500], 300
    other = with_another_market(candles, train_bars - 1)
    one, two = (fitted_for_a_training(each, monkeypatch) for each in (candles, other))
    alone = FeaturePipeline(FEW).fit(candles[:train_bars])
    assert one.fitted_on_sha256 == candles[:train_bars].sha256
    assert one.estimated.keys() == two.estimated.keys() == alone.estimated.keys()
    for name, array in alone.estimated.items():
        assert one.estimated[name].tobytes() == two.estimated[name].tobytes() == array.tobytes(), name
    more = FeaturePipeline(FEW).fit(other[: train_bars + 100])
    for name in ("center", "scale", "sarimax/params"):  # so the comparison above could have failed
        assert more.estimated[name].tobytes() != alone.estimated[name].tobytes()


def test_what_was_estimated_is_all_there():
    assert {"names", "center", "scale", "memory"} < FITTED.estimated.keys()
    assert any(name.startswith("sarimax/") for name in FITTED.estimated)
    assert FITTED.estimated["names"].tolist() == list(FITTED.names)


def test_the_matrix_is_finite_bounded_float32_and_read_only():
    assert WHOLE.values.dtype == np.float32
    assert WHOLE.values.shape == (len(CANDLES) - WHOLE.warmup, 2 * len(FITTED.names)) == (len(WHOLE.index), len(WHOLE.names))
    assert np.isfinite(WHOLE.values).all()
    assert np.abs(WHOLE.values).max() <= WHOLE.bound == 5
    with pytest.raises(ValueError, match="read-only"):
        WHOLE.values[0, 0] = 1.0


@pytest.mark.parametrize("scaler", ["robust", "standard", "minmax"])
@pytest.mark.parametrize("traded", [True, False])
def test_values_stay_within_the_bound_on_any_later_data(scaler, traded):
    """A thousandfold jump, a crash to a millionth, then nothing at all; after a train range with volumes or with a single one."""
    frame, bars = CANDLES.frame[:1_100].copy(), 700
    if not traded:
        frame.iloc[1:bars, 4:] = 0.0  # without the first one, columns of volumes would not be there at all
    train = Candles(frame[:bars], CANDLES.bar, "", "a calm market")
    fitted = FeaturePipeline(FeatureSettings(scaler=scaler)).fit(train)
    frame.iloc[750:800] *= 1e3
    frame.iloc[800:850] *= 1e-6
    frame.iloc[850:1_000, 4:] = 0.0
    frame.loc[frame.index[850:1_000], frame.columns[:4]] = frame["close"].iloc[849]
    wild = Candles(frame, CANDLES.bar, "", "a wild market")
    matrix = fitted.transform(wild)
    assert np.isfinite(matrix.values).all()
    assert (matrix.values.min(), matrix.values.max()) == (-5, 5)
    env = BitcoinTradingEnv(wild, matrix, evaluation=True)
    space, width = env.observation_space, len(matrix.names)
    assert isinstance(space, spaces.Box)
    assert (set(space.low[:width]), set(space.high[:width])) == ({-5.0}, {5.0})
    steps = record(env, [4 * HOLD] * (len(matrix) - 1))
    assert steps[-1].truncated
    assert len(steps) == len(matrix) - 1
    assert all(space.contains(step.observation) for step in steps)


def test_38_indicators_or_more_remain_by_default():
    fitted = FeaturePipeline().fit(TRAIN)
    assert len(fitted.kept) >= 38
    assert set(fitted.kept) | set(fitted.dropped) == set(INDICATORS)
    assert len({INDICATORS[name].group for name in fitted.kept}) == 5
    assert f"{len(fitted.dropped)} correlated indicators dropped" in fitted.in_words


def test_which_indicators_remain_is_decided_on_train_and_then_frozen():
    kept = FeaturePipeline().fit(TRAIN).kept
    other = FeaturePipeline().fit(simulate("ou", bars=1_000, seed=1)).kept
    assert kept != other  # so the choice does depend on what it is fitted on
    assert [name for name in FITTED.names if name in INDICATORS] == list(FITTED.kept)


SLOW = {"indicators": ("rsi", "adx", "ema_26", "tsi"), "volatility_bars": (), "sarimax": {"forecast_len": 0}}
"""averages that never forget their start, and no window that is longer than their memory"""


@pytest.mark.parametrize("given", [None, SLOW, SLOW | {"window": 9}])
def test_the_newest_row_comes_from_the_last_look_back_bars_alone(given):
    fitted = FITTED if given is None else FeaturePipeline(FeatureSettings.model_validate(given)).fit(TRAIN[:1_200])
    whole = fitted.transform(CANDLES)
    assert whole.warmup < fitted.lookback < 1_200
    for end in np.random.default_rng(0).integers(fitted.lookback, len(CANDLES), 40):
        alone = fitted.transform(CANDLES[end - fitted.lookback : end])
        np.testing.assert_allclose(alone.values[-1], whole.values[end - 1 - whole.warmup], rtol=0, atol=1e-6)


def test_the_look_back_is_not_longer_than_it_must_be():
    """Half of it does not give the newest row: so it was measured, not just taken large."""
    fitted = FeaturePipeline(FeatureSettings(indicators=(), volatility_bars=())).fit(TRAIN)
    assert fitted.warmup < fitted.lookback // 2
    alone = fitted.transform(CANDLES[-fitted.lookback // 2 :])
    assert np.abs(alone.values[-1] - fitted.transform(CANDLES).values[-1]).max() > 1e-6


@pytest.mark.parametrize("indicators", [("rsi", "roc"), ()])
def test_a_column_remembers_what_its_definition_says(indicators):
    quiet = {"calendar": True, "volatility_bars": (5,), "sarimax": {"forecast_len": 0}, "indicators": indicators}
    fitted = FeaturePipeline(FeatureSettings.model_validate(quiet)).fit(TRAIN)
    memory = dict(zip(fitted.names, fitted.memory.tolist(), strict=True))
    assert memory["hour_sin"] == 1
    assert memory["d_log_close"] == 2
    assert memory["volatility_5"] == 6  # five returns have six closes
    if indicators:
        assert memory["roc"] == INDICATORS["roc"].warmup + 1
        assert 200 < memory["rsi"] < 400  # Wilder's average of 14: (13/14)^n < 1e-7 from n = 218 on


def test_a_memory_without_end_is_said(monkeypatch):
    forever = Indicator(lambda bars: np.log(bars.close).cumsum(), 1, 0.0)
    monkeypatch.setitem(INDICATORS, "forever", forever)
    fitted = FeaturePipeline(FeatureSettings(indicators=("forever",))).fit(TRAIN)
    assert fitted.lookback == len(TRAIN)
    assert "forever still depends on where the data begin" in fitted.in_words
    assert "train on more bars or leave it out" in fitted.in_words


def test_a_window_stacks_the_rows_before_oldest_first():
    one = FeaturePipeline().fit(TRAIN).transform(CANDLES)
    fitted = FeaturePipeline(FeatureSettings(window=3)).fit(TRAIN)
    three = fitted.transform(CANDLES)
    width = len(one.names)
    assert three.values.shape == (len(one) - 2, 3 * width)
    for age in (0, 1, 2):
        block = three.values[:, (2 - age) * width : (3 - age) * width]
        assert block.tobytes() == one.values[2 - age : len(one) - age].tobytes()
    assert three.names[0] == f"{one.names[0]}[-2]"
    assert three.names[-1] == one.names[-1]
    assert (three.index == one.index[2:]).all()
    assert fitted.lookback == FeaturePipeline().fit(TRAIN).lookback + 2


def test_a_column_is_added_with_a_function_and_a_line(monkeypatch):
    monkeypatch.setitem(INDICATORS, "range", Indicator(lambda bars: (bars.high - bars.low) / bars.close, 0, 0.0))
    settings = FeatureSettings(keep_indicators=len(INDICATORS))
    matrix = FeaturePipeline(settings).fit(TRAIN).transform(CANDLES)
    assert "range" in matrix.names
    assert matrix.values[:, matrix.names.index("range")].std() > 0


def test_a_family_that_estimates_is_added_with_a_line(monkeypatch, tmp_path):
    """Its estimates come from train, travel in the files, and reach its columns."""

    def column(candles, settings, estimates):
        return pd.DataFrame({"above_train": candles.frame["close"] / estimates["level"][0] - 1})

    family = Family(
        chosen=lambda s: True, warmup=lambda s: 0, compute=column,
        fit=lambda train, s: {"level": np.array([train.frame["close"].mean()])}, notes=lambda e, s: ["a level was estimated"],
    )  # fmt: skip
    monkeypatch.setitem(FAMILIES, "level", family)
    fitted = FeaturePipeline(FeatureSettings(indicators=())).fit(TRAIN)
    assert fitted.estimates["level"]["level"][0] == TRAIN.frame["close"].mean()
    fitted.save(tmp_path)
    again = FittedFeatures.load(tmp_path)
    assert again.transform(CANDLES).values.tobytes() == fitted.transform(CANDLES).values.tobytes()
    assert again.notes == ("a level was estimated",)


def test_a_column_that_is_not_finite_is_named(monkeypatch):
    def column(candles, settings, estimates):
        return pd.DataFrame({"broken": np.where(np.arange(len(candles)) == 500, np.nan, 1.0)}, index=candles.index)

    monkeypatch.setitem(FAMILIES, "broken", Family(lambda s: True, lambda s: 0, column))
    with pytest.raises(InputError, match=rf"`broken` is nan at {CANDLES.index[500].date()}.*mend the function"):
        FeaturePipeline(FeatureSettings(indicators=())).fit(TRAIN)


def test_saved_features_transform_to_the_same_bytes(tmp_path):
    FITTED.save(tmp_path)
    loaded = FittedFeatures.load(tmp_path)
    assert loaded.transform(CANDLES).values.tobytes() == WHOLE.values.tobytes()
    assert loaded.fitted_on_sha256 == TRAIN.sha256
    assert (loaded.lookback, loaded.notes, loaded.kept, loaded.bar) == (FITTED.lookback, FITTED.notes, FITTED.kept, FITTED.bar)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["features.json", "features.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 50, b"[]", None])
def test_damaged_files_get_one_line(tmp_path, name, content):
    FITTED.save(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read the features .*train again") as caught:
        FittedFeatures.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["features.json", "features.safetensors"])
def test_a_flipped_bit_anywhere_is_noticed(tmp_path, name):
    """Of the numbers that scale each column, and of what they are said to be."""
    FITTED.save(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, max(len(whole) // 97, 1)):
        flipped = bytes([whole[place] ^ 1])
        if flipped.isspace() and whole[place : place + 1].isspace():
            continue  # how a file is laid out says nothing
        path.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        with pytest.raises(InputError, match="cannot read the features"):
            FittedFeatures.load(tmp_path)
    path.write_bytes(whole)
    assert FittedFeatures.load(tmp_path).fitted_on_sha256 == TRAIN.sha256


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 1}, "has format 1"),
        ({"names": ["d_log_close"]}, "do not belong together"),
        ({"bar": "soon"}, "cannot read the features"),
    ],
)
def test_files_of_another_kind_get_one_line(tmp_path, change, says):
    FITTED.save(tmp_path)
    about = json.loads((tmp_path / "features.json").read_text())
    del about["sha256"]  # as an older version wrote it: a seal would say that it was changed, and no more
    (tmp_path / "features.json").write_text(json.dumps(about | change))
    with pytest.raises(InputError, match=says):
        FittedFeatures.load(tmp_path)


def test_bars_of_another_length_are_refused():
    with pytest.raises(InputError, match=r"fitted on bars of 1h mean something else on bars of 1d .*resample the candles"):
        FITTED.transform(resample(simulate("bitcoin", bars=24 * 700, seed=1), pd.Timedelta("1D")))


def test_columns_that_are_no_longer_computed_are_refused(monkeypatch, tmp_path):
    FITTED.save(tmp_path)
    calendar = FAMILIES["calendar"]
    monkeypatch.setitem(FAMILIES, "calendar", calendar._replace(chosen=lambda s: False))
    with pytest.raises(InputError, match=r"here others are computed, `hour_sin` among them; load the plugin"):
        FittedFeatures.load(tmp_path).transform(CANDLES)


def test_since_skips_to_a_bar_of_the_candles():
    late = WHOLE.since(600)
    assert late.index[0] == CANDLES.index[600]
    assert late.values.tobytes() == WHOLE.values[600 - WHOLE.warmup :].tobytes()
    assert WHOLE.since(3).index[0] == CANDLES.index[WHOLE.warmup]


def test_too_few_bars_get_one_line():
    with pytest.raises(InputError, match="100 bars after a warm-up"):
        FeaturePipeline().fit(CANDLES[:200])
    with pytest.raises(InputError, match=f"more than {FITTED.warmup} bars"):
        FITTED.transform(CANDLES[: FITTED.warmup])


def test_the_warm_up_is_that_of_the_slowest_column():
    def warmup(**given):
        few = {"indicators": (), "volatility_bars": (), "calendar": False, "sarimax": {"forecast_len": 0}}
        return warmup_bars(FeatureSettings.model_validate(few | given))

    assert warmup() == 1
    assert warmup(window=4) == 4
    assert warmup(volatility_bars=(5, 50)) == 50
    assert warmup(indicators=("roc", "sma_168")) == INDICATORS["sma_168"].warmup > warmup(indicators=("roc",))


@pytest.mark.parametrize("length", [2, 50, 300])
def test_short_series_are_computed_too(length):
    table = compute_columns(CANDLES[:length], FITTED.settings, FITTED.estimates)
    whole = compute_columns(CANDLES, FITTED.settings, FITTED.estimates)
    pd.testing.assert_frame_equal(table, whole.iloc[:length], rtol=0, atol=0)


def test_real_candles_become_finite_features(coinbase_hourly):
    candles = read_candles(coinbase_hourly)
    fitted = FeaturePipeline().fit(candles[:10_000])
    matrix = fitted.transform(candles)
    assert np.isfinite(matrix.values).all()
    assert matrix.values[:9_000].std(axis=0).min() > 0.1
    assert fitted.notes == ()
    end = 17_000
    alone = fitted.transform(candles[end - fitted.lookback : end]).values[-1]
    np.testing.assert_allclose(alone, matrix.values[end - 1 - matrix.warmup], rtol=0, atol=1e-6)
