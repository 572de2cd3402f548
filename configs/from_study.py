"""Takes the agent's settings from a study's best trial."""

from pathlib import Path
from typing import Any

from configs.experiment import Experiment, Overrides, load_experiment
from evaluation import best_agent, find_study, finished_trials
from market import differences


def take_best_trial(
    experiment: Experiment, data_sha256: str, config: Path, overrides: Overrides
) -> tuple[Experiment, dict[str, Any], list[str]]:
    """The experiment with the best trial's agent settings, if its study is there and was searched on these data.

    Args:
        config, overrides: what `experiment` was read from; what the command line says wins over the study.

    Returns:
        The experiment; what to write down about where its agent settings come from; the same in words, a line each.
    """
    name, storage, nothing = experiment.study_name, experiment.search.storage, {"study": None}
    study = find_study(storage, name)
    best = best_agent(study) if study else None
    if study is None or best is None:
        why = f"since study {name} has no finished trial in {storage}"
        return experiment, nothing, [f"agent settings: the configured ones, {why}"]
    searched, here = study.user_attrs["identity"], experiment.identity(data_sha256)
    if (searched["data_sha256"], searched["split"]) != (here["data_sha256"], here["split"]):
        why = f"since study {name} was searched on other data or another split"
        return experiment, nothing, [f"agent settings: the configured ones, {why}"]
    settings, trial = best
    of_all = f"trial {trial.number} of study {name}, best of {finished_trials(study)}"
    words = [f"agent settings: {of_all}, validation {trial.value:+.3f}"]
    changed = [line for line in differences(searched, here) if not line.startswith("search.")]
    if changed:
        words.append(f"  note: it was searched with other settings ({'; '.join(changed)})")
    given = sorted(key for key in overrides if key.startswith("agent."))
    if given:
        words.append(f"  from the command line instead: {', '.join(given)}")
    from_trial = {f"agent.{key}": value for key, value in settings.model_dump().items()}
    return load_experiment(config, from_trial | overrides), {"study": name, "trial": trial.number}, words
