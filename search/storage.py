"""Opens the studies' database, a SQLite file for one machine or PostgreSQL for many, and retries the trials of killed workers.

What holds between this module and whoever uses it, whatever happens to a worker at any moment:

* A trial is in one of Optuna's states, and only the process that runs it, or `retry_killed` once its heartbeats have stopped,
  takes it out of RUNNING.
* A failed trial has a `failure` among its user attributes: why, or that it was killed.
* A killed trial is put in line again with the same parameters, once, by whichever worker sees it first; never more often than
  `retries` in a row.
* Two workers never take the same waiting trial: SQLite's transactions take the write lock when they begin, and PostgreSQL locks
  the rows.
* A write that has returned is on disk; a database that is away for a moment costs a heartbeat, not the worker.

Nothing here knows what a trial does.
"""

import contextlib
import copy
import time
import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from search.attributes import without_kept
from search.errors import StudyError

SQLITE = "sqlite:///"
KILLED = "killed"
MISSED_BEATS = 3
"""heartbeats that a worker may miss before it is taken for killed"""
COLUMNS = {
    "studies": {"study_id", "study_name"},
    "trials": {"trial_id", "study_id", "state"},
    "trial_heartbeats": {"trial_id", "heartbeat"},
}
"""of Optuna's schema, which `WITHOUT_HEARTBEAT` reads"""
HALF_MADE = ("already exists", "alembic_version", "no such table", "duplicate key", "does not exist")
"""what a database says whose tables another process is just making"""
ENGINE: dict[str, dict[str, Any]] = {
    "sqlite": {"connect_args": {"timeout": 60}},  # seconds that a writer waits for another
    # A worker needs one connection, and its heartbeat one now and then. A pooler such as PgBouncer knows no prepared statements.
    "postgresql": {
        "pool_size": 1,
        "max_overflow": 2,
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 20, "prepare_threshold": None},
    },
}
WITHOUT_HEARTBEAT = sqlalchemy.text(
    "SELECT trials.trial_id FROM studies JOIN trials ON trials.study_id = studies.study_id "
    "LEFT JOIN trial_heartbeats ON trial_heartbeats.trial_id = trials.trial_id "
    "WHERE study_name = :study AND state = 'RUNNING' AND heartbeat IS NULL"
)


class StudyStorage(RDBStorage):
    """Optuna's storage with heartbeats. A failed trial always says why, and a killed one is tried again.

    Args:
        url: of the database.
        heartbeat_seconds: between two signs of life of a running trial; after `MISSED_BEATS` of them it counts as killed.
        retries: times that a killed trial is tried again.
    """

    def __init__(self, url: str, heartbeat_seconds: int, retries: int) -> None:
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            self._retry = RetryHeartbeatStaleTrialCallback(max_retry=retries)
            super().__init__(
                url,
                ENGINE[sqlalchemy.make_url(url).get_backend_name()],
                heartbeat_interval=heartbeat_seconds,
                grace_period=MISSED_BEATS * heartbeat_seconds,
                heartbeat_stale_trial_callback=self.retry,
            )

    def retry(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Put the trial in line again with its parameters, and without what it had said so far."""
        trial.user_attrs = {"retry_of": trial.number}
        trial.system_attrs = without_kept(trial)
        self._retry(study, trial)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        if state == TrialState.FAIL and "failure" not in self.get_trial_user_attrs(trial_id):
            self.set_trial_user_attr(trial_id, "failure", f"{KILLED}: its worker was silent for {self.grace_period} seconds")
        return super().set_trial_state_values(trial_id, state, values)

    def record_heartbeat(self, trial_id: int) -> None:
        """A database that is away for a moment costs a beat, not the worker."""
        with contextlib.suppress(SQLAlchemyError, StorageInternalError):
            super().record_heartbeat(trial_id)


def open_storage(url: str, heartbeat_seconds: int = 20, retries: int = 3) -> StudyStorage:
    """The database, its tables made and, for SQLite, its folder; writers wait up to a minute for each other, readers never do.

    Args:
        url: sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE.
        heartbeat_seconds: between two signs of life of a running trial; after `MISSED_BEATS` of them it counts as killed.
        retries: times that a killed trial is tried again.

    Raises:
        StudyError: a database that cannot be opened, or whose driver is not installed.
    """
    sqlite = url.startswith(SQLITE)
    try:
        if sqlite:
            Path(url.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        storage = _connect(url, heartbeat_seconds, retries)
        _require_schema(storage)
        if sqlite:
            _one_writer_at_a_time(storage.engine)
    except ImportError as error:
        raise StudyError(
            f"`search.storage` {shown(url)} needs a driver that is not installed; for PostgreSQL: pip install -e '.[scale]'"
        ) from error
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        what = "a SQLite file that can be written" if sqlite else "a database that can be reached and written"
        raise StudyError(f"`search.storage` must be {what}, but {shown(url)}: {str(error).splitlines()[0]}") from error
    return storage


def exists(url: str) -> bool:
    """Whether there may be studies; looking for a SQLite file makes none."""
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).exists()


def shown(url: str) -> str:
    """The address without a password."""
    return sqlalchemy.make_url(url).render_as_string(hide_password=True)


def retry_killed(study: optuna.Study) -> None:
    """Fail the trials whose workers have been silent for too long, and put each in line again.

    Workers call this between trials. It also finds what Optuna's own check does not: a worker that was killed before its trial's
    first heartbeat, and one that was killed while it put another's trial in line again.
    """
    storage = _storage_of(study)
    with storage.engine.connect() as connection:
        never_beaten = list(connection.execute(WITHOUT_HEARTBEAT, {"study": study.study_name}).scalars())
    for trial_id in never_beaten:
        storage.record_heartbeat(trial_id)  # alive, it beats by itself from now on; dead, it is found by its silence
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        optuna.storages.fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        in_line = {number for trial in trials for number in RetryHeartbeatStaleTrialCallback.retry_history(trial)}
        long_ago = datetime.now() - timedelta(seconds=MISSED_BEATS * (storage.heartbeat_interval or 0))
        for trial in trials:
            if was_killed(trial) and trial.number not in in_line and (trial.datetime_complete or long_ago) < long_ago:
                storage.retry(study, copy.deepcopy(trial))


def being_tried(study: optuna.Study) -> list[int]:
    """The numbers of the running trials whose workers gave a sign of life within the last `MISSED_BEATS` heartbeats."""
    storage = _storage_of(study)
    with storage.engine.connect() as connection:
        never_beaten = set(connection.execute(WITHOUT_HEARTBEAT, {"study": study.study_name}).scalars())
    silent = set(storage._get_stale_trial_ids(study._study_id))
    long_ago = datetime.now() - timedelta(seconds=storage.grace_period or 0)
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    old = {trial._trial_id for trial in running if (trial.datetime_start or long_ago) <= long_ago}
    return [trial.number for trial in running if trial._trial_id not in silent | (never_beaten & old)]


def was_killed(trial: FrozenTrial) -> bool:
    """Whether its worker ended without a word."""
    return trial.state == TrialState.FAIL and str(trial.user_attrs.get("failure", "")).startswith(KILLED)


def _require_schema(storage: StudyStorage) -> None:
    """Optuna itself refuses the tables of another version; a newer one might also rename what is read here.

    Raises:
        StudyError: a table without a column that is read.
    """
    tables = sqlalchemy.inspect(storage.engine)
    for table, columns in COLUMNS.items():
        if lacking := columns - {column["name"] for column in tables.get_columns(table)}:
            raise StudyError(
                f"the table `{table}` of a study must have the columns {', '.join(sorted(columns))}, but that of Optuna "
                f"{optuna.__version__} (schema {storage.get_current_version()}) lacks {', '.join(sorted(lacking))}; install the "
                "Optuna of constraints.txt"
            )


def _storage_of(study: optuna.Study) -> StudyStorage:
    """Optuna wraps it in a cache."""
    storage: StudyStorage = getattr(study._storage, "_backend")  # noqa: B009 (mypy does not know it)
    return storage


def _connect(url: str, heartbeat_seconds: int, retries: int, tries: int = 10) -> StudyStorage:
    """Two processes may make the tables of a new database at the same moment: the later one looks again."""
    for attempt in range(tries):
        try:
            return StudyStorage(url, heartbeat_seconds, retries)
        except SQLAlchemyError as error:
            if attempt == tries - 1 or not any(words in str(error) for words in HALF_MADE):
                raise
            time.sleep(0.3)
    raise AssertionError  # the last attempt has returned or raised


def _one_writer_at_a_time(engine: sqlalchemy.Engine) -> None:
    """Every transaction takes SQLite's write lock at its beginning, so that what it has read is still true when it writes: else
    two workers take the same trial out of the line. The write-ahead log lets others, such as the dashboard, read meanwhile."""

    def begin_by_hand(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")  # stays with the file

    sqlalchemy.event.listen(engine, "connect", begin_by_hand)
    sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    engine.dispose()  # those made so far do not know it
    engine.connect().close()
