"""Train forecasters of the next closes, hold them against the last value, and draw what they say.

    python forecast.py train --model lstm --activation leaky_relu       one model; its best epoch on validation is kept
    python forecast.py compare                     all on the test range, which the ledger opens; or --range validation
    python forecast.py regularize --model lstm     l1 and l2 on each group of weights, several seeds each, in parallel
    python forecast.py plot --run runs/default-forecast-train-001       forecasts as dots on the true close
    python forecast.py windows --out windows.h5    the windows of train as an HDF5 file
    python forecast.py interactions --help         models of interactions between the fields of click-through files
    python forecast.py images --help               models that look at pictures, on folders of them

Everything goes into a new folder in runs/; `--resume RUN` goes on where a killed one stood. `python forecast.py COMMAND --help`
lists the options, `--help-all` all. `--features.forecasts.models lstm` shows the agent of train.py walk-forward forecasts.
"""

import sys
from argparse import SUPPRESS, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

import configs
import market
from common import InputError, hash_of, new_run, unknown, write_json
from evaluation import forecasts
from features.forecasters import NAMES

CONSOLE = Console(soft_wrap=True, highlight=False)
SECTIONS = ("name", "market", "split", "features.forecasts")
RANGES = ("train", "validation", "test")
Run = tuple[Path, configs.Experiment, market.Split, dict[str, Any]]


def main() -> int:
    """Run one command."""
    words = sys.argv[1:]
    if words[:1] in ([], ["-h"], ["--help"]):
        print(__doc__)
        return 0
    if words[0] in GROUPS:
        return GROUPS[words[0]](words[1:], CONSOLE)
    if words[0] not in COMMANDS:
        raise InputError(unknown("command", words[0], (*COMMANDS, *GROUPS)))
    command, given = COMMANDS[words[0]]
    fresh = "run" not in given
    parser = configs.make_parser(__doc__ or "", SECTIONS if fresh else (), ("activation",) * fresh, fresh, ("train", "report"))
    parser.prog, parser.usage = f"forecast.py {words[0]}", f"python forecast.py {words[0]} [--option value ...]"
    for name in given:
        parser.add_argument(f"--{name}", metavar=name.upper(), **OPTIONS[name])
    command(*configs.parse(parser, words[1:]))
    return 0


def train(options: Namespace, overrides: configs.Overrides) -> None:
    """One forecaster, beside the last value on validation."""
    folder, experiment, parts, task = opened("train", options, overrides, model="lstm")
    settings = experiment.features.forecasts
    fitted = forecasts.teach(folder, task["model"], task["model"], parts, settings, CONSOLE)
    both = {forecasts.LAST_VALUE: forecasts.last_value(settings), task["model"]: fitted}
    forecasts.report(folder, forecasts.compare(parts, parts.validation, both), "validation", {task["model"]: folder}, CONSOLE)
    CONSOLE.print(f"saved {folder}/forecaster.safetensors; next: python forecast.py plot --run {folder}")


def compare(options: Namespace, overrides: configs.Overrides) -> None:
    """All of them, each in a run folder of its own within the run's."""
    folder, experiment, parts, task = opened("compare", options, overrides, range="test")
    places = {name: folder / name.replace(" ", "-") for name in forecasts.compared()}
    fitted = {}
    for name, (model, changes) in forecasts.compared().items():
        of_row = experiment.with_forecasts(**changes)
        forecasts.begin(places[name], configs.dump_experiment(of_row), parts, of_row.plugins, command="train", model=model)
        fitted[name] = forecasts.teach(places[name], model, name, parts, of_row.features.forecasts, CONSOLE)
    if not (folder / "comparison.json").exists():  # a run that is resumed does not open the test range once more
        part = forecasts.range_of(parts, task["range"], hash_of(experiment.model_dump(mode="json")), folder)
        write_json(folder / "comparison.json", asdict(forecasts.compare(parts, part, fitted)))
    forecasts.report(folder, forecasts.read_comparison(folder / "comparison.json"), task["range"], places, CONSOLE)


def regularize(options: Namespace, overrides: configs.Overrides) -> None:
    """Every penalty on each group of weights; processes share the trainings."""
    forecasts.require_network(options.model or "lstm")
    folder, experiment, parts, task = opened("regularize", options, overrides, model="lstm", repeats=5)
    model, settings = task["model"], experiment.features.forecasts
    jobs = forecasts.jobs_of(model, task["repeats"])
    if options.share:  # this is one of those processes
        first, step = (int(number) for number in options.share.split("/"))
        forecasts.run_jobs(folder, model, parts, settings, jobs[first::step], lambda name: print(name, flush=True))
        return
    command = [sys.executable, __file__, "regularize", "--resume", str(folder), "--share"]
    forecasts.run_in_processes(command, folder, len(jobs), options.processes, CONSOLE)
    forecasts.conclude(folder, model, parts, settings, jobs, CONSOLE)


def plot(options: Namespace, overrides: configs.Overrides) -> None:
    """Forecasts of each forecaster of a run, a dot a bar."""
    experiment, parts = configs.restore_run(options.run)
    part = forecasts.range_of(parts, options.range or "validation", hash_of(experiment.model_dump(mode="json")), options.run)
    for place, fitted in forecasts.trained(options.run).items():
        CONSOLE.print(f"written: {forecasts.plot(place, fitted, part)}")


def windows(options: Namespace, overrides: configs.Overrides) -> None:
    """What the forecasters learn from, as a file for other tools: closes and what else they see, as they are in the candles."""
    experiment = configs.load_experiment(options.config, overrides)
    out, parts = options.out or Path("runs") / "windows.h5", experiment.load_split()
    part = forecasts.range_of(parts, options.range or "train", hash_of(experiment.model_dump(mode="json")), out)
    CONSOLE.print(f"written: {out}, {forecasts.save(out, part.own, experiment.features.forecasts):,} windows")


def opened(command: str, options: Namespace, overrides: configs.Overrides, **task: Any) -> Run:
    """A new run folder, or the one to go on with; `task` holds the defaults of the options that decide the run."""
    given = {name: value for name in task if (value := getattr(options, name)) is not None}
    if options.resume is None:
        experiment = configs.load_experiment(options.config, overrides)
        parts, task = experiment.load_split(), {"command": command, **task, **given}
        forecasts.require_trainable(task.get("model"), parts, experiment.features.forecasts)  # before a folder is made
        folder = new_run(Path("runs"), f"{experiment.name}-forecast-{command}")
        forecasts.begin(folder, configs.dump_experiment(experiment), parts, experiment.plugins, **task)
    elif changed := [*overrides, *given]:
        raise InputError(f"a run goes on with its own settings, so `{changed[0]}` cannot be given with --resume; leave it out")
    else:
        folder, task = options.resume, forecasts.read_task(options.resume, command)
        experiment, parts = configs.restore_run(folder)
    if not getattr(options, "share", None):
        CONSOLE.print(f"run folder: {folder} (a killed run goes on with: python forecast.py {command} --resume {folder})")
    return folder, experiment, parts, task


OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"help": f"the forecaster: {', '.join(NAMES)}, or one of a plugin (default: lstm)"},
    "resume": {"type": Path, "help": "go on with this run folder instead of beginning a new one"},
    "range": {"choices": RANGES, "help": "bars to look at (default: test for compare, validation for plot, train for windows)"},
    "repeats": {"type": configs.positive, "help": "trainings of each penalty, each from a seed of its own (default: 5)"},
    "processes": {"type": configs.positive, "help": "trainings at a time (default: one a core)"},
    "share": {"help": SUPPRESS},
    "run": {"type": Path, "required": True, "help": "run folder whose forecasters are drawn"},
    "out": {"type": Path, "help": "HDF5 file to write (default: runs/windows.h5)"},
}
COMMANDS = {
    "train": (train, ("model", "resume")),
    "compare": (compare, ("range", "resume")),
    "regularize": (regularize, ("model", "repeats", "processes", "resume", "share")),
    "plot": (plot, ("run", "range")),
    "windows": (windows, ("range", "out")),
}
GROUPS = {"interactions": configs.run_interaction_command, "images": configs.run_image_command}

if __name__ == "__main__":
    configs.run(main)
