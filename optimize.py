"""Search the agent's hyperparameters: Optuna TPE with a median pruner, in a SQLite study that later runs take up again.

    python optimize.py --reward sortino --trials 20
    python optimize.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv
    optuna-dashboard sqlite:///studies/coindojo.db

Each trial trains on the train range and is judged by the log growth of its net worth on the validation range, after costs.
The test range stays locked. Ctrl-C ends cleanly; the same command goes on where the study stands.
"""

import optuna
from rich.console import Console
from rich.progress import Progress

from agents import TrialSettings
from configs import load_experiment, make_parser, parse, run
from envs import OPTIMISTIC
from evaluation import Objective, best_trial, finished_trials, open_study, run_study, settings_of
from features import CACHE, FeaturePipeline
from market import differences, load_candles, split


def main() -> int:
    """Parse the command line, open or resume the study, run trials, say what came out."""
    options, overrides = parse(make_parser(__doc__ or "", shortcuts=("reward", "trials")))
    experiment = load_experiment(options.config, overrides)
    candles = load_candles(experiment.market)
    parts = split(candles, experiment.split)
    console = Console(soft_wrap=True, highlight=False)
    with console.status("fitting the features"):  # refused before a study is made
        features = FeaturePipeline(experiment.features, CACHE).fit(parts.train.candles)
    search, name = experiment.search, experiment.study_name
    objective = Objective(parts, experiment.trial_settings, search, CACHE)
    study = open_study(search, name, experiment.identity(parts.data_sha256), experiment.trial_settings)

    console.print(f"study {name} in {search.storage}: {finished_trials(study)} of {search.trials} trials finished")
    if experiment.env.optimistic:
        console.print(OPTIMISTIC)
    console.print(f"data: {candles.source}; train {len(parts.train):,} bars, validation {len(parts.validation):,} bars")
    console.print(features.in_words)
    if finished_trials(study) >= search.trials:
        console.print(f"nothing to do; give a larger --trials to go on (now {search.trials})")
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("trial", total=objective.steps)

            def show(trial: optuna.trial.FrozenTrial) -> None:
                console.print(describe(trial, study))

            run_study(study, objective, show, lambda step: progress.update(task, completed=step))
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        return 130
    finally:
        console.print(describe_best(study, experiment.trial_settings))
    return 0


def describe_best(study: optuna.Study, base: TrialSettings) -> str:
    """The best trial so far, and which of its settings differ from the configured ones."""
    trial = best_trial(study)
    if not trial:
        return "no trial has completed yet"
    changed = differences(base.model_dump(mode="json"), settings_of(trial).model_dump(mode="json"))
    return (
        f"best: trial {trial.number}, {study.metric_names[0]} {trial.value:+.3f}\n"
        f"      {'; '.join(changed) or 'the settings as configured'}"
    )


def describe(trial: optuna.trial.FrozenTrial, study: optuna.Study) -> str:
    """One line on a finished trial."""
    state = trial.state.name.lower()
    value = f"{trial.value:+.3f}" if trial.value is not None else trial.user_attrs.get("failure", "")
    best = best_trial(study)
    mark = "  best so far" if best and best.number == trial.number else ""
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return f"trial {trial.number:3d}  {state:8s}  {value}  {seconds:.0f} s{mark}"


if __name__ == "__main__":
    run(main)
