"""What a study and its trials keep beside their parameters and figures.

What a person reads are Optuna's user attributes, which the dashboard shows: short, in words or rounded. What programs read
(settings, folds with their learning curves, growths) are system attributes under `PREFIX`, which it does not show. Studies of
older versions hold these as user attributes, under the same names.
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial

PREFIX = "coindojo:"
AXIS = "dashboard:objective_names"
"""system attribute of a study: what optuna-dashboard calls the figure. `Study.set_metric_names` would do that as well, but would
also rename the column `value` of `Study.trials_dataframe`"""
METRIC_NAMES = "study:metric_names"


def keep_in_study(study: optuna.Study, name: str, value: object) -> None:
    """Store a JSON value."""
    study._storage.set_study_system_attr(study._study_id, PREFIX + name, value)  # type: ignore[arg-type]


def kept_in_study(study: optuna.Study, name: str) -> Any:
    """The value, or None."""
    return study._storage.get_study_system_attrs(study._study_id).get(PREFIX + name, study.user_attrs.get(name))


def keep_in_trial(trial: optuna.Trial, name: str, value: object) -> None:
    """Store a JSON value; of a trial that is in no study (`optuna.trial.FixedTrial`) nothing is stored."""
    if isinstance(trial, optuna.Trial):
        trial.storage.set_trial_system_attr(trial._trial_id, PREFIX + name, value)  # type: ignore[arg-type]


def kept_in_trial(trial: FrozenTrial, name: str) -> Any:
    """The value, or None."""
    return trial.system_attrs.get(PREFIX + name, trial.user_attrs.get(name))


def without_kept(trial: FrozenTrial) -> dict[str, Any]:
    """The trial's system attributes that are Optuna's own."""
    return {name: value for name, value in trial.system_attrs.items() if not name.startswith(PREFIX)}


def name_axis(study: optuna.Study, axis: str) -> None:
    """What the dashboard calls the figure; a metric name of an older version is taken back."""
    study._storage.set_study_system_attr(study._study_id, AXIS, [axis])
    if study.metric_names:
        study._storage.set_study_system_attr(study._study_id, METRIC_NAMES, None)


def describe_in_dashboard(study: optuna.Study, words: Mapping[str, str]) -> None:
    """Say in the study what it is about, where it does not say so yet."""
    for name, told in words.items():
        if study.user_attrs.get(name) is None:
            study.set_user_attr(name, told)
