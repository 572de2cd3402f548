"""What is traded on: candles and the features beside them, checked, and laid out for the kernel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common import InputError
from envs.kernel import BAR
from features import FeatureMatrix
from market import Candles, as_candles

IMPACT_BARS = 24
"""bars of the trailing volatility and volume that square-root impact is measured against"""
BLOCK = 65_536
"""rows that are checked at a time"""

Series = Candles | pd.DataFrame | Sequence[Candles] | Sequence[pd.DataFrame]
Rows = FeatureMatrix | np.ndarray | Sequence[FeatureMatrix] | Sequence[np.ndarray]


class Dataset(NamedTuple):
    """One series among those that are traded on."""

    candles: Candles  # one bar a row of the features
    first: int  # where its rows begin in `Ground.bars`


class Ground(NamedTuple):
    """All series, one after the other; the arrays are read-only."""

    datasets: list[Dataset]
    bars: np.ndarray  # BAR (T,)
    features: np.ndarray  # float32 (T, F)
    bound: float  # of the features

    def read_only(self) -> "Ground":
        """The same with arrays that nobody can write to, which copies and pickles forget."""
        return self._replace(bars=_read_only(self.bars), features=_read_only(self.features))


def lay_out(candles: Series, features: Rows, with_impact: bool) -> Ground:
    """Check the series, one by one and against each other, and join them.

    Args:
        candles: what is traded on, or a list of such.
        features: rows of the candles' last bars; a `FeatureMatrix`, or float32 (T, F) with T <= len(candles); a list for a list.
        with_impact: fill `BAR.impact`; else it is 0.

    Raises:
        InputError: features of a wrong shape, type or time, fewer than 2 bars, or series that differ in bar or columns.
    """
    pairs = _pairs(candles, features)
    datasets, first = [], 0
    for whole, rows in pairs:
        datasets.append(Dataset(whole[len(whole) - len(rows) :] if len(rows) < len(whole) else whole, first))
        first += len(rows)
    matrices = [_values(rows) for _, rows in pairs]
    bars = [_bars(pair[0], data.candles, with_impact) for pair, data in zip(pairs, datasets, strict=True)]
    return Ground(
        datasets,
        _frozen(bars[0] if len(bars) == 1 else np.concatenate(bars)),
        _read_only(matrices[0]) if len(matrices) == 1 else _frozen(np.concatenate(matrices)),
        max(rows.bound if isinstance(rows, FeatureMatrix) else np.inf for _, rows in pairs),
    )


def _bars(whole: Candles, traded: Candles, with_impact: bool) -> np.ndarray:
    """BAR (T,) of the candles that are traded on; the ones before them only warm the impact up."""
    bars = np.zeros(len(traded), BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = traded.column(name)
    if with_impact:
        bars["impact"] = _impact(whole)[-len(traded) :]
    return bars


def _impact(candles: Candles) -> np.ndarray:
    """float64 (T,): sigma / sqrt(V) over the `IMPACT_BARS` bars before each, V in USD a bar; inf where nothing was traded."""
    frame = candles.frame
    moves = np.log(frame["close"]).diff()
    volatility = moves.pow(2).rolling(IMPACT_BARS, min_periods=1).mean().pow(0.5)
    volume = frame["quote_volume"].rolling(IMPACT_BARS, min_periods=1).mean()
    scale = (volatility.fillna(0.0) / np.sqrt(volume)).where(volume > 0, np.inf)
    return scale.shift(1, fill_value=0.0).to_numpy()  # of the bars before, since an order is decided before its bar opens


def _read_only(array: np.ndarray) -> np.ndarray:
    """The array itself if nobody can write to it; else a copy, or the env would see what the caller does to his own."""
    return _frozen(np.array(array, order="C")) if array.flags.writeable or not array.flags.c_contiguous else array


def _frozen(array: np.ndarray) -> np.ndarray:
    """An array of our own, that nobody shall write to any more."""
    array.flags.writeable = False
    return array


def _pairs(candles: Series, features: Rows) -> list[tuple[Candles, FeatureMatrix | np.ndarray]]:
    """The series with their features, checked one by one and against each other."""
    single = not isinstance(candles, Sequence) or isinstance(candles, str)
    given: Any = [candles] if single else candles
    rows_of: Any = [features] if single else features
    many = [as_candles(one) for one in given]
    if not isinstance(rows_of, Sequence) or len(many) != len(rows_of) or not many:
        raise InputError("a list of candles needs a list of as many features, one or more")
    for rows in rows_of:
        if not isinstance(rows, FeatureMatrix | np.ndarray):
            raise InputError(
                f"the features of one series are a FeatureMatrix or a float32 array, but got a {type(rows).__name__}; of a "
                "DataFrame take `.to_numpy(np.float32)`"
            )
    pairs: list[tuple[Candles, Any]] = list(zip(many, rows_of, strict=True))
    for one, rows in pairs:
        _check_features(one, rows)
        if one.bar != pairs[0][0].bar:
            raise InputError(f"all series must have bars of one length, but got {pairs[0][0].bar} and {one.bar}; resample")
        if _columns(rows) != _columns(pairs[0][1]):
            raise InputError("all series must have the same feature columns; transform them with one fitted pipeline")
    return pairs


def _values(features: FeatureMatrix | np.ndarray) -> np.ndarray:
    return features.values if isinstance(features, FeatureMatrix) else features


def _columns(features: FeatureMatrix | np.ndarray) -> tuple[str, ...] | int:
    return tuple(features.names) if isinstance(features, FeatureMatrix) else _values(features).shape[1]


def _check_features(candles: Candles, features: FeatureMatrix | np.ndarray) -> None:
    values = _values(features)
    if values.ndim != 2 or values.dtype != np.float32:
        raise InputError(f"features must be float32 of shape (T, F), but got {values.dtype} of shape {values.shape}")
    if not 2 <= len(values) <= len(candles):
        raise InputError(f"features need 2 to {len(candles)} rows, one for each of the last candles, but got {len(values)}")
    if not all(np.isfinite(values[row : row + BLOCK]).all() for row in range(0, len(values), BLOCK)):
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"features must be finite, but row {row}, column {column} is {values[row, column]}; drop the warm-up rows"
        )
    if isinstance(features, FeatureMatrix) and not features.index.equals(candles.index[len(candles) - len(values) :]):
        raise InputError(
            f"features must end where the candles end, but their first row is of {features.index[0]} "
            f"and stands beside the candle of {candles.index[len(candles) - len(values)]}; transform these very candles"
        )
