"""Runs of tiny models that look at pictures, for the page on which they are tried."""

from pathlib import Path

import numpy as np
import yaml
from picture_folders import picture

from common import describe_run
from evaluation.images import PictureTask
from features.forecasters import FittedForecaster, ForecastSettings, fit_forecaster
from features.images import FolderSettings, PictureSettings, PicturesInMemory, fit_pictures
from market import simulate

SIDE = 24
CLASSES = ("bright <b>left</b>", "bright right")
"""one of them would be HTML if it were not shown as text"""
CHARTS = ForecastSettings(
    past_bars=8, future_bars=2, rise_bps=0, threads=1,
    charts={"bars": 5, "filters": 2, "epochs": 1, "learning_rate": 1e-3, "precision": "float32"},
)  # fmt: skip
CANDLES = simulate("bitcoin", bars=500, seed=3)


def picture_run(folder: Path, classes: tuple[str, ...] = CLASSES, epochs: int = 12) -> Path:
    """A trained run of `forecast.py images train`: a picture is bright on its left or on its right."""
    task = PictureTask(
        model="small_cnn", train=folder / "pictures", folders=FolderSettings(height=SIDE, width=SIDE),
        pictures=PictureSettings(epochs=epochs, filters=4, batch_size=8, learning_rate=3e-3, dropout=(0, 0), precision="float32"),
    )  # fmt: skip
    labels = np.arange(32) % len(classes)
    pixels = np.stack([picture(number, bool(number % 2), SIDE) for number in range(32)]).transpose(0, 3, 1, 2)
    fitted = fit_pictures("small_cnn", PicturesInMemory(pixels, labels, classes), None, task.pictures)
    folder.mkdir(parents=True)
    describe_run(folder, yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False), {"train": "0" * 64})
    fitted.save(folder / "model.safetensors")
    return folder


def chart_forecaster() -> FittedForecaster:
    """A tiny chart_cnn."""
    return fit_forecaster("chart_cnn", CANDLES[:250], CANDLES[250:400], CHARTS)


def chart_run(folder: Path) -> Path:
    """What `forecast.py train --model chart_cnn` leaves of it."""
    folder.mkdir(parents=True)
    chart_forecaster().save(folder / "forecaster.safetensors")
    return folder
