"""Runs a search as an Optuna study in SQLite: TPE, a median pruner, and trials that say what they did."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from agents import TrialSettings, known_good
from evaluation.objective import Objective, direction_of
from evaluation.settings import SearchSettings
from market import InputError, differences

SAMPLERS: dict[str, Callable[[SearchSettings, int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda search, seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.startup_trials, constant_liar=True),
    "random": lambda search, seed: optuna.samplers.RandomSampler(seed=seed),
    "gp": lambda search, seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=search.startup_trials),
    "cmaes": lambda search, seed: optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=search.startup_trials),
    "qmc": lambda search, seed: optuna.samplers.QMCSampler(seed=seed, scramble=True),
}
"""By name, of the settings and a seed that no other worker or session has."""
PRUNERS: dict[str, Callable[[SearchSettings], optuna.pruners.BasePruner]] = {
    "median": lambda search: optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials),
    "hyperband": lambda search: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=search.looks),
    "halving": lambda search: optuna.pruners.SuccessiveHalvingPruner(),
    "none": lambda search: optuna.pruners.NopPruner(),
}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
Report = Callable[[optuna.trial.FrozenTrial], None]


class StudyError(InputError):
    """A study that cannot be opened or does not belong to what is being run."""


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """The SQLite storage, its folder made; writers wait up to a minute for each other, and readers never do."""
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = _connect(url)
        with storage.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # stays with the file
    except (SQLAlchemyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"`search.storage` must be a SQLite file that can be written, but {url}: {reason}") from error
    return storage


def _connect(url: str, tries: int = 10) -> optuna.storages.RDBStorage:
    """Two processes may make the tables of a new file at the same moment: the later one looks again."""
    for attempt in range(tries):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
        except SQLAlchemyError as error:
            half_made = any(words in str(error) for words in ("already exists", "alembic_version", "no such table"))
            if not half_made or attempt == tries - 1:
                raise
            time.sleep(0.3)
    raise AssertionError  # the last attempt has returned or raised


def find_study(url: str, name: str) -> optuna.Study | None:
    """The study of that name, or None; never makes a file."""
    if not Path(url.removeprefix("sqlite:///")).exists():
        return None
    storage = open_storage(url)
    known = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage) if name in known else None


def open_study(settings: SearchSettings, name: str, identity: dict[str, Any], base: TrialSettings) -> optuna.Study:
    """Make the study, or take it up again.

    Args:
        identity: all that makes two trials comparable (data hash, settings), as JSON values; stored with the study.
        base: known-good settings, which become the first trial.

    Raises:
        StudyError: the study exists with another identity.
    """
    storage = open_storage(settings.storage)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # trials report themselves, in a line and not in a traceback
    held = find_study(settings.storage, name)
    done = len(held.get_trials(deepcopy=False)) if held else 0
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction=direction_of(settings.objective),
        load_if_exists=True,
        # A resumed search must not draw the first trials' numbers again.
        sampler=SAMPLERS[settings.sampler](settings, settings.seed + done),
        pruner=PRUNERS[settings.pruner](settings),
    )
    if "identity" not in study.user_attrs:
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            study.set_metric_names(
                [f"{settings.objective.replace('_', ' ')} on validation"]
            )  # what the dashboard writes at its axes
        study.set_user_attr("identity", identity)
        for parameters in known_good(base, settings.searched):
            study.enqueue_trial(parameters)
        return study
    changed = differences(study.user_attrs["identity"], identity)
    if changed:
        raise StudyError(
            f"the trials of study {name!r} were made with other settings ({'; '.join(changed)}), so new ones could not be "
            "compared with them; give the search another --name"
        )
    return study


def run_study(
    study: optuna.Study,
    objective: Objective,
    on_trial: Report = lambda trial: None,
    on_progress: Callable[[int], None] = lambda step: None,
) -> None:
    """Run trials until the study holds `search.trials` finished ones. Each trains on train and is judged on validation.

    A trial that cannot be tried, or whose weights diverge, is stored as failed, with the reason, and the search goes on; Ctrl-C
    stores the running trial as failed and ends the search.
    """
    search = objective.search

    def attempt(trial: optuna.Trial) -> float:
        try:
            return objective(trial, on_progress)
        except InputError as error:
            trial.set_user_attr("failure", str(error))
            raise
        except KeyboardInterrupt:
            trial.set_user_attr("failure", "interrupted")
            study.enqueue_trial(trial.params)  # it has not been tried: the next search begins with it
            raise

    while finished_trials(study) < search.trials:
        study.optimize(attempt, n_trials=1, catch=(InputError,))
        last = study.get_trials(deepcopy=False)[-1]
        on_trial(last)
        if last.state == TrialState.FAIL and _all_failed(study):
            reason = last.user_attrs.get("failure")
            raise StudyError(f"the first trials of {study.study_name!r} all failed, the last so: {reason}")


def finished_trials(study: optuna.Study) -> int:
    """Trials that ran to their end or were pruned on their figure: what has been tried on the validation range."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def trials_on(url: str, data_sha256: str) -> list[optuna.trial.FrozenTrial]:
    """Finished trials of all studies that were judged on these data, whatever their rewards and names: each had its chance to be
    lucky on the validation range."""
    if not Path(url.removeprefix("sqlite:///")).exists():
        return []
    storage = open_storage(url)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    same = [study for study in studies if study.user_attrs.get("identity", {}).get("data_sha256") == data_sha256]
    return [trial for study in same for trial in study.get_trials(deepcopy=False, states=FINISHED)]


def settings_of(trial: optuna.trial.FrozenTrial) -> TrialSettings:
    """The settings that a trial was made with.

    Raises:
        StudyError: it holds none, or those of another version.
    """
    try:
        return TrialSettings.model_validate(trial.user_attrs["settings"])
    except (KeyError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise StudyError(
            f"a trial must hold its settings, but those of trial {trial.number} cannot be read ({why}); search anew"
        ) from None


def best_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The best completed trial, or None while there is none."""
    return study.best_trial if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else None


def _all_failed(study: optuna.Study, limit: int = 10) -> bool:
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    return len(states) >= limit and all(state == TrialState.FAIL for state in states)
