"""Supervised models of the next closes, and the baselines that they must beat. Imports `market` and modules of `features`."""

from features.forecasters.registry import FORECASTERS, FittedForecaster, Forecaster, fit_forecaster
from features.forecasters.settings import ForecastSettings
from features.forecasters.training import Epoch, Watch
from features.forecasters.walk_forward import fit_and_stop, fit_walk_forward, walk_forward
from features.forecasters.windows import Windows, sample_windows, save_windows

__all__ = [
    "FORECASTERS", "Epoch", "FittedForecaster", "ForecastSettings", "Forecaster", "Watch", "Windows", "fit_and_stop",
    "fit_forecaster", "fit_walk_forward", "sample_windows", "save_windows", "walk_forward",
]  # fmt: skip
