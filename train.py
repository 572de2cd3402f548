"""Train the recurrent agent with the settings of the study's best trial, or with the configured ones if there is no study.

    python train.py --reward sortino
    python train.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv --steps 500000

The agent learns on the train range; the weights that did best on the validation range are kept. The test range stays locked.
Everything is written to a new folder in runs/. A setting given on the command line wins over the study's.
"""

import shlex
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from agents import LearnedAgent
from configs import Experiment, Overrides, dump_experiment, load_experiment, make_parser, parse, run
from envs import OPTIMISTIC
from evaluation import (
    Validation,
    best_agent,
    differences,
    find_study,
    finished_trials,
    new_run,
    train_agent,
    trials_on,
    write_json,
)
from features import CACHE, FeaturePipeline, FittedFeatures
from market import Split, load_candles, split, write_atomically


def main() -> int:
    """Parse the command line, choose the settings, train, write the run folder."""
    parser = make_parser(__doc__ or "", shortcuts=("reward", "steps", "seed"))
    parser.add_argument("--no-study", action="store_true", help="use the configured agent settings, whatever a study found")
    options, overrides = parse(parser)
    experiment = load_experiment(options.config, overrides)
    candles = load_candles(experiment.market)
    parts = split(candles, experiment.split)
    console = Console(soft_wrap=True, highlight=False)
    origin: dict[str, Any] = {"study": None}
    if options.no_study:
        console.print("agent settings: as configured")
    else:
        experiment, origin = take_best_trial(experiment, parts.data_sha256, options.config, overrides, console)

    origin["trials"] = trials_on(experiment.search.storage, parts.data_sha256)
    features = FeaturePipeline(experiment.features, CACHE).fit(parts.train.candles)  # refused before a folder is made
    folder = new_run(Path("runs"), experiment.study_name)
    write_atomically(folder / "config.yaml", dump_experiment(experiment))
    write_atomically(folder / "command.txt", shlex.join(["python", *sys.argv]) + "\n")
    write_atomically(folder / "data.sha256", parts.data_sha256 + "\n")
    console.print(f"run folder: {folder}")
    if experiment.env.optimistic:
        console.print(OPTIMISTIC)
    console.print(f"data: {candles.source}; train {len(parts.train):,} bars, validation {len(parts.validation):,} bars")
    console.print(features.in_words)
    try:
        train(experiment, parts, folder, origin, console)
    except KeyboardInterrupt:
        kept = f"the best agent so far is in {folder}/agent" if (folder / "agent/agent.json").exists() else "nothing to keep yet"
        console.print(f"interrupted; {kept}")
        return 130
    console.print(f"saved {folder}/agent; next: python backtest.py --run {folder}")
    return 0


def train(experiment: Experiment, parts: Split, folder: Path, origin: dict[str, Any], console: Console) -> None:
    """Train with a progress bar and a log; the agent and the record on disk are always those so far."""
    settings, began = experiment.train, time.monotonic()
    record: dict[str, Any] = {"origin": origin, "validation": []}
    write_json(folder / "training.json", record)
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
               TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn()]  # fmt: skip
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        (folder / "train.log").open("w") as log,
    ):
        task = progress.add_task("training", total=settings.steps, rate=0.0)

        def on_progress(step: int) -> None:
            progress.update(task, completed=min(step, settings.steps), rate=step / max(time.monotonic() - began, 1e-9))

        def on_validation(look: Validation, agent: LearnedAgent, features: FittedFeatures) -> None:
            if look.best:
                features.save(folder / "agent")
                agent.save(folder / "agent")
            line = f"step {look.step:>9,}  log growth on validation {look.log_growth:+.3f}{'  best, saved' if look.best else ''}"
            record["validation"].append({"step": look.step, "log_growth": look.log_growth})
            write_json(folder / "training.json", record)
            log.write(line + "\n")
            log.flush()
            console.print(line)

        trained = train_agent(
            parts, features=experiment.features, env=experiment.env, agent=experiment.agent, steps=settings.steps,
            validations=settings.validations, seed=settings.seed, cache=CACHE, on_validation=on_validation,
            on_progress=on_progress,
        )  # fmt: skip
    seconds = time.monotonic() - began
    steps = trained.history[-1].step
    console.print(f"{steps:,} steps in {seconds:.0f} s, {steps / seconds:,.0f} a second, validation included")


def take_best_trial(
    experiment: Experiment, data_sha256: str, config: Path, overrides: Overrides, console: Console
) -> tuple[Experiment, dict[str, Any]]:
    """The experiment with the best trial's agent settings, and what to write down about where they come from."""
    name, nothing = experiment.study_name, {"study": None}
    study = find_study(experiment.search.storage, name)
    best = best_agent(study) if study else None
    if study is None or best is None:
        where = experiment.search.storage
        console.print(f"agent settings: the configured ones, since study {name} has no finished trial in {where}")
        return experiment, nothing
    searched = study.user_attrs["identity"]
    here = experiment.identity(data_sha256)
    if (searched["data_sha256"], searched["split"]) != (here["data_sha256"], here["split"]):
        console.print(f"agent settings: the configured ones, since study {name} was searched on other data or another split")
        return experiment, nothing
    settings, trial = best
    changed = [line for line in differences(searched, here) if not line.startswith("search.")]
    tried = finished_trials(study)
    console.print(f"agent settings: trial {trial.number} of study {name}, best of {tried}, validation {trial.value:+.3f}")
    if changed:
        console.print(f"  note: it was searched with other settings ({'; '.join(changed)})")
    given = {key: value for key, value in overrides.items() if key.startswith("agent.")}
    if given:
        console.print(f"  from the command line instead: {', '.join(sorted(given))}")
    from_trial = {f"agent.{key}": value for key, value in settings.model_dump().items()}
    taken = load_experiment(config, from_trial | overrides)
    return taken, {"study": name, "trial": trial.number}


if __name__ == "__main__":
    run(main)
