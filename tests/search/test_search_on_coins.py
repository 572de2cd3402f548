"""A trial on several coins is worth the mean over them, and counts as a trial on the bars of each."""

import numpy as np
import optuna
import pytest
from helpers import make_coin
from optuna.trial import TrialState

from agents import AgentSettings, BuyAndHold, Flat, TrialSettings
from configs import Experiment
from envs import EnvSettings
from evaluation import play
from evaluation.statistics import log_growth, metrics
from features import FeatureSettings
from market import TrialLedger, split, split_coins
from search import (
    Objective,
    SearchSettings,
    note_bars,
    objective as objective_module,
    open_study,
    returns_of,
    searched_before,
    searched_before_on,
    write_down,
)  # fmt: skip
from training import TrainSettings, Validation

COINS = [make_coin("BTC/USD", 900), make_coin("ETH/USD", 700, seed=1, late=200)]
PARTS = split_coins(COINS)
BASE = TrialSettings(
    features=FeatureSettings.model_validate({"indicators": ("rsi",), "sarimax": {"forecast_len": 0}}),
    env=EnvSettings(episode_bars=100),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8),
)


def episodes_on(parts, agent):
    rows = {coin.symbol: np.zeros((len(coin.validation), 1), np.float32) for coin in parts.coins}
    return {coin.symbol: play(coin.validation.candles, rows[coin.symbol], BASE.env, agent) for coin in parts.coins}


@pytest.mark.parametrize("name", ["log_growth", "sharpe"])
def test_a_trial_is_worth_the_mean_over_the_coins(name, monkeypatch):
    def train(parts, trial_settings, train_settings, *, seed, cache, listener):
        for mark, agent in enumerate((Flat(), BuyAndHold()), 1):
            episodes = episodes_on(parts, agent)
            growth = float(np.mean([log_growth(episode) for episode in episodes.values()]))
            listener.on_validation(Validation(100, mark, growth, 0.1, True), episodes, None, None)

    monkeypatch.setattr(objective_module, "train_agent", train)
    search = SearchSettings(steps=128, validations=2, folds=2, dimensions=("learning_rate",), startup_trials=0, objective=name)
    study = optuna.create_study(direction=search.direction)
    study.optimize(Objective(PARTS, BASE, TrainSettings(), search), n_trials=1)
    held = [episodes_on(window, BuyAndHold()) for window in PARTS.walk_forward(2)]
    figure = log_growth if name == "log_growth" else lambda episode: metrics(episode)["sharpe"]
    by_window = [np.mean([figure(episode) for episode in window.values()]) for window in held]
    assert study.trials[0].value == pytest.approx(np.mean(by_window))
    growths = [log_growth(episode) for window in held for episode in window.values()]
    assert sum((returns_of(study.trials[0]) or {})["growths"]) == pytest.approx(sum(growths) / 2)


def test_a_trial_counts_once_on_the_bars_of_each_coin(tmp_path):
    storage, ledger = f"sqlite:///{tmp_path}/studies.db", TrialLedger(tmp_path / "trials.jsonl", tmp_path / "user.jsonl")
    search = SearchSettings(storage=storage, dimensions=("gamma",), startup_trials=0)
    study = open_study(search, "coins", Experiment().identity(PARTS.data_sha256), BASE)
    note_bars(study, *(coin.validation_known_as for coin in PARTS.coins))
    for value in (0.1, 0.2):
        study.add_trial(optuna.trial.create_trial(state=TrialState.COMPLETE, value=value))
    for _ in range(2):
        write_down(study, ledger)
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 4
    for coin in PARTS.coins:
        assert len(ledger.ids(coin.validation_known_as) or ()) == 2
    found = searched_before_on(storage, PARTS, ledger)
    assert found["trials"] == 2
    assert {symbol: each["trials"] for symbol, each in found["coins"].items()} == {"BTC/USD": 2, "ETH/USD": 2}
    alone = split(COINS[0]).validation_known_as
    assert searched_before(storage, alone, ledger)["trials"] == 2
    assert searched_before_on(storage, split(COINS[0]), ledger) == searched_before(storage, alone, ledger)


def test_a_study_of_other_coins_is_refused_with_the_coin(tmp_path):
    search = SearchSettings(storage=f"sqlite:///{tmp_path}/studies.db", dimensions=("gamma",))
    open_study(search, "coins", Experiment().identity(PARTS.data_sha256), BASE)
    other = split_coins([COINS[0], make_coin("ETH/USD", 700, seed=3, late=200)])
    with pytest.raises(ValueError, match=r"made with other settings \(data_sha256.ETH/USD: \w+ -> \w+\)"):
        open_study(search, "coins", Experiment().identity(other.data_sha256), BASE)
