"""The families of columns, in the order of the feature row. A new family is a `Family` and a line in `FAMILIES`."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from common import InputError, blamed, own_names
from features import (
    calendar_columns,
    extra_columns,
    forecasters,
    fractional,
    log_differences,
    longer_bars,
    sarimax,
    simulated_state,
    volatility,
)
from features.indicators import INDICATORS, compute_indicators
from features.progress import OnProgress
from features.settings import FeatureSettings
from market import Candles

AT_A_TIME = 8
"""indicators that are computed at a time: of five million bars, 320 MB"""
Estimates = dict[str, np.ndarray]
"""what a family estimated on train, as arrays of numbers: nothing else can be saved"""


def _estimates_nothing(train: Candles, settings: FeatureSettings) -> Estimates:
    return {}


def _few_indicators(settings: FeatureSettings) -> list[FeatureSettings]:
    names = settings.indicators
    parts = (names[first : first + AT_A_TIME] for first in range(0, len(names), AT_A_TIME))
    return [settings.model_copy(update={"indicators": part}) for part in parts]


def _few_columns_of_a_frame(settings: FeatureSettings) -> list[FeatureSettings]:
    names = settings.timeframe_columns
    parts = [names[first : first + AT_A_TIME] for first in range(0, len(names), AT_A_TIME)]
    return [
        settings.model_copy(update={"timeframes": (frame,), "timeframe_columns": part})
        for frame in settings.timeframes
        for part in parts
    ]


def _memories_of_frames(
    train: Candles, settings: FeatureSettings, scales: dict[str, float], on_progress: OnProgress
) -> dict[str, int]:
    return longer_bars.measure_memories(train, settings.timeframes, settings.timeframe_columns, scales, on_progress)


def _no_memories(train: Candles, settings: FeatureSettings, scales: dict[str, float], on_progress: OnProgress) -> dict[str, int]:
    return {}


def _nothing_to_say(estimates: Estimates, settings: FeatureSettings) -> list[str]:
    return []


class Family(NamedTuple):
    """Columns that belong together.

    Args:
        chosen: whether the settings ask for any of its columns.
        warmup: bars in front that have no values.
        compute: float64 columns (T, ...) of the candles, known when each bar closes: NaN in the warm-up, finite after it. What it
            gives for `candles[:n]` must equal the first n rows of what it gives for all, to the bit.
        fit: what must be estimated, from train alone.
        memory: bars, the newest one included, that a column may depend on by definition, even if train never showed it.
        notes: what a person should know about the estimates, such as a fit that did not converge.
        pieces: settings that each ask for some of its columns, one after the other: of a large family a few columns are computed
            at a time, so that a long series fits into memory.
        measured: whether more bars than that may show, which is measured on train; not where `memory` is all there is.
        warmup_on: a longer warm-up that depends on the length of a bar, too. Refuses a length that the settings do not suit.
        measure: the memories of its columns by their names, of train, settings and the columns' scales, where `measured` is
            false and `memory` does not tell them.
    """

    chosen: Callable[[FeatureSettings], bool]
    warmup: Callable[[FeatureSettings], int]
    compute: Callable[[Candles, FeatureSettings, Estimates], pd.DataFrame]
    fit: Callable[[Candles, FeatureSettings], Estimates] = _estimates_nothing
    notes: Callable[[Estimates, FeatureSettings], list[str]] = _nothing_to_say
    memory: Callable[[FeatureSettings], int] = lambda settings: 1
    pieces: Callable[[FeatureSettings], list[FeatureSettings]] = lambda settings: [settings]
    measured: bool = True
    warmup_on: Callable[[FeatureSettings, pd.Timedelta], int] = lambda settings, bar: 0
    measure: Callable[[Candles, FeatureSettings, dict[str, float], OnProgress], dict[str, int]] = _no_memories


FAMILIES: dict[str, Family] = {
    "log_differences": Family(
        chosen=lambda s: s.differencing in ("log", "both"),
        warmup=lambda s: log_differences.WARMUP,
        compute=lambda candles, s, _: log_differences.log_differences(candles, s.volumes),
        memory=lambda s: log_differences.HELD_BARS + 1,
    ),
    "fractional": Family(
        chosen=lambda s: s.differencing in ("fractional", "both"),
        warmup=lambda s: fractional.warmup(s.fractional_order, s.fractional_threshold),
        compute=lambda candles, s, _: fractional.fractional_differences(
            candles, s.fractional_order, s.fractional_threshold, s.volumes
        ),
        memory=lambda s: fractional.lookback(s.fractional_order, s.fractional_threshold) + 1,
    ),
    "indicators": Family(
        chosen=lambda s: bool(s.indicators),
        warmup=lambda s: max(INDICATORS[name].warmup for name in s.indicators),
        compute=lambda candles, s, _: compute_indicators(candles.frame, s.indicators),
        pieces=_few_indicators,
    ),
    "sarimax": Family(
        chosen=lambda s: s.sarimax.forecast_len > 0,
        warmup=lambda s: sarimax.warmup(s.sarimax),
        compute=lambda candles, s, estimates: sarimax.forecasts(candles, s.sarimax, estimates),
        fit=lambda train, s: sarimax.fit_sarimax(train, s.sarimax),
        memory=lambda s: sarimax.memory(s.sarimax),
        notes=lambda estimates, s: sarimax.notes(estimates, s.sarimax),
    ),
    "forecasts": Family(
        chosen=lambda s: bool(s.forecasts.models),
        warmup=lambda s: s.forecasts.first_fit_bars,
        compute=lambda candles, s, estimates: forecasters.walk_forward(candles, s.forecasts, estimates),
        fit=lambda train, s: forecasters.fit_walk_forward(train, s.forecasts),
        memory=lambda s: forecasters.memory(s.forecasts),
        measured=False,
    ),
    "extra": Family(
        chosen=lambda s: bool(s.extra),
        warmup=lambda s: s.extra_delay_bars + 1,
        compute=lambda candles, s, estimates: extra_columns.extra_columns(candles, s.extra, s.extra_delay_bars, estimates),
        fit=lambda train, s: extra_columns.fit_extra(train, s.extra),
        memory=lambda s: s.extra_delay_bars + 2,
    ),
    "timeframes": Family(
        chosen=lambda s: bool(s.timeframes and s.timeframe_columns),
        warmup=lambda s: 0,
        compute=lambda candles, s, _: longer_bars.timeframe_columns(candles, s.timeframes, s.timeframe_columns),
        pieces=_few_columns_of_a_frame,
        measured=False,
        warmup_on=lambda s, bar: longer_bars.warmup(s.timeframes, s.timeframe_columns, bar),
        measure=_memories_of_frames,
    ),
    "calendar": Family(
        chosen=lambda s: s.calendar,
        warmup=lambda s: 0,
        compute=lambda candles, s, _: calendar_columns.calendar_columns(candles.index),
    ),
    "volatility": Family(
        chosen=lambda s: bool(s.volatility_bars),
        warmup=lambda s: volatility.warmup(s.volatility_bars),
        compute=lambda candles, s, _: volatility.realised_volatility(candles, s.volatility_bars),
    ),
    "state": Family(
        chosen=lambda s: s.state,
        warmup=lambda s: 0,
        compute=lambda candles, s, _: simulated_state.hidden_state(candles),
    ),
}


def families_of(settings: FeatureSettings) -> dict[str, Family]:
    """The families that the settings ask for; those of plugins by name, too."""
    others = own_names("FAMILIES") - set(settings.families)
    return {name: family for name, family in FAMILIES.items() if name not in others and family.chosen(settings)}


def warmup_bars(settings: FeatureSettings, bar: pd.Timedelta | None = None) -> int:
    """Bars in front that have no features: the longest warm-up of the chosen columns, and the rows that a window stacks.

    Args:
        settings: which columns.
        bar: length of a bar; may be left out where there are no time frames.

    Raises:
        InputError: time frames that bars of this length can't make, or no `bar` for them.
    """
    return columns_warmup(settings, bar) + settings.window - 1


def columns_warmup(settings: FeatureSettings, bar: pd.Timedelta | None = None) -> int:
    """The longest warm-up of the chosen columns; arguments and errors of `warmup_bars`."""
    if bar is None and settings.timeframes:
        raise InputError(f"the warm-up of {', '.join(settings.timeframes)} depends on the bar; give its length")
    families = families_of(settings).values()
    on_bar = [] if bar is None else [family.warmup_on(settings, bar) for family in families]
    return max([*(family.warmup(settings) for family in families), *on_bar])


def compute_tables(
    candles: Candles, settings: FeatureSettings, estimates: dict[str, Estimates], measured: bool = False
) -> Iterator[pd.DataFrame]:
    """The unscaled columns in the order of the feature row, a few at a time.

    Args:
        candles: T bars.
        settings: which columns; all families that they ask for.
        estimates: what each family estimated on train, by its name.
        measured: leave out the families whose memory is told by their definition.
    """
    for name, family in families_of(settings).items():
        if family.measured or not measured:
            for piece in family.pieces(settings):
                with blamed("FAMILIES", name):
                    table = family.compute(candles, piece, estimates.get(name, {}))
                yield table


def compute_columns(
    candles: Candles, settings: FeatureSettings, estimates: dict[str, Estimates], measured: bool = False
) -> pd.DataFrame:
    """All of `compute_tables` side by side, float64 (T, F)."""
    return pd.concat(list(compute_tables(candles, settings, estimates, measured)), axis=1)
