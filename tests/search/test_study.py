import math
import time
from dataclasses import replace
from typing import cast

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from scripts import study_of

from agents import AgentSettings, TrialSettings
from envs import EnvSettings
from features import FeatureSettings
from search import Objective, SearchSettings, StudyError, finished_trials, open_study, run_study, settings_of
from search.samplers import PRUNERS, SAMPLERS
from search.study import find_study, trials_on
from training import TrainingDiverged, TrainSettings

BASE = TrialSettings(
    features=FeatureSettings(indicators=("rsi",)),
    env=EnvSettings(episode_bars=100),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=2, lstm_size=8),
)


@pytest.fixture
def search(tmp_path):
    return SearchSettings(
        trials=5, steps=256, validations=2, startup_trials=2, storage=f"sqlite:///{tmp_path}/studies/test.db", seed=3,
        dimensions=("learning_rate", "gamma"), heartbeat_seconds=1,
    )  # fmt: skip


class Fake:
    """An objective without a training: the nearer to a rate of 0.001, the better. Its calls may do something else."""

    def __init__(self, search, *acts):
        self.search, self.acts, self.calls = search, acts, 0

    def __call__(self, trial, on_progress):
        rate = trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
        trial.suggest_float("horizon_bars", 5, 1000, log=True)
        self.calls += 1
        if self.calls <= len(self.acts) and self.acts[self.calls - 1]:
            return self.acts[self.calls - 1](trial)
        return -((math.log10(rate) + 3) ** 2)


def raising(error):
    def act(trial):
        raise error

    return act


def run(search, *acts, identity=None, **calls):
    study = open_study(search, "a-study", identity or {"fee": 10}, BASE)
    run_study(study, cast(Objective, Fake(search, *acts)), **calls)
    return study


def drawn(study):
    return [(trial.params, trial.value) for trial in study.trials]


def test_a_real_search_trains_its_trials_and_keeps_what_they_did(search, parts):
    few = search.model_copy(update={"trials": 2, "pruner": "none"})
    study = open_study(few, "a-study", {"data_sha256": "abc"}, BASE)
    said, steps = list[FrozenTrial](), list[int]()
    run_study(study, Objective(parts, BASE, TrainSettings(), few), said.append, steps.append)
    assert [trial.state for trial in study.trials[:2]] == [TrialState.COMPLETE] * 2
    assert [trial.number for trial in said] == [0, 1]
    assert max(steps) >= 256
    for trial in said:
        assert settings_of(trial).agent.learning_rate == trial.params["learning_rate"]
        assert ":" in trial.user_attrs["worker"]
        assert "failure" not in trial.user_attrs
    assert study.best_value == max(trial.value or -math.inf for trial in said)
    searched = replace(parts.validation_known_as, data_sha256="abc")
    assert [trial for _, trial in trials_on(few.storage, searched)] == study.trials[:2]
    assert trials_on(few.storage, parts.validation_known_as) == []


def test_the_first_trial_is_the_configured_settings(search):
    first = run(search.model_copy(update={"trials": 1})).trials[0]
    assert first.params == pytest.approx({"learning_rate": BASE.agent.learning_rate, "horizon_bars": 1 / (1 - BASE.agent.gamma)})


def test_a_search_of_nothing_is_refused_before_a_study_is_made(search, tmp_path):
    plain = TrialSettings(agent=AgentSettings(algorithm="ppo"))
    idle = search.model_copy(update={"dimensions": ("lstm_size",)})
    with pytest.raises(StudyError, match=r"'ppo' and these features have none for lstm_size; name others in --search.dimensions"):
        open_study(idle, "a-study", {}, plain)
    assert not list(tmp_path.rglob("*.db"))


def test_a_study_that_is_taken_up_goes_on_as_if_it_had_never_stopped(search, tmp_path):
    for trials in (1, 4, 9):
        study = run(search.model_copy(update={"trials": trials}))
    whole = run(search.model_copy(update={"trials": 9, "storage": f"sqlite:///{tmp_path}/whole.db"}))
    assert finished_trials(study) == 9
    assert drawn(study) == drawn(whole)
    assert len({trial.params["learning_rate"] for trial in study.trials[3:]}) == 6  # no number is drawn twice


@pytest.mark.parametrize(
    "sampler", [pytest.param(name, marks=pytest.mark.slow if name == "gp" else ()) for name in SAMPLERS]
)  # gp: seconds of torch
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_sampler_proposes_new_trials_and_the_same_ones_in_a_search_made_again(sampler, search, tmp_path):
    named = search.model_copy(update={"trials": 10, "sampler": sampler})
    study = run(named)
    again = run(named.model_copy(update={"storage": f"sqlite:///{tmp_path}/again.db"}))
    assert drawn(study) == drawn(again)
    assert len({str(trial.params) for trial in study.trials}) == 10
    if sampler != "random":
        other = run(named.model_copy(update={"storage": f"sqlite:///{tmp_path}/random.db", "sampler": "random"}))
        assert drawn(study)[3:] != drawn(other)[3:]  # the setting arrives


@pytest.mark.slow
@pytest.mark.parametrize(("pruner", "stopped"), [("median", True), ("hyperband", None), ("halving", True), ("none", False)])
def test_a_hopeless_trial_is_stopped_by_the_named_pruner(pruner, stopped, search):
    """Trials that show what is usual, then one far below it. Hyperband may have put it in a bracket that stops nobody yet."""

    def looks(figure):
        def act(trial):
            for look in range(1, 5):
                trial.report(figure, look)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return figure

        return act

    longer = search.model_copy(update={"trials": 7, "validations": 4, "pruner": pruner})
    study = run(longer, *(looks(1.0 + number) for number in range(6)), looks(-1.0))
    assert type(study.pruner) is type(PRUNERS[pruner](longer))
    states = [trial.state for trial in study.trials]
    assert TrialState.COMPLETE in states
    if stopped is not None:
        assert states[6] == (TrialState.PRUNED if stopped else TrialState.COMPLETE)


def test_a_study_of_other_settings_is_refused_with_the_difference(search):
    run(search.model_copy(update={"trials": 1}))
    with pytest.raises(StudyError, match=r"fee: 10 -> 25.*another --name"):
        run(search, identity={"fee": 25})


def test_an_opening_that_was_killed_half_way_is_done_again(search, monkeypatch):
    """The line of known-good trials is whole, and holds none twice."""
    enqueue, calls = optuna.Study.enqueue_trial, []

    def killed(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        enqueue(*arguments, **options)

    monkeypatch.setattr(optuna.Study, "enqueue_trial", killed)
    with pytest.raises(KeyboardInterrupt):
        open_study(search, "a-study", {}, BASE)
    study = open_study(search, "a-study", {}, BASE)
    rates = [trial.system_attrs["fixed_params"]["learning_rate"] for trial in study.trials]
    assert len(rates) == 3
    assert rates[0] == BASE.agent.learning_rate
    assert len({str(trial.system_attrs["fixed_params"]) for trial in study.trials}) == 3


def test_ctrl_c_keeps_the_study_and_the_interrupted_trial_is_tried_again(search):
    with pytest.raises(KeyboardInterrupt):
        run(search, None, None, None, raising(KeyboardInterrupt()))
    study = study_of(search.storage, "a-study")
    assert [trial.state for trial in study.trials[3:]] == [TrialState.FAIL, TrialState.WAITING]
    assert study.trials[3].user_attrs["failure"] == "interrupted"
    resumed = run(search)
    assert resumed.trials[4].params == study.trials[3].params
    assert finished_trials(resumed) == 5


def test_ctrl_c_before_a_known_good_trial_was_read_keeps_its_values(search):
    """Interrupted before its first parameter was drawn, it is still in line with all of them."""
    study = open_study(search, "a-study", {}, BASE)
    fake = Fake(search)
    fake.__class__ = type("Early", (Fake,), {"__call__": lambda self, trial, on_step: raising(KeyboardInterrupt())(trial)})
    with pytest.raises(KeyboardInterrupt):
        run_study(study, cast(Objective, fake))
    assert study.trials[-1].system_attrs["fixed_params"]["learning_rate"] == BASE.agent.learning_rate


@pytest.mark.parametrize("error", [TrainingDiverged("weights must stay finite"), StudyError("weights must\nstay finite")])
def test_a_trial_that_cannot_be_made_fails_with_its_reason_and_the_search_goes_on(search, error):
    study = run(search, None, raising(error))
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert study.trials[1].user_attrs["failure"] == "weights must stay finite"
    assert finished_trials(study) == 5


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_never_the_best(search, figure):
    study = run(search, None, lambda trial: figure)
    assert study.trials[1].state == TrialState.FAIL
    assert "must be finite" in study.trials[1].user_attrs["failure"]
    assert math.isfinite(study.best_value)


def test_an_error_of_the_program_stops_the_search_and_is_not_hidden(search):
    with pytest.raises(ZeroDivisionError):
        run(search, None, lambda trial: 1 / 0)
    failed = study_of(search.storage, "a-study").trials[1]
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs["failure"] == "ZeroDivisionError: division by zero"


def test_a_search_in_which_everything_fails_ends(search):
    with pytest.raises(StudyError, match="all failed, the last so: weights must stay finite"):
        run(search, *[raising(TrainingDiverged("weights must stay finite"))] * 10)


def test_a_worker_that_was_taken_for_dead_loses_its_trial_and_goes_on(search):
    """Another has failed the trial and put it in line again; what this one says of it no longer counts."""

    def taken(trial):
        storage = trial.study._storage
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        with pytest.raises(UpdateFinishedTrialError):
            trial.report(1.0, 1)
        trial.report(1.0, 2)

    study = run(
        search, None, taken, lambda trial: trial.study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL) or 3
    )
    assert [trial.state for trial in study.trials[1:3]] == [TrialState.FAIL] * 2
    assert all(trial.user_attrs["failure"].startswith("killed") for trial in study.trials[1:3])
    assert finished_trials(study) == 5


def test_looking_for_a_study_makes_no_file(tmp_path):
    assert find_study(f"sqlite:///{tmp_path}/none/coindojo.db", "a-study") is None
    assert list(tmp_path.iterdir()) == []


def test_no_trial_begins_after_the_time_is_over(search):
    """The one that runs then is finished, and the same search goes on later."""
    until = time.time() + 2

    def slow(trial):
        time.sleep(1.2)
        return 0.0

    study = run(search.model_copy(update={"trials": 50}), slow, slow, slow, slow, until=until)
    assert 1 <= len(study.trials) <= 5
    assert not [trial for trial in study.trials if trial.state in (TrialState.RUNNING, TrialState.FAIL)]
    began = [trial.datetime_start.timestamp() for trial in study.trials if trial.datetime_start]
    assert max(began) < until < time.time()
    before = finished_trials(study)
    assert finished_trials(run(search.model_copy(update={"trials": before + 2}))) == before + 2


def test_a_study_that_is_deleted_while_it_is_searched_ends_in_one_line(search):
    def deleting(trial):
        optuna.delete_study(study_name="a-study", storage=search.storage)
        return 0.0

    with pytest.raises(StudyError, match="a-study was deleted"):
        run(search, deleting)
