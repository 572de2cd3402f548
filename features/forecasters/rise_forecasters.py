"""Forecasters of a rise from fields: models of interactions that say how likely the price rises by more than the costs."""

import numpy as np

from features.epochs import Watch
from features.forecasters.candle_fields import count_features, field_memory, field_rows, fit_edges
from features.forecasters.rise_labels import below, labelled_bars, mean_paths, require_both_labels, require_mean_paths
from features.forecasters.scaling import Estimates
from features.forecasters.settings import ForecastSettings
from features.interactions.learner import Learner, Shape
from features.interactions.losses import probabilities_of
from features.interactions.registry import make_learner
from features.interactions.settings import InteractionSettings
from features.interactions.training import fit_interactions
from market import Candles

EDGES, WEIGHTS = "edges/", "weights/"


def estimate(name: str, train: Candles, validation: Candles, settings: ForecastSettings, watch: Watch) -> Estimates:
    """Bins and mean paths of train, and the weights of the best epoch on validation.

    Raises:
        InputError: too few bars for a window, fields that the candles lack, or bars of train that all rise or all do not.
    """
    ends, labels = labelled_bars(train, settings)
    require_both_labels(labels, settings)
    edges = fit_edges(train, settings.fields, settings.field_bins)
    rows = field_rows(train, ends, labels, settings.fields, edges)
    stop = field_rows(validation, *labelled_bars(validation, settings), settings.fields, edges)
    fitted = fit_interactions(name, rows, stop, model_settings(settings), watch)
    found = {f"{EDGES}{field}": values for field, values in edges.items()} | mean_paths(train, ends, labels, settings)
    return found | {f"{WEIGHTS}{key}": array for key, array in fitted.arrays.items()}


def probabilities(name: str, candles: Candles, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """float64 (T,): of a rise, known when each bar closes; NaN in the first `past_bars - 1` rows, as all forecasters have it."""
    told = np.full(len(candles), np.nan)
    first = settings.past_bars - 1
    if len(candles) > first:
        ends = np.arange(first, len(candles))
        rows = field_rows(candles, ends, np.zeros(len(ends)), settings.fields, below(estimates, EDGES))
        learner = rebuilt(name, settings, estimates)
        told[first:] = probabilities_of(np.concatenate([learner.margins(rows.block(b)) for b in range(rows.n_blocks)]))
    return told


def rebuilt(name: str, settings: ForecastSettings, estimates: Estimates) -> Learner:
    """The model with its weights.

    Raises:
        InputError: weights that the settings do not describe.
    """
    shape = Shape(count_features(settings.fields, below(estimates, EDGES)), len(settings.fields))
    learner = make_learner(name, shape, model_settings(settings))
    learner.load_weights({key: array for key, array in below(estimates, WEIGHTS).items() if key != "field_pairs"})
    return learner


def require_whole(name: str, settings: ForecastSettings, estimates: Estimates) -> None:
    """Raise `InputError` if these are not the arrays of such a model."""
    require_mean_paths(settings, estimates)
    rebuilt(name, settings, estimates)


def bars_back(settings: ForecastSettings) -> int:
    """Bars up to its own that a forecast depends on."""
    return max(settings.past_bars, *map(field_memory, settings.fields))


def model_settings(settings: ForecastSettings) -> InteractionSettings:
    """How the model is trained: as `interactions` say, from the forecasts' seed and on their threads."""
    return InteractionSettings(**settings.interactions.model_dump(), seed=settings.seed, threads=settings.threads)
