"""Train the agent with the settings of the study's best trial, or with the configured ones if there is no study.

    python train.py --reward sortino
    python train.py --study default-sortino --trial 7      a trial's settings, on train and validation, three seeds
    python train.py --seeds 5                        five seeds in processes side by side, each with its own results
    python train.py --resume runs/default-sortino-001      go on where a killed or interrupted run stood, to the bit
    python train.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv --steps 500000
    python train.py --market.files btc.parquet,eth.parquet     one agent on several coins

The agent learns on the train range; the weights that did best on the validation range are kept. With `--study` it learns on both,
where nothing is left to choose on, and the last weights are kept. The test range stays locked. Everything is written to a new
folder in runs/. A setting given on the command line wins over the study's.
"""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console

import agents
import configs
import envs
import features
import market
import search
import training
from common import RunError, new_run, run_side_by_side, seeds_of

TRIALS = Path("studies/trial_ledger.jsonl")


def main() -> int:
    """Parse the command line, then begin a run or go on with one."""
    parser = configs.make_parser(__doc__ or "", shortcuts=("reward", "steps", "seed"), needs=("train", "search"))
    parser.add_argument("--no-study", action="store_true", help="use the configured settings, whatever a study found")
    parser.add_argument("--study", metavar="NAME", help="take a trial of this study, and train it on train and validation")
    parser.add_argument("--trial", type=int, metavar="N", help="number of the trial (default: the best one)")
    parser.add_argument(
        "--seeds", type=configs.positive, metavar="N", help="how many, from train.seed on (default: 3 of --study, or 1)"
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run folder instead of beginning a new one")
    options, overrides = configs.parse(parser)
    console = Console(soft_wrap=True, highlight=False)
    if options.resume is None:
        if options.study:
            overrides = {"train.range": "train+validation", **overrides}
        experiment = configs.load_experiment(options.config, overrides)
        parts = experiment.train.of(experiment.load_splits())
        origin: dict[str, Any] = {"study": None}
        words = ["agent settings: as configured"]
        if options.no_study:
            configs.require_one_reward(experiment, "`--no-study` takes none")
        else:
            asked = overrides, options.study, options.trial
            experiment, origin, words = configs.take_trial(experiment, parts.data_sha256, options.config, *asked)
        ledger = market.TrialLedger(TRIALS)
        origin |= search.searched_before_on(experiment.search.storage, parts, ledger)
        console.print("\n".join(words))
        if origin["trials"] is None:
            console.print(f"how many trials were searched on these bars is unknown: {ledger.why_unknown()}")
        training.require_trainable(parts, experiment.trial_settings)  # before a folder is made, as bad features are
        fit(experiment, parts)
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


def begin(experiment: configs.Experiment, parts: market.AnySplit, origin: dict[str, Any], seeds: int) -> Path:
    """Make the run folder; with several seeds, a run folder within it for each."""
    folder = new_run(Path("runs"), experiment.study_name)
    first = experiment.train.seed
    for seed in range(first, first + seeds):
        of_seed = experiment.model_copy(update={"train": experiment.train.model_copy(update={"seed": seed})})
        place = folder / f"seed-{seed}" if seeds > 1 else folder
        training.TrainingLog(place).begin(origin, configs.dump_experiment(of_seed), parts.data_sha256, experiment.plugins)
    return folder


def train_seeds(folders: list[Path], console: Console) -> int:
    """Each seed in a process of its own; results stand side by side, for an average would hide the spread."""
    commands = {folder.name: [sys.executable, __file__, "--resume", str(folder)] for folder in folders}
    codes = run_side_by_side(commands, lambda name, line: console.print(f"{name}: {line}"))
    for folder in folders:
        console.print(f"{folder.name}: {training.TrainingLog(folder).in_words}")
    run_folder = folders[0].parent
    failed = [name for name, code in codes.items() if code]
    if failed:
        console.print(f"{', '.join(failed)} did not finish; go on with: python train.py --resume {run_folder}")
        return 1
    console.print(f"next: python backtest.py --run {run_folder}")
    return 0


def fit(experiment: configs.Experiment, parts: market.AnySplit) -> features.AnyFeatures:
    """The features of all coins, fitted on their train ranges, or as the cache has them."""
    return features.FeaturePipeline(experiment.features, features.CACHE).fit_coins([coin.train.candles for coin in parts.coins])


def train(folder: Path, console: Console) -> None:
    """Train with a progress bar and a log, from the newest checkpoint on; what is on disk is always the run so far."""
    configs.load_plugins_of(folder)
    if (log := training.TrainingLog(folder)).finished:
        return console.print(f"nothing to do: it is trained; {log.in_words}")
    experiment, parts = configs.restore_splits(folder)
    settings = experiment.train
    parts = settings.of(parts)
    identity = experiment.training_identity(parts.data_sha256)
    checkpoints = agents.CheckpointFolder(folder / "checkpoints", identity)
    if experiment.env.optimistic:
        console.print(envs.OPTIMISTIC)
    if settings.range != "train":
        console.print("it is trained on validation, too: the figure there says nothing of bars to come")
    console.print(parts.in_words)
    if spread := training.spread_in_words(parts, experiment.trial_settings):
        console.print(spread)
    console.print(fit(experiment, parts).in_words)
    with training.RunListener(folder, log, settings.steps, console) as listener:
        trained = training.train_agent(
            parts, experiment.trial_settings, settings, seed=settings.seed, cache=features.CACHE, checkpoints=checkpoints,
            tensorboard=folder / "tensorboard", listener=listener,
        )  # fmt: skip
    log.finish(trained.stopped_early)
    early = f"; stopped early, after {settings.patience} validations without a new best" if trained.stopped_early else ""
    console.print(listener.speed_in_words(trained) + early)
    if trained.best.log_growth < 0:
        console.print(f"the agent that was kept lost on validation ({trained.best.log_growth:+.3f}); cash would have made 0")


if __name__ == "__main__":
    configs.run(main)
