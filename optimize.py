"""Search the hyperparameters: trials of an Optuna study, which any number of workers share and later runs take up again.

    python optimize.py --reward sortino --trials 20
    python optimize.py --reward all --workers 4              the reward is searched, too; four processes on this machine
    python optimize.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv     or --market.files a.csv,b.csv
    python optimize.py --storage postgresql+psycopg://me@host/coindojo     the same command on every machine
    python optimize.py --storage ... --dask tcp://scheduler:8786           on the workers of a Dask cluster
    python optimize.py report --reward sortino               figures of the study, into studies/NAME/
    optuna-dashboard sqlite:///studies/coindojo.db

Each trial trains on the train range and is judged by the log growth of its net worth on the validation range, after costs.
The test range stays locked. Ctrl-C ends cleanly, a killed worker's trial is tried again, and the same command goes on.
"""

import argparse
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

import agents
import configs
import envs
import features
import market
import search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

CONSOLE = Console(soft_wrap=True, highlight=False)
TRIALS = Path("studies/trial_ledger.jsonl")


def main() -> int:
    """Parse the command line, open or resume the study, let the workers make trials, say what came out."""
    words = sys.argv[1:]
    parser = configs.make_parser(__doc__ or "", shortcuts=("reward", "trials", "storage"), needs=("train", "search"))
    parser.add_argument("--workers", type=configs.positive, metavar="N", help="processes, or tasks with --dask (default: 1)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a running Dask cluster, such as tcp://scheduler:8786")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options, overrides = configs.parse(parser, words[1:] if words[:1] == ["report"] else words)
    experiment = configs.load_experiment(options.config, overrides)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a cluster stops what it wants back: like Ctrl-C
    if words[:1] == ["report"]:
        return report(experiment)
    if options.worker:
        return be_worker(experiment, *map(int, options.worker.split("/")))
    return run_search(experiment, options)


def run_search(experiment: configs.Experiment, options: argparse.Namespace) -> int:
    """Make trials here, in processes or on a cluster, until there are enough."""
    if options.dask and experiment.search.storage.startswith("sqlite"):
        raise search.StudyError(
            "`--dask` needs a database that all machines reach; give --storage postgresql+psycopg://USER@HOST/DB"
        )
    study, objective = opened(experiment, CONSOLE.print)
    ledger = market.TrialLedger(TRIALS)
    search.write_down(study, ledger)  # what was killed before it could
    before, wanted, ended = search.finished_trials(study), experiment.search.trials, search.newly_ended(study)
    workers = min(options.workers or 1, max(wanted - before, 1))

    def tell() -> None:
        for trial in ended():
            CONSOLE.print(search.describe_trial(trial, study))
            search.write_down_trial(trial, study, ledger)

    try:
        if before >= wanted:
            CONSOLE.print(f"nothing to do; give a larger --trials to go on (now {wanted})")
        elif options.dask:
            search.run_on_dask(options.dask, partial(work, experiment), options.workers, tell)
        elif workers > 1:
            search.run_workers([sys.executable, __file__, *sys.argv[1:]], workers, CONSOLE.print)
        else:
            make_trials(study, objective)
    except KeyboardInterrupt:
        CONSOLE.print("interrupted; the same command goes on from here")
        return 130
    finally:
        search.write_down(study, ledger)
        CONSOLE.print(search.describe_best(study, experiment.trial_settings))
    return 0 if search.finished_trials(study) >= wanted else 1


def opened(experiment: configs.Experiment, say: Callable[[str], None] = lambda line: None) -> "tuple[Study, search.Objective]":
    """The study and what its trials are judged by; bad data and settings are refused before a study is made."""
    settings, parts = experiment.search, experiment.load_splits()
    objective = search.Objective(parts, experiment.trial_settings, experiment.train, settings, features.CACHE)
    fitted = features.FeaturePipeline(experiment.features, features.CACHE).fit_coins([coin.train.candles for coin in parts.coins])
    study = search.open_study(settings, experiment.study_name, experiment.identity(parts.data_sha256), experiment.trial_settings)
    search.note_bars(study, *(coin.validation_known_as for coin in parts.coins))
    say(search.describe_study(study, settings))
    if unused := agents.left_out(experiment.trial_settings, settings.searched):
        say(f"not searched, since the settings have no use for it: {', '.join(unused)}")
    if experiment.env.optimistic:
        say(envs.OPTIMISTIC)
    say(parts.in_words)
    say(fitted.in_words)
    return study, objective


def make_trials(study: "Study", objective: "search.Objective") -> None:
    """In this process, under a progress bar; the trial ledger gets a line for each."""
    ledger = market.TrialLedger(TRIALS)
    with Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal) as progress:
        task = progress.add_task("trial", total=objective.steps)

        def tell(trial: "FrozenTrial") -> None:
            search.write_down_trial(trial, study, ledger)
            CONSOLE.print(search.describe_trial(trial, study))

        with features.progress_to(lambda stage, done, total: progress.update(task, description=f"trial: {stage}")):
            search.run_study(study, objective, tell, lambda step: progress.update(task, completed=step, description="trial"))


def be_worker(experiment: configs.Experiment, worker: int, workers: int) -> int:
    """One process of several: its lines are passed on by the one that began it."""
    search.stay_on(search.share_of_cores(worker, workers))
    try:
        make_trials(*opened(experiment))
    except KeyboardInterrupt:
        return 130
    return 0


def work(experiment: configs.Experiment, on_step: Callable[[int], None]) -> None:
    """One task of a Dask cluster."""
    search.run_study(*opened(experiment), on_step=on_step)


def report(experiment: configs.Experiment) -> int:
    """Draw the study, and say what is best in it."""
    study = search.find_study(experiment.search.storage, experiment.study_name)
    if study is None:
        raise search.StudyError(f"a report needs a study, but there is no {experiment.study_name} yet; search first")
    CONSOLE.print("\n".join(f"wrote {path}" for path in search.draw_study(study, Path("studies") / experiment.study_name)))
    CONSOLE.print(search.describe_best(study, experiment.trial_settings))
    return 0


if __name__ == "__main__":
    configs.run(main)
