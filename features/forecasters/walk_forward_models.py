"""Walk-forward forecasts: what stands beside a bar comes from models trained on bars that had ended before it opened.

Marks lie on train after `first_fit_bars`, then every `refit_bars`, and at its end. At each mark every model is trained anew on
all bars before it; a bar is forecast by the newest models whose mark it has reached. So no model forecasts what it has seen.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from common import InputError
from features.forecasters.registry import FORECASTERS, FittedForecaster, fit_forecaster
from features.forecasters.scaling import Estimates
from features.forecasters.settings import ForecastSettings
from market import Candles

MARKS = "marks"


def fit_walk_forward(train: Candles, settings: ForecastSettings) -> Estimates:
    """Train every model at every mark, each of an ensemble's from its own seed.

    Returns:
        `marks` int64 (J,), nanoseconds since 1970: bars that open then or later have the models of that mark. Beside it each
        model's arrays, by `name/mark/member/array`.

    Raises:
        InputError: train has no more bars than the first models need.
    """
    places = _places(len(train), settings)
    if not places:
        raise InputError(
            f"walk-forward forecasts need more bars than `first_fit_bars` {settings.first_fit_bars}, but {train.source} has "
            f"{len(train)}; give more candles, or lower it"
        )
    opens = train.index.as_unit("ns").asi8
    following = train.ends.as_unit("ns").asi8[-1]  # when the bar after train opens
    held = {MARKS: np.array([opens[place] if place < len(train) else following for place in places])}
    for name in settings.models:
        for fold, place in enumerate(places):
            for member, of_seed in enumerate(_members(name, settings)):
                fitted = fit_forecaster(name, *fit_and_stop(name, train[:place]), of_seed)
                held |= {f"{name}/{fold}/{member}/{key}": array for key, array in fitted.estimates.items()}
    return held


def fit_and_stop(name: str, before: Candles) -> tuple[Candles, Candles]:
    """What the weights are estimated on, and what a network's epoch is chosen on: the last fifth; others need no such choice."""
    if not FORECASTERS[name].network:
        return before, before
    cut = len(before) - len(before) // 5
    return before[:cut], before[cut:]


def walk_forward(candles: Candles, settings: ForecastSettings, estimates: Estimates) -> pd.DataFrame:
    """The forecasts of each bar, known when it closes: log returns from its close over the next `future_bars`.

    Returns:
        float64 (T, ...): per model `NAME_path_mean`, the mean over the horizons, `NAME_path_end`, the last of them, and for a
        network of an ensemble `NAME_path_spread`, the deviation of the members' ends. A model that forecasts a rise has
        `NAME_probability` in place of the first, and the deviation is that of the probabilities. NaN in the first
        `first_fit_bars` rows, finite after them.

    Raises:
        InputError: a bar after these rows that opens before the first mark.
    """
    opens, first = candles.index.as_unit("ns").asi8, min(settings.first_fit_bars, len(candles))
    oldest = pd.Timestamp(estimates[MARKS][0], tz="UTC")
    if first < len(opens) and candles.index[first] < oldest:
        raise InputError(
            f"the oldest models were trained until {oldest}, but the bar at {candles.index[first]} is older; give candles from "
            f"{oldest - first * candles.bar} on, or fit anew"
        )
    newest = np.searchsorted(estimates[MARKS], opens, side="right") - 1
    columns: dict[str, np.ndarray] = {}
    for name in settings.models:
        table = np.full((len(candles), 3), np.nan)
        for fold, rows in _stretches(newest, first):
            table[rows] = _shown(name, fold, candles, rows, settings, estimates)
        names = f"{name}_{'probability' if _rises(name) else 'path_mean'}", f"{name}_path_end", f"{name}_path_spread"
        shown = names[: 3 if len(_members(name, settings)) > 1 else 2]
        columns |= {column: table[:, place] for place, column in enumerate(shown)}
    return pd.DataFrame(columns, index=candles.index)


def _places(bars: int, settings: ForecastSettings) -> list[int]:
    """Bars of train that come before each mark."""
    inner = list(range(settings.first_fit_bars, bars, settings.refit_bars))
    return [*inner, bars] if inner else []


def _members(name: str, settings: ForecastSettings) -> list[ForecastSettings]:
    seeds = range(settings.ensemble if FORECASTERS[name].network else 1)
    return [settings.model_copy(update={"seed": settings.seed + member}) for member in seeds]


def _stretches(newest: np.ndarray, first: int) -> Iterator[tuple[int, slice]]:
    """(fold, rows) of the rows from `first` on that have the same models."""
    edges = [first, *(np.flatnonzero(np.diff(newest[first:])) + first + 1).tolist(), len(newest)]
    for begin, end in pairwise(edges):
        if begin < end:
            yield int(newest[begin]), slice(begin, end)


def memory(settings: ForecastSettings) -> int:
    """Bars up to its own that a row depends on, but for what filters remember."""
    return max((FORECASTERS[name].bars_back(settings) for name in settings.models), default=settings.past_bars)


def _rises(name: str) -> bool:
    return FORECASTERS[name].probability is not None


def _shown(name: str, fold: int, candles: Candles, rows: slice, settings: ForecastSettings, estimates: Estimates) -> np.ndarray:
    """float64 (m, 3) of the rows: the columns of the model, whose members' forecasts are averaged."""
    # A filter runs from the first bar on.
    begin = 0 if FORECASTERS[name].recursive else max(rows.start - FORECASTERS[name].bars_back(settings) + 1, 0)
    seen = candles[begin : rows.stop]
    paths, told = [], []
    for member, of_seed in enumerate(_members(name, settings)):
        prefix = f"{name}/{fold}/{member}/"
        held = {key.removeprefix(prefix): array for key, array in estimates.items() if key.startswith(prefix)}
        fitted = FittedForecaster(name, of_seed, held)
        paths.append(fitted.forecast(seen)[rows.start - begin :])
        if (probability := fitted.probability(seen)) is not None:
            told.append(probability[rows.start - begin :])
    middle = np.mean(paths, axis=0)  # (members, m, K) -> (m, K)
    if told:
        return np.column_stack([np.mean(told, axis=0), middle[:, -1], np.std(told, axis=0)])
    return np.column_stack([middle.mean(axis=1), middle[:, -1], np.std([path[:, -1] for path in paths], axis=0)])
