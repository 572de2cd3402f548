"""The command line of `forecast.py images`: models that look at pictures, on folders of them."""

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from pydantic import create_model
from rich.console import Console

from common import InputError, Settings, unknown
from configs.command_groups import Command, group_of, run_one
from configs.command_line import Parser, make_group_parser
from configs.experiment import Overrides
from evaluation import images as runs
from features import images
from features.images import FolderSettings, PictureSettings

HELP = """Train models on folders of labelled pictures, such as cats and dogs, and see what they look at.

    python forecast.py images organize FOLDER --ratio 0.2            train and validation, from cat.12.jpg or from class folders
    python forecast.py images train --data OUT                       a small network from scratch
    python forecast.py images bottleneck --data OUT --weights FILE   features of a pretrained VGG16, computed once
    python forecast.py images train --data OUT --model vgg16 --weights FILE
    python forecast.py images predict --run RUN FOLDER --out p.csv   a class and its probability for each picture
    python forecast.py images show --run RUN                         mistakes, confusion, feature maps, what it looked at
    python forecast.py images serve RUN                              a page on which you drop a picture, or candles

Pictures are JPEG, PNG, GIF, BMP, WebP or TIFF. Everything goes into a new folder in runs/; `--resume RUN` goes on where a
killed run stood. `python forecast.py images COMMAND --help` lists the options, `--help-all` all."""
READING, SEEING, LEARNING = "reading the pictures", "the pretrained network", "building and training the model"
COMMON = ("height", "width", "skip_damaged", "epochs", "learning_rate", "batch_size", "filters", "flip", "shear", "zoom", "seed")
"""settings that `--help` shows, in its order"""
DEFAULT_MODEL = "small_cnn"
MODELS = ("small_cnn", "vgg16")
"""those that learn from folders; chart_cnn learns from charts"""
LAST_PORT = 65_535
NEEDS = ("train", "report", "images")
FIELDS = {name: PictureSettings.model_fields[name] for name in ("filters", "precision", "threads")}
FeatureSettings: type[Settings] = create_model(
    "FeatureSettings", __base__=Settings, **{name: (field.annotation, field) for name, field in FIELDS.items()}
)  # type: ignore[call-overload]
"""the settings of a training that decide the features of a pretrained network"""


def run_image_command(words: list[str], console: Console) -> int:
    """Run one of the commands.

    Args:
        words: the command and its options.
        console: where the lines go.
    """
    return run_one(words, COMMANDS, _parser, HELP, console)


def organize(options: Namespace, overrides: Overrides, console: Console) -> int:
    """Train and validation folders."""
    folder = options.folder
    out = options.out or folder.resolve().with_name(f"{folder.resolve().name}-organized")
    made = images.organize_folder(folder, out, options.ratio, options.links, options.seed)
    runs.tell_organized(made, options.links, console)
    return 0


def train(options: Namespace, overrides: Overrides, console: Console) -> int:
    """One model."""
    if options.resume is None:
        task = _task(options, overrides)
        data = runs.load_folders(task, console)
        weights = runs.load_weights(task, console)
        folder = runs.begin_pictures(task, data, weights)
    elif given := [*(name for name in DECISIVE if getattr(options, name, None) is not None), *overrides]:
        raise InputError(f"a run goes on with its own settings, so `{given[0]}` cannot be given with --resume; leave it out")
    else:
        folder = options.resume
        task, data, weights = runs.resume_pictures(folder, console)
    resumed = f"a killed run goes on with: python forecast.py images train --resume {folder}"
    console.print(f"run folder: {folder} ({resumed})", markup=False)
    runs.teach_pictures(folder, task, data, weights, console)
    if {"valid", "test"} & set(data):
        runs.judge_pictures(folder, task, data, console)
    console.print(f"saved {folder}/model.safetensors; next: python forecast.py images show --run {folder}", markup=False)
    return 0


def bottleneck(options: Namespace, overrides: Overrides, console: Console) -> int:
    """Features of the pretrained network, for later trainings."""
    options.model = "vgg16"
    runs.keep_features(_task(options, overrides), console)
    return 0


def predict(options: Namespace, overrides: Overrides, console: Console) -> int:
    """A class and its probability for each picture of a folder."""
    runs.predict_folder(options.run, options.folder, options.out, options.skip_damaged, console)
    return 0


def show(options: Namespace, overrides: Overrides, console: Console) -> int:
    """What the model confuses, and what it looks at."""
    runs.show_pictures(options.run, options.picture, console)
    return 0


def serve(options: Namespace, overrides: Overrides, console: Console) -> int:
    """A page to try the model on."""
    runs.serve_page(options.run, options.port, console)
    return 0


def _parser(name: str) -> Parser:
    command = COMMANDS[name]
    parser = make_group_parser(command.help, command.settings, COMMON, command.needs)
    parser.prog = f"forecast.py images {name}"
    positional = "folder" if "folder" in command.options else "run" if name == "serve" else ""
    parser.usage = f"python forecast.py images {name}{f' {positional.upper()}' * bool(positional)} [--option value ...]"
    for option in command.options:
        if option == positional:
            parser.add_argument(option, metavar=option.upper(), **OPTIONS[option])
            continue
        about = {**OPTIONS[option], "required": option in command.required}
        if about.get("action") != "store_true":
            about["metavar"] = METAVARS.get(option, "FOLDER")
        parser.add_argument(f"--{option}", **about)
    return parser


def _task(options: Namespace, overrides: Overrides) -> "runs.PictureTask":
    """What the options say, checked before a folder is made."""
    model = options.model or DEFAULT_MODEL
    if model not in MODELS:
        raise InputError(unknown("model", model, MODELS))
    train, valid, test = options.train, options.valid, getattr(options, "test", None)
    if options.data is not None:
        if train is not None or valid is not None:
            raise InputError("--data OUT stands for --train OUT/train --valid OUT/validation, so give it or them; leave one out")
        train, valid = options.data / "train", options.data / "validation"
        if options.data.is_dir() and not train.is_dir():
            name = images.shown(options.data)
            raise InputError(
                f"--data takes a folder with `train` and `validation` in it, but {name} has no `train`; make one: "
                f"python forecast.py images organize {name}"
            )
    if train is None:
        raise InputError(
            "a model needs pictures to learn from; give --data OUT of `images organize`, or --train FOLDER --valid FOLDER"
        )
    if model == "vgg16" and options.weights is None:
        raise InputError(f"vgg16 begins with pretrained weights, and nothing is downloaded; give --weights FILE: {images.WHERE}")
    if model != "vgg16" and options.weights is not None:
        raise InputError(
            f"pretrained weights are those of vgg16, but got --weights for {model}; leave it out, or give --model vgg16"
        )
    return runs.PictureTask(
        model=model, train=train, valid=valid, test=test, weights=options.weights,
        folders=group_of(FolderSettings, overrides).of_model(model), pictures=group_of(PictureSettings, overrides),
    )  # fmt: skip


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"it must be a port from 0 (any free one) to {LAST_PORT}, but got {text}")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it must be a whole number of 0 or more, but got {text}")
    return int(text)


DECISIVE = ("data", "train", "valid", "test", "model", "weights")
"""options that decide a run, and so cannot be given with --resume"""
METAVARS = {
    "model": "NAME",
    "resume": "RUN",
    "run": "RUN",
    "weights": "FILE",
    "picture": "FILE",
    "ratio": "X",
    "seed": "N",
    "port": "N",
    "out": "PATH",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "folder": {"type": Path, "help": "folder of pictures"},
    "data": {"type": Path, "help": "folder that `images organize` made; short for --train OUT/train --valid OUT/validation"},
    "train": {"type": Path, "help": "pictures to learn from, in a folder for each class"},
    "valid": {"type": Path, "help": "pictures that choose the epoch"},
    "test": {"type": Path, "help": "pictures to judge by, which chose nothing (default: those of --valid)"},
    "model": {"help": f"one of {', '.join(MODELS)} (default: {DEFAULT_MODEL})"},
    "weights": {"type": Path, "help": "file of pretrained weights, torchvision's .pth or Keras' .h5"},
    "resume": {"type": Path, "help": "go on with this run folder instead of beginning a new one"},
    "run": {"type": Path, "help": "run folder of train"},
    "picture": {"type": Path, "help": "file whose feature maps are drawn (default: the first one of validation)"},
    "out": {"type": Path, "help": "what to write"},
    "ratio": {"type": float, "default": 0.2, "help": "share of validation, in each class (default: 0.2)"},
    "links": {"action": "store_true", "help": "links to the files instead of copies"},
    "seed": {"type": _number, "default": 0, "help": "of the draws (default: 0)"},
    "port": {"type": _port, "default": 8501, "help": "of the page, 0 for any free one (default: 8501)"},
    "skip_damaged": {"action": "store_true", "help": "leave out files that cannot be read, and name them"},
}
BOTH: dict[str, type[Settings]] = {LEARNING: PictureSettings, READING: FolderSettings}
COMMANDS = {
    "organize": Command(
        organize,
        """Copy pictures into OUT/train/CLASS and OUT/validation/CLASS, a share of each class into validation.

FOLDER holds files such as cat.12.jpg, whose class is what stands before the first dot, or a folder for each class. It stays as it
is. Files with the same bytes go to the same side. OUT is FOLDER-organized unless --out names it; it must not exist, and appears
when it is whole.""",
        ("folder", "ratio", "out", "links", "seed"),
        {},
        ("images",),
    ),
    "train": Command(
        train,
        f"""Train one model on folders of pictures, by default {DEFAULT_MODEL} from scratch.

Pictures are decoded once, into cache/images. With --valid the best epoch there is kept; without it, the model is trained for all
its epochs. vgg16 is a pretrained network whose features a small head learns from; its --weights are a file of yours, for nothing
is downloaded.""",
        ("data", "train", "valid", "test", "model", "weights", "resume"),
        BOTH,
        NEEDS,
    ),
    "bottleneck": Command(
        bottleneck,
        """Compute the features of a pretrained VGG16 for all pictures, once; `images train --model vgg16` finds them again.

With augmentation (--flip, --shear, --zoom) each epoch sees other pictures, so their features cannot be kept.""",
        ("data", "train", "valid", "test", "weights"),
        {SEEING: FeatureSettings, READING: FolderSettings},
        NEEDS,
        ("weights",),
    ),
    "predict": Command(
        predict,
        """Write a class and its probability for each picture of a folder, in natural order of their names, as CSV.

Pictures lie in FOLDER itself or in folders in it, whose names tell nothing here. `id` is the name without its ending. With two
classes `probability` is that of the label; with more there is a column a class.""",
        ("run", "folder", "out", "skip_damaged"),
        {},
        ("train", "images"),
        ("run", "out"),
    ),
    "show": Command(
        show,
        """Draw what a model confuses and what it looks at, on the pictures that it was judged by.

The confusion matrix, the most confident mistakes, where it looked (Grad-CAM), and the feature maps of its first layers for one
picture.""",
        ("run", "picture"),
        {},
        NEEDS,
        ("run",),
    ),
    "serve": Command(
        serve,
        """Show a page on this computer on which you drop a picture, or a candle file, and see what the model makes of it.

It shows what the network sees, the probability of each class and what speaks for it (Grad-CAM). RUN is that of `images train` or
of `forecast.py train --model chart_cnn`, which wants candles and a date. No other computer can open the page. Ctrl-C ends it.""",
        ("run", "port"),
        {},
        NEEDS,
    ),
}
