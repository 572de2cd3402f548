"""One agent trades several coins, so all have the same columns; everything else is estimated for each on its own train range."""

import numpy as np
import pytest
from helpers import make_coin

from common import InputError
from features import CoinFeatures, FeaturePipeline, FeatureSettings, load_features

COINS = [make_coin("BTC/USD", 600), make_coin("ETH/USD", 500, seed=1, late=100, price=1e-7), make_coin("SOL/USD", 550, seed=2)]
NAMES = ("rsi", "ema_8", "ema_24", "adx", "obv_diff", "bollinger_width")
SETTINGS = FeatureSettings.model_validate({"indicators": NAMES, "keep_indicators": 4, "sarimax": {"forecast_len": 0}})


def fit(settings=SETTINGS, coins=COINS, cache=None) -> CoinFeatures:
    fitted = FeaturePipeline(settings, cache).fit_coins(coins)
    assert isinstance(fitted, CoinFeatures)
    return fitted


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(array, other[name]) for name, array in one.items())


def test_all_coins_have_the_same_columns():
    fitted = fit()
    assert [candles.symbol for candles in COINS] == list(fitted.by_symbol)
    assert {each.names for each in fitted.by_symbol.values()} == {fitted.names}
    assert {fitted.transform(candles).names for candles in COINS} == {fitted.names}
    assert len(set(NAMES) & set(fitted.names)) == 4
    assert "2 correlated indicators dropped" in fitted.in_words


def test_which_indicators_remain_is_judged_on_all_coins_alike():
    """So no coin comes first: any order gives the same, and prices and lengths count for nothing."""
    assert fit(coins=COINS[::-1]).names == fit().names
    dear = [COINS[0], make_coin("ETH/USD", 500, seed=1, late=100, price=1e5), COINS[2]]
    assert fit(coins=dear).names == fit().names


def test_all_else_is_estimated_on_the_coin_alone():
    """As it would be without the others, once the columns are the same; so no bar of one coin says anything of another's."""
    settings = FeatureSettings(indicators=NAMES, keep_indicators=len(NAMES))
    fitted = fit(settings, COINS[:2])
    for candles in COINS[:2]:
        alone = FeaturePipeline(settings).fit(candles)
        assert same(fitted.of(candles).estimated, alone.estimated)
        np.testing.assert_array_equal(fitted.transform(candles).values, alone.transform(candles).values)


def test_prices_of_any_size_look_alike():
    tiny, huge = (make_coin("ETH/USD", 600, seed=1, price=price) for price in (1e-8, 1e5))
    one, other = (fit(coins=[COINS[0], coin]).transform(coin).values for coin in (tiny, huge))
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_forecast_columns_are_the_coins_own():
    forecasts = {"models": ("linear",), "past_bars": 32, "future_bars": 2, "first_fit_bars": 300, "refit_bars": 100, "threads": 1}
    forecasts |= {"ensemble": 1, "epochs": 2}
    settings = FeatureSettings.model_validate({"indicators": (), "sarimax": {"forecast_len": 0}, "forecasts": forecasts})
    fitted = fit(settings, COINS[:2])
    for candles in COINS[:2]:
        alone = FeaturePipeline(settings).fit(candles)
        assert same(fitted.of(candles).estimates["forecasts"], alone.estimates["forecasts"])
        np.testing.assert_array_equal(fitted.out_of_fold(candles), alone.out_of_fold(candles))


def test_what_is_saved_or_cached_is_what_was_fitted(tmp_path):
    fitted = fit(cache=tmp_path / "cache")
    fitted.save(tmp_path / "agent")
    again = fit(cache=tmp_path / "cache")
    for other in (load_features(tmp_path / "agent"), again):
        assert isinstance(other, CoinFeatures)
        assert list(other.by_symbol) == list(fitted.by_symbol)
        for candles in COINS:
            assert same(other.of(candles).estimated, fitted.of(candles).estimated)
            np.testing.assert_array_equal(other.transform(candles).values, fitted.transform(candles).values)


def test_one_series_is_fitted_as_it_is_alone(tmp_path):
    one, alone = FeaturePipeline(SETTINGS).fit_coins(COINS[:1]), FeaturePipeline(SETTINGS).fit(COINS[0])
    assert not isinstance(one, CoinFeatures)
    assert same(one.estimated, alone.estimated)
    one.save(tmp_path)
    assert not isinstance(load_features(tmp_path), CoinFeatures)


def test_a_coin_that_was_not_trained_on_is_refused():
    with pytest.raises(InputError, match="were fitted on BTC/USD, ETH/USD, SOL/USD, but the candles are of DOGE/USD"):
        fit().transform(make_coin("DOGE/USD"))


def test_a_coin_with_too_few_bars_is_refused_by_name():
    with pytest.raises(InputError, match=r"fitting needs 100 bars after a warm-up of \d+, but ETH/USD has 120"):
        fit(coins=[COINS[0], make_coin("ETH/USD", 120)])


def test_damaged_files_are_refused(tmp_path):
    fit().save(tmp_path)
    (tmp_path / "coins.json").write_text("{")
    with pytest.raises(InputError, match="cannot read the coins of the features in "):
        load_features(tmp_path)


def test_features_of_one_coin_are_not_taken_for_those_of_another(tmp_path):
    fit().save(tmp_path)
    (tmp_path / "coin-1").rename(tmp_path / "aside")
    (tmp_path / "coin-2").rename(tmp_path / "coin-1")
    (tmp_path / "aside").rename(tmp_path / "coin-2")
    with pytest.raises(InputError, match="do not belong together"):
        load_features(tmp_path)
