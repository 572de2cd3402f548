"""Forecasters of a rise: models of interactions that give the probability that the price rises by more than the costs.

The label of a bar is 1 if one of the next `future_bars` closes lies more than `rise_bps` above its own close. From the
probability p follows a path: p times the mean path of train's bars with label 1, plus 1 - p times that of the others.
"""

import numpy as np

from common import InputError
from features.epochs import Watch
from features.forecasters.candle_fields import count_features, field_memory, field_rows, fit_edges
from features.forecasters.scaling import Estimates, windows_of
from features.forecasters.settings import ForecastSettings
from features.interactions.learner import Learner, Shape
from features.interactions.losses import probabilities_of
from features.interactions.registry import make_learner
from features.interactions.settings import InteractionSettings
from features.interactions.training import fit_interactions
from market import Candles

EDGES, WEIGHTS, MEANS, RISING = "edges/", "weights/", "mean_paths", "share_rising"


def rises(close: np.ndarray, ends: np.ndarray, settings: ForecastSettings) -> np.ndarray:
    """float32 (n,): 1 where the highest of the closes of the bars after `ends` (n,) exceeds the close by more than the costs."""
    future = close[ends[:, None] + np.arange(1, settings.future_bars + 1)]
    return (future.max(axis=1) > close[ends] * (1 + settings.rise_bps / 1e4)).astype(np.float32)


def estimate(name: str, train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    """Bins and mean paths of train, and the weights of the best epoch on validation.

    Raises:
        InputError: too few bars for a window, fields that the candles lack, or bars of train that all rise or all do not.
    """
    ends, labels = _labelled(train, settings)
    if labels.min() == labels.max():
        raise InputError(
            f"a rise of more than {settings.rise_bps:g} bps within {settings.future_bars} bars must come now and then, but "
            f"{'every' if labels[0] else 'none'} of the {len(labels):,} training bars has one; change rise_bps or future_bars"
        )
    edges = fit_edges(train, settings.fields, settings.field_bins)
    rows = field_rows(train, ends, labels, settings.fields, edges)
    stop = field_rows(validation, *_labelled(validation, settings), settings.fields, edges)
    fitted = fit_interactions(name, rows, stop, model_settings(settings), watch)
    close = np.log(train.column("close"))
    paths = close[ends[:, None] + np.arange(1, settings.future_bars + 1)] - close[ends, None]
    means = np.stack([paths[labels == label].mean(axis=0) for label in (0, 1)])  # (2, K)
    found = {f"{EDGES}{field}": values for field, values in edges.items()} | {MEANS: means, RISING: labels.mean(dtype=np.float64)}
    return found | {f"{WEIGHTS}{key}": array for key, array in fitted.arrays.items()}


def probabilities(name: str, candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """float64 (T,): of a rise, known when each bar closes; NaN in the first `past_bars - 1` rows, as all forecasters have it."""
    told = np.full(len(candles), np.nan)
    first = settings.past_bars - 1
    if len(candles) > first:
        ends = np.arange(first, len(candles))
        rows = field_rows(candles, ends, np.zeros(len(ends)), settings.fields, _below(estimates, EDGES))
        learner = rebuilt(name, settings, estimates)
        told[first:] = probabilities_of(np.concatenate([learner.margins(rows.block(b)) for b in range(rows.n_blocks)]))
    return told


def paths_of_rises(told: np.ndarray, estimates: Estimates) -> np.ndarray:
    """float64 (T,) probabilities -> (T, K), the log returns that are expected to each of the next bars."""
    usual, rising = estimates[MEANS]
    return (1 - told[:, None]) * usual + told[:, None] * rising


def rebuilt(name: str, settings: ForecastSettings, estimates: Estimates) -> Learner:
    """The model with its weights.

    Raises:
        InputError: weights that the settings do not describe.
    """
    shape = Shape(count_features(settings.fields, _below(estimates, EDGES)), len(settings.fields))
    learner = make_learner(name, shape, model_settings(settings))
    learner.load_weights({key: array for key, array in _below(estimates, WEIGHTS).items() if key != "field_pairs"})
    return learner


def require_whole(name: str, settings: ForecastSettings, estimates: Estimates) -> None:
    """Raise `InputError` if these are not the arrays of such a model."""
    shape = np.shape(estimates.get(MEANS, ()))
    if shape != (2, settings.future_bars):
        raise InputError(f"`{MEANS}` must have the shape (2, {settings.future_bars}), but has {shape}")
    rebuilt(name, settings, estimates)


def bars_back(settings: ForecastSettings) -> int:
    """Bars up to its own that a forecast depends on."""
    return max(settings.past_bars, *map(field_memory, settings.fields))


def model_settings(settings: ForecastSettings) -> InteractionSettings:
    """How the model is trained: as `interactions` say, from the forecasts' seed and on their threads."""
    return InteractionSettings(**settings.interactions.model_dump(), seed=settings.seed, threads=settings.threads)


def _labelled(candles: Candles, settings: ForecastSettings) -> tuple[np.ndarray, np.ndarray]:
    """The bars whose window, past and future, holds no gap, and their labels."""
    ends = windows_of(candles, settings).ends
    return ends, rises(candles.column("close"), ends, settings)


def _below(arrays: Estimates, prefix: str) -> Estimates:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
