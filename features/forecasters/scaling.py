"""What a forecaster sees and what it is asked for, in numbers near 1: estimated on train alone."""

from dataclasses import dataclass, fields

import numpy as np

from features.forecasters.settings import PRICES, ForecastSettings
from features.forecasters.windows import Windows, sample_windows
from market import Candles

BLOCK = 4_096  # windows
Estimates = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centers and scales, float64.

    With `target: log_return`, prices are log prices less the log of the last close, volumes are log(1 + volume), both less their
    mean over the windows of train and over their deviation; targets are log returns from the last close, likewise, each horizon
    by itself. With `price`, both are scaled to [0, 1] by the range of train, and targets are shifted by their mean.

    Args:
        input_center, input_scale: (C,).
        target_center, target_scale: (K,).
        target_low: (K,), the lowest scaled target of train: where an output activation has its zero.
    """

    input_center: np.ndarray
    input_scale: np.ndarray
    target_center: np.ndarray
    target_scale: np.ndarray
    target_low: np.ndarray

    @property
    def arrays(self) -> Estimates:
        return {f"scaling/{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Estimates) -> "Scaling":
        return cls(**{field.name: arrays[f"scaling/{field.name}"] for field in fields(cls)})


def fit_scaling(train: Candles, settings: ForecastSettings) -> Scaling:
    """Estimate on all windows of the training candles that hold no gap."""
    windows = windows_of(train, settings, sliding=True)
    targets = raw_targets(train, windows, settings)
    middle = targets.mean(axis=0)
    if settings.target == "price":
        values = windows.values
        center, reach = values.min(axis=0), values.max(axis=0) - values.min(axis=0)
        close = train.column("close")
        spread = np.full(settings.future_bars, close.max() - close.min())
    else:
        center, reach = _moments(train, windows, settings)
        spread = targets.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    low = (targets.min(axis=0) - middle) / spread
    return Scaling(center, np.where(reach > 1e-12, reach, 1.0), middle, spread, low)


def windows_of(candles: Candles, settings: ForecastSettings, sliding: bool | None = None, future: bool = True) -> Windows:
    """The windows of one range; without `future`, one at every bar that has its past, gaps or not: what is forecast from."""
    values = _levels(candles, settings)
    if not future:
        return sample_windows(values, settings.past_bars, 0)
    sliding = settings.windows == "sliding" if sliding is None else sliding
    return sample_windows(values, settings.past_bars, settings.future_bars, sliding, candles.filled)


def inputs(
    candles: Candles, windows: Windows, which: slice | np.ndarray, settings: ForecastSettings, scaling: Scaling
) -> np.ndarray:
    """float32 (m, N, C): scaled inputs of some windows."""
    return ((_seen(candles, windows, which, settings) - scaling.input_center) / scaling.input_scale).astype(np.float32)


def raw_targets(candles: Candles, windows: Windows, settings: ForecastSettings) -> np.ndarray:
    """float64 (M, K): log returns from the last close to each of the next ones, or those closes themselves."""
    close = Windows(candles.column("close")[:, None], settings.past_bars, settings.future_bars, windows.ends)
    prices = close.future()[:, :, 0]
    if settings.target == "price":
        return prices
    return np.log(prices / close.values[windows.ends])


def scaled_targets(raw: np.ndarray, scaling: Scaling) -> np.ndarray:
    """float64 (M, K) of `raw_targets` -> the same in scaled units."""
    return (raw - scaling.target_center) / scaling.target_scale


def raw_of_paths(paths: np.ndarray, last_close: np.ndarray, settings: ForecastSettings) -> np.ndarray:
    """Log returns (M, K) from the last closes (M,) -> what the target is: themselves, or prices."""
    return paths if settings.target == "log_return" else last_close[:, None] * np.exp(paths)


def paths_of(scaled: np.ndarray, last_close: np.ndarray, settings: ForecastSettings, scaling: Scaling) -> np.ndarray:
    """Scaled outputs (M, K) -> float64 log returns from the last closes (M,)."""
    raw = scaled.astype(np.float64) * scaling.target_scale + scaling.target_center
    if settings.target == "log_return":
        return raw
    # A forecast price of 0 or less has no logarithm: it counts as a hundredth of the last close.
    return np.log(np.maximum(raw / last_close[:, None], 0.01))


def scaled_loss(paths: np.ndarray, train: Candles, candles: Candles, settings: ForecastSettings) -> float:
    """Mean squared error in scaled units of forecasts (T, K) of the candles, over all their windows: what a network minimises."""
    windows, scaling = windows_of(candles, settings, sliding=True), fit_scaling(train, settings)
    forecast = raw_of_paths(paths[windows.ends], candles.column("close")[windows.ends], settings)
    apart = scaled_targets(forecast, scaling) - scaled_targets(raw_targets(candles, windows, settings), scaling)
    return float((apart**2).mean())


def _levels(candles: Candles, settings: ForecastSettings) -> np.ndarray:
    """float64 (T, C): what windows are cut from."""
    columns = [candles.column(name) for name in settings.inputs]
    if settings.target == "log_return":
        logarithms = [np.log if name in PRICES else np.log1p for name in settings.inputs]
        columns = [logarithm(column) for logarithm, column in zip(logarithms, columns, strict=True)]
    return np.column_stack(columns)


def _seen(candles: Candles, windows: Windows, which: slice | np.ndarray, settings: ForecastSettings) -> np.ndarray:
    """float64 (m, N, C), a copy: inputs before they are scaled."""
    rows = windows.past(which).copy()
    if settings.target == "log_return":
        relative = [name in PRICES for name in settings.inputs]
        last = np.log(candles.column("close")[windows.ends[which]])
        rows[:, :, relative] -= last[:, None, None]
    return rows


def _moments(train: Candles, windows: Windows, settings: ForecastSettings) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (C,) of the unscaled inputs over all windows and lags."""
    count = len(windows) * settings.past_bars
    blocks = [slice(first, first + BLOCK) for first in range(0, len(windows), BLOCK)]
    mean = sum(_seen(train, windows, block, settings).sum(axis=(0, 1)) for block in blocks) / count
    # A second pass: the mean of the squares less the square of the mean leaves a constant column a deviation of rounding errors.
    squares = sum(((_seen(train, windows, block, settings) - mean) ** 2).sum(axis=(0, 1)) for block in blocks)
    return np.asarray(mean), np.sqrt(squares / count)
