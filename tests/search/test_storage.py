"""One contract for both databases; what is of one alone comes after it."""

import multiprocessing
import sqlite3
import sys
import time
from contextlib import closing

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search import StudyError, storage as storage_module
from search.storage import open_storage, retry_killed, shown, was_killed

GRACE = 1.3
"""seconds, in the tests below, after which a silent trial counts as killed, and a bit"""
# These ask for trials by hand, to be killed at chosen moments.
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed:UserWarning")
FORK = multiprocessing.get_context("fork")
"""a process that need not import everything anew"""


@pytest.fixture
def study(storage_url, request, monkeypatch):
    monkeypatch.setattr(storage_module, "MISSED_BEATS", 1)
    return made(storage_url, request.node.name)


def made(url, name, **options):
    return optuna.create_study(study_name=name, storage=open_storage(url, heartbeat_seconds=1, **options), load_if_exists=True)


def states(study):
    return [trial.state.name for trial in study.trials]


def half_a_trial(url, name, in_the_middle):
    def objective(trial):
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("learnt", "half")
        in_the_middle.set()
        time.sleep(60)

    made(url, name).optimize(objective, n_trials=1)


@pytest.mark.slow
def test_the_trial_of_a_killed_process_is_tried_again_and_says_why(study, storage_url):
    """A real process and a real SIGKILL, in the middle of its trial."""
    in_the_middle = FORK.Event()
    process = FORK.Process(target=half_a_trial, args=(storage_url, study.study_name, in_the_middle))
    process.start()
    assert in_the_middle.wait(60)
    retry_killed(study)
    assert states(study) == ["RUNNING"]  # it beats, so it is left alone
    process.kill()
    process.join()
    time.sleep(1 + GRACE)
    retry_killed(study)
    killed, again = study.trials
    assert was_killed(killed)
    assert "silent for 1 seconds" in killed.user_attrs["failure"]
    assert again.state == TrialState.WAITING
    assert again.params == killed.params
    assert again.user_attrs == {"retry_of": 0}  # what it had learnt so far is learnt again
    retry_killed(study)
    assert len(study.trials) == 2


@pytest.mark.slow
def test_a_trial_that_was_killed_before_its_first_heartbeat_is_tried_again(study):
    study.ask()
    retry_killed(study)
    assert states(study) == ["RUNNING"]
    time.sleep(1 + GRACE)
    retry_killed(study)
    assert states(study) == ["FAIL", "WAITING"]


def test_a_worker_that_is_killed_while_it_looks_after_another_loses_no_trial(study):
    """It has failed the other's trial, and not yet put it in line."""
    trial = study.ask()
    study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    retry_killed(study)
    assert states(study) == ["FAIL"]  # that worker may just be about to
    time.sleep(GRACE)
    retry_killed(study)
    retry_killed(study)
    assert states(study) == ["FAIL", "WAITING"]
    assert study.trials[1].user_attrs == {"retry_of": 0}


@pytest.mark.slow
def test_a_trial_that_kills_its_workers_is_given_up(storage_url, monkeypatch, request):
    monkeypatch.setattr(storage_module, "MISSED_BEATS", 1)
    study = made(storage_url, request.node.name, retries=2)
    for _ in range(5):
        study.ask()
        retry_killed(study)
        if len(study.trials) == 4:
            break
        time.sleep(1 + GRACE)
        retry_killed(study)
    assert states(study)[:3] == ["FAIL"] * 3
    assert len({trial.system_attrs.get("failed_trial", 0) for trial in study.trials[:3]}) == 1


def test_a_trial_that_failed_for_its_own_reason_is_not_tried_again(study):
    trial = study.ask()
    trial.set_user_attr("failure", "weights must stay finite")
    study.tell(trial, state=TrialState.FAIL)
    time.sleep(GRACE)
    retry_killed(study)
    assert states(study) == ["FAIL"]
    assert study.trials[0].user_attrs["failure"] == "weights must stay finite"


def take(url, name, at_once, taken):
    study = made(url, name)
    at_once.wait(60)
    taken.put([study.ask().number for _ in range(20)])


def test_no_two_processes_take_the_same_trial_out_of_the_line(study, storage_url):
    for number in range(60):
        study.enqueue_trial({"x": number})
    at_once, taken = FORK.Barrier(3), FORK.Queue()
    processes = [FORK.Process(target=take, args=(storage_url, study.study_name, at_once, taken)) for _ in range(3)]
    for process in processes:
        process.start()
    numbers = [number for _ in processes for number in taken.get(timeout=120)]
    for process in processes:
        process.join()
    assert sorted(numbers) == list(range(60))


def open_new(url, at_once, opened):
    at_once.wait(60)
    try:
        opened.put(made(url, "one").study_name)
    except Exception as error:
        opened.put(repr(error))


def test_processes_may_open_a_new_database_at_the_same_moment(tmp_path, postgres):
    with sqlalchemy.create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE fresh")
    for url in (f"sqlite:///{tmp_path}/new/fresh.db", postgres.replace("/postgres", "/fresh")):
        at_once, opened = FORK.Barrier(4), FORK.Queue()
        processes = [FORK.Process(target=open_new, args=(url, at_once, opened)) for _ in range(4)]
        for process in processes:
            process.start()
        assert [opened.get(timeout=60) for _ in processes] == ["one"] * 4
        for process in processes:
            process.join()


def test_a_heartbeat_that_the_database_misses_does_not_end_the_worker(study, monkeypatch):
    def away(*_):
        raise StorageInternalError("the server closed the connection")

    monkeypatch.setattr(RDBStorage, "record_heartbeat", away)
    study.optimize(lambda trial: 1.0, n_trials=1)
    assert states(study) == ["COMPLETE"]


def test_readers_do_not_wait_for_writers_and_a_writer_waits_for_another(tmp_path):
    """The write-ahead log: optuna-dashboard reads while a trial writes."""
    engine = made(f"sqlite:///{tmp_path}/test.db", "a-study")._storage._backend.engine
    with engine.connect() as writer:
        writer.exec_driver_sql("UPDATE studies SET study_name = 'half written'")
        with closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as reader:
            assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert reader.execute("SELECT study_name FROM studies").fetchone() == ("a-study",)
        with closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")  # as every transaction of a worker begins, for it may write
        writer.rollback()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


def test_a_file_that_is_no_database_gets_one_line(tmp_path):
    path = tmp_path / "test.db"
    path.write_text("this is no database, " * 100)
    with pytest.raises(StudyError, match="must be a SQLite file") as error:
        open_storage(f"sqlite:///{path}")
    assert "\n" not in str(error.value)


def test_a_database_that_does_not_answer_gets_one_line_without_its_password():
    with pytest.raises(StudyError, match="must be a database that can be reached") as error:
        open_storage("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    assert shown("postgresql+psycopg://me:secret@host/none") == "postgresql+psycopg://me:***@host/none"


def test_a_missing_driver_gets_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"pip install -e '\.\[scale\]'"):
        open_storage("postgresql+psycopg://me@127.0.0.1/none")


def test_tables_that_lack_a_column_that_is_read_are_refused(tmp_path, monkeypatch):
    """As a later version of Optuna might have them."""
    monkeypatch.setitem(storage_module.COLUMNS, "trial_heartbeats", {"trial_id", "last_seen"})
    with pytest.raises(StudyError, match="must have the columns last_seen, trial_id, but that of Optuna"):
        open_storage(f"sqlite:///{tmp_path}/a.db")
