"""The command line of optimize.py: the options of a search, and the commands about studies, which are list, report and delete."""

import math
import sys
from argparse import SUPPRESS, Namespace
from pathlib import Path

from rich.console import Console

from common import InputError, unknown
from configs.command_line import DEFAULT_CONFIG, Parser, make_parser, parse, positive, seconds
from configs.experiment import Experiment, Overrides, load_experiment
from configs.from_study import experiment_of_study, plugins_of
from configs.plugins import load_plugins
from market import TrialLedger
from search import (
    StudyError,
    delete_study,
    describe_best,
    draw_study,
    find_study,
    finished_trials,
    shown,
    studies_in,
    studies_table,
    study_to_delete,
)


def run_study_command(words: list[str], description: str, console: Console, trials: Path) -> int:
    """Run one of the commands.

    Args:
        words: the command and its options.
        description: of the script, for the help.
        console: where the lines go.
        trials: the project's trial ledger.
    """
    command, *rest = words
    if command == "list":
        return _list(make_parser(description, ("search.storage",), ("storage",), needs=("search",)), rest, console)
    if command == "report":
        return _report(make_parser(description, shortcuts=("reward", "storage"), needs=("search", "report")), rest, console)
    if command == "delete":
        return _delete(make_parser(description, ("search.storage",), ("storage",), needs=("search",)), rest, console, trials)
    raise InputError(unknown("command", command, ("list", "report", "delete")))


def search_parser(description: str) -> Parser:
    """The options of a search."""
    parser = make_parser(description, shortcuts=("reward", "trials", "storage"), needs=("train", "search"))
    parser.add_argument("--study", metavar="NAME", help="go on with this study, with the settings that it was begun with")
    told = "begin no trial after so many seconds, or 30m, 2h; those that run are finished"
    parser.add_argument("--timeout", type=seconds, metavar="TIME", help=told)
    parser.add_argument("--workers", type=positive, metavar="N", help="processes, or tasks with --dask (default: 1)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a running Dask cluster, such as tcp://scheduler:8786")
    parser.add_argument("--worker", help=SUPPRESS)
    parser.add_argument("--until", type=float, default=math.inf, help=SUPPRESS)
    return parser


def experiment_of(options: Namespace, overrides: Overrides) -> Experiment:
    """The settings of the study that `--study` names, or of the config file; what was given beside them wins, or is refused."""
    if options.study is None:
        return load_experiment(options.config, overrides)
    if options.config != DEFAULT_CONFIG:
        raise InputError(f"`--study` goes on with its own settings, but got --config {options.config}, too; leave one out")
    return experiment_of_study(options.study, overrides)


def _list(parser: Parser, words: list[str], console: Console) -> int:
    options, overrides = parse(parser, words)
    storage = load_experiment(options.config, overrides).search.storage
    studies = studies_in(storage)
    console.print(studies_table(studies, storage) if studies else f"there are no studies in {shown(storage)}; search first")
    return 0


def _report(parser: Parser, words: list[str], console: Console) -> int:
    """Draw the study, and say what is best in it."""
    parser.add_argument("--study", metavar="NAME", help="the study (default: the one of the settings)")
    experiment = experiment_of(*parse(parser, words))
    name = experiment.study_name
    study = find_study(experiment.search.storage, name)
    if study is None:
        raise StudyError(f"a report needs a study, but there is no {name} yet; search first")
    load_plugins(plugins_of(study))
    console.print("\n".join(f"wrote {path}" for path in draw_study(study, Path("studies") / name)))
    console.print(describe_best(study, experiment.trial_settings))
    return 0


def _delete(parser: Parser, words: list[str], console: Console, trials: Path) -> int:
    """Delete a study, once that was confirmed."""
    parser.add_argument("study", metavar="STUDY", help="name of the study, as `list` shows it")
    parser.add_argument("--yes", action="store_true", help="without asking")
    options, overrides = parse(parser, words)
    url = load_experiment(options.config, overrides).search.storage
    study = study_to_delete(url, options.study)
    if not options.yes:
        if not sys.stdin.isatty():
            raise InputError(f"deleting {options.study} cannot be undone, and nobody can be asked here; give --yes")
        question = f"delete study {options.study} with {finished_trials(study)} finished trials? (y/N) "
        if console.input(question).strip().lower() not in ("y", "yes"):
            console.print("nothing was deleted")
            return 1
    console.print(delete_study(study, url, TrialLedger(trials)))
    return 0
