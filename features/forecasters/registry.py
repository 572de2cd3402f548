"""The forecasters, behind one interface: `FORECASTERS[name]`.

A new one is a `Forecaster`, a line there and its name in the settings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch

from common import InputError, SealError, blamed, one_line, read_sealed, write_sealed
from features import sarimax
from features.epochs import Watch
from features.forecasters import chart_forecasters, rise_forecasters
from features.forecasters.networks import NETWORKS, Network, build_network
from features.forecasters.rise_labels import paths_of_rises
from features.forecasters.scaling import (
    Estimates,
    Scaling,
    fit_scaling,
    inputs,
    paths_of,
    raw_targets,
    scaled_targets,
    windows_of,
)
from features.forecasters.settings import CHART_MODELS, OF_RISES, RISES, ForecastSettings
from features.forecasters.training import NetworkTraining, decisive, evaluate
from features.torch_tools import torch_threads
from market import Candles

KIND = "forecaster"
FORMAT = 1


class Forecaster(NamedTuple):
    """A way to forecast the closes of the next K bars.

    Args:
        estimate: what is estimated, as arrays, from train; networks choose their epoch on the second candles.
        forecast: float64 (T, K) of candles, settings and estimates: at bar t the log returns from its close to those of bars
            t+1 ... t+K, known when bar t closes. NaN in the first `past_bars - 1` rows, finite after them. What it gives for
            `candles[:n]` equals the first n rows of what it gives for all, to the bit.
        network: whether it is trained by epochs, from a seed, and has an output activation.
        recursive: whether a forecast depends on all bars before it, however little, and not on `bars_back` alone.
        bars_back: bars up to its own that a forecast depends on.
        probability: of those that forecast a rise, float64 (T,) of candles, settings and estimates: see `rise_forecasters`. NaN
            where `forecast` is.
    """

    estimate: Callable[[Candles, Candles, ForecastSettings, Watch], Estimates]
    forecast: Callable[[Candles, ForecastSettings, Estimates], np.ndarray]
    network: bool = False
    recursive: bool = False
    bars_back: Callable[[ForecastSettings], int] = lambda settings: settings.past_bars
    probability: Callable[[Candles, ForecastSettings, Estimates], np.ndarray] | None = None


def _estimate_nothing(train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    return {}


def _last_value(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """The price stays where it is: what is best on a random walk."""
    return _after_the_past(np.zeros((len(candles), settings.future_bars)), settings)


def _lag(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """The last K closes come again: horizon h is forecast by the close of bar t - K + h, or by the oldest one that there is."""
    close = np.log(candles.column("close"))
    ages = np.arange(settings.future_bars - 1, -1, -1)
    bars = np.arange(len(close))[:, None]
    return _after_the_past(close[np.maximum(bars - ages, 0)] - close[:, None], settings)


def _estimate_linear(train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    """Least squares of the K scaled targets on the N * C scaled inputs and a constant."""
    scaling, windows = fit_scaling(train, settings), windows_of(train, settings)
    rows = inputs(train, windows, slice(None), settings, scaling).reshape(len(windows), -1).astype(np.float64)
    targets = scaled_targets(raw_targets(train, windows, settings), scaling)
    with_constant = np.column_stack([rows, np.ones(len(rows))])
    found = np.linalg.lstsq(with_constant, targets, rcond=1e-10)[0].astype(np.float32)
    weights = {"head.weight": found[:-1].T.copy(), "head.bias": found[-1], "low": scaling.target_low.astype(np.float32)}
    return {f"weights/{name}": weight for name, weight in weights.items()} | scaling.arrays


def _sarimax_settings(settings: ForecastSettings) -> sarimax.SarimaxSettings:
    return sarimax.SarimaxSettings(forecast_len=settings.future_bars)


def _estimate_sarimax(train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    windows_of(train, settings)  # refuses fewer bars than one needs, as the others do
    return sarimax.fit_sarimax(train, _sarimax_settings(settings))


def _sarimax(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """The means of SARIMAX(1, 0, 1), which are returns of single bars, summed up; before it has any, the price stays."""
    means = sarimax.forecasts(candles, _sarimax_settings(settings), estimates).to_numpy()[:, ::3]
    return _after_the_past(np.cumsum(np.nan_to_num(means), axis=1), settings)


def _network(name: str) -> Forecaster:
    def estimate(train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
        with torch_threads(settings.threads):
            return NetworkTraining(name, train, validation, settings).run(watch)

    return Forecaster(estimate, lambda *given: _by_network(name, *given), network=True)


def _by_network(name: str, candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """One pass over all bars, in blocks of one shape."""
    paths = np.full((len(candles), settings.future_bars), np.nan)
    if len(candles) < settings.past_bars:
        return paths
    scaling, network = Scaling.from_arrays(estimates), _rebuilt(name, settings, estimates)
    windows = windows_of(candles, settings, future=False)
    with torch_threads(settings.threads):
        outputs = evaluate(network, lambda which: torch.tensor(inputs(candles, windows, which, settings, scaling)), len(windows))
    paths[windows.ends] = paths_of(outputs, candles.column("close")[windows.ends], settings, scaling)
    return paths


def _rebuilt(name: str, settings: ForecastSettings, estimates: Estimates) -> Network:
    weights = {key.removeprefix("weights/"): value for key, value in estimates.items() if key.startswith("weights/")}
    network = build_network(name, settings)
    network.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return network


def _rise(name: str) -> Forecaster:
    made_of = _of_rises(name)

    def estimate(train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
        with torch_threads(settings.threads):
            return made_of.estimate(name, train, validation, settings, watch)

    def probability(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
        with torch_threads(settings.threads):
            return made_of.probabilities(name, candles, settings, estimates)

    def forecast(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
        return paths_of_rises(probability(candles, settings, estimates), estimates)

    return Forecaster(estimate, forecast, network=True, bars_back=made_of.bars_back, probability=probability)


def _of_rises(name: str) -> ModuleType:
    """What a forecaster of a rise is made of: fields or charts."""
    return chart_forecasters if name in CHART_MODELS else rise_forecasters


def _after_the_past(paths: np.ndarray, settings: ForecastSettings) -> np.ndarray:
    """All forecasters begin with the same bar, so that they can be compared on the same ones."""
    paths[: settings.past_bars - 1] = np.nan
    return paths


FORECASTERS: dict[str, Forecaster] = {
    "last_value": Forecaster(_estimate_nothing, _last_value),
    "lag": Forecaster(_estimate_nothing, _lag),
    "linear": Forecaster(_estimate_linear, lambda *given: _by_network("linear", *given)),
    "sarimax": Forecaster(_estimate_sarimax, _sarimax, recursive=True),
    "cnn": _network("cnn"),
    "lstm": _network("lstm"),
    "gru": _network("gru"),
    **{name: _rise(name) for name in RISES},
}


@dataclass(frozen=True, eq=False)
class FittedForecaster:
    """A forecaster with what it estimated.

    Args:
        name: of `FORECASTERS`.
        settings: what it was built and trained with.
        estimates: arrays; a network's weights and scaling.
    """

    name: str
    settings: ForecastSettings
    estimates: Estimates

    def forecast(self, candles: Candles) -> np.ndarray:
        """float64 (T, K): see `Forecaster.forecast`."""
        with blamed("FORECASTERS", self.name):
            return FORECASTERS[self.name].forecast(candles, self.settings, self.estimates)

    def probability(self, candles: Candles) -> np.ndarray | None:
        """float64 (T,): of a rise, see `Forecaster.probability`; None of a forecaster that gives none."""
        told = FORECASTERS[self.name].probability
        if told is None:
            return None
        with blamed("FORECASTERS", self.name):
            return told(candles, self.settings, self.estimates)

    def save(self, path: Path) -> None:
        """Write one sealed file."""
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in self.estimates.items()}
        described = decisive(self.settings)
        if self.name in RISES:
            described |= self.settings.model_dump(mode="json", include=set(OF_RISES))
        about = {"kind": KIND, "format": FORMAT, "name": self.name, "settings": described}
        write_sealed(path, tensors, about)

    @classmethod
    def load(cls, path: Path) -> "FittedForecaster":
        """Read what `save` wrote; runs no code from the file.

        Raises:
            SealError: a missing or damaged file, or one of another version.
        """
        tensors, about = read_sealed(path, KIND)
        try:
            if about["format"] != FORMAT or about["name"] not in FORECASTERS:
                raise InputError(f"this version reads format {FORMAT}, but it has {about['format']} of a {about['name']}")
            fitted = cls(
                about["name"], ForecastSettings.model_validate(about["settings"]), {k: t.numpy() for k, t in tensors.items()}
            )
            if fitted.name in NETWORKS:
                _require_room_for_weights(fitted)
                _rebuilt(fitted.name, fitted.settings, fitted.estimates)
            if fitted.name in RISES:
                _of_rises(fitted.name).require_whole(fitted.name, fitted.settings, fitted.estimates)
        except Exception as error:  # sealed by hand, or by another version: the user needs its name and one line
            raise SealError(f"cannot read the forecaster in {path}: {one_line(error)}; train it again") from error
        return fitted


def fit_forecaster(
    name: str, train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch | None = None
) -> FittedForecaster:
    """Estimate on train; a network keeps the weights of its best epoch on validation.

    Raises:
        InputError: too few candles for a window, weights that a group asks for and a network lacks, or a loss that is not finite.
    """
    with blamed("FORECASTERS", name):
        estimates = FORECASTERS[name].estimate(train, validation, settings, watch or Watch())
    return FittedForecaster(name, settings, estimates)


def require_buildable(name: str, settings: ForecastSettings) -> None:
    """Raise `InputError` for a network that these settings cannot make, or a penalty on weights that it lacks."""
    if FORECASTERS[name].network and name not in RISES:
        network = build_network(name, settings)
        if (settings.l1 or settings.l2) and settings.regularize != "activity":
            network.weights(settings.regularize)


def _require_room_for_weights(fitted: FittedForecaster) -> None:
    """A description that is larger than its weights is refused before a network of its size is made."""
    largest = max((max(array.shape, default=0) for array in fitted.estimates.values()), default=0)
    described = max(fitted.settings.future_bars, fitted.settings.units if fitted.name in ("lstm", "gru") else 0)
    if described > largest:
        raise InputError(f"it describes {described:,} units, but its largest array has {largest:,}")
