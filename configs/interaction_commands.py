"""The command line of `forecast.py interactions`: models of interactions between fields, on click-through files."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.console import Console

from common import InputError, RunError, Settings, unknown
from configs.command_groups import Command, group_of, run_one
from configs.command_line import Parser, make_group_parser
from configs.experiment import Overrides
from evaluation import forecasts
from features import fields
from features.fields import FieldSettings
from features.interactions import MODELS, InteractionSettings

HELP = """Train models of interactions between fields on click-through files, and say which of them are better.

    python forecast.py interactions compare --train A --valid B --test C     all models; the epoch of each is chosen on B
    python forecast.py interactions compare --train A --valid B --models lr,ffm --epochs 5
    python forecast.py interactions train --model ffm --train A --valid B    one model
    python forecast.py interactions predict --run RUN --data FILE --out p.csv
    python forecast.py interactions show --run RUN                           the strongest pairs of fields
    python forecast.py interactions convert --data A.libffm --out B.csv

Files are libsvm, libffm, CSV or Parquet. Everything goes into a new folder in runs/; `--resume RUN` goes on where a killed run
stood. `python forecast.py interactions COMMAND --help` lists the options, `--help-all` all."""
READING, LEARNING = "reading the files", "building and training the models"
COMMON = ("loss", "epochs", "k", "learning_rate", "seed", "format", "label", "libsvm_fields", "overlap", "hash_bits")
"""settings that `--help` shows, in its order"""
DEFAULT_MODEL = "ffm"


def run_interaction_command(words: list[str], console: Console) -> int:
    """Run one of the commands.

    Args:
        words: the command and its options.
        console: where the lines go.
    """
    return run_one(words, COMMANDS, _parser, HELP, console)


def compare(options: Namespace, overrides: Overrides, console: Console) -> int:
    """Several models, each in a folder of its own within the run's."""
    folder, task, files = _opened("compare", options, overrides, console)
    forecasts.teach_interactions(folder, task, files, console)
    forecasts.judge_interactions(folder, task, files, console)
    return 0


def train(options: Namespace, overrides: Overrides, console: Console) -> int:
    """One model."""
    folder, task, files = _opened("train", options, overrides, console)
    forecasts.teach_interactions(folder, task, files, console)
    if {"valid", "test"} & set(files):
        forecasts.judge_interactions(folder, task, files, console)
    console.print(f"saved {folder}/model.safetensors; next: python forecast.py interactions predict --run {folder}")
    return 0


def predict(options: Namespace, overrides: Overrides, console: Console) -> int:
    """A forecast a row of the file, in its order."""
    forecasts.predict_file(options.run, options.data, options.out, options.model, console)
    return 0


def show(options: Namespace, overrides: Overrides, console: Console) -> int:
    """What moves the forecasts most, in words and as a picture."""
    forecasts.show_interactions(options.run, options.model, console)
    return 0


def convert(options: Namespace, overrides: Overrides, console: Console) -> int:
    """The same rows in another format."""
    if options.out.resolve() == options.data.resolve():
        raise InputError(f"a file is converted into another one, but got {options.data} as --data and --out; change --out")
    for note in fields.convert(options.data, options.out, group_of(FieldSettings, overrides)):
        console.print(f"{options.data.name}: {note}", markup=False)
    console.print(f"written: {options.out}", markup=False)
    return 0


def _parser(name: str) -> Parser:
    command = COMMANDS[name]
    parser = make_group_parser(command.help, command.settings, COMMON, command.needs)
    parser.prog = f"forecast.py interactions {name}"
    parser.usage = f"python forecast.py interactions {name} [--option value ...]"
    for option in command.options:
        required = name != "compare" and option in ("run", "data", "out")
        parser.add_argument(f"--{option}", metavar=METAVARS.get(option, "FILE"), required=required, **OPTIONS[option])
    return parser


def _opened(
    command: str, options: Namespace, overrides: Overrides, console: Console
) -> "tuple[Path, forecasts.InteractionTask, dict[str, fields.BlockFile]]":
    """A new run folder, or the one to go on with."""
    if options.resume is None:
        task = _task(command, options, overrides)
        files = forecasts.load_files(task, console)
        folder = forecasts.begin_interactions(task, files)
    elif given := [*(name for name in DECISIVE if getattr(options, name, None) is not None), *overrides]:
        raise InputError(f"a run goes on with its own settings, so `{given[0]}` cannot be given with --resume; leave it out")
    else:
        folder = options.resume
        task, files = forecasts.resume_interactions(folder, command, console)
    console.print(
        f"run folder: {folder} (a killed run goes on with: python forecast.py interactions {command} --resume {folder})",
        markup=False,
    )
    return folder, task, files


def _task(command: str, options: Namespace, overrides: Overrides) -> "forecasts.InteractionTask":
    """What the options say, checked before a folder is made."""
    models = _models(options.models) if command == "compare" else (_model(options.model or DEFAULT_MODEL),)
    reading, learning = group_of(FieldSettings, overrides), group_of(InteractionSettings, overrides)
    if options.train is None:
        raise InputError(f"`{command}` needs rows to learn from; give --train FILE")
    if options.valid is None and command == "compare":
        raise InputError("`compare` chooses the epoch of each model by rows that it does not learn from; give --valid FILE")
    return forecasts.InteractionTask(
        command=command, models=models, train=options.train, valid=options.valid, test=options.test, fields=reading,
        interactions=learning,
    )  # fmt: skip


def _models(names: str | None) -> tuple[str, ...]:
    if names is None:
        return MODELS
    models = tuple(_model(name.strip()) for name in names.split(",") if name.strip())
    twice = sorted({name for name in models if models.count(name) > 1})
    if twice or not models:
        raise InputError(f"`--models` takes each model once, by commas, such as lr,fm, but got {names!r}; correct the list")
    return models


def _model(name: str) -> str:
    if name not in MODELS:
        raise RunError(unknown("model", name, MODELS))
    return name


DECISIVE = ("train", "valid", "test", "models", "model")
"""options that decide a run, and so cannot be given with --resume"""
METAVARS = {"models": "A,B,...", "model": "NAME", "resume": "RUN", "run": "RUN"}
OPTIONS: dict[str, dict[str, Any]] = {
    "train": {"type": Path, "help": "rows to learn from"},
    "valid": {"type": Path, "help": "rows that choose the epoch of each model"},
    "test": {"type": Path, "help": "rows to judge by, which chose nothing (default: those of --valid)"},
    "models": {"help": f"the models to compare (default: all, {','.join(MODELS)})"},
    "model": {"help": f"one of {', '.join(MODELS)}"},
    "resume": {"type": Path, "help": "go on with this run folder instead of beginning a new one"},
    "run": {"type": Path, "help": "run folder of compare or train"},
    "data": {"type": Path, "help": "file to read"},
    "out": {"type": Path, "help": "file to write; it is replaced in one step"},
}
BOTH: dict[str, type[Settings]] = {LEARNING: InteractionSettings, READING: FieldSettings}
COMMANDS = {
    "compare": Command(
        compare,
        """Train models on the same rows, and say between which of them a difference is shown.

Each model is trained on --train and keeps its best epoch on --valid. All are judged on --test, or on --valid if there is no
--test. The run folder holds comparison.csv, scores.json, the picture and the models.

The intervals come from resampled rows, each drawn by itself: where rows hang together, such as those of one user, they are too
narrow. They are about these trained models; how much another training would differ, other values of --seed show. AUC counts equal
forecasts half; logloss takes probabilities as 1e-15 to 1 - 1e-15.""",
        ("train", "valid", "test", "models", "resume"),
        BOTH,
        ("train", "report"),
    ),
    "train": Command(
        train,
        f"""Train one model, by default {DEFAULT_MODEL}.

With --valid its best epoch there is kept; without it, it is trained for all its epochs.""",
        ("model", "train", "valid", "test", "resume"),
        BOTH,
        ("train", "report"),
    ),
    "predict": Command(
        predict,
        """Write a forecast for each row of a file, in its order. The file needs no labels; those that it has are ignored.

Forecasts are probabilities of a 1, or numbers where the run has `--loss squared`. A file that ends in .csv gets a header line;
any other one is a number a line. Of a run of several models the one with the lowest validation loss is taken, or --model.""",
        ("run", "data", "out", "model"),
        {},
        ("train",),
    ),
    "show": Command(
        show,
        """Name the features and the pairs of fields that move a model's forecasts most, and draw all pairs.

fm, ffm, deepfm and xdeepfm have pairs. Of a run of several models the one of these with the lowest validation loss is taken, or
--model.""",
        ("run", "model"),
        {},
        ("train", "report"),
    ),
    "convert": Command(
        convert,
        """Write the rows of a file in another format, which the name of --out says: .libsvm, .libffm, .csv or .parquet.""",
        ("data", "out"),
        {READING: FieldSettings},
        (),
    ),
}
