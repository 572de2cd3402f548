"""Forecasters of a rise from charts: a convolutional network that looks at a picture of the last bars.

Source: Jiang, Kelly & Xiu, "(Re-)Imag(in)ing Price Trends", Journal of Finance 78 (2023).
"""

import numpy as np

from common import InputError
from features.epochs import Watch
from features.forecasters.rise_labels import below, labelled_bars, mean_paths, require_both_labels, require_mean_paths
from features.forecasters.scaling import Estimates
from features.forecasters.settings import ForecastSettings
from features.images.chart_drawing import ChartStyle
from features.images.chart_pictures import ChartPictures
from features.images.fitted_pictures import FittedPictures
from features.images.pictures import PictureShape
from features.images.settings import PictureSettings
from features.images.training import fit_pictures
from market import Candles

WEIGHTS, BFLOAT16 = "weights/", "bfloat16"
CLASSES = ("no rise", "rise")
OF_CHART = {"bars", "average", "volume"}
"""settings of the picture; the others are those of its network"""


def estimate(name: str, train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    """The weights of the best epoch on validation, and mean paths of train.

    With a cache, the charts of both are drawn once into files there, which are mapped; else whenever they are read.

    Raises:
        InputError: too few bars for a chart, candles without volumes for charts that show them, or bars of train that all rise
            or all do not.
    """
    style = settings.charts.style
    require_drawable(train, style)
    ends, labels = _whole(train, *labelled_bars(train, settings), style)
    require_both_labels(labels, settings)
    data = ChartPictures(train, ends, labels, style, cache=watch.cache)
    stop = ChartPictures(validation, *_whole(validation, *labelled_bars(validation, settings), style), style, cache=watch.cache)
    fitted = fit_pictures(name, data, stop, model_settings(settings), watch)
    weights = {f"{WEIGHTS}{key}": array for key, array in fitted.arrays.items()}
    # Of `auto` it is what this machine has: another one forecasts with the same.
    precision = {BFLOAT16: np.array(fitted.settings.precision == "bfloat16")}
    return weights | precision | mean_paths(train, ends, labels, settings)


def probabilities(name: str, candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """float64 (T,): of a rise, known when each bar closes; NaN in the first `past_bars - 1` rows, as all forecasters have it.

    Where fewer bars are known than a chart has, those that there are stand on its right.
    """
    told = np.full(len(candles), np.nan)
    first = settings.past_bars - 1
    if len(candles) > first:
        ends = np.arange(first, len(candles))
        data = ChartPictures(candles, ends, np.zeros(len(ends), np.int64), settings.charts.style)
        told[first:] = rebuilt(name, settings, estimates).predict(data)[:, 1]
    return told


def rebuilt(name: str, settings: ForecastSettings, estimates: Estimates) -> FittedPictures:
    """The network with its weights.

    Raises:
        InputError: weights that the settings do not describe.
    """
    style, precision = settings.charts.style, "bfloat16" if estimates[BFLOAT16] else "float32"
    given = model_settings(settings).model_copy(update={"precision": precision})
    return FittedPictures(name, given, PictureShape(1, style.height, style.width), CLASSES, (), below(estimates, WEIGHTS))


def require_whole(name: str, settings: ForecastSettings, estimates: Estimates) -> None:
    """Raise `InputError` if these are not the arrays of such a model."""
    require_mean_paths(settings, estimates)
    fitted = rebuilt(name, settings, estimates)
    assert fitted.network
    assert fitted.scale


def require_drawable(candles: Candles, style: ChartStyle) -> None:
    """Raise `InputError` if charts would show volumes and the candles have none."""
    if style.volume and not candles.has_volumes:
        raise InputError(
            f"{candles.source} has no volumes, but charts would show them; leave them out: "
            "--features.forecasts.charts.volume false"
        )


def bars_back(settings: ForecastSettings) -> int:
    """Bars up to its own that a forecast depends on."""
    return max(settings.past_bars, settings.charts.style.bars_back)


def model_settings(settings: ForecastSettings) -> PictureSettings:
    """How the network is trained: as `charts` say, from the forecasts' seed and on their threads."""
    return PictureSettings(**settings.charts.model_dump(exclude=OF_CHART), seed=settings.seed, threads=settings.threads)


def _whole(candles: Candles, ends: np.ndarray, labels: np.ndarray, style: ChartStyle) -> tuple[np.ndarray, np.ndarray]:
    """Those of the bars, and of their labels, whose chart depends on no bar before the first and on none of a gap."""
    filled = np.zeros(len(candles), bool) if candles.filled is None else candles.filled
    before = np.concatenate([[0], np.cumsum(filled)])  # filled bars before each
    firsts = ends - style.bars_back + 1
    whole = (firsts >= 0) & (before[ends + 1] == before[np.maximum(firsts, 0)])
    if not whole.any():
        raise InputError(
            f"a chart of {style.bars} bars depends on {style.bars_back} bars without a gap, but no window of {len(candles)} bars "
            f"has as many before its end; give more rows, or lower charts.bars"
        )
    return ends[whole], labels[whole]
