"""Takes a trial's settings out of a study."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import optuna
from optuna.study import StudyDirection

from common import DataHash, differences
from configs.experiment import Experiment, Overrides, SettingError, load_experiment
from configs.plugins import joined, load_plugins
from envs import REWARDS
from market import AnySplit
from search import (
    LOG_GROWTH,
    SearchSettings,
    StudyError,
    against_cash,
    best_trial,
    describe_in_dashboard,
    find_study,
    finished_trials,
    folds_of,
    has_settings,
    identity_of,
    judged_by,
    keep_settings,
    kept_settings,
    note_bars,
    require_study,
    settings_of,
)

Taken = tuple[Experiment, dict[str, Any], list[str]]


def take_trial(
    experiment: Experiment,
    data_sha256: DataHash,
    config: Path,
    overrides: Overrides,
    study: str | None = None,
    number: int | None = None,
) -> Taken:
    """The experiment with a trial's features, env and agent settings, whole.

    Args:
        config, overrides: what `experiment` was read from; what the command line says wins over the study.
        study: name of the study, whose trial also says how long to train, since no validation is left to say it;
            None takes the experiment's own, if it is there and was searched on these data.
        number: of the trial; None takes the best.

    Returns:
        The experiment; what to write down about where its settings come from; the same in words, a line each.

    Raises:
        StudyError: a study or trial that was asked for is not there, or was searched on other data or another split.
    """
    name, storage = study or experiment.study_name, experiment.search.storage
    asked = study is not None or number is not None
    found = find_study(storage, name)
    trial = (best_trial(found) if number is None else _numbered(found, number)) if found else None
    own = plugins_of(found) if found else {}
    if not experiment.plugins:
        load_plugins(own)
    why = None
    if found is None or trial is None:
        why = f"study {name} has no finished trial in {storage}"
    elif experiment.plugins not in ({}, own):
        why = f"study {name} was searched with {_named(own)}, and here {_named(experiment.plugins)}"
    elif not _same_data(identity_of(found) or {}, experiment.identity(data_sha256)):
        why = f"study {name} was searched on other data or another split"
    elif not asked and judged_by(found) != experiment.search.objective:
        why = f"study {name} judged its trials by {judged_by(found)} and `search.objective` is {experiment.search.objective}"
    if found is None or trial is None or why:
        if asked:
            raise StudyError(
                f"a study to train from must hold trials on these data, but {why}; run `python optimize.py`, or name another"
            )
        require_one_reward(experiment, why or "")
        return experiment, {"study": None}, [f"agent settings: the configured ones, since {why}"]
    words = [f"agent settings: {_in_words(found, trial)}"]
    words += [f"  {lost}"] if (lost := against_cash(trial, found)) else []
    here = experiment.model_dump(mode="json")
    settings = settings_of(trial).model_dump(mode="json")
    changed = differences({group: here[group] for group in settings}, settings)
    words += [f"  from the trial: {'; '.join(changed)}"] if changed else []
    if study is not None and "train.steps" not in overrides and (steps := _best_steps(found, trial)):
        words.append(f"  train.steps: {steps:,}, where the trial did best")
        settings["train.steps"] = steps
    taken = load_experiment(config, {**settings, **overrides, "plugins": own})
    given = differences(settings_of(trial).model_dump(mode="json"), taken.trial_settings.model_dump(mode="json"))
    words += [f"  from the command line instead: {'; '.join(given)}"] if given else []
    return taken, {"study": name, "trial": trial.number}, words


def plugins_of(study: optuna.Study) -> dict[str, str]:
    """The plugins that its trials were made with: by name the hash of their code."""
    return dict((identity_of(study) or {}).get("plugins", {}))


def _named(own: Mapping[str, str]) -> str:
    return ", ".join(f"the plugin {name} ({sha256[:12]})" for name, sha256 in own.items()) or "no plugins"


def experiment_of_study(study: str, overrides: Overrides) -> Experiment:
    """The settings that a study was begun with, but for the overrides, to go on with its search.

    Args:
        study: its name.
        overrides: `search.storage` says where it is; what would make its trials incomparable is refused when it is opened.

    Raises:
        StudyError: no such study, one of a version that kept no settings, or overrides that name another study.
    """
    storage = overrides.get("search.storage", SearchSettings().storage)
    found = require_study(storage, study)
    kept = kept_settings(found)
    if kept is None:
        raise StudyError(
            f"study {study} was made by a version that kept no settings in it; go on once with the options that it was begun "
            f"with, its --name, --config and so on, instead of --study"
        )
    try:
        begun = load_experiment(None, kept | {"search": {**kept["search"], "storage": storage}})
    except SettingError as error:
        raise StudyError(f"the settings in study {study} are of another version: {error}") from None
    experiment = load_experiment(
        None, {**begun.model_dump(mode="json"), **overrides, "plugins": joined(begun.plugins, overrides.get("plugins"))}
    )
    if experiment.study_name != study:
        changed = "; ".join(differences(begun.model_dump(mode="json"), experiment.model_dump(mode="json")))
        raise StudyError(f"study {study} goes on with its own settings, but got {changed}; leave them out, or leave --study out")
    return experiment


def kept_of(experiment: Experiment) -> dict[str, Any]:
    """What a study keeps of the settings that it was begun with: all but the address of its storage, where a password may be."""
    return experiment.model_dump(mode="json", exclude={"search": {"storage"}})


def note_in_study(study: optuna.Study, experiment: Experiment, parts: AnySplit) -> None:
    """Say in the study what it lacks: the bars that its trials are judged on, its settings, and what the dashboard shows."""
    note_bars(study, *(coin.validation_known_as for coin in parts.coins))
    keep_settings(study, kept_of(experiment))
    describe_in_dashboard(study, study_in_words(experiment, parts))


def study_in_words(experiment: Experiment, parts: AnySplit) -> dict[str, str]:
    """What the study is about, in words for the dashboard."""
    search, coin = experiment.search, parts.coins[0]
    index = coin.validation.own.index
    coins = f"{', '.join(coin.symbol for coin in parts.coins)}, such as " if len(parts.coins) > 1 else ""
    times = search.folds * search.seeds
    return {
        "data": f"{coins}{coin.in_words.removeprefix('data: ')}",
        "judged on": f"{index[0]:%Y-%m-%d %H:%M} to {index[-1]:%Y-%m-%d %H:%M}, by {search.objective.replace('_', ' ')}",
        "reward": "all are tried" if search.any_reward else experiment.env.reward,
        "costs": experiment.env.costs_in_words,
        "trial": f"{times} training{'s' * (times > 1)} of {search.steps:,} steps, {search.validations} validations each",
    }


def require_one_reward(experiment: Experiment, why_no_trial: str) -> None:
    """Refuse to train for any reward where no trial of a study says for which.

    Raises:
        StudyError: the search may choose the reward (`--reward all`).
    """
    if experiment.search.any_reward:
        raise StudyError(
            f"with `--reward all` a training takes the reward of the best trial, but {why_no_trial}; search first, with "
            f"`python optimize.py --reward all`, or name one: {', '.join(REWARDS)}"
        )


def _numbered(study: optuna.Study, number: int) -> optuna.trial.FrozenTrial:
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False) if has_settings(trial)}
    if number not in trials:
        raise StudyError(
            f"`--trial` must be one that study {study.study_name} has settings of, but got {number}; it has {_shown(trials)}"
        )
    return trials[number]


def _best_steps(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> int:
    """The steps after which the trial's trainings kept their agents, their median; 0 if the trial does not say.

    A trial that was made before trainings kept that step had the best figure of its curve.
    """
    best = max if study.direction == StudyDirection.MAXIMIZE else min
    folds = [fold for fold in folds_of(trial) if fold.get("kept_step") or fold.get("curve")]
    steps = [fold.get("kept_step") or int(best(fold["curve"], key=fold["curve"].__getitem__)) for fold in folds]
    return round(median(steps)) if steps else 0


def _shown(numbers: Iterable[int], most: int = 12) -> str:
    known = sorted(numbers)
    return ", ".join(str(number) for number in known[:most]) + (" ..." if len(known) > most else "") or "none"


def _same_data(searched: Mapping[str, object], here: Mapping[str, object]) -> bool:
    return all(searched.get(name) == here[name] for name in ("data_sha256", "split"))


def _in_words(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> str:
    best = best_trial(study)
    place = f", best of {finished_trials(study)}" if best and best.number == trial.number else ""
    figure = "" if judged_by(study) == LOG_GROWTH else f" {judged_by(study)}"
    value = f", validation{figure} {trial.value:+.3f}" if trial.value is not None else f", {trial.state.name.lower()}"
    return f"trial {trial.number} of study {study.study_name}{place}{value}"
