"""What a trained picture model says: a class for each picture of a folder, and pictures of what it confuses and looks at."""

import csv
import io
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from common import InputError, write_atomically
from evaluation.images.picture_runs import judged_role, read_folder, trained_model
from evaluation.images.picture_scores import confident_mistakes
from features.images import FittedPictures, FolderPictures, feature_maps, grad_cam, picture_of, prepare_folder, shown

SHEET = 20
"""mistakes that are drawn"""
LOOKED_AT = 10
"""pictures whose Grad-CAM is drawn"""
OWN_COLUMNS = ("id", "label")
LAYERS = 3
"""convolutions whose feature maps are drawn"""


def predict_folder(run: Path, folder: Path, out: Path, skip_damaged: bool, console: Console) -> None:
    """Write a class and its probability for each picture of a folder, in natural order of their names.

    Args:
        run: folder of a run of `train`.
        folder: of pictures, in itself or in folders in it, whose names tell nothing here.
        out: a CSV file, written whole or not at all.
        skip_damaged: leave out files that cannot be read; the run's own setting does the same.
        console: for the lines.
    """
    task, fitted = trained_model(run)
    if out.is_dir():
        raise InputError(f"forecasts go into a file, but {shown(out)} is a folder; name a file in it")
    settings = task.folders.model_copy(update={"skip_damaged": skip_damaged or task.folders.skip_damaged})
    data = prepare_folder(folder, settings, labels="ignored")
    for note in data.notes:
        console.print(f"{shown(folder)}: {note}", markup=False)
    try:
        write_atomically(out, forecast_lines(data.ids, fitted.predict(data), fitted.classes).encode(errors="backslashreplace"))
    except OSError as error:
        raise InputError(f"{shown(out)} cannot be written ({error.strerror}); choose another --out") from None
    console.print(f"written: {shown(out)}, {len(data):,} forecasts of {fitted.name}", markup=False)


def forecast_lines(ids: tuple[str, ...], probabilities: np.ndarray, classes: tuple[str, ...]) -> str:
    """The CSV: of two classes `id,label,probability`, where that is the label's; of more a column a class.

    Args:
        ids: of the N pictures; names with commas, quotes or line ends are quoted.
        probabilities: float64 (N, n_classes).
        classes: names, by number.
    """
    two = len(classes) == 2
    columns = [f"probability of {name}" if name in OWN_COLUMNS else name for name in classes]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*OWN_COLUMNS, *(["probability"] if two else columns)])
    for name, row in zip(ids, probabilities, strict=True):
        label = int(row.argmax())
        writer.writerow([name, classes[label], *([repr(float(row[label]))] if two else [repr(float(value)) for value in row])])
    return text.getvalue()


def show_pictures(run: Path, picture: Path | None, console: Console) -> None:
    """Draw the most confident mistakes, where the model looked, and the feature maps of its first layers for one picture.

    Args:
        run: folder of a run of `train`.
        picture: file whose feature maps are drawn; None takes the first one of those that the model is judged by.
        console: for the lines.
    """
    from evaluation.images.picture_figures import Shown, draw_feature_maps, draw_sheet

    task, fitted = trained_model(run)
    role = judged_role(task)
    # Before the others, so that a wrong name is told at once.
    alone = None if picture is None else picture_of(picture, task.folders)
    data = read_folder(task.roles[role], task.folders, fitted.classes, console)
    probabilities = fitted.predict(data)
    told, mistakes = probabilities.argmax(1), confident_mistakes(probabilities, data.labels, len(data))
    console.print(f"{len(mistakes):,} of {len(data):,} pictures were taken for another class", markup=False)
    written = []
    if len(mistakes):
        sheet = []
        for number, pixels in zip(mistakes[:SHEET].tolist(), data.read(mistakes[:SHEET]), strict=True):
            sheet.append(Shown(pixels, _lines(fitted, data, number, probabilities), wrong=True))
        title = f"{fitted.name}: the {len(sheet)} most confident of {len(mistakes):,} mistakes on {shown(data.folder)}"
        draw_sheet(sheet, title, run / "figures" / "mistakes.png")
        written.append("mistakes.png")
    looked = []
    for number in _worth_seeing(probabilities, data.labels, mistakes):
        (pixels,) = data.read(np.array([number]))
        heat = grad_cam(fitted, pixels, int(told[number]))
        looked.append(Shown(pixels, _lines(fitted, data, number, probabilities), told[number] != data.labels[number], heat))
    draw_sheet(looked, f"{fitted.name}: what spoke for the class that it named (Grad-CAM)", run / "figures" / "grad-cam.png")
    pixels, name = (data.read(np.array([0]))[0], data.names[0]) if alone is None else (alone, os.fspath(picture or ""))
    layers = list(feature_maps(fitted, pixels).items())[:LAYERS]
    draw_feature_maps(pixels, layers, f"{fitted.name}: feature maps of {shown(name)}", run / "figures" / "feature-maps.png")
    console.print(f"written: {run}/figures/{', '.join([*written, 'grad-cam.png', 'feature-maps.png'])}", markup=False)


def _lines(fitted: FittedPictures, data: FolderPictures, number: int, probabilities: np.ndarray) -> tuple[str, ...]:
    from evaluation.images.picture_figures import shortened

    label, told = int(data.labels[number]), int(probabilities[number].argmax())
    sure = f"{fitted.classes[told]}, {probabilities[number, told]:.1%}"
    name = data.names[number].rpartition("/")[2]
    return shortened(name), sure, *((f"is {shortened(fitted.classes[label])}",) if label != told else ())


def _worth_seeing(probabilities: np.ndarray, labels: np.ndarray, mistakes: np.ndarray) -> list[int]:
    """Half of them mistakes, the surest ones; the others right, of each class in turn, the surest ones."""
    chosen = mistakes[: LOOKED_AT // 2].tolist()
    sure = np.argsort(-probabilities.max(1), kind="stable")
    wrong, place = set(mistakes.tolist()), 0
    right = {label: [n for n in sure.tolist() if labels[n] == label and n not in wrong] for label in sorted(set(labels.tolist()))}
    while len(chosen) < LOOKED_AT and any(len(numbers) > place for numbers in right.values()):
        chosen += [numbers[place] for numbers in right.values() if len(numbers) > place]
        place += 1
    return chosen[:LOOKED_AT]
