"""The table of studies, and how one is deleted."""

import time
from datetime import datetime, timedelta

import pytest
import sqlalchemy
from rich.console import Console

from agents import AgentSettings, TrialSettings
from features import FeatureSettings
from market import LedgerRange, TrialLedger
from search import (
    SearchSettings,
    StudyError,
    delete_study,
    find_study,
    keep_settings,
    note_bars,
    open_study,
    studies_in,
    studies_table,
    study_to_delete,
)

BASE = TrialSettings(features=FeatureSettings(indicators=("rsi",)), agent=AgentSettings(lstm_size=8))
BARS = LedgerRange("BTCUSD", "1h", "2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00", "d" * 64)
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/studies/a.db"


@pytest.fixture
def ledger(tmp_path):
    return TrialLedger(tmp_path / "trials.jsonl", tmp_path / "user")


def make(url, name, values, objective="log_growth", reward="sortino", **search):
    settings = SearchSettings(storage=url, dimensions=("gamma",), objective=objective, heartbeat_seconds=1, **search)
    identity = {"search": {"objective": objective, "any_reward": settings.any_reward}, "env": {"reward": reward}}
    study = open_study(settings, name, identity, BASE)
    note_bars(study, BARS)
    keep_settings(study, {"search": {"heartbeat_seconds": 1}})
    for value in values:
        study.tell(study.ask(), value)
    return study


def printed(url):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(studies_table(studies_in(url), url))
    return capture.get()


def test_the_list_says_of_each_study_what_it_found_and_when_it_was_used(url):
    make(url, "older-calmar", [0.5], objective="sharpe", reward="calmar")
    time.sleep(0.01)
    make(url, "newer-all", [0.25, -1.0], any_reward=True)
    make(url, "empty-sortino", [])
    newer, older, empty = studies_in(url)
    assert (newer.name, newer.finished, newer.best, newer.reward) == ("newer-all", 2, 0.25, "all")
    assert (older.name, older.finished, older.best, older.reward, older.judged_by) == ("older-calmar", 1, 0.5, "calmar", "sharpe")
    assert (empty.name, empty.finished, empty.best, empty.last_used) == ("empty-sortino", 0, None, None)
    assert newer.bars == "BTCUSD, 1h, 2020-01-01 to 2020-02-01"
    table = printed(url)
    for words in ("newer-all", "+0.250", "+0.500 sharpe", "never", f"{datetime.now():%Y-%m-%d}", "BTCUSD, 1h, 2020-01-01"):
        assert words in table


def test_looking_makes_no_file(url, tmp_path):
    assert studies_in(url) == []
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_study_is_gone_and_its_trials_are_counted_on(url, ledger):
    make(url, "mine-sortino", [0.5, 0.25]).ask()
    make(url, "other-sortino", [0.1])
    told = delete_study(be_silent(study_to_delete_later(url)), url, ledger)
    assert told.startswith("deleted study mine-sortino from sqlite:///")
    assert "2 finished trials (the trial ledger goes on counting them)" in told
    assert [each.name for each in studies_in(url)] == ["other-sortino"]
    assert len(ledger.ids(BARS) or ()) == 2


def study_to_delete_later(url):
    study = find_study(url, "mine-sortino")
    assert study
    return study


def be_silent(study):
    """Its running trial began long ago, and never gave a sign of life."""
    backend = getattr(study._storage, "_backend")  # noqa: B009
    long_ago = datetime.now() - timedelta(days=1)
    with backend.engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE trials SET datetime_start = :then WHERE state = 'RUNNING'"), {"then": long_ago}
        )
    return study


@pytest.mark.parametrize("beaten", [False, True])
def test_a_study_that_somebody_works_at_is_not_deleted(url, beaten):
    """Told by a trial that has just begun, or by its heartbeat."""
    study = make(url, "mine-sortino", [0.5])
    trial = study.ask()
    if beaten:
        study._storage.record_heartbeat(trial._trial_id)
    with pytest.raises(StudyError, match=f"trial {trial.number} of mine-sortino runs; end that search first"):
        study_to_delete(url, "mine-sortino")
    if beaten:
        time.sleep(5)  # three heartbeats of a second, and what the database's clock rounds off
    else:
        be_silent(study)
    assert study_to_delete(url, "mine-sortino").study_name == "mine-sortino"


def test_a_name_that_is_not_there_is_one_line(url):
    with pytest.raises(StudyError, match="there are no studies in sqlite:///"):
        study_to_delete(url, "mine")
    make(url, "mine-sortino", [])
    with pytest.raises(StudyError, match=r"no study 'mine-sorto'; did you mean 'mine-sortino'\?.*optimize.py list"):
        study_to_delete(url, "mine-sorto")
