"""A trained model that a person tries: a picture or a candle file in; what the model sees, says and looks at out."""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from common import InputError, RunError
from evaluation.images.dropped_candles import NAMELESS, DroppedFile, Given, last_closed, to_minute
from evaluation.images.picture_runs import trained_model
from evaluation.images.picture_task import PictureTask
from features.forecasters import CHART_MODELS, FORECASTERS, FittedForecaster, rebuilt, require_drawable
from features.images import FittedPictures, PictureShape, PicturesInMemory, decode_picture, draw_charts, grad_cam
from market import Candles, bar_name

FORECASTER = "forecaster.safetensors"
MIB = 1 << 20


class Look(NamedTuple):
    """What a model makes of a file.

    Args:
        picture: uint8 (C, H, W), what the network sees.
        probabilities: float64 (K,), of each class.
        label: the class that `heat` is for.
        heat: float32 (H, W), 0 to 1, how much each place speaks for that class.
        headline: what the model says, in words.
        facts: what there is to know of the picture, each with its name.
        bar: of candles, where the chart ends, and what else the file has.
    """

    picture: np.ndarray
    probabilities: np.ndarray
    label: int
    heat: np.ndarray
    headline: str
    facts: tuple[tuple[str, str], ...]
    bar: "Bar | None" = None


class Bar(NamedTuple):
    """The last bar of a chart: when it closed, and when its neighbours did; times are ISO, UTC, empty where there is none."""

    closed: str
    before: str
    after: str
    first: str
    last: str
    by_day: bool


class TriedModel(Protocol):
    """A model of a run.

    Attributes:
        kind: `pictures` or `candles`, what it is tried on.
        name: of the model.
        classes: their names.
        shape: of the pictures that it sees.
        most_bytes: of a file.
        about: what it was made for, in a sentence or two.
    """

    kind: str
    name: str
    classes: tuple[str, ...]
    shape: PictureShape
    most_bytes: int
    about: str

    def look(self, content: bytes, given: Given) -> Look:
        """What it makes of a file.

        Args:
            content: of the file.
            given: `label`, the class whose map is wanted; of candles also `date`, `time` and names of `READING`.

        Raises:
            InputError: a file that cannot be read, or a choice that there is not.
        """
        ...


class OfPictures:
    """A run of `forecast.py images train`."""

    kind, most_bytes = "pictures", 20 * MIB

    def __init__(self, task: PictureTask, fitted: FittedPictures) -> None:
        self.name, self.classes, self.shape = fitted.name, fitted.classes, fitted.shape
        self._reading, self._fitted = task.folders, fitted
        classes = f"{len(self.classes)} classes" if len(self.classes) > 5 else ", ".join(self.classes)
        self.about = (
            f"It tells apart {classes}. A picture of anything else becomes one of these, too, often with great certainty."
        )

    def look(self, content: bytes, given: Given) -> Look:
        picture = decode_picture(content, self._reading)
        probabilities = self._fitted.predict(PicturesInMemory(picture[None], np.zeros(1, np.int64), self.classes))[0]
        told = int(probabilities.argmax())
        label = chosen_label(given, told, len(self.classes))
        return Look(
            picture, probabilities, label, grad_cam(self._fitted, picture, label),
            f"{self.classes[told]}, {probabilities[told]:.1%}", (("The network sees", seen_size(self.shape)),),
        )  # fmt: skip


class OfCandles:
    """A run of `forecast.py train` with a forecaster that looks at charts."""

    kind, most_bytes = "candles", 64 * MIB

    def __init__(self, forecaster: FittedForecaster) -> None:
        settings = forecaster.settings
        self._fitted = rebuilt(forecaster.name, settings, forecaster.estimates)
        self._style = settings.charts.style
        self._bars_back = FORECASTERS[forecaster.name].bars_back(settings)
        self._file = DroppedFile()
        self._usual = float(forecaster.estimates["share_rising"])
        self.name, self.classes, self.shape = forecaster.name, self._fitted.classes, self._fitted.shape
        self.about = (
            f"It looks at the last {self._style.bars} bars and gives the probability of a rise: that one of the next "
            f"{settings.future_bars} closes lies more than {settings.rise_bps:g} bps above the last one. In the bars that it "
            f"learned from, {self._usual:.1%} rose so."
        )

    def look(self, content: bytes, given: Given) -> Look:
        candles = self._file.candles(content, given)
        require_drawable(candles, self._style)
        number = last_closed(candles, given)
        self._require_whole_chart(candles, number)
        known = candles[number + 1 - self._bars_back : number + 1]  # nothing after the bar is there to be looked at
        picture = draw_charts(known, np.array([len(known) - 1]), self._style)
        probabilities = self._fitted.predict(PicturesInMemory(picture[:, None], np.zeros(1, np.int64), self.classes, True))[0]
        label = chosen_label(given, int(probabilities.argmax()), len(self.classes))
        return Look(
            picture, probabilities, label, grad_cam(self._fitted, picture, label),
            f"Probability of a rise: {probabilities[1]:.1%}", self._facts(candles, known), _bar_of(candles, number),
        )  # fmt: skip

    def _require_whole_chart(self, candles: Candles, number: int) -> None:
        needed = self._bars_back
        if len(candles) < needed:
            raise InputError(f"a chart depends on {needed} bars, but the file has {len(candles)}; give a longer one")
        if number + 1 < needed:
            raise InputError(
                f"a chart depends on {needed} bars, but {number + 1} had closed by {to_minute(candles.ends[number])} UTC; "
                f"the first chart is that of {to_minute(candles.ends[needed - 1])}"
            )

    def _facts(self, candles: Candles, known: Candles) -> tuple[tuple[str, str], ...]:
        """Of a file, and of the bars that a chart depends on."""
        facts = (
            ("Last bar", f"{to_minute(known.index[-1])} to {to_minute(known.ends[-1])} UTC"),
            ("Its close", f"{known.column('close')[-1]:,.10g}"),
            ("The chart", f"{self._style.bars} bars of {bar_name(candles.bar)}, {candles.symbol}; {seen_size(self.shape)}"),
            ("In training", f"{self._usual:.1%} rose"),
            (
                "The file",
                f"{len(candles):,} bars to {to_minute(candles.ends[-1])} UTC{candles.source.removeprefix(f'file {NAMELESS}')}",
            ),
        )
        if known.filled is None:
            return facts
        mended = f"{known.filled.sum()} of its {len(known)} bars were missing and are filled flat"
        return (*facts, ("Beware", f"{mended}; the model learned from no such chart"))


def model_to_try(run: Path) -> TriedModel:
    """The model of a run.

    Raises:
        RunError: no run of a model that looks at pictures, or one whose training is not over.
    """
    if not (run / FORECASTER).exists():
        return OfPictures(*trained_model(run))
    forecaster = FittedForecaster.load(run / FORECASTER)
    if forecaster.name not in CHART_MODELS:
        raise RunError(
            f"the page shows what models see that look at pictures, but {run} holds {forecaster.name}; name a run of "
            f"`forecast.py images train` or of `forecast.py train --model {CHART_MODELS[0]}`"
        )
    return OfCandles(forecaster)


def chosen_label(given: Given, usual: int, n_classes: int) -> int:
    """The class whose map is wanted."""
    label = given.get("label") or str(usual)
    if not (label.isascii() and label.isdecimal() and len(label) < 10 and int(label) < n_classes):
        raise InputError(f"classes are 0 to {n_classes - 1}, but got {label[:20]!r}; choose one of them")
    return int(label)


def seen_size(shape: PictureShape) -> str:
    """`150 x 150 pixels in color`: height first."""
    return f"{shape.height} x {shape.width} pixels {'in grey' if shape.channels == 1 else 'in color'}"


def _bar_of(candles: Candles, number: int) -> Bar:
    ends = candles.ends
    before = ends[number - 1] if number else None
    after = ends[number + 1] if number + 1 < len(ends) else None
    by_day = candles.bar >= pd.Timedelta(days=1)
    return Bar(_iso(ends[number]), _iso(before), _iso(after), _iso(ends[0]), _iso(ends[-1]), by_day)


def _iso(moment: pd.Timestamp | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}"
