"""Train the agent with the settings of the study's best trial, or with the configured ones if there is no study.

    python train.py --reward sortino
    python train.py --study default-sortino --trial 7      a trial's settings, on train and validation, three seeds
    python train.py --seeds 5                        five seeds in processes side by side, each with its own results
    python train.py --resume runs/default-sortino-001      go on where a killed or interrupted run stood, to the bit
    python train.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv --steps 500000

The agent learns on the train range; the weights that did best on the validation range are kept. With `--study` it learns on both,
where nothing is left to choose on, and the last weights are kept. The test range stays locked. Everything is written to a new
folder in runs/. A setting given on the command line wins over the study's.
"""

import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from agents import Checkpoint, CheckpointFolder, LearnedAgent
from configs import Experiment, dump_experiment, load_experiment, make_parser, parse, positive, run, take_trial
from envs import OPTIMISTIC
from evaluation import RunError, TrainingRecord, Validation, new_run, run_side_by_side, searched_before, seeds_of, train_agent
from features import CACHE, FeaturePipeline, FittedFeatures
from market import Split, load_candles, split


def main() -> int:
    """Parse the command line, then begin a run or go on with one."""
    parser = make_parser(__doc__ or "", shortcuts=("reward", "steps", "seed"))
    parser.add_argument("--no-study", action="store_true", help="use the configured settings, whatever a study found")
    parser.add_argument("--study", metavar="NAME", help="take a trial of this study, and train it on train and validation")
    parser.add_argument("--trial", type=int, metavar="N", help="number of the trial (default: the best one)")
    parser.add_argument("--seeds", type=positive, metavar="N", help="how many, from train.seed on (default: 3 of --study, or 1)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run folder instead of beginning a new one")
    options, overrides = parse(parser)
    console = Console(soft_wrap=True, highlight=False)
    if options.resume is None:
        if options.study:
            overrides = {"train.range": "train+validation", **overrides}
        experiment = load_experiment(options.config, overrides)
        parts = experiment.train.of(split(load_candles(experiment.market), experiment.split))
        origin: dict[str, Any] = {"study": None}
        words = ["agent settings: as configured"]
        if not options.no_study:
            asked = overrides, options.study, options.trial
            experiment, origin, words = take_trial(experiment, parts.data_sha256, options.config, *asked)
        origin |= searched_before(experiment.search.storage, parts.data_sha256)
        console.print("\n".join(words))
        with console.status("fitting the features"):  # refused before a folder is made
            FeaturePipeline(experiment.features, CACHE).fit(parts.train.candles)
        folder = begin(experiment, parts, origin, options.seeds or (3 if options.study else 1))
    elif overrides:
        raise RunError(f"a run goes on with its own settings, so `{min(overrides)}` cannot be given with --resume; leave it out")
    else:
        folder = options.resume
    console.print(f"run folder: {folder}")
    try:
        if seeds := seeds_of(folder):
            return train_seeds(seeds, console)
        train(folder, console)
    except KeyboardInterrupt:
        kept = "the best agent so far is kept there; " if list(folder.rglob("agent.safetensors")) else ""
        console.print(f"interrupted; {kept}go on with: python train.py --resume {folder}")
        return 130
    console.print(f"saved {folder}/agent; next: python backtest.py --run {folder}")
    return 0


def begin(experiment: Experiment, parts: Split, origin: dict[str, Any], seeds: int) -> Path:
    """Make the run folder; with several seeds, a run folder within it for each."""
    folder = new_run(Path("runs"), experiment.study_name)
    first = experiment.train.seed
    for seed in range(first, first + seeds):
        of_seed = experiment.model_copy(update={"train": experiment.train.model_copy(update={"seed": seed})})
        place = folder / f"seed-{seed}" if seeds > 1 else folder
        TrainingRecord(place).begin(origin, dump_experiment(of_seed), parts.data_sha256)
    return folder


def train_seeds(folders: list[Path], console: Console) -> int:
    """Each seed in a process of its own; results stand side by side, for an average would hide the spread."""
    commands = {folder.name: [sys.executable, __file__, "--resume", str(folder)] for folder in folders}
    codes = run_side_by_side(commands, lambda name, line: console.print(f"{name}: {line}"))
    for folder in folders:
        console.print(f"{folder.name}: {TrainingRecord(folder).in_words}")
    run_folder = folders[0].parent
    failed = [name for name, code in codes.items() if code]
    if failed:
        console.print(f"{', '.join(failed)} did not finish; go on with: python train.py --resume {run_folder}")
        return 1
    console.print(f"next: python backtest.py --run {run_folder}")
    return 0


def train(folder: Path, console: Console) -> None:
    """Train with a progress bar and a log, from the newest checkpoint on; what is on disk is always the run so far."""
    if (record := TrainingRecord(folder)).finished:
        return console.print(f"nothing to do: it is trained; {record.in_words}")
    experiment = load_experiment(folder / "config.yaml")
    candles, settings = load_candles(experiment.market), experiment.train
    parts, began, first = settings.of(split(candles, experiment.split)), time.monotonic(), 0
    if experiment.env.optimistic:
        console.print(OPTIMISTIC)
    if settings.range != "train":
        console.print("it is trained on validation, too: the figure there says nothing of bars to come")
    console.print(f"data: {candles.source}; train {len(parts.train):,} bars, validation {len(parts.validation):,} bars")
    console.print(FeaturePipeline(experiment.features, CACHE).fit(parts.train.candles).in_words)
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
               TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn(), TextColumn("{task.fields[last]}")]  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=settings.steps, rate=0.0, last="")

        def on_start(step: int, history: tuple[Validation, ...], checkpoint: Checkpoint | None) -> None:
            nonlocal first, began
            first, began = step, time.monotonic()
            record.restore(history)
            for line in checkpoint.skipped if checkpoint else ():
                console.print(f"passed over: {line}")
            if checkpoint:
                console.print(f"resumed at step {step:,} of {settings.steps:,}")

        def on_progress(step: int) -> None:
            rate = (step - first) / max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=min(step, settings.steps), rate=rate)

        def on_validation(look: Validation, agent: LearnedAgent, features: FittedFeatures) -> None:
            if look.best:
                features.save(folder / "agent")
                agent.save(folder / "agent")
            console.print(record.add(look))
            progress.update(task, last=f"validation {look.log_growth:+.3f}")

        trained = train_agent(
            parts, features=experiment.features, env=experiment.env, agent=experiment.agent, steps=settings.steps,
            validations=settings.looks, seed=settings.seed, patience=settings.patience, caution=settings.caution,
            cache=CACHE, checkpoints=CheckpointFolder(folder / "checkpoints", experiment.training_identity(parts.data_sha256)),
            checkpoint_steps=settings.checkpoint_steps, tensorboard=folder / "tensorboard",
            on_start=on_start, on_validation=on_validation, on_progress=on_progress,
        )  # fmt: skip
    record.finish(trained.stopped_early)
    seconds, steps = time.monotonic() - began, trained.history[-1].step - first
    early = f"; stopped early, after {settings.patience} looks without a new best" if trained.stopped_early else ""
    console.print(f"{steps:,} steps in {seconds:.0f} s, {steps / seconds:,.0f} a second, validation included{early}")


if __name__ == "__main__":
    run(main)
