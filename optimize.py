"""Search the hyperparameters: trials of an Optuna study, which any number of workers share and later runs take up again.

    python optimize.py --reward sortino --trials 20
    python optimize.py --reward all --workers 4              the reward is searched, too; four processes on this machine
    python optimize.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv     or --market.files a.csv,b.csv
    python optimize.py --storage postgresql+psycopg://me@host/coindojo     the same command on every machine
    python optimize.py --storage ... --dask tcp://scheduler:8786           on the workers of a Dask cluster
    python optimize.py --study default-sortino --trials 40   go on with a study by its name, with its own settings
    python optimize.py --timeout 2h                          no trial begins after two hours
    python optimize.py list                                  the studies that there are
    python optimize.py report --study default-sortino        figures of a study, into studies/NAME/
    python optimize.py delete default-sortino                asks first; --yes does not
    optuna-dashboard sqlite:///studies/coindojo.db

Each trial trains on the train range and is judged by the log growth of its net worth on the validation range, after costs.
The test range stays locked. Ctrl-C ends cleanly, a killed worker's trial is tried again, and the same command goes on.
"""

import argparse
import math
import signal
import sys
import time
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
from common import InputError, unknown

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

CONSOLE = Console(soft_wrap=True, highlight=False)
TRIALS = Path("studies/trial_ledger.jsonl")


def main() -> int:
    """Run one command; without one, search."""
    words = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a cluster stops what it wants back: like Ctrl-C
    if not words or words[0].startswith("-"):
        return search_on(words)
    if words[0] not in COMMANDS:
        raise InputError(unknown("command", words[0], COMMANDS))
    return COMMANDS[words[0]](words[1:])


def search_on(words: list[str]) -> int:
    """Open or resume the study, let the workers make trials, say what came out."""
    parser = configs.make_parser(__doc__ or "", shortcuts=("reward", "trials", "storage"))
    parser.add_argument("--study", metavar="NAME", help="go on with this study, with the settings that it was begun with")
    told = "begin no trial after so many seconds, or 30m, 2h; those that run are finished"
    parser.add_argument("--timeout", type=configs.seconds, metavar="TIME", help=told)
    parser.add_argument("--workers", type=configs.positive, metavar="N", help="processes, or tasks with --dask (default: 1)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a running Dask cluster, such as tcp://scheduler:8786")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, default=math.inf, help=argparse.SUPPRESS)
    options, overrides = configs.parse(parser, words)
    experiment = experiment_of(options, overrides)
    if options.worker:
        return be_worker(experiment, options.until, *map(int, options.worker.split("/")))
    return run_search(experiment, options)


def experiment_of(options: argparse.Namespace, overrides: configs.Overrides) -> configs.Experiment:
    """The settings of the study that was named, or those of the config file; what was given beside them wins, or is refused."""
    if options.study is None:
        return configs.load_experiment(options.config, overrides)
    if options.config != configs.DEFAULT_CONFIG:
        raise InputError(f"`--study` goes on with its own settings, but got --config {options.config}, too; leave one out")
    return configs.experiment_of(options.study, overrides)


def run_search(experiment: configs.Experiment, options: argparse.Namespace) -> int:
    """Make trials here, in processes or on a cluster, until there are enough."""
    if options.dask and experiment.search.storage.startswith("sqlite"):
        raise search.StudyError(
            "`--dask` needs a database that all machines reach; give --storage postgresql+psycopg://USER@HOST/DB"
        )
    until = time.time() + options.timeout if options.timeout else math.inf
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
            search.run_on_dask(options.dask, partial(work, experiment, until), options.workers, tell)
        elif workers > 1:
            command = [sys.executable, __file__, *sys.argv[1:], "--until", str(until)]
            search.run_workers(command, workers, CONSOLE.print)
        else:
            make_trials(study, objective, until)
    except KeyboardInterrupt:
        CONSOLE.print("interrupted; the same command goes on from here")
        return 130
    finally:
        search.write_down(study, ledger)
        CONSOLE.print(search.describe_best(study, experiment.trial_settings))
    finished = search.finished_trials(study)
    if finished < wanted and time.time() >= until:
        CONSOLE.print(f"the time is over: {finished} of {wanted} trials finished; the same command goes on from here")
        return 0
    return 0 if finished >= wanted else 1


def opened(experiment: configs.Experiment, say: Callable[[str], None] = lambda line: None) -> "tuple[Study, search.Objective]":
    """The study and what its trials are judged by; bad data and settings are refused before a study is made."""
    settings, parts = experiment.search, experiment.load_splits()
    objective = search.Objective(parts, experiment.trial_settings, experiment.train, settings, features.CACHE)
    fitted = features.FeaturePipeline(experiment.features, features.CACHE).fit_coins([coin.train.candles for coin in parts.coins])
    study = search.open_study(settings, experiment.study_name, experiment.identity(parts.data_sha256), experiment.trial_settings)
    search.note_bars(study, *(coin.validation_known_as for coin in parts.coins))
    search.keep_settings(study, configs.kept_of(experiment))
    search.describe_in_dashboard(study, configs.study_in_words(experiment, parts))
    say(search.describe_study(study, settings))
    if unused := agents.left_out(experiment.trial_settings, settings.searched):
        say(f"not searched, since the settings have no use for it: {', '.join(unused)}")
    if experiment.env.optimistic:
        say(envs.OPTIMISTIC)
    say(parts.in_words)
    say(fitted.in_words)
    return study, objective


def make_trials(study: "Study", objective: "search.Objective", until: float) -> None:
    """In this process, under a progress bar; the trial ledger gets a line for each."""
    ledger = market.TrialLedger(TRIALS)
    with Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal) as progress:
        task = progress.add_task("trial", total=objective.steps)

        def tell(trial: "FrozenTrial") -> None:
            search.write_down_trial(trial, study, ledger)
            CONSOLE.print(search.describe_trial(trial, study))

        with features.progress_to(lambda stage, done, total: progress.update(task, description=f"trial: {stage}")):
            step_made = partial(progress.update, task, description="trial")
            search.run_study(study, objective, tell, lambda step: step_made(completed=step), until)


def be_worker(experiment: configs.Experiment, until: float, worker: int, workers: int) -> int:
    """One process of several: its lines are passed on by the one that began it."""
    search.stay_on(search.share_of_cores(worker, workers))
    try:
        make_trials(*opened(experiment), until)
    except KeyboardInterrupt:
        return 130
    return 0


def work(experiment: configs.Experiment, until: float, on_step: Callable[[int], None]) -> None:
    """One task of a Dask cluster."""
    search.run_study(*opened(experiment), on_step=on_step, until=until)


def report(words: list[str]) -> int:
    """Draw the study, and say what is best in it."""
    parser = configs.make_parser(__doc__ or "", shortcuts=("reward", "storage"))
    parser.add_argument("--study", metavar="NAME", help="the study (default: the one of the settings)")
    experiment = experiment_of(*configs.parse(parser, words))
    study = search.find_study(experiment.search.storage, experiment.study_name)
    if study is None:
        raise search.StudyError(f"a report needs a study, but there is no {experiment.study_name} yet; search first")
    CONSOLE.print("\n".join(f"wrote {path}" for path in search.draw_study(study, Path("studies") / experiment.study_name)))
    CONSOLE.print(search.describe_best(study, experiment.trial_settings))
    return 0


def show_studies(words: list[str]) -> int:
    """A table of the studies in a storage."""
    parser = configs.make_parser(__doc__ or "", ("search.storage",), ("storage",))
    options, overrides = configs.parse(parser, words)
    storage = configs.load_experiment(options.config, overrides).search.storage
    studies = search.studies_in(storage)
    CONSOLE.print(search.studies_table(studies, storage) if studies else f"there are no studies in {storage}; search first")
    return 0


def delete(words: list[str]) -> int:
    """Delete a study, once that was confirmed."""
    parser = configs.make_parser(__doc__ or "", ("search.storage",), ("storage",))
    parser.add_argument("study", metavar="STUDY", help="name of the study, as `list` shows it")
    parser.add_argument("--yes", action="store_true", help="without asking")
    options, overrides = configs.parse(parser, words)
    url = configs.load_experiment(options.config, overrides).search.storage
    study = search.study_to_delete(url, options.study)
    if not options.yes:
        if not sys.stdin.isatty():
            raise InputError(f"deleting {options.study} cannot be undone, and nobody can be asked here; give --yes")
        trials = search.finished_trials(study)
        if CONSOLE.input(f"delete study {options.study} with {trials} finished trials? (y/N) ").strip().lower() not in (
            "y",
            "yes",
        ):
            CONSOLE.print("nothing was deleted")
            return 1
    CONSOLE.print(search.delete_study(study, url, market.TrialLedger(TRIALS)))
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {"list": show_studies, "report": report, "delete": delete}

if __name__ == "__main__":
    configs.run(main)
