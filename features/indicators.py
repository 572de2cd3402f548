"""Technical indicators of the `ta` library in a causal, level-free form: a ratio to the close or an oscillator.

Each has its own warm-up (the first bars, where its windows are not full or the start of the data still shows) and a neutral
value for a bar on which it is undefined (a flat window divides 0 by 0). A new one is a function and a line in `INDICATORS`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from ta import momentum, trend, volatility, volume


class Indicator(NamedTuple):
    """How to compute a column from a candle frame, the bars it needs before it holds, and its value when undefined."""

    compute: Callable[[pd.DataFrame], pd.Series]
    warmup: int
    neutral: float


def _obv_change(bars: pd.DataFrame, window: int = 24) -> pd.Series:
    """On-balance volume depends on where the data starts; its change over a window relative to the volume there does not."""
    signed = np.sign(bars.close.diff()).fillna(0.0) * bars.volume
    return signed.rolling(window).sum() / bars.volume.rolling(window).sum()


def _volatility_ratio(bars: pd.DataFrame, fast: int = 24, slow: int = 168) -> pd.Series:
    """log of the recent over the weekly standard deviation of log returns."""
    returns = pd.Series(np.log(bars.close)).diff()
    return pd.Series(np.log(returns.rolling(fast).std() / returns.rolling(slow).std()))


# Exponential averages never forget their start. The warm-ups leave under a thousandth of it, for a volatile start can be many
# times as large as what follows.
INDICATORS: dict[str, Indicator] = {
    "rsi": Indicator(lambda b: momentum.rsi(b.close, 14), 98, 50.0),
    "stochastic": Indicator(lambda b: momentum.stoch(b.high, b.low, b.close, 14, 3), 14, 50.0),
    "roc": Indicator(lambda b: momentum.roc(b.close, 12), 13, 0.0),
    "tsi": Indicator(lambda b: momentum.tsi(b.close, 25, 13), 150, 0.0),
    "ultimate": Indicator(lambda b: momentum.ultimate_oscillator(b.high, b.low, b.close), 29, 50.0),
    "awesome": Indicator(lambda b: momentum.awesome_oscillator(b.high, b.low) / b.close, 34, 0.0),
    "macd_diff": Indicator(lambda b: trend.macd_diff(b.close) / b.close, 110, 0.0),
    "adx": Indicator(lambda b: trend.adx(b.high, b.low, b.close, 14), 112, 20.0),
    "vortex": Indicator(lambda b: trend.vortex_indicator_pos(b.high, b.low, b.close, 14)
                        - trend.vortex_indicator_neg(b.high, b.low, b.close, 14), 15, 0.0),
    "ema_8": Indicator(lambda b: b.close / trend.ema_indicator(b.close, 8) - 1, 40, 0.0),
    "ema_24": Indicator(lambda b: b.close / trend.ema_indicator(b.close, 24) - 1, 120, 0.0),
    "sma_168": Indicator(lambda b: b.close / trend.sma_indicator(b.close, 168) - 1, 168, 0.0),
    "bollinger_position": Indicator(lambda b: volatility.bollinger_pband(b.close, 20), 20, 0.5),
    "bollinger_width": Indicator(lambda b: volatility.bollinger_wband(b.close, 20), 20, 0.0),
    "donchian_position": Indicator(lambda b: volatility.donchian_channel_pband(b.high, b.low, b.close, 48), 48, 0.5),
    "atr": Indicator(lambda b: volatility.average_true_range(b.high, b.low, b.close, 14) / b.close, 98, 0.0),
    "volatility_ratio": Indicator(_volatility_ratio, 169, 0.0),
    "money_flow": Indicator(lambda b: volume.money_flow_index(b.high, b.low, b.close, b.volume, 14), 15, 50.0),
    "chaikin_money_flow": Indicator(lambda b: volume.chaikin_money_flow(b.high, b.low, b.close, b.volume, 20), 20, 0.0),
    "obv_change": Indicator(_obv_change, 25, 0.0),
}  # fmt: skip


def compute_indicators(bars: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The named columns, float64 (T, len(names)): NaN in each one's warm-up, finite everywhere after it."""
    columns = {}
    for name in names:
        indicator = INDICATORS[name]
        if len(bars) <= indicator.warmup:  # `ta` raises on series shorter than its windows
            columns[name] = pd.Series(np.nan, index=bars.index)
            continue
        values = indicator.compute(bars).astype(np.float64)
        values = values.where(np.isfinite(values), indicator.neutral)
        values.iloc[: indicator.warmup] = np.nan
        columns[name] = values
    return pd.DataFrame(columns, index=bars.index)
