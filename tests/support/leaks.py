"""Leaks of kinds that are common in trading code, each as a small pipeline or environment, beside its honest twin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.statespace.sarimax import SARIMAX
from ta.momentum import KAMAIndicator, RSIIndicator
from ta.trend import MACD, DPOIndicator, IchimokuIndicator, KSTIndicator, PSARIndicator, TRIXIndicator, VortexIndicator
from ta.volatility import BollingerBands

from envs import EnvSettings
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=640, seed=11)
TRAIN_BARS = 400
CUTS = 1
FOLD_BARS = 100

Compute = Callable[[Candles], pd.DataFrame]


def returns(candles: Candles) -> pd.Series:
    return pd.Series(np.log(candles.frame["close"])).diff()


def basic(candles: Candles) -> pd.DataFrame:
    """Honest columns: `move`, `range` and `flow`, the first row NaN."""
    bars = candles.frame
    flow = np.log1p(bars.volume).diff()
    return pd.DataFrame({"move": returns(candles), "range": (bars.high - bars.low) / bars.close, "flow": flow})


@dataclass
class Scaled:
    """Columns less a center, over a scale; the first `warmup` rows are left out."""

    compute: Compute
    warmup: int
    center: np.ndarray
    scale: np.ndarray

    def transform(self, candles: Candles) -> pd.DataFrame:
        return self.compute(candles).sub(self.center).div(self.scale).iloc[self.warmup :].astype(np.float32)


@dataclass
class Columns:
    """Fits a standard scaler on what it is given: the train bars."""

    compute: Compute
    warmup: int = 1

    def fit(self, train: Candles) -> Scaled:
        rows = self.compute(train).iloc[self.warmup :]
        return Scaled(self.compute, self.warmup, rows.mean().to_numpy(), rows.std().to_numpy() + 1e-12)


class WholeSeries:
    """Fits another pipeline on all candles, test range included."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def fit(self, candles: Candles, train_bars: int) -> Any:
        return self.pipeline.fit(candles)


# --- rows that see the future -------------------------------------------------------------------------------------------


def filled_backwards(candles: Candles) -> pd.DataFrame:
    """The average's first 23 rows have no value, and get the first one that there is."""
    return basic(candles).assign(sma_24=candles.frame.close / candles.frame.close.rolling(24).mean() - 1).bfill()


def left_out(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(sma_24=candles.frame.close / candles.frame.close.rolling(24).mean() - 1)


def centred(candles: Candles) -> pd.DataFrame:
    smooth = candles.frame.close.rolling(5, center=True, min_periods=1).mean()
    return basic(candles).assign(trend=smooth / candles.frame.close - 1)


def trailing(candles: Candles) -> pd.DataFrame:
    smooth = candles.frame.close.rolling(5, min_periods=1).mean()
    return basic(candles).assign(trend=smooth / candles.frame.close - 1)


def shifted_to_the_bar_before(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(signal=returns(candles).shift(-1).fillna(0.0))


def shifted_to_the_bar_after(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(signal=returns(candles).shift(1).fillna(0.0))


def sorted_as_text(candles: Candles) -> pd.DataFrame:
    """`2019-05-17 01-AM` comes before `2019-05-17 01-PM`, and that before `02-AM`."""
    words = candles.index.strftime("%Y-%m-%d %I-%p")
    return _change_in_order(candles, np.argsort(words.to_numpy().astype(str), kind="stable"))


def sorted_as_times(candles: Candles) -> pd.DataFrame:
    times = pd.to_datetime(candles.index.strftime("%Y-%m-%d %I-%p"), format="%Y-%m-%d %I-%p")
    return _change_in_order(candles, np.argsort(times.to_numpy(), kind="stable"))


def _change_in_order(candles: Candles, order: np.ndarray) -> pd.DataFrame:
    sorted_close = np.log(candles.column("close")[order])
    return basic(candles).assign(momentum=np.concatenate([[0.0], np.diff(sorted_close)]))


def days_own_close(candles: Candles) -> pd.DataFrame:
    """Each hour gets the daily candle of its own day, whose close is known at midnight."""
    days = candles.frame.close.resample("1D").last()
    return basic(candles).assign(day_close=np.log(days.reindex(candles.index, method="ffill") / candles.frame.open))


def last_days_close(candles: Candles) -> pd.DataFrame:
    days = candles.frame.close.resample("1D").last().shift(1)
    known = days.reindex(candles.index, method="ffill").fillna(candles.frame.open)
    return basic(candles).assign(day_close=np.log(known / candles.frame.open))


TA_THAT_LEAK_WHEN_FILLED = {
    "kst", "kst_sig", "trix", "dpo", "kama", "vortex_pos", "vortex_neg", "ichimoku_a", "ichimoku_b", "psar_up", "psar_down",
}  # fmt: skip


def ta_filled(candles: Candles) -> pd.DataFrame:
    return _ta(candles, fillna=True)


def ta_not_filled(candles: Candles) -> pd.DataFrame:
    """The same without filling, and without the two whose first rows look ahead even so: KST and the visual Ichimoku lines."""
    return _ta(candles, fillna=False).drop(columns=["kst", "kst_sig", "ichimoku_a", "ichimoku_b"]).ffill()


def _ta(candles: Candles, fillna: bool) -> pd.DataFrame:
    bars = candles.frame.reset_index(drop=True)  # PSAR is wrong on a DatetimeIndex
    high, low, close = bars.high, bars.low, bars.close
    kst, vortex = KSTIndicator(close, fillna=fillna), VortexIndicator(high, low, close, fillna=fillna)
    ichimoku = IchimokuIndicator(high, low, visual=True, fillna=fillna)
    psar = PSARIndicator(high, low, close, fillna=fillna)
    columns = {
        "rsi": RSIIndicator(close, fillna=fillna).rsi(),
        "macd": MACD(close, fillna=fillna).macd(),
        "bollinger": BollingerBands(close, fillna=fillna).bollinger_mavg(),
        "kst": kst.kst(),
        "kst_sig": kst.kst_sig(),
        "trix": TRIXIndicator(close, fillna=fillna).trix(),
        "dpo": DPOIndicator(close, fillna=fillna).dpo(),
        "kama": KAMAIndicator(close, fillna=fillna).kama(),
        "vortex_pos": vortex.vortex_indicator_pos(),
        "vortex_neg": vortex.vortex_indicator_neg(),
        "ichimoku_a": ichimoku.ichimoku_a(),
        "ichimoku_b": ichimoku.ichimoku_b(),
        "psar_up": psar.psar_up(),
        "psar_down": psar.psar_down(),
    }
    return pd.DataFrame(columns).set_index(candles.index)


# --- what is estimated on more than train -------------------------------------------------------------------------------


@dataclass
class Kept:
    """The columns that a correlation pruning has kept."""

    names: tuple[str, ...]

    def transform(self, candles: Candles) -> pd.DataFrame:
        return many(candles)[list(self.names)].iloc[48:].astype(np.float32)


class Pruned:
    """Keeps the three of nine columns that are least correlated with the others."""

    def fit(self, train: Candles) -> Kept:
        strength = many(train).iloc[48:].corr().abs().sum()
        return Kept(tuple(sorted(strength.nsmallest(3).index)))


def many(candles: Candles) -> pd.DataFrame:
    bars, moves = candles.frame, returns(candles)
    columns = {f"mean_{n}": moves.rolling(n).mean() for n in (6, 24, 48)}
    columns |= {f"spread_{n}": moves.rolling(n).std() for n in (6, 24, 48)}
    columns |= {f"flow_{n}": np.log1p(bars.volume.rolling(n).mean()) for n in (6, 24, 48)}
    return pd.DataFrame(columns)


@dataclass
class Forecast:
    """Basic columns, and the next bar's return as an AR(1) expects it."""

    parameters: np.ndarray

    def transform(self, candles: Candles) -> pd.DataFrame:
        return basic(candles).assign(forecast=self.parameters[0] * returns(candles)).iloc[1:]


class Sarimax:
    """Estimates the parameters on what it is given."""

    def fit(self, train: Candles) -> Forecast:
        moves = 100 * returns(train).iloc[1:].to_numpy()
        return Forecast(np.asarray(SARIMAX(moves, order=(1, 0, 0)).fit(disp=False).params))


@dataclass
class Regression:
    """Basic columns, and the next bar's return as a linear model of the last three expects it."""

    weights: np.ndarray

    def transform(self, candles: Candles) -> pd.DataFrame:
        lags = _lags(candles)
        expected = sum(weight * lags[:, k] for k, weight in enumerate(self.weights))
        return basic(candles).assign(expected=expected).iloc[4:]


class Forecaster:
    """Least squares of the next return on the last three."""

    def fit(self, train: Candles) -> Regression:
        lags, target = _lags(train)[4:-1], returns(train).to_numpy()[5:]
        return Regression(np.linalg.lstsq(lags, target, rcond=None)[0])


def _lags(candles: Candles) -> np.ndarray:
    return np.column_stack([returns(candles).shift(k).to_numpy() for k in range(3)])


@dataclass
class Folds:
    """The next bar's return as a linear model of the last three expects it: of each fold's own bars, weights (J, 3)."""

    weights: np.ndarray
    marks: pd.DatetimeIndex

    def transform(self, candles: Candles) -> pd.DataFrame:
        return basic(candles).join(self.out_of_fold(candles)).iloc[FOLD_BARS:]

    def out_of_fold(self, candles: Candles) -> pd.DataFrame:
        fold = np.maximum(self.marks.searchsorted(candles.index, side="right") - 1, 0)
        expected = (_lags(candles) * self.weights[fold]).sum(axis=1)
        return pd.DataFrame({"expected": expected}, index=candles.index).iloc[FOLD_BARS:]


@dataclass
class FoldForecaster:
    """Least squares anew at every mark: on the bars before it, or, "since all of it is train", on all of train."""

    leaky: bool

    def fit(self, train: Candles) -> Folds:
        marks = [*range(FOLD_BARS, len(train), FOLD_BARS)]
        seen = [train if self.leaky else train[:mark] for mark in marks]
        return Folds(np.array([Forecaster().fit(bars).weights for bars in seen]), train.index[marks])


class Refitted(Scaled):
    """Adapts to each series that it sees, "since markets change"."""

    def transform(self, candles: Candles) -> pd.DataFrame:
        rows = self.compute(candles).iloc[self.warmup :]
        self.center, self.scale = rows.mean().to_numpy(), rows.std().to_numpy()
        return super().transform(candles)


class RefittingColumns(Columns):
    """Fits like `Columns`, and again at every transform."""

    def fit(self, train: Candles) -> Scaled:
        fitted = super().fit(train)
        return Refitted(fitted.compute, fitted.warmup, fitted.center, fitted.scale)


# --- the leaks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leak:
    """A leak, the check that catches it, the column that it is named by, and what is right instead."""

    name: str
    check: str
    column: str
    leaky: dict[str, Any]
    honest: dict[str, Any]
    slow: bool = False


def pair(leaky: Any, honest: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"pipeline": leaky}, {"pipeline": honest}


LEAKS = [
    Leak("bfill", "causal features", "sma_24", *pair(Columns(filled_backwards, 0), Columns(left_out, 23))),
    Leak("whole-series scaler", "fitted on train", "center[move]", *pair(WholeSeries(Columns(basic)), Columns(basic))),
    Leak("whole-series correlation pruning", "fitted on train", "flow_6", *pair(WholeSeries(Pruned()), Pruned())),
    Leak("SARIMAX fitted on all", "fitted on train", "parameters[0]", *pair(WholeSeries(Sarimax()), Sarimax())),
    Leak("centred rolling mean", "causal features", "trend", *pair(Columns(centred), Columns(trailing, 4))),
    Leak("same-bar fill", "next-bar fills", "fill_price",
         {"pipeline": Columns(basic), "env": EnvSettings(fill="same_close")},
         {"pipeline": Columns(basic), "env": EnvSettings(fill="next_open")}),
    Leak("off-by-one shift", "causal features", "signal",
         *pair(Columns(shifted_to_the_bar_before), Columns(shifted_to_the_bar_after, 2))),
    Leak("forecaster trained on test", "fitted on train", "weights[0]", *pair(WholeSeries(Forecaster()), Forecaster())),
    Leak("forecasts of the forecaster's own training bars", "out of fold", "expected",
         *pair(FoldForecaster(leaky=True), FoldForecaster(leaky=False))),
    Leak("text-sorted dates", "causal features", "momentum", *pair(Columns(sorted_as_text), Columns(sorted_as_times))),
    Leak("resampling that shows the day's close in the morning", "causal features", "day_close",
         *pair(Columns(days_own_close), Columns(last_days_close, 24))),
    Leak("`fillna=True` in `ta`", "causal features", "kst", *pair(Columns(ta_filled, 0), Columns(ta_not_filled, 150)), slow=True),
    Leak("scaler refitted during evaluation", "pure transform", "center[move]", *pair(RefittingColumns(basic), Columns(basic))),
]  # fmt: skip
