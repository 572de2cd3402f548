"""Supervised models of the next closes, and the baselines that they must beat. Imports `market` and modules of `features`."""

from features.forecasters.registry import FORECASTERS, FittedForecaster, Forecaster, fit_forecaster, require_buildable
from features.forecasters.scaling import scaled_loss, windows_of
from features.forecasters.settings import NAMES, ForecastSettings
from features.forecasters.training import Epoch, Watch
from features.forecasters.walk_forward import fit_and_stop, fit_walk_forward, walk_forward
from features.forecasters.windows import Windows, sample_windows, save_windows

__all__ = [
    "FORECASTERS", "NAMES", "Epoch", "FittedForecaster", "ForecastSettings", "Forecaster", "Watch", "Windows", "fit_and_stop",
    "fit_forecaster", "fit_walk_forward", "require_buildable", "sample_windows", "save_windows", "scaled_loss", "walk_forward",
    "windows_of",
]  # fmt: skip
