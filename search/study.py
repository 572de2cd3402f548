"""Runs a search as an Optuna study: opens or takes up the study, and makes trials of which each says what it did."""

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from agents import TrialSettings, known_good
from common import InputError, differences, hash_of, one_line
from market import FinishedTrial, LedgerRange
from search.attributes import keep_in_study, kept_in_study, kept_in_trial, name_axis
from search.errors import StudyError
from search.samplers import PRUNERS, SeededByTrial
from search.settings import SearchSettings
from search.storage import exists, open_storage, retry_killed, was_killed

if TYPE_CHECKING:
    from search.objective import Objective

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
IDENTITY = "identity"
"""kept in a study: all that makes two of its trials comparable"""
SETTINGS = "settings"
"""kept in a study: with which its search goes on when it is called by its name"""
VALIDATED = "validated"
"""kept in a study: the bars that its trials are judged on, as the trial ledger knows them; of several coins a list"""
HOPELESS = 10
"""failed trials without a finished one that end a search"""
Report = Callable[[FrozenTrial], None]


def find_study(url: str, name: str) -> optuna.Study | None:
    """The study of that name, or None; never makes a file."""
    if not exists(url):
        return None
    storage = open_storage(url)
    known = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage) if name in known else None


def open_study(settings: SearchSettings, name: str, identity: Mapping[str, object], base: TrialSettings) -> optuna.Study:
    """Make the study, or take it up again.

    Args:
        identity: all that makes two trials comparable (data hash, settings), as JSON values; stored with the study.
        base: known-good settings, which become the first trial.

    Raises:
        StudyError: the study exists with another identity, the settings have no use for any of the searched dimensions, or the
            storage cannot be opened.
    """
    starts = known_good(base, settings.searched)
    if not starts[0]:
        raise StudyError(
            f"a search needs a dimension that its settings have a use for, but algorithm {base.agent.algorithm!r} and these "
            f"features have none for {', '.join(settings.searched)}; name others in --search.dimensions"
        )
    storage = open_storage(settings.storage, settings.heartbeat_seconds, settings.retries)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # trials report themselves, in a line and not in a traceback
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction=StudyDirection[settings.direction.upper()],
        load_if_exists=True,
        sampler=SeededByTrial(settings),
        pruner=PRUNERS[settings.pruner](settings),
    )
    name_axis(study, axis_of(settings.objective))
    if identity_of(study) is None:
        for parameters in starts:
            study.enqueue_trial(parameters, skip_if_exists=True)
        keep_in_study(study, IDENTITY, identity)  # last, so that whoever was killed before does it again
        return study
    changed = differences(identity_of(study) or {}, identity)
    if changed:
        raise StudyError(
            f"the trials of study {name!r} were made with other settings ({'; '.join(changed)}), so new ones could not be "
            "compared with them; leave them out, or give the search another --name"
        )
    return study


def run_study(
    study: optuna.Study,
    objective: "Objective",
    on_trial: Report = lambda trial: None,
    on_step: Callable[[int], None] = lambda step: None,
    until: float = math.inf,
) -> None:
    """Make trials until the study holds `search.trials` finished ones, together with all other workers of the study.

    A trial that cannot be tried, or whose weights diverge, is stored as failed, with the reason, and the search goes on. Ctrl-C
    stores the running trial as failed, puts it in line again and ends the search; an error of the program does the former and
    shows its traceback. While enough trials run elsewhere, it waits: should their workers be killed, it takes their place.
    Workers that begin their last trials at the same moment may make one more each.

    Args:
        on_trial: called after each trial of this worker.
        on_step: called with the number of environment steps that the trial has made.
        until: seconds since the epoch; no trial begins later, and one that runs then is finished.

    Raises:
        StudyError: none of the first trials could be tried, or the storage or the study is gone.
    """
    wanted, pause, name = objective.search.trials, 0.25, study.study_name
    try:
        while finished_trials(study) < wanted and time.time() < until:
            retry_killed(study)
            if finished_trials(study) + running_trials(study) < wanted:
                last = _one_trial(study, objective, on_step)
                on_trial(last)
                _require_hope(study, last)
            else:
                time.sleep(pause)
                pause = min(2 * pause, objective.search.heartbeat_seconds, max(until - time.time(), 0))
    except (KeyError, UnboundLocalError):  # all that Optuna says of a study that is gone
        if name in optuna.get_all_study_names(study._storage):
            raise
        raise StudyError(f"a search needs its study, but {name} was deleted; the same command begins a new one") from None
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = one_line(error.__cause__ or error)
        raise StudyError(f"a search needs its storage, which is gone: {cause}; the same command goes on from here") from error


def finished_trials(study: optuna.Study) -> int:
    """Trials that ran to their end or were pruned on their figure: what has been tried on the validation range."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def running_trials(study: optuna.Study) -> int:
    """Trials that somebody runs, or ran when killed."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def trials_on(url: str, searched: LedgerRange) -> list[tuple[FinishedTrial, FrozenTrial]]:
    """Finished trials of all studies that were judged on these bars, whatever their rewards and names: each had its chance to be
    lucky there.

    Args:
        searched: the validation range. Of a study that does not say which bars it was judged on, the data must be the same.

    Returns:
        Each trial as the trial ledger knows it, and as Optuna does.
    """
    if not exists(url):
        return []
    storage = open_storage(url)
    found = []
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        bars = _validated(study, searched)
        if any(searched.is_seen_in(each.as_json()) for each in bars):
            trials = study.get_trials(deepcopy=False, states=FINISHED)
            finished = [(each, trial) for trial in trials for each in as_finished(trial, study, bars)]
            found += [(each, trial) for each, trial in finished if searched.is_seen_in(each.validated.as_json())]
    return found


def as_finished(trial: FrozenTrial, study: optuna.Study, bars: Sequence[LedgerRange]) -> list[FinishedTrial]:
    """What the trial ledger says of a finished trial that was judged on these bars, a line a coin."""
    known_by = [study.study_name, trial.number, str(trial.datetime_start)]
    ids = [hash_of([*known_by, each.market] if len(bars) > 1 else known_by) for each in bars]
    return [FinishedTrial(id, study.study_name, trial.number, each) for id, each in zip(ids, bars, strict=True)]


def validated_on(study: optuna.Study) -> list[LedgerRange]:
    """The bars that its trials are judged on, a range a coin; none if it does not say."""
    said = kept_in_study(study, VALIDATED) or []
    return [LedgerRange(**each) for each in ([said] if isinstance(said, dict) else said)]


def _validated(study: optuna.Study, searched: LedgerRange) -> list[LedgerRange]:
    if said := validated_on(study):
        return said
    same = (identity_of(study) or {}).get("data_sha256") == searched.data_sha256
    return [searched] if same else []


def identity_of(study: optuna.Study) -> dict[str, Any] | None:
    """All that makes two of its trials comparable, as JSON values; None of a study that was not begun by a search."""
    identity: dict[str, Any] | None = kept_in_study(study, IDENTITY)
    return identity


def keep_settings(study: optuna.Study, settings: Mapping[str, object]) -> None:
    """Keep the settings that the search was begun with, as JSON values, if the study has none."""
    if kept_settings(study) is None:
        keep_in_study(study, SETTINGS, settings)


def kept_settings(study: optuna.Study) -> dict[str, Any] | None:
    """The settings that the search was begun with; None of a study of an older version."""
    settings: dict[str, Any] | None = kept_in_study(study, SETTINGS)
    return settings


def axis_of(objective: str) -> str:
    """What the trials are judged by, in words."""
    return f"{objective.replace('_', ' ')} on validation"


def has_settings(trial: FrozenTrial) -> bool:
    """Whether the trial came as far as to say what it was made with."""
    return kept_in_trial(trial, "settings") is not None


def folds_of(trial: FrozenTrial) -> list[dict[str, Any]]:
    """A dict for each training that it made: window, seed, figure, log growth, step that was kept, seconds, learning curve."""
    return kept_in_trial(trial, "folds") or []


def settings_of(trial: optuna.trial.FrozenTrial) -> TrialSettings:
    """The settings that a trial was made with.

    Raises:
        StudyError: it holds none, or those of another version.
    """
    try:
        return TrialSettings.model_validate(kept_in_trial(trial, "settings"))
    except ValidationError as error:
        why = one_line(error)
        raise StudyError(
            f"a trial must hold its settings, but those of trial {trial.number} cannot be read ({why}); search anew"
        ) from None


def best_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The best completed trial, or None while there is none."""
    return study.best_trial if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else None


def _one_trial(study: optuna.Study, objective: "Objective", on_step: Callable[[int], None]) -> FrozenTrial:
    """The next in line, or a new one, as it is when it has ended."""
    numbers: list[int] = []

    def attempt(trial: optuna.Trial) -> float:
        numbers.append(trial.number)
        return _figure_of(trial, study, lambda: objective(trial, on_step))

    try:
        study.optimize(attempt, n_trials=1, catch=(InputError,))
    except (ValueError, AssertionError, UpdateFinishedTrialError):  # all of them what Optuna says of a trial that has ended
        # A worker may be silent for so long (a laptop asleep, a frozen disk) that another puts its trial in line again.
        if not numbers or not was_killed(study.get_trials(deepcopy=False)[numbers[0]]):
            raise
    return study.get_trials(deepcopy=False)[numbers[0]]


def _figure_of(trial: optuna.Trial, study: optuna.Study, judge: Callable[[], float]) -> float:
    """What the trial is worth; if that cannot be said, the trial says why."""
    trial.set_user_attr("worker", f"{platform.node()}:{os.getpid()}")
    try:
        figure = judge()
        if not math.isfinite(figure):
            raise StudyError(f"a trial's figure must be finite, but it is {figure}")
        return figure
    except (optuna.TrialPruned, UpdateFinishedTrialError):
        raise
    except KeyboardInterrupt:
        trial.set_user_attr("failure", "interrupted")
        held = study.get_trials(deepcopy=False)[trial.number]
        study.enqueue_trial({**held.system_attrs.get("fixed_params", {}), **held.params})  # it has not been tried
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        trial.set_user_attr("failure", " ".join(reason.split()))
        raise


def _require_hope(study: optuna.Study, last: FrozenTrial) -> None:
    if last.state != TrialState.FAIL or finished_trials(study):
        return
    if len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,))) >= HOPELESS:
        reason = last.user_attrs["failure"]
        raise StudyError(f"the first trials of {study.study_name!r} all failed, the last so: {reason}")
