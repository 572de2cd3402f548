"""The run folder of a picture model: what it was begun with, its training, and what it is worth.

`config.yaml` holds the task, `data.sha256` a hash of the pictures of each role and of the pretrained weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import yaml
from rich.console import Console

from common import InputError, RunError, describe_run, new_run, one_line, write_atomically, write_json
from evaluation.forecasts.interaction_progress import shown_training
from evaluation.images.picture_scores import PictureScores, score_pictures, scores_in_words, scores_table
from evaluation.images.picture_task import MODEL, PictureTask, read_picture_task
from features.forecasters import Epoch, Watch
from features.images import (
    CACHE,
    FittedPictures,
    FolderPictures,
    FolderSettings,
    Organized,
    PictureEpoch,
    PretrainedWeights,
    build_network,
    fit_pictures,
    listed,
    load_vgg16_weights,
    prepare_folder,
    shown,
    vgg16_features,
)

WEIGHTS_ROLE = "weights"
MOST_TOLD = 20
"""files that a line names"""
Folders = dict[str, FolderPictures]


def tell_organized(made: Organized, links: bool, console: Console) -> None:
    """Print what `organize_folder` made."""
    for note in made.notes:
        console.print(note, markup=False)
    for name, (train, validation) in made.counts.items():
        console.print(f"{shown(name)}: {train:,} train, {validation:,} validation", markup=False)
    total = sum(map(sum, made.counts.values()))
    console.print(f"written: {shown(made.out)}, {total:,} {'links' if links else 'copies'}", markup=False)
    console.print(f"next: python forecast.py images train --data {shown(made.out)}", markup=False)


def load_folders(task: PictureTask, console: Console) -> Folders:
    """The pictures of each role; what there is to note of a folder is printed.

    Raises:
        InputError: of `prepare_folder`, one class alone, or roles with the same pictures.
    """
    data: Folders = {}
    for role, path in task.roles.items():
        classes = data["train"].classes if data else None
        data[role] = read_folder(path, task.folders, classes, console)
        if role == "train" and len(data[role].classes) < 2:
            raise InputError(
                f"a model tells two classes or more apart, but {shown(path)} has {shown(data[role].classes[0])} alone; add a "
                "folder for another class"
            )
        for other in data:
            if other != role:
                _tell_common(data[other], data[role], other, role, console)
    return data


def read_folder(path: Path, settings: FolderSettings, classes: tuple[str, ...] | None, console: Console) -> FolderPictures:
    """The labelled pictures of a folder, its notes printed."""
    data = prepare_folder(path, settings, classes)
    counts = ", ".join(f"{shown(name)}: {(data.labels == label).sum():,}" for label, name in enumerate(data.classes[:MOST_TOLD]))
    more = f" and {len(data.classes) - MOST_TOLD} more classes" if len(data.classes) > MOST_TOLD else ""
    console.print(f"{shown(path)}: {len(data):,} pictures ({counts}{more})", markup=False)
    _tell_notes(path, data, console)
    return data


def load_weights(task: PictureTask, console: Console) -> PretrainedWeights | None:
    """Those that the task names, for a model that needs some; what there is to note of the file is printed."""
    if task.weights is None:
        return None
    weights = load_vgg16_weights(task.weights, task.pictures.filters_of(task.model))
    for note in weights.notes:
        console.print(f"{shown(task.weights)}: {note}", markup=False)
    return weights


def begin_pictures(task: PictureTask, data: Folders, weights: PretrainedWeights | None) -> Path:
    """Make the run folder, and write what it begins with.

    Raises:
        InputError: there is no such network for these pictures, such as for too small ones; no folder is made.
    """
    train = data["train"]
    build_network(task.model, train.shape, len(train.classes), task.pictures, torch.Generator())
    folder = new_run(Path("runs"), "images-train")
    describe_run(folder, yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False), _hashes(data, weights))
    return folder


def resume_pictures(folder: Path, console: Console) -> tuple[PictureTask, Folders, PretrainedWeights | None]:
    """The task, the pictures and the weights of a run that goes on.

    Raises:
        RunError: no such run, or a folder or a file that holds something else than before.
    """
    task = read_picture_task(folder)
    data, weights = load_folders(task, console), load_weights(task, console)
    before = _kept_hashes(folder)
    for role, sha256 in _hashes(data, weights).items():
        if before.get(role) != sha256:
            path = task.weights if role == WEIGHTS_ROLE else task.roles[role]
            raise RunError(
                f"a run goes on with the pictures that it was begun with, but {shown(path)} (--{role}) has changed: its content "
                f"had the hash {before.get(role, 'none')[:12]} and now has {sha256[:12]}; restore it, or begin a new run"
            )
    return task, data, weights


def teach_pictures(folder: Path, task: PictureTask, data: Folders, weights: PretrainedWeights | None, console: Console) -> None:
    """Train the model of a run, with its progress on stderr, or read what was trained here before.

    Writes `epochs.csv`, `seconds.csv` (apart, since the rest repeats to the byte), `checkpoint.safetensors`, `figures/curves.png`
    and at last `model.safetensors`.
    """
    if not (folder / MODEL).exists():
        with shown_training(task.model, task.pictures.epochs, "batch", _in_words) as (on_epoch, on_part):
            _train(folder, task, data, weights, Watch(on_epoch, on_part=on_part))
    history = FittedPictures.load(folder / MODEL).history
    kept = next(epoch for epoch in reversed(history) if epoch.best)
    what = f"validation loss {kept.validation_loss:.4f}" if "valid" in data else f"train loss {kept.loss:.4f}"
    console.print(f"{task.model}: {what} at epoch {kept.number} of {len(history)}", markup=False)


def judge_pictures(folder: Path, task: PictureTask, data: Folders, console: Console) -> PictureScores:
    """Print the table of a trained model, and write `scores.json`, `figures/confusion.png`."""
    role = judged_role(task)
    fitted, judged = FittedPictures.load(folder / MODEL), data[role]
    scores = score_pictures(fitted.predict(judged), judged.labels, fitted.classes, data["train"].labels)
    words = scores_in_words(scores)
    if role == "valid":
        words.append("the epoch was chosen on these same pictures, which flatters it; --test FOLDER judges by others")
    title = f"{task.model} on {len(judged):,} pictures of {shown(task.roles[role])}"
    console.print(scores_table(scores, title))
    for line in words:
        console.print(line, markup=False)
    from evaluation.images.picture_figures import draw_confusion  # matplotlib, which forecasting needs not

    draw_confusion(scores.confusion, scores.classes, title, folder / "figures" / "confusion.png")
    low, high = scores.interval
    about = {"accuracy": scores.accuracy, "accuracy_low": low, "accuracy_high": high, "usual_accuracy": scores.usual_accuracy}
    write_json(folder / "scores.json", {**about, **asdict(scores), "range": role, "in_words": words})
    return scores


def keep_features(task: PictureTask, console: Console) -> None:
    """Compute what the convolutions of a pretrained network see in the pictures of each role, once, for later trainings."""
    data, weights = load_folders(task, console), load_weights(task, console)
    assert weights is not None
    for role, features in _features_of(data, weights, task).items():
        console.print(
            f"{role}: {features.shape[1]:,} features of each of {len(features):,} pictures, kept in {CACHE}", markup=False
        )


def judged_role(task: PictureTask) -> str:
    """The role whose pictures judge: `test`, or without it `valid`, or without that `train`."""
    return next(role for role in ("test", "valid", "train") if role in task.roles)


def trained_model(run: Path) -> tuple[PictureTask, FittedPictures]:
    """The task and the model of a run.

    Raises:
        RunError: no such run, or one whose training is not over.
    """
    task = read_picture_task(run)
    if not (run / MODEL).exists():
        raise RunError(f"this needs a trained model, but {run} holds none; run `python forecast.py images train --resume {run}`")
    return task, FittedPictures.load(run / MODEL)


def epoch_lines(history: Sequence[PictureEpoch], validated: bool) -> str:
    """`epochs.csv`; without validation pictures those columns are empty, and the last epoch is the one that is kept."""
    lines = [
        f"{one.number},{one.loss!r},{one.accuracy!r},"
        + (f"{one.validation_loss!r},{one.validation_accuracy!r}" if validated else ",")
        + f",{str(one.best).lower()}\n"
        for one in history
    ]
    return f"epoch,loss,accuracy,validation_loss,validation_accuracy,best\n{''.join(lines)}"


def _train(folder: Path, task: PictureTask, data: Folders, weights: PretrainedWeights | None, shown_to: Watch) -> None:
    history: list[PictureEpoch] = []

    def keep(epoch: Epoch) -> None:
        assert isinstance(epoch, PictureEpoch)
        history.append(epoch)
        write_atomically(folder / "epochs.csv", epoch_lines(history, "valid" in data))
        write_atomically(folder / "seconds.csv", "epoch,seconds\n" + "".join(f"{e.number},{e.seconds:.3f}\n" for e in history))
        shown_to.on_epoch(epoch)

    for left_behind in folder.glob(".*"):  # by a write that was killed
        left_behind.unlink()
    watch = Watch(keep, folder / "checkpoint.safetensors", shown_to.on_part)
    if weights is not None:  # here, where it is shown
        _features_of({role: data[role] for role in _seen_once(task)}, weights, task)
    fitted = fit_pictures(
        task.model, data["train"], data.get("valid"), task.pictures, watch, weights=weights, features_folder=CACHE
    )
    from evaluation.images.picture_figures import draw_curves  # matplotlib, which forecasting needs not

    title = f"{task.model} on {len(data['train']):,} pictures of {shown(task.train)}"
    draw_curves(fitted.history, "valid" in data, title, folder / "figures" / "curves.png")
    fitted.save(folder / MODEL)


def _seen_once(task: PictureTask) -> list[str]:
    """The roles whose pictures look the same in each epoch of a training."""
    return [role for role in task.roles if role == "valid" or (role == "train" and not task.pictures.augments)]


def _features_of(data: Folders, weights: PretrainedWeights, task: PictureTask) -> dict[str, np.ndarray]:
    """Of each role, float32 (N, F), from the cache or computed now, with its progress on stderr."""
    found = {}
    for role, pictures in data.items():
        with shown_training(f"features of {role}", 0, "picture") as (_, on_part):
            found[role] = vgg16_features(pictures, weights, task.pictures, CACHE, on_part)
    return found


def _in_words(epoch: Epoch) -> str:
    assert isinstance(epoch, PictureEpoch)
    return (
        f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.1%}; validation loss {epoch.validation_loss:.4f}, accuracy "
        f"{epoch.validation_accuracy:.1%}"
    )


def _tell_notes(path: Path, data: FolderPictures, console: Console) -> None:
    for note in data.notes:
        console.print(f"{shown(path)}: {note}", markup=False)


def _tell_common(one: FolderPictures, other: FolderPictures, role: str, other_role: str, console: Console) -> None:
    """A picture that was learned from says nothing of those that were not."""
    if one.sha256 == other.sha256:
        raise InputError(
            f"a model is judged by pictures that it was not made with, but --{role} {shown(one.folder)} and --{other_role} "
            f"{shown(other.folder)} hold the same; give different folders"
        )
    known = set(one.content)
    if common := [name for name, digest in zip(other.names, other.content, strict=True) if digest in known]:
        console.print(
            f"{shown(other.folder)}: {len(common):,} of {len(other):,} pictures are in {shown(one.folder)}, too, byte for byte, "
            f"which flatters the model: {listed(common)}",
            markup=False,
        )


def _hashes(data: Folders, weights: PretrainedWeights | None) -> dict[str, str]:
    hashes = {role: pictures.sha256 for role, pictures in data.items()}
    return hashes if weights is None else hashes | {WEIGHTS_ROLE: weights.sha256}


def _kept_hashes(folder: Path) -> Mapping[str, str]:
    """Of each role, when the run was begun."""
    path = folder / "data.sha256"
    try:
        lines = [line.partition("  ") for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read {path}: {getattr(error, 'strerror', None) or one_line(error)}; begin a new run") from None
    return {role: sha256 for sha256, _, role in lines}
