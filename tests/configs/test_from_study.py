from dataclasses import replace

import optuna
import pytest

from agents import suggest
from common import differences
from configs import experiment_of_study, kept_of, load_experiment, make_parser, parse, take_trial
from envs import REWARDS
from market import LedgerRange, TrialLedger
from search import (
    StudyError,
    against_cash,
    describe_best,
    find_study,
    keep_settings,
    kept_settings,
    open_study,
    searched_before,
)

DATA = "d" * 64
BARS = LedgerRange("BTCUSD", "1h", "2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00", DATA)
KEPT = 200, 100, 300
"""steps after which the trainings of a trial kept their agents"""
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\nsearch: {{storage: 'sqlite:///{tmp_path}/mine.db', startup_trials: 50}}\n")
    return path


@pytest.fixture
def experiment(config):
    return load_experiment(config, {"search.dimensions": "learning_rate,reward_window,calendar,action_scheme"})


@pytest.fixture
def study(experiment):
    """Three trials: one that is not the best, the best, and the configured settings, which were pruned."""
    study = open_study(experiment.search, "mine-sortino", experiment.identity(DATA), experiment.trial_settings)
    for _ in range(len(study.trials)):  # what waits to be tried first
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial({"learning_rate": 3e-3, "reward_window": 30, "use_calendar": True, "action_scheme": "orders"})
    study.enqueue_trial({"learning_rate": 2e-3, "reward_window": 100, "use_calendar": False, "action_scheme": "targets"})
    for value in (0.1, 0.5, None):
        trial = study.ask()
        settings = suggest(trial, experiment.trial_settings, experiment.search.searched)
        trial.set_user_attr("settings", settings.model_dump(mode="json"))
        trial.set_user_attr("folds", [{"kept_step": step} for step in KEPT] if value == 0.1 else [])
        study.tell(trial, value, state=None if value is not None else optuna.trial.TrialState.PRUNED)
    return study


def take(experiment, config, overrides=None, **chosen):
    return take_trial(experiment, DATA, config, overrides or {}, **chosen)


def test_the_settings_are_taken_whole_from_the_best_trial(experiment, config, study):
    taken, origin, words = take(experiment, config)
    (best,) = (trial for trial in study.trials if trial.value == 0.5)
    assert taken.trial_settings.model_dump(mode="json") == best.user_attrs["settings"]
    assert (taken.env.action_scheme, taken.env.reward_window, taken.features.calendar) == ("targets", 100, False)
    assert origin == {"study": "mine-sortino", "trial": best.number}
    assert f"trial {best.number} of study mine-sortino, best of 3, validation +0.500" in words[0]
    assert "env.action_scheme: orders -> targets" in words[1]
    # A config file that says something else by now: all of the trial stays.
    config.write_text(config.read_text() + "agent: {n_epochs: 9}\nenv: {fee_bps: 7}\nfeatures: {clip: 3.0}\n")
    again, *_ = take(load_experiment(config), config)
    assert again.trial_settings.model_dump(mode="json") == best.user_attrs["settings"]


def test_a_study_that_was_asked_for_also_says_how_long_to_train(experiment, config, study):
    """As long as the median training of the trial took to the agent that it kept."""
    chosen = {"study": "mine-sortino", "number": study.trials[-3].number}
    taken, _, words = take(experiment, config, **chosen)
    assert taken.train.steps == 200
    assert words[-1] == "  train.steps: 200, where the trial did best"
    assert take(experiment, config, {"train.steps": 7}, **chosen)[0].train.steps == 7
    assert take(experiment, config, number=chosen["number"])[0].train.steps == experiment.train.steps


def test_a_trial_of_before_the_step_was_kept_says_it_by_its_curves(experiment, config, study):
    """Its figure was the best of each curve."""
    trial = study.ask()
    trial.set_user_attr("settings", suggest(trial, experiment.trial_settings, ()).model_dump(mode="json"))
    curves = {"100": 0.1, "200": 0.5}, {"100": 0.9, "200": 0.5}, {"300": 0.9, "400": 0.2}
    trial.set_user_attr("folds", [{"curve": curve} for curve in curves])
    study.tell(trial, 0.2)
    assert take(experiment, config, study="mine-sortino", number=trial.number)[0].train.steps == 200


def test_any_trial_can_be_asked_for_by_its_number(experiment, config, study):
    for trial in study.trials[-3:]:
        taken, origin, _ = take(experiment, config, study="mine-sortino", number=trial.number)
        assert not differences(trial.user_attrs["settings"], taken.trial_settings.model_dump(mode="json"))
        assert origin["trial"] == trial.number


def test_a_trial_that_is_not_there_is_refused_with_those_that_are(experiment, config, study):
    with pytest.raises(StudyError, match=r"--trial.*got 99; it has \d+, \d+, \d+$"):
        take(experiment, config, number=99)


def test_the_command_line_wins_over_the_trial_and_says_so(experiment, config, study):
    taken, _, words = take(experiment, config, {"agent.learning_rate": 0.00123, "env.reward_window": 7})
    assert (taken.agent.learning_rate, taken.env.reward_window, taken.env.action_scheme) == (0.00123, 7, "targets")
    assert words[-1] == "  from the command line instead: agent.learning_rate: 0.002 -> 0.00123; env.reward_window: 100 -> 7"


def test_what_the_command_line_repeats_is_not_said(experiment, config, study):
    assert "command line" not in "".join(take(experiment, config, {"env.reward": "sortino"})[2])


def test_any_reward_without_a_study_is_refused(experiment, config):
    """Not trained for the configured reward, under the name of all."""
    with pytest.raises(StudyError, match="takes the reward of the best trial, but study mine-all has no finished trial") as error:
        take(load_experiment(config, {"search.any_reward": True}), config)
    assert ", ".join(REWARDS) in str(error.value)


def test_without_a_study_the_configured_settings_are_taken_unless_one_was_asked_for(experiment, config):
    taken, origin, words = take(experiment, config)
    assert (taken, origin) == (experiment, {"study": None})
    assert "study mine-sortino has no finished trial" in words[0]
    with pytest.raises(StudyError, match="study other has no finished trial"):
        take(experiment, config, study="other")


def test_a_study_that_judged_by_another_figure_is_taken_only_if_it_is_named(experiment, config, tmp_path):
    """What is best by it is not what the settings call best."""
    by_sharpe = load_experiment(config, {"search.objective": "sharpe", "search.dimensions": "learning_rate"})
    study = open_study(by_sharpe.search, "mine-sortino", by_sharpe.identity(DATA), by_sharpe.trial_settings)
    trial = study.ask()
    trial.set_user_attr("settings", suggest(trial, by_sharpe.trial_settings, ()).model_dump(mode="json"))
    study.tell(trial, 0.7)
    taken, origin, words = take(experiment, config)
    assert (taken, origin) == (experiment, {"study": None})
    assert "study mine-sortino judged its trials by sharpe and `search.objective` is log_growth" in words[0]
    assert "best of 1, validation sharpe +0.700" in take(experiment, config, study="mine-sortino")[2][0]
    assert take(by_sharpe, config)[1]["trial"] == trial.number


def test_a_study_of_other_data_is_not_taken(experiment, config, study):
    taken, origin, words = take_trial(experiment, "e" * 64, config, {})
    assert (taken, origin) == (experiment, {"study": None})
    assert "was searched on other data" in words[0]
    with pytest.raises(StudyError, match="was searched on other data"):
        take_trial(experiment, "e" * 64, config, {}, "mine-sortino")


def test_what_was_searched_counts_over_all_studies_of_the_data(experiment, study, tmp_path, monkeypatch):
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "user"))
    storage, ledger = experiment.search.storage, TrialLedger(tmp_path / "trial_ledger.jsonl")
    assert searched_before(storage, BARS, ledger) == {"trials": 3, "sharpe_spread": None, "overfitting": None}
    other = open_study(experiment.search, "mine-omega", experiment.identity(DATA), experiment.trial_settings)
    for number in range(4):
        trial = other.ask()
        trial.set_user_attr("sharpe", 0.01 * number)
        trial.set_user_attr("growths", [0.01 * ((7 * number * k) % 5 - 2) for k in range(128)])
        other.tell(trial, 0.0)
    found = searched_before(storage, BARS, ledger)
    assert found["trials"] == 7
    assert found["sharpe_spread"] == pytest.approx(0.0129099, rel=1e-4)
    assert 0 <= found["overfitting"] <= 1
    later = replace(BARS, data_sha256="e" * 64, first=BARS.end, end="2030-01-01T00:00:00+00:00")
    assert searched_before(storage, later, ledger)["trials"] == 0
    assert searched_before(f"sqlite:///{tmp_path}/none.db", BARS, ledger)["trials"] == 7
    assert not (tmp_path / "none.db").exists()


def test_a_best_trial_that_loses_says_that_cash_would_have_made_nothing(experiment, config, study):
    """In the search and in the training that takes it, whatever figure the trials are judged by."""
    assert not against_cash(study.best_trial, study)
    assert "cash" not in describe_best(study, experiment.trial_settings)
    losing = open_study(experiment.search, "mine-omega", experiment.identity(DATA), experiment.trial_settings)
    for value, growths in ((-0.25, ()), (0.5, (-0.4, 0.1))):  # of a figure that is no log growth its windows say it
        trial = losing.ask()
        trial.set_user_attr("settings", experiment.trial_settings.model_dump(mode="json"))
        trial.set_user_attr("folds", [{"log_growth": growth, "kept_step": 1} for growth in growths])
        losing.tell(trial, value)
        lost = f"its log growth on validation is {sum(growths) / 2 if growths else value:+.3f}, and cash would have made 0"
        assert lost in describe_best(losing, experiment.trial_settings)
        assert lost in "".join(take(experiment, config, study="mine-omega")[2])


def test_reward_all_searches_the_reward_in_a_study_of_its_own(config):
    _, overrides = parse(make_parser("a\n\nb", shortcuts=("reward",)), ["--reward", "all"])
    experiment = load_experiment(config, overrides)
    assert experiment.study_name == "mine-all"
    assert "reward" in experiment.search.searched
    assert "reward" not in load_experiment(config).search.searched
    assert load_experiment(config, {"env.reward": "omega"}).study_name == "mine-omega"


@pytest.fixture
def begun(experiment):
    """A search whose settings differ from the defaults."""
    experiment = load_experiment(None, experiment.model_dump(mode="json") | {"env.fee_bps": 7, "market.bars": 1234})
    study = open_study(experiment.search, "mine-sortino", experiment.identity(DATA), experiment.trial_settings)
    keep_settings(study, kept_of(experiment))
    return experiment


def test_a_study_goes_on_with_its_own_settings(begun):
    here = {"search.storage": begun.search.storage}
    assert experiment_of_study("mine-sortino", here) == begun
    more = experiment_of_study("mine-sortino", {**here, "search.trials": 40})
    assert more == begun.model_copy(update={"search": begun.search.model_copy(update={"trials": 40})})
    open_study(more.search, more.study_name, more.identity(DATA), more.trial_settings)  # it is the same search


def test_overrides_that_make_it_another_search_are_refused_with_the_difference(begun):
    here = {"search.storage": begun.search.storage}
    dearer = experiment_of_study("mine-sortino", {**here, "env.fee_bps": 9})
    with pytest.raises(StudyError, match=r"env.fee_bps: 7 -> 9"):
        open_study(dearer.search, dearer.study_name, dearer.identity(DATA), dearer.trial_settings)
    with pytest.raises(StudyError, match=r"goes on with its own settings, but got env\.reward: sortino -> profit"):
        experiment_of_study("mine-sortino", {**here, "env.reward": "profit"})


def test_the_settings_in_a_study_hold_no_address_of_a_database(begun):
    study = find_study(begun.search.storage, "mine-sortino")
    assert study
    assert "storage" not in (kept_settings(study) or {})["search"]


def test_a_study_of_a_version_that_kept_no_settings_says_how_to_go_on(study, experiment):
    with pytest.raises(StudyError, match="kept no settings in it; go on once with the options that it was begun with"):
        experiment_of_study("mine-sortino", {"search.storage": experiment.search.storage})


def test_a_study_that_is_not_there_is_one_line(study, experiment):
    with pytest.raises(StudyError, match=r"did you mean 'mine-sortino'\?"):
        experiment_of_study("mine-sortin", {"search.storage": experiment.search.storage})


def test_a_search_whose_trials_were_all_pruned_at_a_loss_says_so(experiment):
    study = open_study(experiment.search, "mine-sortino", experiment.identity(DATA), experiment.trial_settings)
    for _ in range(2):
        trial = study.ask()
        trial.set_user_attr("folds", [{"log_growth": -0.5}])
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    told = describe_best(study, experiment.trial_settings)
    assert told == "no trial has completed yet; all 2 that were pruned lost on validation, and cash would have made 0"
