"""`FeaturePipeline.fit(train)`: estimates what the columns need, from the train candles alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from common import InputError, hash_of
from features import cache
from features.coin_features import AnyFeatures, CoinFeatures
from features.column_families import Estimates, columns_warmup, compute_columns, families_of, warmup_bars
from features.correlation import Choice, keep_least_correlated
from features.fitted import FittedFeatures, finite_rows
from features.indicators import INDICATORS, compute_indicators
from features.lookback import measure_memory
from features.scaler import estimate_scaler
from features.settings import FeatureSettings
from market import Candles

MIN_FIT_ROWS = 100


@dataclass(frozen=True)
class FeaturePipeline:
    """What to compute; nothing is estimated yet.

    Args:
        settings: which columns, and how they are scaled.
        cache: folder where results are kept for the next time, by the hash of data, settings and code; None keeps nothing.
    """

    settings: FeatureSettings = field(default_factory=FeatureSettings)
    cache: Path | None = None

    def fit(self, train: Candles) -> FittedFeatures:
        """Estimate on the training candles alone: SARIMAX parameters, which indicators remain, the scaler, the look-back.

        Raises:
            InputError: fewer than 100 bars are left after the warm-up.
        """
        self._require_enough(train, train.source)
        key = cache.key_of("fit", self.settings, train) if self.cache else None
        return cache.remembered(
            self.cache, key, lambda: _fit(self.settings, train, self.cache), FittedFeatures.save,
            lambda folder: FittedFeatures.load(folder, self.cache),
        )  # fmt: skip

    def fit_coins(self, trains: Sequence[Candles]) -> AnyFeatures:
        """Estimate on the training candles of several coins, so that all get the same columns; one series is fitted as by `fit`.

        Which indicators remain is judged on all coins together, by the mean of their correlations. All else is estimated for each
        coin on its own training candles alone: the scaler, so that prices of 1e-8 and of 1e5 look alike, the SARIMAX parameters,
        the forecasters and the look-back.

        Raises:
            InputError: a coin with fewer than 100 bars after the warm-up.
        """
        if len(trains) == 1:
            return self.fit(trains[0])
        for train in trains:
            self._require_enough(train, train.symbol)
        keys = [cache.key_of("fit", self.settings, train) if self.cache else None for train in trains]
        symbols = [train.symbol for train in trains]
        return cache.remembered(
            self.cache, hash_of(["coins", symbols, keys])[:32] if all(keys) else None,
            lambda: _fit_coins(self.settings, trains, self.cache), CoinFeatures.save,
            lambda folder: CoinFeatures.load(folder, self.cache),
        )  # fmt: skip

    def _require_enough(self, train: Candles, named: str) -> None:
        warmup = warmup_bars(self.settings)
        if len(train) - warmup < MIN_FIT_ROWS:
            raise InputError(
                f"fitting needs {MIN_FIT_ROWS} bars after a warm-up of {warmup}, but {named} has {len(train)}; "
                "give more candles or choose columns with shorter windows"
            )


def _fit_coins(settings: FeatureSettings, trains: Sequence[Candles], folder: Path | None) -> CoinFeatures:
    first = columns_warmup(settings)
    tables = [compute_indicators(train.frame, settings.indicators).iloc[first:] for train in trains if settings.indicators]
    kept = _choose(tables, settings).kept if tables else ()
    return CoinFeatures({train.symbol: _fit(settings, train, folder, kept) for train in trains})


def _fit(settings: FeatureSettings, train: Candles, folder: Path | None, kept: tuple[str, ...] | None = None) -> FittedFeatures:
    """`kept` are the indicators that remain; None chooses them on these candles."""
    families = families_of(settings)
    estimates = {name: estimated for name, family in families.items() if (estimated := family.fit(train, settings))}
    notes = [note for name, family in families.items() for note in family.notes(estimates.get(name, {}), settings)]
    table = compute_columns(train, settings, estimates)
    first = columns_warmup(settings)
    if kept is None:
        kept = _choose([table.iloc[first:]], settings).kept if settings.indicators else ()
    table = table.drop(columns=[name for name in settings.indicators if name not in kept])
    center, scale = estimate_scaler(finite_rows(table, first), settings.scaler)
    remaining = settings.model_copy(update={"indicators": tuple(kept)})

    memory = _memory(train, remaining, estimates, table, scale)
    notes += _long_memories(tuple(table.columns), memory, len(train))
    return FittedFeatures(
        settings, tuple(table.columns), center, scale, estimates, memory, train.bar, train.sha256, tuple(notes), folder
    )


def _memory(
    train: Candles, settings: FeatureSettings, estimates: dict[str, Estimates], table: pd.DataFrame, scale: np.ndarray
) -> np.ndarray:
    """int64 (F,): measured, but for the families whose definition tells it."""

    def rows_from(first: int, last: int) -> np.ndarray:
        return compute_columns(train[first:last], settings, estimates, measured=True).to_numpy()

    measured = table.columns.isin(compute_columns(train[:MIN_FIT_ROWS], settings, estimates, measured=True).columns)
    told = [family.memory(settings) for family in families_of(settings).values() if not family.measured]
    memory = np.full(table.shape[1], max(told, default=1))
    memory[measured] = measure_memory(table.to_numpy()[:, measured], rows_from, scale[measured])
    return memory


def choose_indicators(train: Candles, settings: FeatureSettings) -> Choice:
    """The indicators that remain and those that are dropped, as `fit` chooses them on the training candles."""
    return _choose([compute_indicators(train.frame, settings.indicators).iloc[columns_warmup(settings) :]], settings)


def _choose(tables: Sequence[pd.DataFrame], settings: FeatureSettings) -> Choice:
    groups = {name: INDICATORS[name].group for name in settings.indicators}
    return keep_least_correlated([rows[list(settings.indicators)] for rows in tables], groups, settings.keep_indicators)


def _long_memories(names: tuple[str, ...], memory: np.ndarray, bars: int) -> list[str]:
    endless = [name for name, held in zip(names, memory, strict=True) if held >= bars]
    if not endless:
        return []
    return [f"{', '.join(endless)}: the start of the data still shows after train's {bars:,} bars, so the look-back is no proof"]
