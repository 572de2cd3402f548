"""One agent on several coins: validated by their mean, blind to all of their test ranges, and resumed to the bit."""

import numpy as np
import pytest
from helpers import make_coin
from trainings import SMALL, newest, train

from agents import CheckpointError, CheckpointFolder
from configs import Experiment
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play
from evaluation.statistics import growth_error, log_growth
from features import CoinFeatures, FeatureSettings
from market import Candles, CoinSplits, Split, split_coins
from training import training_loop

FEATURES = FeatureSettings.model_validate({"indicators": ("rsi", "ema_8"), "sarimax": {"forecast_len": 0}})
COINS = [make_coin("BTC/USD", 900), make_coin("ETH/USD", 700, seed=1, late=200, price=1e-6)]
PARTS = split_coins(COINS)


def weights_of(trained):
    return b"".join(tensor.numpy().tobytes() for tensor in trained.agent.policy.state_dict().values())


def with_other_test_range(candles: Candles) -> Candles:
    frame = candles.frame.copy()
    frame.iloc[-100:, :4] *= 2
    return Candles(frame, candles.bar, candles.symbol, candles.source)


@pytest.fixture(scope="module")
def trained():
    return train(PARTS, features=FEATURES)


def test_a_validation_is_the_mean_over_the_coins(trained):
    assert isinstance(trained.features, CoinFeatures)
    episodes = {}
    for coin in PARTS.coins:
        unseen = trained.features.transform(coin.validation.candles).since(coin.validation.start)
        episodes[coin.symbol] = play(coin.validation.candles, unseen, EnvSettings(episode_bars=100), trained.agent)
    growths = {symbol: log_growth(episode) for symbol, episode in episodes.items()}
    assert trained.best.coins == growths
    assert trained.best.log_growth == pytest.approx(np.mean(list(growths.values())))
    assert trained.best.standard_error == pytest.approx(np.mean([growth_error(episode) for episode in episodes.values()]))


def test_the_test_range_of_no_coin_changes_anything(trained):
    for changed in ([with_other_test_range(COINS[0]), COINS[1]], [COINS[0], with_other_test_range(COINS[1])]):
        parts = split_coins(changed)
        assert parts.data_sha256 != PARTS.data_sha256
        again = train(parts, features=FEATURES)
        assert weights_of(again) == weights_of(trained)
        assert again.history == trained.history


def test_each_coin_is_learned_from(trained):
    """Other candles of either in the train range make another agent."""
    for other in ([make_coin("BTC/USD", 900, seed=5), COINS[1]], [COINS[0], make_coin("ETH/USD", 700, seed=5, late=200)]):
        assert weights_of(train(split_coins(other), features=FEATURES)) != weights_of(trained)


@pytest.mark.parametrize(("sampling", "spread"), [("least_used", True), ("length", False)])
def test_the_environments_are_spread_evenly_unless_they_are_drawn_by_length(sampling, spread, monkeypatch):
    made = []

    class Noted(BitcoinTradingVecEnv):
        def __init__(self, candles, *args, **options):
            super().__init__(candles, *args, **options)
            made.append((self, candles))

    monkeypatch.setattr(training_loop, "BitcoinTradingVecEnv", Noted)
    env = EnvSettings(episode_bars=100, dataset_sampling=sampling)
    train(PARTS, features=FEATURES, env=env, agent=SMALL.model_copy(update={"n_envs": 6}))
    vec, candles = made[0]
    assert vec.trading.spread == spread
    if spread:
        assert vec.trading.dataset.tolist() == [0, 1] * 3
    assert [each.index[-1] for each in candles] == [coin.train.own.index[-1] for coin in PARTS.coins]


class Stop(Exception):
    """Ends a training from within, as a kill would."""


def test_a_training_that_is_killed_goes_on_to_the_bit(trained, tmp_path):
    def stop(step):
        if step >= 200:
            raise Stop

    folder = CheckpointFolder(tmp_path, Experiment().training_identity(PARTS.data_sha256))
    with pytest.raises(Stop):
        train(PARTS, features=FEATURES, checkpoints=folder, on_step=stop)
    assert newest(folder).step == 128
    resumed = train(PARTS, features=FEATURES, checkpoints=folder)
    assert weights_of(resumed) == weights_of(trained)
    assert resumed.history == trained.history
    changed = split_coins([COINS[0], with_other_test_range(COINS[1])])
    with pytest.raises(CheckpointError, match=r"differs: data_sha256.ETH/USD: \w+ -> \w+; restore them, or begin"):
        CheckpointFolder(tmp_path, Experiment().training_identity(changed.data_sha256)).newest()


def test_one_coin_of_several_is_a_series_alone():
    one, alone = split_coins(COINS[:1]), PARTS.coins[0]
    assert isinstance(one, Split)
    assert isinstance(PARTS, CoinSplits)
    assert weights_of(train(one, features=FEATURES)) == weights_of(train(alone, features=FEATURES))
