import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

from agents import AgentSettings, BuyAndHold, Flat, TrialSettings
from envs import REWARDS, EnvSettings
from evaluation import FIGURES, Objective, SearchSettings, Validation, direction_of, figure_of, log_growth, metrics, play
from evaluation import objective as objective_module
from features import FeaturePipeline, FeatureSettings
from market import Candles, InputError, simulate, split

BASE = TrialSettings(
    features=FeatureSettings(indicators=("rsi",), sarimax={"forecast_len": 0}),
    env=EnvSettings(episode_bars=100),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8),
)
SEARCH = SearchSettings(steps=128, validations=2, folds=2, seeds=2, dimensions=("learning_rate",), startup_trials=0)


def judged(objective):
    """A finished trial of it."""
    study = optuna.create_study(direction=direction_of(objective.search.objective))
    study.optimize(objective, n_trials=1)
    return study.trials[0]


def playing(*agents, log=None):
    """Instead of a training: looks at the validation range with fixed agents, one a look."""

    def train(split, *, env, on_episode, on_validation, **options):
        if log is not None:
            log.append((split, options))
        for k, agent in enumerate(agents):
            candles = split.validation.candles
            episode = play(candles, np.zeros((len(split.validation), 1), np.float32), env, agent)
            on_episode(episode)
            on_validation(Validation(100 * (k + 1), k + 1, log_growth(episode), 0.1, True), None, None)

    return train


@pytest.fixture(scope="module")
def real(parts):
    """A trial that was really trained, on two windows with two seeds."""
    return judged(Objective(parts, BASE, SEARCH))


def test_a_trial_is_the_mean_of_its_windows_and_seeds_and_keeps_them(real, parts):
    folds = real.user_attrs["folds"]
    assert [(fold["fold"], fold["seed"]) for fold in folds] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert real.value == pytest.approx(np.mean([fold["figure"] for fold in folds]))
    assert real.user_attrs["seeds"] == [0, 1]
    assert real.user_attrs["settings"]["agent"]["learning_rate"] == real.params["learning_rate"]
    for fold in folds:
        assert fold["figure"] == max(fold["curve"].values()) == fold["log_growth"]
        assert 0 < fold["seconds"] <= real.user_attrs["seconds"]
    own = parts.validation.own.index
    assert (folds[0]["first"], folds[-1]["last"]) == (str(own[0]), str(own[-1]))
    assert list(real.intermediate_values) == list(range(1, 9))  # each look, whatever the length of a rollout
    assert len({fold["figure"] for fold in folds}) == 4  # windows and seeds differ


def test_its_growths_add_up_to_those_of_the_windows(real):
    folds = real.user_attrs["folds"]
    total = sum(fold["log_growth"] for fold in folds) / 2  # a mean over seeds
    assert sum(real.user_attrs["growths"]) == pytest.approx(total)
    assert math.isfinite(real.user_attrs["sharpe"])


def test_each_window_is_trained_for_on_the_bars_before_it(parts, monkeypatch):
    log = []
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold(), log=log))
    judged(Objective(parts, BASE, SEARCH.model_copy(update={"folds": 3, "seeds": 1})))
    assert len(log) == 3
    for part, _ in log:
        purge = part.validation.start - len(part.train.candles)
        assert purge == parts.validation.start - len(parts.train.candles)
        assert part.train.candles.index[-1] < part.validation.own.index[0]
    assert [len(part.train.candles) for part, _ in log] == sorted({len(part.train.candles) for part, _ in log})


def test_the_test_range_changes_nothing(parts, real):
    """Other candles from the first test bar on: the same trial, to the bit."""
    whole = parts._candles
    frame = whole.frame.copy()
    frame.iloc[parts._test_start :] *= 3.0
    other = split(Candles(frame, whole.bar, whole.symbol, whole.source))
    study = optuna.create_study()
    study.enqueue_trial(real.params)
    study.optimize(Objective(other, BASE, SEARCH), n_trials=1)
    assert study.trials[0].user_attrs["growths"] == real.user_attrs["growths"]
    assert study.trials[0].value == real.value


@pytest.mark.parametrize("name", ["log_growth", *FIGURES])
def test_a_trial_can_be_judged_by_any_figure_and_it_is_finite(name, parts, monkeypatch):
    search = SEARCH.model_copy(update={"objective": name, "folds": 1, "seeds": 1})
    for agent in (Flat(), BuyAndHold()):
        monkeypatch.setattr(objective_module, "train_agent", playing(agent))
        trial = judged(Objective(parts, BASE, search))
        episode = play(parts.validation.candles, np.zeros((len(parts.validation), 1), np.float32), BASE.env, agent)
        expected = log_growth(episode) if name == "log_growth" else metrics(episode)[name] or 0.0
        assert trial.value == pytest.approx(expected)
        assert math.isfinite(trial.value)


def test_the_best_look_counts_and_of_a_cost_the_lowest(parts, monkeypatch):
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold(), Flat()))
    search = SEARCH.model_copy(update={"folds": 1, "seeds": 1, "objective": "fees_paid"})
    assert direction_of("fees_paid") == "minimize"
    assert judged(Objective(parts, BASE, search)).value == 0.0
    growth = judged(Objective(parts, BASE, search.model_copy(update={"objective": "log_growth"}))).value
    episode = play(parts.validation.candles, np.zeros((len(parts.validation), 1), np.float32), BASE.env, BuyAndHold())
    assert growth == pytest.approx(max(log_growth(episode), 0.0))


def test_trials_of_different_rewards_are_compared_by_the_same_figure(parts, monkeypatch):
    monkeypatch.setattr(objective_module, "train_agent", playing(BuyAndHold()))
    values = set()
    for reward in REWARDS:
        base = BASE.model_copy(update={"env": BASE.env.model_copy(update={"reward": reward})})
        values.add(judged(Objective(parts, base, SEARCH)).value)
    assert len(values) == 1


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
    study.optimize(Objective(parts, BASE, SEARCH), n_trials=1)
    trial = study.trials[0]
    assert trial.state.name == "PRUNED"
    assert [len(fold["curve"]) for fold in trial.user_attrs["folds"]] == [2, 1]
    assert "growths" not in trial.user_attrs  # it has not played all of validation


def test_windows_that_are_too_short_are_refused(parts):
    with pytest.raises(InputError, match=r"windows of .* bars of validation.*take fewer windows"):
        Objective(parts, BASE, SEARCH.model_copy(update={"folds": 40}))


def test_features_are_fitted_on_each_window_s_own_past(parts, monkeypatch):
    fitted = []
    fit = FeaturePipeline.fit
    monkeypatch.setattr(FeaturePipeline, "fit", lambda self, candles: fitted.append(len(candles)) or fit(self, candles))
    judged(Objective(parts, BASE, SEARCH.model_copy(update={"seeds": 1})))
    assert fitted == [len(part.train.candles) for part in parts.walk_forward(2)]


def test_a_seed_that_ends_in_debt_does_not_end_the_search(parts):
    """Its episode is shorter than the other's."""
    flat = np.zeros((len(parts.validation), 1), np.float32)
    whole = play(parts.validation.candles, flat, BASE.env, BuyAndHold())
    short = replace(whole, table=whole.table.iloc[:40])
    found = objective_module._returns_of([short, whole], seeds=2)
    half = np.log(short.table["net_worth"].iloc[-1] / 10_000)
    assert sum(found["growths"]) == pytest.approx((half + log_growth(whole)) / 2)
