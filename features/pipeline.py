"""`FeaturePipeline.fit(train)`: estimates what the columns need, from the train candles alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from common import InputError, blamed, hash_of, own_names
from features import cache, longer_bars
from features.coin_features import AnyFeatures, CoinFeatures
from features.column_families import (
    FAMILIES,
    Estimates,
    columns_warmup,
    compute_columns,
    compute_tables,
    families_of,
    warmup_bars,
)
from features.correlation import Choice, centred_ranks, choose_by_ranks
from features.fitted import FittedFeatures, finite_rows
from features.indicators import INDICATORS, compute_indicators
from features.lookback import measure_memory
from features.own_code import own_code
from features.progress import OnProgress, begun, quiet
from features.scaler import estimate_scaler
from features.settings import FeatureSettings
from market import Candles, as_candles

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

    def fit(self, train: Candles | pd.DataFrame) -> FittedFeatures:
        """Estimate on the training candles alone: SARIMAX parameters, which indicators remain, the scaler, the look-back.

        A few columns are at hand at a time, and of all indicators their ranks.

        Raises:
            InputError: fewer than 100 bars are left after the warm-up.
        """
        train = as_candles(train)
        if not (self.settings.volumes and train.has_volumes) and self.settings != self.settings.without_volumes():
            return replace(self, settings=self.settings.without_volumes()).fit(train)
        self._require_enough(train, train.source)
        key = cache.key_of("fit", self.settings, train) if self.cache else None
        with begun("fitting the features") as on_progress:
            return cache.remembered(
                self.cache, key, lambda: _fit(self.settings, train, self.cache, on_progress), FittedFeatures.save,
                lambda folder: FittedFeatures.load(folder, self.cache),
            )  # fmt: skip

    def fit_coins(self, trains: Sequence[Candles]) -> AnyFeatures:
        """Estimate on the training candles of several coins, so that all get the same columns; one series is fitted as by `fit`.

        Which indicators remain is judged on all coins together, by the mean of their correlations. All else is estimated for each
        coin on its own training candles alone: the scaler, so that prices of 1e-8 and of 1e5 look alike, the SARIMAX parameters,
        the forecasters and the look-back. If one coin has no volumes, no coin has columns made of them.

        Raises:
            InputError: a coin with fewer than 100 bars after the warm-up.
        """
        if len(trains) == 1:
            return self.fit(trains[0])
        bare = not (self.settings.volumes and all(train.has_volumes for train in trains))
        if bare and self.settings != self.settings.without_volumes():
            return replace(self, settings=self.settings.without_volumes()).fit_coins(trains)
        for train in trains:
            self._require_enough(train, train.symbol)
        keys = [cache.key_of("fit", self.settings, train) if self.cache else None for train in trains]
        symbols = [train.symbol for train in trains]
        with begun("fitting the features") as on_progress:
            return cache.remembered(
                self.cache, hash_of(["coins", symbols, keys])[:32] if all(keys) else None,
                lambda: _fit_coins(self.settings, trains, self.cache, on_progress), CoinFeatures.save,
                lambda folder: CoinFeatures.load(folder, self.cache),
            )  # fmt: skip

    def _require_enough(self, train: Candles, named: str) -> None:
        warmup = warmup_bars(self.settings, train.bar)
        if len(train) - warmup < MIN_FIT_ROWS:
            raise InputError(
                f"fitting needs {MIN_FIT_ROWS} bars after a warm-up of {warmup}, but {named} has {len(train)}; "
                f"give more candles or choose columns with shorter windows{self._longest_wait(train, warmup)}"
            )

    def _longest_wait(self, train: Candles, warmup: int) -> str:
        """Which column of a time frame asks for so long a warm-up, if one does."""
        settings = self.settings
        if not settings.timeframes or warmup == warmup_bars(settings.model_copy(update={"timeframes": ()}), train.bar):
            return ""
        return f", or shorter time frames: {longer_bars.longest_wait(settings.timeframes, settings.timeframe_columns, train.bar)}"


def _fit_coins(
    settings: FeatureSettings, trains: Sequence[Candles], folder: Path | None, on_progress: OnProgress
) -> CoinFeatures:
    kept = choose_indicators(trains, settings, on_progress).kept if settings.indicators else ()
    return CoinFeatures({train.symbol: _fit(settings, train, folder, on_progress, kept) for train in trains})


def _fit(
    settings: FeatureSettings, train: Candles, folder: Path | None, on_progress: OnProgress, kept: tuple[str, ...] | None = None
) -> FittedFeatures:  # fmt: skip
    """`kept` are the indicators that remain; None chooses them on these candles."""
    estimates = _estimate(settings, train, on_progress)
    families = families_of(settings).items()
    notes = [note for name, family in families for note in family.notes(estimates.get(name, {}), settings)]
    if not train.has_volumes:
        notes.append(f"{train.source} has no volumes: columns made of them are left out")
    if kept is None:
        kept = choose_indicators([train], settings, on_progress).kept if settings.indicators else ()
    remaining = settings.model_copy(update={"indicators": tuple(kept)})
    names, center, scale = _scaler(train, settings, remaining, estimates, on_progress)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"each column needs a name of its own, but there are two called `{twice[0]}`; give yours another name")
    notes += _own_constants(train, remaining)
    memory = _memory(train, remaining, estimates, dict(zip(names, scale.tolist(), strict=True)), on_progress)
    notes += _long_memories(names, memory, len(train))
    return FittedFeatures(
        settings, names, center, scale, estimates, memory, train.bar, train.sha256, tuple(notes), folder, own_code(settings)
    )  # fmt: skip


def _estimate(settings: FeatureSettings, train: Candles, on_progress: OnProgress) -> dict[str, Estimates]:
    """What each family estimates, by its name."""
    estimates = {}
    for name, family in families_of(settings).items():
        on_progress("estimating " + name.replace("_", " "), 0, 0)
        with blamed("FAMILIES", name):
            estimated = family.fit(train, settings)
        if estimated:
            estimates[name] = estimated
    return estimates


def choose_indicators(trains: Sequence[Candles], settings: FeatureSettings, on_progress: OnProgress = quiet) -> Choice:
    """The indicators that remain and those that are dropped, as `fit` and `fit_coins` choose them on the training candles.

    Those of plugins remain, and nothing is dropped for them.

    Args:
        trains: the training candles of each coin.
        settings: which indicators to choose from, and how many remain.
        on_progress: is told how many have been computed and ranked.
    """
    own = own_names("INDICATORS")
    names = tuple(name for name in settings.indicators if name not in own)
    if not names:
        return Choice(settings.indicators, (), {}, pd.DataFrame())
    ranks = (_ranks(train, settings.model_copy(update={"indicators": names}), on_progress) for train in trains)
    choice = choose_by_ranks(list(names), ranks, {name: INDICATORS[name].group for name in names}, settings.keep_indicators)
    remain = own | set(choice.kept)
    return replace(choice, kept=tuple(name for name in settings.indicators if name in remain))


def _ranks(train: Candles, settings: FeatureSettings, on_progress: OnProgress) -> np.ndarray:
    """int32 (F, R): `centred_ranks` of each indicator after the warm-up."""
    names, first = settings.indicators, columns_warmup(settings, train.bar)
    ranks = np.empty((len(names), max(len(train) - first, 0)), np.int32)
    done = 0
    for piece in FAMILIES["indicators"].pieces(settings):
        on_progress("indicators", done, len(names))
        for column in FAMILIES["indicators"].compute(train, piece, {}).iloc[first:].to_numpy().T:
            ranks[done] = centred_ranks(column)
            done += 1
    on_progress("correlations", 0, 0)
    return ranks


def _scaler(
    train: Candles,
    settings: FeatureSettings,
    remaining: FeatureSettings,
    estimates: dict[str, Estimates],
    on_progress: OnProgress,
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, centers and scales of the columns that remain, from the rows after the warm-up of all that were asked for."""
    first = columns_warmup(settings, train.bar)
    names: list[str] = []
    scalers = []
    on_progress("scales of columns", 0, 0)
    for table in compute_tables(train, remaining, estimates):
        scalers.append(estimate_scaler(finite_rows(table, first), settings.scaler))
        names.extend(table.columns)
    center, scale = (np.concatenate(parts) for parts in zip(*scalers, strict=True))
    return tuple(names), center, scale


def _memory(
    train: Candles,
    settings: FeatureSettings,
    estimates: dict[str, Estimates],
    scales: dict[str, float],
    on_progress: OnProgress,
) -> np.ndarray:
    """int64 (F,): measured, but for the families whose definition tells it."""

    def columns(first: int, last: int) -> pd.DataFrame:
        return compute_columns(train[first:last], settings, estimates, measured=True)

    told = [family.memory(settings) for family in families_of(settings).values() if not family.measured]
    names = columns(0, MIN_FIT_ROWS).columns
    scale = np.array([scales[name] for name in names])
    measured = dict(zip(names, measure_memory(columns, len(train), scale, on_progress).tolist(), strict=True))
    for family in families_of(settings).values():
        measured |= family.measure(train, settings, scales, on_progress)
    return np.array([measured.get(name, max(told, default=1)) for name in scales], np.int64)


def _own_constants(train: Candles, settings: FeatureSettings) -> list[str]:
    """A plugin's indicator that has one value on all of train may be a fault of it."""
    own = tuple(name for name in settings.indicators if name in own_names("INDICATORS"))
    table = compute_indicators(train.frame, own)
    return [f"{name} has the same value on all of train: it tells the agent nothing" for name in own if table[name].nunique() < 2]


def _long_memories(names: tuple[str, ...], memory: np.ndarray, bars: int) -> list[str]:
    endless = [name for name, held in zip(names, memory, strict=True) if held >= bars]
    if not endless:
        return []
    one = len(endless) == 1
    return [
        f"{', '.join(endless)} still depend{'s' * one} on where the data begin after train's {bars:,} bars. Backtests are right "
        "as they are; for live bars, whose history may begin elsewhere, train on more bars or leave "
        f"{'it' if one else 'them'} out"
    ]
