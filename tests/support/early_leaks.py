"""Walk-forward columns whose labels reach beyond a refit, and external series that are stamped too early, with their twins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from leaks import CANDLES, FOLD_BARS, Folds, Forecaster, basic, returns

from market import Candles

# --- labels that reach beyond a refit -----------------------------------------------------------------------------------

HORIZON = 6
"""bars that a label looks ahead"""


@dataclass(frozen=True)
class WalkForward:
    """The return of the next bars as the last ones tell it, fitted anew every 150 bars on all bars before.

    The labels of the first fit are over at its bar; those of later ones reach five bars beyond, unless they are `purged`.
    """

    purged: bool
    every: int = 150
    warmup: int = 100

    def transform(self, candles: Candles) -> pd.DataFrame:
        price = np.log(candles.column("close"))
        past = np.concatenate([np.zeros(HORIZON), price[HORIZON:] - price[:-HORIZON]])
        expected = np.zeros(len(price))
        for refit in range(self.warmup, len(price), self.every):
            last = refit - (HORIZON if self.purged or refit == self.warmup else 1)
            labels = price[np.minimum(np.arange(10, last) + HORIZON, len(price) - 1)] - price[10:last]
            slope = past[10:last] @ labels / (past[10:last] @ past[10:last])
            expected[refit : refit + self.every] = slope * past[refit : refit + self.every]
        return basic(candles).assign(expected=expected).iloc[self.warmup :]


@dataclass
class LateFolds:
    """As `FoldForecaster`; the models behind the first one also see the five bars after their mark, unless it is honest."""

    leaky: bool

    def fit(self, train: Candles) -> Folds:
        marks = [*range(FOLD_BARS, len(train), FOLD_BARS)]
        seen = [train[: mark + (5 if k and self.leaky else 0)] for k, mark in enumerate(marks)]
        return Folds(np.array([Forecaster().fit(bars).weights for bars in seen]), train.index[marks])


# --- stamped too early --------------------------------------------------------------------------------------------------


def _other_coin() -> pd.Series:
    """Another coin's close by its bar's open, a quarter of whose move is this market's."""
    moves = returns(CANDLES).fillna(0.0).to_numpy()
    own = np.random.default_rng(1).normal(0, moves.std(), len(moves))
    return pd.Series(np.exp(np.cumsum(0.25 * moves + np.sqrt(1 - 0.25**2) * own)), CANDLES.index)


def _late(series: pd.Series, by: Any) -> pd.Series:
    return series.set_axis(series.index + pd.Timedelta(by))


OTHER_COIN = _other_coin()
DAYS_VOLUME = CANDLES.frame.volume.resample("1D").sum()
VOLATILITY = returns(CANDLES).abs().resample("8h").sum()

EARLY_COIN, LATE_COIN = {"other": OTHER_COIN}, {"other": _late(OTHER_COIN, CANDLES.bar)}
EARLY_VOLUME, LATE_VOLUME = {"volume": DAYS_VOLUME}, {"volume": _late(DAYS_VOLUME, "1D")}
EARLY_VOLATILITY, LATE_VOLATILITY = {"volatility": VOLATILITY}, {"volatility": _late(VOLATILITY, "8h")}
