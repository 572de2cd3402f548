"""`FeaturePipeline.fit(train)` estimates; `FittedFeatures.transform(candles)` applies, causally and to the bit."""

from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from features import cache, storage
from features.correlation import Choice, keep_least_correlated
from features.families import Estimates, columns_warmup, compute_columns, compute_tables, families_of, warmup_bars
from features.forecasters import walk_forward
from features.indicators import INDICATORS, compute_indicators
from features.matrix import FeatureMatrix, stack_rows
from features.memory import measure_memory
from features.scaler import apply_scaler, estimate_scaler
from features.settings import FeatureSettings
from market import Candles, InputError, bar_name

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

    def fit(self, train: Candles) -> "FittedFeatures":
        """Estimate on the training candles alone: SARIMAX parameters, which indicators remain, the scaler, the look-back.

        Raises:
            InputError: fewer than 100 bars are left after the warm-up.
        """
        warmup = warmup_bars(self.settings)
        if len(train) - warmup < MIN_FIT_ROWS:
            raise InputError(
                f"fitting needs {MIN_FIT_ROWS} bars after a warm-up of {warmup}, but {train.source} has {len(train)}; "
                "give more candles or choose columns with shorter windows"
            )
        key = cache.key_of("fit", self.settings, train) if self.cache else None
        return cache.remembered(
            self.cache, key, lambda: _fit(self.settings, train, self.cache), FittedFeatures.save,
            lambda folder: FittedFeatures.load(folder, self.cache),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FittedFeatures:
    """A frozen pipeline.

    Args:
        settings: what was asked for.
        names: the F columns that remain.
        center, scale: float64 (F,), of the scaler.
        estimates: what each family of columns estimated, by its name.
        memory: int64 (F,), bars that each column's newest value depends on, as measured on train.
        bar: length of the bars that it was fitted on.
        fitted_on_sha256: hash of the candles that it was fitted on.
        notes: what a person should know, such as a fit that did not converge.
        cache: folder where transforms are kept, or None.
    """

    settings: FeatureSettings
    names: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    estimates: dict[str, Estimates]
    memory: np.ndarray
    bar: pd.Timedelta
    fitted_on_sha256: str
    notes: tuple[str, ...] = ()
    cache: Path | None = None

    @property
    def kept(self) -> tuple[str, ...]:
        """The indicators that remain."""
        return tuple(name for name in self.settings.indicators if name in self.names)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The indicators that correlated too much with others of their group."""
        return tuple(name for name in self.settings.indicators if name not in self.names)

    @property
    def warmup(self) -> int:
        """Bars in front of a series that get no row."""
        return warmup_bars(self._kept_settings)

    @property
    def lookback(self) -> int:
        """Bars whose `transform` gives the newest row as the whole series would, to 1e-6: what live trading keeps at hand."""
        by_definition = max(family.memory(self.settings) for family in families_of(self.settings).values())
        return max(int(self.memory.max()), by_definition, columns_warmup(self._kept_settings) + 1) + self.settings.window - 1

    @property
    def in_words(self) -> str:
        """How many columns there are, and the notes, a line each."""
        stacked = f", {self.settings.window} rows stacked" if self.settings.window > 1 else ""
        dropped = f" ({len(self.dropped)} correlated indicators dropped)" if self.dropped else ""
        first = f"features: {len(self.names)} columns{dropped}{stacked}, look-back {self.lookback:,} bars"
        return "\n".join([first, *(f"  note: {note}" for note in self.notes)])

    @property
    def estimated(self) -> dict[str, np.ndarray]:
        """Everything that came from train, by name: what an audit compares."""
        families = {f"{name}/{key}": array for name, held in self.estimates.items() for key, array in held.items()}
        own = {"names": np.array(self.names), "center": self.center, "scale": self.scale, "memory": self.memory}
        return own | dict(sorted(families.items()))

    def transform(self, candles: Candles) -> FeatureMatrix:
        """Features of the candles. Causal: `transform(candles[:n])` equals the first rows of `transform(candles)` to the bit.

        Raises:
            InputError: bars of another length, no more candles than the warm-up, or a column that is not finite.
        """
        if candles.bar != self.bar:
            raise InputError(
                f"features fitted on bars of {bar_name(self.bar)} mean something else on bars of {bar_name(candles.bar)} "
                f"({candles.source}); resample the candles, or fit anew"
            )
        if len(candles) <= self.warmup:
            raise InputError(
                f"features need more than {self.warmup} bars to warm up, but got {len(candles)}; put more candles in front"
            )
        key = cache.key_of("transform", self.settings, candles, self.estimated) if self.cache else None
        values = cache.remembered(self.cache, key, lambda: self._values(candles), storage.save_values, storage.load_values)
        values, names = stack_rows(values, self.names, self.settings.window)
        values.flags.writeable = False
        return FeatureMatrix(values, names, candles.index[self.warmup :], self.warmup, self.settings.clip)

    def save(self, folder: Path) -> None:
        """Write `features.json` and `features.safetensors`."""
        storage.save_fitted(self, folder)

    @classmethod
    def load(cls, folder: Path, cache: Path | None = None) -> "FittedFeatures":
        """Read what `save` wrote; runs no code from the files.

        Raises:
            InputError: a missing or damaged file.
        """
        return cls(**storage.load_fitted(folder), cache=cache)

    def out_of_fold(self, candles: Candles) -> pd.DataFrame:
        """The walk-forward forecasts, unscaled: each row by models that were trained on bars that had ended before it.

        Returns:
            float64 (T - first_fit_bars, ...), a row a bar after the first models' own; see `features.forecasters.walk_forward`.
            Without columns if the settings name no forecaster.

        Raises:
            InputError: the candles begin too early for the oldest models.
        """
        if not self.settings.forecasts.models:
            return pd.DataFrame(index=candles.index)
        settings = self.settings.forecasts
        return walk_forward(candles, settings, self.estimates["forecasts"]).iloc[settings.first_fit_bars :]

    @property
    def _kept_settings(self) -> FeatureSettings:
        """The settings that compute the columns that remain, and no others."""
        return self.settings.model_copy(update={"indicators": self.kept})

    def _values(self, candles: Candles) -> np.ndarray:
        """Family by family, so that a long series is never held twice in full."""
        first = columns_warmup(self._kept_settings)
        values = np.empty((len(candles) - first, len(self.names)), np.float32)
        done = 0
        for table in compute_tables(candles, self._kept_settings, self.estimates):
            part = slice(done, done + table.shape[1])
            self._require_names(table, part)
            rows = _finite_rows(table, first)
            apply_scaler(rows, self.center[part], self.scale[part], self.settings.clip, values[:, part])
            done = part.stop
        if done != len(self.names):
            raise InputError(_other_columns(self.names[done], len(self.names)))
        return values

    def _require_names(self, table: pd.DataFrame, part: slice) -> None:
        for now, fitted in zip_longest(table.columns, self.names[part], fillvalue=""):
            if now != fitted:
                raise InputError(_other_columns(fitted or now, len(self.names)))


def _fit(settings: FeatureSettings, train: Candles, folder: Path | None) -> FittedFeatures:
    families = families_of(settings)
    estimates = {name: estimated for name, family in families.items() if (estimated := family.fit(train, settings))}
    notes = [note for name, family in families.items() for note in family.notes(estimates.get(name, {}), settings)]
    table = compute_columns(train, settings, estimates)
    first = columns_warmup(settings)
    kept = _choose(table.iloc[first:], settings).kept if settings.indicators else ()
    table = table.drop(columns=[name for name in settings.indicators if name not in kept])
    center, scale = estimate_scaler(_finite_rows(table, first), settings.scaler)
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
    return _choose(compute_indicators(train.frame, settings.indicators).iloc[columns_warmup(settings) :], settings)


def _choose(rows: pd.DataFrame, settings: FeatureSettings) -> Choice:
    groups = {name: INDICATORS[name].group for name in settings.indicators}
    return keep_least_correlated(rows[list(settings.indicators)], groups, settings.keep_indicators)


def _finite_rows(table: pd.DataFrame, first: int) -> np.ndarray:
    """The values from row `first` on, float64."""
    rows = table.to_numpy()[first:]
    finite = np.isfinite(rows)
    if not finite.all():
        broken = ~finite
        row, column = (int(place) for place in np.argwhere(broken)[0])
        raise InputError(
            f"every feature must be finite after its warm-up, but `{table.columns[column]}` is {rows[row, column]} at "
            f"{table.index[first + row]} ({int(broken.sum())} such values); mend the function that computes it or its warm-up"
        )
    return rows


def _other_columns(name: str, count: int) -> str:
    return f"features were fitted on {count} columns, but this version computes others, `{name}` among them; fit anew"


def _long_memories(names: tuple[str, ...], memory: np.ndarray, bars: int) -> list[str]:
    endless = [name for name, held in zip(names, memory, strict=True) if held >= bars]
    if not endless:
        return []
    return [f"{', '.join(endless)}: the start of the data still shows after train's {bars:,} bars, so the look-back is no proof"]
