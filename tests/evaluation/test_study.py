import optuna
import pytest
from optuna.trial import TrialState

from agents import AgentSettings
from envs import EnvSettings
from evaluation import SearchSettings, StudyError, TrainingDiverged, best_agent, finished_trials, open_study, run_study
from evaluation import study as study_module
from evaluation.study import find_study
from features import FeatureSettings

BASE = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=2, lstm_size=8)


@pytest.fixture
def search(tmp_path):
    return SearchSettings(
        trials=3, steps=256, validations=2, startup_trials=2, storage=f"sqlite:///{tmp_path}/studies/test.db", seed=3
    )


def run(search, parts, identity=None, **calls):
    study = open_study(search, "a-study", identity or {"fee": 10}, BASE)
    options = {"features": FeatureSettings(indicators=("rsi",)), "env": EnvSettings(episode_bars=100), "agent": BASE}
    run_study(study, parts, search=search, **options, **calls)
    return study


def test_a_search_is_judged_by_growth_on_validation_and_says_what_it_did(search, parts):
    study = run(search.model_copy(update={"prune": False}), parts)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    for trial in study.trials:
        looks = trial.user_attrs["validation_log_growth"]
        assert list(trial.intermediate_values)[-1] == 2  # the last mark, whatever the length of a rollout
        assert 1 <= len(looks) <= 2  # one rollout of the longest kind is the whole budget
        assert trial.value == max(looks.values())
        assert trial.user_attrs["agent"]["lstm_size"] == trial.params["lstm_size"]
    settings, best = best_agent(study)
    assert best.value == max(trial.value for trial in study.trials)
    assert settings.learning_rate == best.params["learning_rate"]
    assert study.sampler.__class__ is optuna.samplers.TPESampler


def test_the_first_trial_is_the_configured_settings(search, parts):
    first = run(search.model_copy(update={"trials": 1}), parts).trials[0]
    found, wanted = first.user_attrs["agent"], BASE.model_dump(mode="json")
    assert found.pop("head_layers") == wanted.pop("head_layers")
    assert found == pytest.approx(wanted)  # gamma goes through its horizon


def test_a_study_is_taken_up_where_it_stands(search, parts):
    run(search.model_copy(update={"trials": 2}), parts)
    study = run(search, parts)
    assert len(study.trials) == 3
    assert finished_trials(study) == 3
    assert len({trial.params["learning_rate"] for trial in study.trials}) == 3  # not the same numbers drawn again


def test_a_search_can_be_repeated(search, parts, tmp_path):
    other = search.model_copy(update={"storage": f"sqlite:///{tmp_path}/other.db"})
    one, two = run(search, parts), run(other, parts)
    assert [(t.params, t.value) for t in one.trials] == [(t.params, t.value) for t in two.trials]


def test_a_study_of_other_settings_is_refused_with_the_difference(search, parts):
    run(search.model_copy(update={"trials": 1}), parts)
    with pytest.raises(StudyError, match=r"fee: 10 -> 25.*another --name"):
        run(search, parts, identity={"fee": 25})


def test_ctrl_c_keeps_the_study_and_the_interrupted_trial_is_tried_again(search, parts, monkeypatch):
    whole = study_module.train_agent

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_module, "train_agent", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(search, parts)
    study = find_study(search.storage, "a-study")
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert study.trials[0].user_attrs["failure"] == "interrupted"
    monkeypatch.setattr(study_module, "train_agent", whole)
    resumed = run(search, parts)
    assert resumed.trials[1].params == study.trials[0].params
    assert finished_trials(resumed) == 3


def test_a_trial_that_diverges_fails_with_its_reason_and_the_search_goes_on(search, parts, monkeypatch):
    whole, calls = study_module.train_agent, []

    def sometimes(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise TrainingDiverged("weights must stay finite")
        return whole(*arguments, **options)

    monkeypatch.setattr(study_module, "train_agent", sometimes)
    study = run(search, parts)
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert study.trials[1].user_attrs["failure"] == "weights must stay finite"
    assert finished_trials(study) == 3


def test_a_search_in_which_everything_fails_ends(search, parts, monkeypatch):
    def never(*_, **__):
        raise TrainingDiverged("weights must stay finite")

    monkeypatch.setattr(study_module, "train_agent", never)
    with pytest.raises(StudyError, match="all failed, the last so: weights must stay finite"):
        run(search, parts)


def test_a_hopeless_trial_is_pruned(search, parts, monkeypatch):
    """Once a few trials have shown what is usual, one that stays below the median is stopped at its first look."""
    from evaluation import Trained, Validation

    def fake(split, *, on_validation, **_):
        number = len(run_so_far)
        run_so_far.append(number)
        figure = -1.0 if number == 3 else 1.0 + number
        looks = [Validation(100, 1, figure, 0.1, True), Validation(200, 2, figure, 0.1, False)]
        for look in looks:
            on_validation(look, None, None)
        return Trained(None, None, tuple(looks))

    run_so_far = []
    monkeypatch.setattr(study_module, "train_agent", fake)
    study = run(search.model_copy(update={"trials": 4}), parts)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    assert list(study.trials[3].user_attrs["validation_log_growth"]) == ["100"]
    run_so_far.clear()
    free = search.model_copy(update={"trials": 4, "prune": False, "storage": search.storage.replace("test.db", "free.db")})
    assert all(trial.state == TrialState.COMPLETE for trial in run(free, parts).trials)


def test_looking_for_a_study_makes_no_file(tmp_path):
    assert find_study(f"sqlite:///{tmp_path}/none/coindojo.db", "a-study") is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_gets_one_line(search, parts, tmp_path):
    path = tmp_path / "studies" / "test.db"
    path.parent.mkdir()
    path.write_text("this is no database, " * 100)
    with pytest.raises(StudyError, match="must be a SQLite file") as error:
        run(search, parts)
    assert "\n" not in str(error.value)


def test_readers_do_not_block_the_search(search, parts):
    """The write-ahead log: optuna-dashboard may read while a trial writes."""
    study = run(search.model_copy(update={"trials": 1}), parts)
    with study._storage._backend.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
