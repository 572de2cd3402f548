"""What a study keeps for programs, and what it says to people: in the dashboard, and in a table of its trials."""

import optuna
import pytest
from optuna.trial import TrialState
from trainings import CACHE

from agents import AgentSettings, TrialSettings
from envs import EnvSettings
from features import FeatureSettings
from market import split
from search import (
    Objective,
    SearchSettings,
    describe_best,
    describe_in_dashboard,
    folds_of,
    has_settings,
    identity_of,
    judged_by,
    open_study,
    returns_of,
    run_study,
    settings_of,
)
from search.attributes import AXIS, PREFIX
from search.storage import retry_killed
from training import TrainSettings

BASE = TrialSettings(
    features=FeatureSettings(indicators=("rsi",)),
    env=EnvSettings(episode_bars=100),
    agent=AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=2, lstm_size=8),
)
IDENTITY = {"data_sha256": "d" * 64, "search": {"objective": "log_growth"}, "env": {"fee_bps": 10}}
LONGEST = 120
"""characters of a value that fits a line or two of the dashboard"""
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")


@pytest.fixture
def search(tmp_path):
    return searched(tmp_path)


def searched(place):
    return SearchSettings(trials=3, steps=256, validations=2, storage=f"sqlite:///{place}/a.db", dimensions=("gamma",))


@pytest.fixture(scope="module")
def study(tmp_path_factory, candles):
    """A real search, one of whose trials failed."""
    search = searched(tmp_path_factory.mktemp("study"))
    study = open_study(search, "mine", IDENTITY, BASE)
    describe_in_dashboard(study, {"reward": "sortino"})
    run_study(study, Objective(split(candles), BASE, TrainSettings(), search, CACHE))
    study.tell(study.ask(), state=TrialState.FAIL)
    return study


def test_a_table_of_the_trials_has_its_usual_columns(study):
    table = study.trials_dataframe()
    assert {"number", "value", "datetime_start", "datetime_complete", "duration", "state"} < set(table.columns)
    assert {"params_horizon_bars", "user_attrs_log_growth", "user_attrs_seconds"} < set(table.columns)
    finished = table[table["state"] != "FAIL"]
    assert finished["value"].tolist() == [trial.value for trial in study.trials[:3]]
    assert (finished["duration"].dt.total_seconds() > 0).all()
    assert list(study.trials_dataframe(attrs=("number", "value", "state")).columns) == ["number", "value", "state"]


def test_the_attributes_that_people_see_are_short_and_rounded(study):
    """The dashboard shows user attributes, in a table that grows as wide as its widest one."""
    for attributes in (study.user_attrs, *(trial.user_attrs for trial in study.trials)):
        for name, value in attributes.items():
            assert isinstance(value, str | int | float), name
            assert len(str(value)) <= LONGEST, name
            assert not isinstance(value, float) or value == round(value, 4), name


def test_what_programs_need_is_kept_whole(study):
    trial = study.trials[0]
    assert identity_of(study) == IDENTITY
    assert settings_of(trial).agent.n_epochs == 2
    assert folds_of(trial)[0]["figure"] == trial.value
    assert sum((returns_of(trial) or {})["growths"]) == pytest.approx(trial.value)


def test_a_trial_that_is_tried_again_begins_with_nothing(search):
    study = open_study(search, "mine", IDENTITY, BASE)
    trial = study.ask()
    trial.suggest_float("gamma", 0, 1)
    storage, kept = trial.storage, PREFIX + "settings"
    storage.set_trial_system_attr(trial._trial_id, kept, {"from": "the first try"})
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    backend = getattr(study._storage, "_backend")  # noqa: B009
    backend.heartbeat_interval = 0  # whoever fell silent did so long ago
    retry_killed(study)
    again = study.trials[-1]
    assert again.user_attrs == {"retry_of": trial.number}
    assert not has_settings(again)


@pytest.fixture
def old(search):
    study = optuna.create_study(study_name="old", storage=search.storage, direction="maximize")
    study.set_user_attr("identity", IDENTITY)
    study._storage.set_study_system_attr(study._study_id, "study:metric_names", ["log growth on validation"])
    trial = study.ask()
    trial.suggest_float("horizon_bars", 10, 500, log=True)
    trial.set_user_attr("settings", BASE.model_dump(mode="json"))
    trial.set_user_attr("seeds", [0])
    trial.set_user_attr("folds", [{"log_growth": -0.25, "kept_step": 7, "curve": {"7": -0.25}}])
    trial.set_user_attr("growths", [-0.25])
    trial.set_user_attr("sharpe", -0.1)
    study.tell(trial, -0.25)
    return study


def test_a_study_of_an_older_version_goes_on(old, search):
    study = open_study(search, "old", IDENTITY, BASE)
    (trial,) = study.trials
    assert (identity_of(study), judged_by(study)) == (IDENTITY, "log_growth")
    assert (settings_of(trial), folds_of(trial)[0]["kept_step"]) == (BASE, 7)
    assert (returns_of(trial) or {})["growths"] == [-0.25]
    assert "its log growth on validation is -0.250, and cash would have made 0" in describe_best(study, BASE)
    assert "value" in study.trials_dataframe().columns
    assert study._storage.get_study_system_attrs(study._study_id)[AXIS] == ["log growth on validation"]
