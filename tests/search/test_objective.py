import itertools
import math
import statistics
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FixedTrial
from trainings import CACHE

from agents import DIMENSIONS, AgentSettings, BuyAndHold, Flat, TrialSettings, build_learner
from common import InputError
from envs import REWARDS, EnvSettings
from evaluation import play
from evaluation.statistics import FIGURES, log_growth
from features import FeaturePipeline, FeatureSettings
from market import Candles, Split, simulate, split
from search import Objective, SearchSettings, figure_of, folds_of, objective as objective_module, returns_of, settings_of
from training import TrainSettings, Validation, training_loop

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
            listener.on_validation(Validation(100 * (k + 1), k + 1, log_growth(episode), 0.1, is_best), {"": episode}, None, None)

    return train


@pytest.fixture(scope="module")
def real(parts):
    """A trial that was really trained, on two windows with two seeds."""
    return judged(Objective(parts, BASE, TRAIN, SEARCH, CACHE))


def test_a_trial_is_the_mean_of_its_windows_and_seeds_and_keeps_them(real, parts):
    folds = folds_of(real)
    assert [(fold["fold"], fold["seed"]) for fold in folds] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert real.value == pytest.approx(np.mean([fold["figure"] for fold in folds]))
    assert settings_of(real).agent.learning_rate == real.params["learning_rate"]
    assert real.user_attrs["log_growth"] == round(np.mean([fold["log_growth"] for fold in folds]), 4)
    for fold in folds:
        assert fold["figure"] == fold["curve"][str(fold["kept_step"])] == fold["log_growth"]
        assert 0 < fold["seconds"] <= real.user_attrs["seconds"]
    own = parts.validation.own.index
    assert (folds[0]["first"], folds[-1]["last"]) == (str(own[0]), str(own[-1]))
    assert list(real.intermediate_values) == list(range(1, 9))  # each validation, whatever the length of a rollout
    assert len({fold["figure"] for fold in folds}) == 4  # windows and seeds differ


def test_its_growths_add_up_to_those_of_the_windows(real):
    folds = folds_of(real)
    total = sum(fold["log_growth"] for fold in folds) / 2  # a mean over seeds
    returns = returns_of(real)
    assert returns
    assert sum(returns["growths"]) == pytest.approx(total)
    assert real.user_attrs["sharpe_of_a_bar"] == round(returns["sharpe"], 4)


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
    assert returns_of(study.trials[0]) == returns_of(real)
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
    """Of who never trades most ratios are 0 / 0; who has lost everything, or more, has no logarithm."""
    search = SEARCH.model_copy(update={"objective": name, "folds": 1, "seeds": 1})
    for agent in (Flat(), BuyAndHold()):
        monkeypatch.setattr(objective_module, "train_agent", playing(agent))
        value = judged(Objective(parts, BASE, TRAIN, search, CACHE)).value
        assert value is not None
        assert math.isfinite(value)
    episode = play(parts.validation.candles, np.zeros((len(parts.validation), 1), np.float32), BASE.env, BuyAndHold())
    for left in (0.0, -500.0):
        lost = replace(episode, table=episode.table.assign(net_worth=np.linspace(10_000, left, len(episode.table))))
        assert math.isfinite(figure_of(lost, name)), left
        assert np.isfinite(objective_module._returns_of([lost], 1)["growths"]).all()


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
        assert folds_of(trial)[0]["kept_step"] == 100 * (kept + 1)
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
        (kept[caution],) = folds_of(study.trials[0])
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


class Built(Exception):
    """The learner of a trial, as it is before it learns."""

    def __init__(self, model) -> None:
        self.model = model


FORECASTS: dict[str, Any] = {
    "models": "linear",
    "past_bars": 16,
    "future_bars": 2,
    "first_fit_bars": 400,
    "refit_bars": 400,
    "ensemble": 1,
}
SEEN = TrialSettings(
    features=FeatureSettings.model_validate({"indicators": ("rsi", "ema_8"), "forecasts": FORECASTS | {"threads": 1}}),
    env=EnvSettings(episode_bars=100, action_scheme="targets"),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8),
)
# dimension -> (parameter, its value in a trial, what of a built learner differs because of it: before, after)
REACHES: dict[str, tuple[str, Any, dict[str, tuple[Any, Any]]]] = {
    "n_steps": ("n_steps", 32, {"n_steps": (16, 32), "batch_size": (32, 64)}),
    "n_epochs": ("n_epochs", 3, {"n_epochs": (1, 3)}),
    "learning_rate": ("learning_rate", 2e-3, {"learning_rate": (1e-3, 2e-3)}),
    "gamma": (
        "horizon_bars", 20.0, dict.fromkeys(("gamma", "gamma of the returns", "gamma of the scaling"), (0.98, 0.95)),
    ),
    "gae_lambda": ("gae_lambda", 0.9, {"gae_lambda": (0.95, 0.9)}),
    "clip_range": ("clip_range", 0.3, {"clip_range": (0.2, 0.3)}),
    "ent_coef": ("ent_coef", 1e-4, {"ent_coef": (1e-3, 1e-4)}),
    "lstm_size": ("lstm_size", 16, {"lstm_size": (8, 16)}),
    "lstm_layers": ("lstm_layers", 2, {"lstm_layers": (1, 2)}),
    "sequence_length": ("sequence_length", 8, {"sequence_length": (16, 8)}),
    "n_minibatches": ("n_minibatches", 4, {"batch_size": (32, 16)}),
    "reward": ("reward", "calmar", {"reward": ("sortino", "calmar")}),
    "reward_window": ("reward_window", 200, {"reward_window": (64, 200)}),
    "action_scheme": ("action_scheme", "orders", {"actions": (5, 12)}),
    "forecast_len": ("forecast_len", 3, {"columns": (20, 26)}),
    "confidence_interval": ("confidence_interval", 0.8, {"interval": (0.95, 0.8)}),
    "indicators": ("use_indicators", False, {"columns": (20, 18)}),
    "calendar": ("use_calendar", False, {"columns": (20, 16)}),
    "volatility": ("use_volatility", False, {"columns": (20, 17)}),
    "sarimax": ("use_sarimax", False, {"columns": (20, 17)}),
    "forecasts": ("use_forecasts", False, {"columns": (20, 18)}),
}  # fmt: skip


def traits(model, features):
    """Of a learner as it is built: what it learns with, and what it sees and is paid for."""
    trading, lstm = model.env.unwrapped.trading, model.policy.lstm_actor
    (reward,) = (name for name, one in REWARDS.items() if one is trading._reward)
    return {
        "n_steps": model.rollout_buffer.buffer_size, "batch_size": model.batch_size, "n_epochs": model.n_epochs,
        "learning_rate": model.policy.optimizer.param_groups[0]["lr"], "gamma": model.gamma,
        "gamma of the returns": model.rollout_buffer.gamma, "gamma of the scaling": model.env.gamma,
        "gae_lambda": model.rollout_buffer.gae_lambda, "clip_range": model.clip_range(1.0), "ent_coef": model.ent_coef,
        "lstm_size": lstm.hidden_size, "lstm_layers": lstm.num_layers, "sequence_length": model.rollout_buffer.sequence_length,
        "reward": reward, "reward_window": trading._rules["window"][0], "actions": model.action_space.n,
        "columns": trading.features.shape[1], "interval": features.sarimax.confidence_interval,
    }  # fmt: skip


def built(parameters, parts):
    """The traits of the learner that a trial of these parameters builds."""
    fitted = []

    def stop(*arguments):
        raise Built(build_learner(*arguments))

    def fit(settings, cache):
        fitted.append(settings)
        return FeaturePipeline(settings, cache)

    wanted = tuple(name for name, (parameter, *_) in REACHES.items() if parameter in parameters and name != "reward")
    search = SEARCH.model_copy(update={"folds": 1, "dimensions": wanted, "any_reward": "reward" in parameters})
    trial: Any = FixedTrial(parameters)
    objective = Objective(parts, SEEN, TRAIN, search, CACHE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_loop, "build_learner", stop)
        patch.setattr(training_loop, "FeaturePipeline", fit)
        with pytest.raises(Built) as end:
            objective(trial)
    return traits(end.value.model, *fitted)


@pytest.fixture(scope="module")
def configured(parts):
    """Those of a trial that varies nothing."""
    return built({}, parts)


def test_the_table_of_traits_holds_every_dimension():
    assert set(REACHES) == set(DIMENSIONS)


@pytest.mark.parametrize("name", REACHES)
def test_each_searched_dimension_reaches_the_agent(name, parts, configured):
    """From the trial into the learner that it builds; all else of the learner stays as configured."""
    parameter, value, expected = REACHES[name]
    found = built({parameter: value}, parts)
    assert {key: (configured[key], found[key]) for key in found if found[key] != configured[key]} == {
        key: pytest.approx(pair) if isinstance(pair[0], float) else pair for key, pair in expected.items()
    }


def test_a_cost_is_minimised(parts):
    assert SEARCH.model_copy(update={"objective": "fees_paid"}).direction == "minimize"
    assert SEARCH.direction == "maximize"


@pytest.mark.parametrize("name", ["log_growth", "trades"])
def test_trials_of_different_rewards_are_compared_by_the_same_figure(name, parts, monkeypatch):
    """The trials of one search of all rewards, really trained at a rate too small to change a decision. The rewards differ in
    size by far; each figure, those for the pruner too, is what the net worth and the trade list say without any reward."""
    search = SEARCH.model_copy(
        update={"objective": name, "folds": 1, "seeds": 1, "dimensions": ("clip_range",), "any_reward": True}
    )
    base = BASE.model_copy(update={"agent": BASE.agent.model_copy(update={"learning_rate": 1e-12})})
    played = []
    add = objective_module._Training.add

    def noted(training, validation, episodes, figure):
        played.extend(episodes.values())
        add(training, validation, episodes, figure)

    monkeypatch.setattr(objective_module._Training, "add", noted)
    study = optuna.create_study(direction=search.direction)
    for reward in REWARDS:
        study.enqueue_trial({"clip_range": 0.2, "reward": reward})
    study.optimize(Objective(parts, base, TRAIN, search, CACHE), n_trials=len(REWARDS))
    assert [settings_of(trial).env.reward for trial in study.trials] == list(REWARDS)
    expected = {BY_HAND[name](episode.table["net_worth"].tolist(), episode.trades) for episode in played}
    assert len(expected) == 1
    assert expected != {0.0}
    for trial in study.trials:
        assert [trial.value, *trial.intermediate_values.values()] == pytest.approx([*expected] * 3), trial.params["reward"]


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
    assert [len(fold["curve"]) for fold in folds_of(trial)] == [2, 1]
    assert returns_of(trial) is None  # it has not played all of validation


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
    found = objective_module._returns_of([short, whole], 2)
    half = np.log(short.table["net_worth"].iloc[-1] / 10_000)
    assert sum(found["growths"]) == pytest.approx((half + log_growth(whole)) / 2)
