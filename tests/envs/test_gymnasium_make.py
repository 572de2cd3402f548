"""`gymnasium.make` without features: the default ones, fitted once in a process for the same candles."""

import gymnasium
import numpy as np
import pytest

import envs.gymnasium_make as module
from common import InputError
from envs import ENV_ID, BitcoinTradingEnv, EnvSettings
from features import FeaturePipeline
from market import Candles, simulate

BARS = 700


@pytest.fixture
def fits(monkeypatch):
    """The hashes of the candles that were fitted on, in order."""
    fitted: list[str] = []
    fit = FeaturePipeline.fit

    def counted(self, train):
        fitted.append(train.sha256)
        return fit(self, train)

    monkeypatch.setattr(FeaturePipeline, "fit", counted)
    monkeypatch.setattr(module, "_kept", {})
    return fitted


def first(**arguments):
    return gymnasium.make(ENV_ID, **arguments).reset(seed=1)[0]


def test_two_environments_on_the_same_bars_fit_their_features_once(fits):
    np.testing.assert_array_equal(first(), first())
    gymnasium.make_vec(ENV_ID, num_envs=2, vectorization_mode="sync").reset(seed=1)
    gymnasium.make_vec(ENV_ID, num_envs=2, vectorization_mode="vector_entry_point").reset(seed=1)
    assert len(fits) == 1


def test_what_counts_is_the_content_of_the_candles(fits):
    candles, same, other = (simulate("bitcoin", bars=BARS, seed=seed) for seed in (3, 3, 4))
    one, two, three = (first(candles=each) for each in (candles, same, candles.frame))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    assert fits == [candles.sha256]
    assert not np.array_equal(one, first(candles=other))
    assert fits == [candles.sha256, other.sha256]
    changed = candles.frame.copy()
    changed.loc[changed.index[-1], "close"] = changed["low"].iloc[-1]
    first(candles=Candles(changed, candles.bar, "", "one close differs"))
    assert len(fits) == 3


def test_the_features_are_those_of_the_default_pipeline_and_few_are_kept(fits):
    several = [simulate("bitcoin", bars=BARS, seed=seed) for seed in range(module.KEPT_MATRICES + 1)]
    expected = FeaturePipeline().fit(several[0]).transform(several[0])
    by_hand = BitcoinTradingEnv(several[0], expected).reset(seed=1)[0]
    np.testing.assert_array_equal(first(candles=several[0]), by_hand)
    for candles in several[1:]:
        first(candles=candles)
    assert len(module._kept) == module.KEPT_MATRICES
    first(candles=several[-1])
    assert len(fits) == 2 + module.KEPT_MATRICES


def test_an_evaluation_and_several_series_bring_their_own_features(fits):
    candles = simulate("bitcoin", bars=BARS, seed=3)
    with pytest.raises(InputError, match="fitted on earlier bars"):
        gymnasium.make(ENV_ID, candles=candles, evaluation=True)
    with pytest.raises(InputError, match="several series need `features`"):
        gymnasium.make(ENV_ID, candles=[candles, candles])
    assert not fits


FRAME = simulate("bitcoin", bars=60, seed=1).frame
ROWS = np.zeros((60, 2), np.float32)


@pytest.mark.parametrize(
    "frame", [FRAME, FRAME.reset_index(), FRAME.rename(columns=str.capitalize)], ids=["ours", "flat", "Open"]
)
@pytest.mark.parametrize("mode", [None, "ansi", "rgb_array"])
def test_a_dataframe_is_as_good_as_candles(frame, mode):
    env = BitcoinTradingEnv(frame, ROWS, EnvSettings(), render_mode=mode)
    env.reset(seed=0)
    env.step(0)
    env.render()
    assert len(env.trades()) == 1


@pytest.mark.parametrize(
    ("candles", "features", "rule"),
    [
        (None, ROWS, "candles must be `Candles`.*got a NoneType"),
        ("btc.csv", ROWS, "candles must be `Candles`.*got a str"),
        (FRAME["close"], ROWS, "candles must be `Candles`.*got a Series"),
        (FRAME[["close"]], ROWS, "none of them is the open"),
        (FRAME, FRAME, "a FeatureMatrix or a float32 array, but got a DataFrame"),
        ([FRAME, FRAME], [FRAME, FRAME], "a FeatureMatrix or a float32 array, but got a DataFrame"),
        ([FRAME, FRAME], [[0.0], [0.0]], "a FeatureMatrix or a float32 array, but got a list"),
        ([FRAME, FRAME], ROWS, "a list of candles needs a list"),
    ],
)
def test_what_is_no_candles_and_no_features_gets_one_line(candles, features, rule):
    with pytest.raises(InputError, match=rule) as error:
        BitcoinTradingEnv(candles, features)
    assert "\n" not in str(error.value)
