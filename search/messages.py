"""What a study has found so far, in lines."""

from collections.abc import Callable

import optuna
from optuna.trial import FrozenTrial, TrialState

from agents import TrialSettings
from common import differences
from search.settings import LOG_GROWTH, SearchSettings
from search.storage import shown
from search.study import axis_of, best_trial, finished_trials, folds_of, identity_of, running_trials, settings_of


def describe_trial(trial: FrozenTrial, study: optuna.Study) -> str:
    """One line on a trial that has ended."""
    value = f"{trial.value:+.3f}" if trial.value is not None else trial.user_attrs.get("failure", "")
    best = best_trial(study)
    mark = "  best so far" if best and best.number == trial.number else ""
    again = f"  trial {trial.user_attrs['retry_of']} again" if "retry_of" in trial.user_attrs else ""
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return f"trial {trial.number:3d}  {trial.state.name.lower():8s}  {value}  {seconds:.0f} s{mark}{again}"


def describe_study(study: optuna.Study, search: SearchSettings) -> str:
    """Where it stands."""
    running = running_trials(study)
    return f"study {study.study_name} in {shown(search.storage)}: {finished_trials(study)} of {search.trials} trials finished" + (
        f"; {running} running elsewhere, or left by killed workers, and then tried again" if running else ""
    )


def describe_best(study: optuna.Study, base: TrialSettings) -> str:
    """The best trial so far, and which of its settings differ from the configured ones."""
    trial = best_trial(study)
    if not trial:
        return "no trial has completed yet" + _all_pruned(study)
    changed = differences(base.model_dump(mode="json"), settings_of(trial).model_dump(mode="json"))
    figure = f"best: trial {trial.number}, {axis_of(judged_by(study))} {trial.value:+.3f}"
    lines = figure, "; ".join(changed) or "the settings as configured", against_cash(trial, study)
    return "\n      ".join(line for line in lines if line)


def _all_pruned(study: optuna.Study) -> str:
    """That those that were pruned all lost, where they did."""
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    lost = sum(bool(against_cash(trial, study)) for trial in pruned)
    return f"; all {lost} that were pruned lost on validation, and cash would have made 0" if lost == len(pruned) > 0 else ""


def against_cash(trial: FrozenTrial, study: optuna.Study) -> str:
    """That a trial lost on validation, where cash would have made 0; empty if it did not, or does not say."""
    growths = [fold["log_growth"] for fold in folds_of(trial) if fold.get("log_growth") is not None]
    if not growths and judged_by(study) == LOG_GROWTH and trial.value is not None:
        growths = [trial.value]
    growth = sum(growths) / len(growths) if growths else 0.0
    return f"it lost: its log growth on validation is {growth:+.3f}, and cash would have made 0" if growth < 0 else ""


def newly_ended(study: optuna.Study) -> Callable[[], list[FrozenTrial]]:
    """A function that returns the trials that have ended since it was last called, whoever made them."""
    told = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}

    def look() -> list[FrozenTrial]:
        ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and trial.number not in told]
        told.update(trial.number for trial in ended)
        return ended

    return look


def judged_by(study: optuna.Study) -> str:
    """The figure that the study's best trial is best by."""
    return str((identity_of(study) or {}).get("search", {}).get("objective", LOG_GROWTH))
