import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import optuna
import pytest
from trainings import CACHE

from agents import AgentSettings, BuyAndHold, Flat, TrialSettings
from common import InputError
from envs import REWARDS, EnvSettings
from evaluation import play
from evaluation.statistics import FIGURES, log_growth
from features import FeaturePipeline, FeatureSettings
from market import Candles, Split, simulate, split
from search import Objective, SearchSettings, figure_of, objective as objective_module
from training import TrainSettings, Validation

BASE = TrialSettings(
    features=FeatureSettings(indicators=("rsi",), sarimax={"forecast_len": 0}),
    env=EnvSettings(episode_bars=100),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8),
)
TRAIN = TrainSettings()
SEARCH = SearchSettings(steps=128, validations=2, folds=2, seeds=2, dimensions=("learning_rate",), startup_trials=0)


def judged(objective):
    """A finished trial of it."""
    study = optuna.create_study(direction=objective.search.direction)
    study.optimize(objective, n_trials=1)
    return study.trials[0]


def playing(*agents, log=None, best=None):
    """Instead of a training: plays validation with fixed agents, one each time; `best` says which of them are new bests."""

    def train(split, trial_settings, train_settings, *, seed, cache, listener):
        if log is not None:
            log.append((split, train_settings, seed))
        for k, agent in enumerate(agents):
            rows = np.zeros((len(split.validation), 1), np.float32)
            episode = play(split.validation.candles, rows, trial_settings.env, agent)
            is_best = k in best if best is not None else True
            listener.on_validation(Validation(100 * (k + 1), k + 1, log_growth(episode), 0.1, is_best), episode, None, None)

    return train


@pytest.fixture(scope="module")
def real(parts):
    """A trial that was really trained, on two windows with two seeds."""
    return judged(Objective(parts, BASE, TRAIN, SEARCH, CACHE))


def test_a_trial_is_the_mean_of_its_windows_and_seeds_and_keeps_them(real, parts):
    folds = real.user_attrs["folds"]
    assert [(fold["fold"], fold["seed"]) for fold in folds] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert real.value == pytest.approx(np.mean([fold["figure"] for fold in folds]))
    assert real.user_attrs["seeds"] == [0, 1]
    assert real.user_attrs["settings"]["agent"]["learning_rate"] == real.params["learning_rate"]
    for fold in folds:
        assert fold["figure"] == fold["curve"][str(fold["kept_step"])] == fold["log_growth"]
        assert 0 < fold["seconds"] <= real.user_attrs["seconds"]
    own = parts.validation.own.index
    assert (folds[0]["first"], folds[-1]["last"]) == (str(own[0]), str(own[-1]))
    assert list(real.intermediate_values) == list(range(1, 9))  # each validation, whatever the length of a rollout
    assert len({fold["figure"] for fold in folds}) == 4  # windows and seeds differ


def test_its_growths_add_up_to_those_of_the_windows(real):
    folds = real.user_attrs["folds"]
    total = sum(fold["log_growth"] for fold in folds) / 2  # a mean over seeds
    assert sum(real.user_attrs["growths"]) == pytest.approx(total)
    assert math.isfinite(real.user_attrs["sharpe"])


def test_each_window_is_trained_for_on_the_bars_before_it(parts, monkeypatch):
    log: list[tuple[Split, TrainSettings, int]] = []
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold(), log=log))
    judged(Objective(parts, BASE, TRAIN, SEARCH.model_copy(update={"folds": 3, "seeds": 1})))
    assert len(log) == 3
    for part, *_ in log:
        purge = part.validation.start - len(part.train.candles)
        assert purge == parts.validation.start - len(parts.train.candles)
        assert part.train.candles.index[-1] < part.validation.own.index[0]
    assert [len(part.train.candles) for part, *_ in log] == sorted({len(part.train.candles) for part, *_ in log})


def test_the_test_range_changes_nothing(parts, real):
    """Other candles from the first test bar on: the same trial, to the bit."""
    whole = parts._candles
    frame = whole.frame.copy()
    frame.iloc[parts._test_start :] *= 3.0
    other = split(Candles(frame, whole.bar, whole.symbol, whole.source))
    study = optuna.create_study()
    study.enqueue_trial(real.params)
    study.optimize(Objective(other, BASE, TRAIN, SEARCH, CACHE), n_trials=1)
    assert study.trials[0].user_attrs["growths"] == real.user_attrs["growths"]
    assert study.trials[0].value == real.value


BY_HAND = {
    "log_growth": lambda worth, trades: math.log(worth[-1] / worth[0]),
    "total_return": lambda worth, trades: worth[-1] / worth[0] - 1,
    "max_drawdown": lambda worth, trades: min(now / max(worth[: bar + 1]) - 1 for bar, now in enumerate(worth)),
    "sharpe": lambda worth, trades: statistics.mean(growth(worth)) / statistics.stdev(growth(worth)) * math.sqrt(24 * 365.25),
    "trades": lambda worth, trades: len(trades),
    "fees_paid": lambda worth, trades: sum(trades["value"]) * 0.001,
}


def growth(worth):
    return [after / before - 1 for before, after in itertools.pairwise(worth)]


@pytest.mark.parametrize("name", BY_HAND)
def test_a_trial_is_judged_by_the_named_figure(name, parts, monkeypatch):
    """Counted here by hand from the net worth and the trade list."""
    search = SEARCH.model_copy(update={"objective": name, "folds": 1, "seeds": 1})
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold()))
    episode = play(parts.validation.candles, np.zeros((len(parts.validation), 1), np.float32), BASE.env, BuyAndHold())
    expected = BY_HAND[name](episode.table["net_worth"].tolist(), episode.trades)
    assert judged(Objective(parts, BASE, TRAIN, search, CACHE)).value == pytest.approx(expected)


@pytest.mark.parametrize("name", ["log_growth", *FIGURES])
def test_every_figure_of_a_trial_is_finite(name, parts, monkeypatch):
    """Of who never trades most ratios are 0 / 0."""
    search = SEARCH.model_copy(update={"objective": name, "folds": 1, "seeds": 1})
    for agent in (Flat(), BuyAndHold()):
        monkeypatch.setattr(objective_module, "train_agent", playing(agent))
        assert math.isfinite(judged(Objective(parts, BASE, TRAIN, search, CACHE)).value)


def test_the_kept_validation_counts_though_another_has_a_better_figure(parts, monkeypatch):
    """As for `train.py`, which keeps by log growth less `caution`: a trial's figure is that of the agent that one would get."""
    search = SEARCH.model_copy(update={"folds": 1, "seeds": 1})
    rows = np.zeros((len(parts.validation), 1), np.float32)
    growths = [log_growth(play(parts.validation.candles, rows, BASE.env, agent)) for agent in (Flat(), BuyAndHold())]
    assert growths[0] != growths[1]
    for kept in (0, 1):
        monkeypatch.setattr(objective_module, "train_agent", playing(Flat(), BuyAndHold(), best=[0, kept]))
        trial = judged(Objective(parts, BASE, TRAIN, search, CACHE))
        assert trial.value == growths[kept]
        assert trial.user_attrs["folds"][0]["kept_step"] == 100 * (kept + 1)
        assert trial.intermediate_values == {1: growths[0], 2: growths[kept]}


def test_a_trial_keeps_by_the_rule_of_the_training(parts):
    """With another `caution`, another validation is kept of the same training, and so the figure is another."""
    search = SEARCH.model_copy(update={"steps": 1_280, "validations": 20, "folds": 1, "seeds": 1, "seed": 2})
    base = BASE.model_copy(update={"env": BASE.env.model_copy(update={"fee_bps": 0.0})})
    kept = {}
    for caution in (0.0, 3.0):
        study = optuna.create_study(direction="maximize")
        study.enqueue_trial({"learning_rate": 1e-3})
        study.optimize(Objective(parts, base, TrainSettings(caution=caution), search, CACHE), n_trials=1)
        (kept[caution],) = study.trials[0].user_attrs["folds"]
    assert kept[0.0]["curve"] == kept[3.0]["curve"]
    assert kept[0.0]["figure"] == max(kept[0.0]["curve"].values()) > kept[3.0]["figure"]


def test_a_trial_is_trained_as_the_search_says_and_compares_as_the_training_does(parts, monkeypatch):
    log: list[tuple[Split, TrainSettings, int]] = []
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold(), log=log))
    train = TrainSettings(steps=7, validations=3, patience=5, caution=2.5, range="train+validation")
    judged(Objective(parts, BASE, train, SEARCH.model_copy(update={"folds": 1, "seed": 4})))
    assert [seed for *_, seed in log] == [4, 5]
    for _, settings, _ in log:
        assert (settings.steps, settings.validations, settings.range) == (SEARCH.steps, SEARCH.validations, "train")
        assert (settings.patience, settings.caution) == (5, 2.5)


def test_a_cost_is_minimised(parts):
    assert SEARCH.model_copy(update={"objective": "fees_paid"}).direction == "minimize"
    assert SEARCH.direction == "maximize"


def test_trials_of_different_rewards_are_compared_by_the_same_figure(parts):
    """Really trained, at a rate too small to change a decision: the rewards differ in size by far, the figure does not."""
    search = SEARCH.model_copy(update={"folds": 1, "seeds": 1, "dimensions": ("clip_range",)})
    agent, values = BASE.agent.model_copy(update={"learning_rate": 1e-12}), set()
    for reward in REWARDS:
        base = BASE.model_copy(update={"env": BASE.env.model_copy(update={"reward": reward}), "agent": agent})
        values.add(judged(Objective(parts, base, TRAIN, search, CACHE)).value)
    assert len(values) == 1
    assert values != {0.0}


def test_who_never_trades_has_no_figure_that_is_not_finite():
    candles = simulate("martingale", bars=500, seed=0)
    episode = play(candles, np.zeros((500, 1), np.float32), EnvSettings(), Flat())
    for name in ("log_growth", *FIGURES):
        assert figure_of(episode, name) == 0.0


def test_a_pruned_trial_keeps_what_it_has_learnt(parts, monkeypatch):
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold(), Flat()))

    class Never(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return len(trial.intermediate_values) >= 3

    study = optuna.create_study(pruner=Never())
    study.optimize(Objective(parts, BASE, TRAIN, SEARCH, CACHE), n_trials=1)
    trial = study.trials[0]
    assert trial.state.name == "PRUNED"
    assert [len(fold["curve"]) for fold in trial.user_attrs["folds"]] == [2, 1]
    assert "growths" not in trial.user_attrs  # it has not played all of validation


def test_windows_that_are_too_short_are_refused(parts):
    with pytest.raises(InputError, match=r"windows of .* bars of validation.*take fewer windows"):
        Objective(parts, BASE, TRAIN, SEARCH.model_copy(update={"folds": 40}))


def test_features_are_fitted_on_each_window_s_own_past(parts, monkeypatch):
    fitted = []
    fit = FeaturePipeline.fit

    def noted(self, candles):
        fitted.append(len(candles))
        return fit(self, candles)

    monkeypatch.setattr(FeaturePipeline, "fit", noted)
    judged(Objective(parts, BASE, TRAIN, SEARCH.model_copy(update={"seeds": 1})))
    assert fitted == [len(part.train.candles) for part in parts.walk_forward(2)]


def test_a_seed_that_ends_in_debt_does_not_end_the_search(parts):
    """Its episode is shorter than the other's."""
    flat = np.zeros((len(parts.validation), 1), np.float32)
    whole = play(parts.validation.candles, flat, BASE.env, BuyAndHold())
    short = replace(whole, table=whole.table.iloc[:40])
    found = objective_module._returns_of([short, whole], seeds=2)
    half = np.log(short.table["net_worth"].iloc[-1] / 10_000)
    assert sum(found["growths"]) == pytest.approx((half + log_growth(whole)) / 2)
