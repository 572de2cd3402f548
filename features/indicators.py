"""Technical indicators: every column of the `ta` library in a causal form that is free of the levels of price and volume.

A price line becomes `close / line - 1`, a difference of prices is divided by the close, a cumulative index becomes a change, and
a volume is divided by a trailing one. Each column has its own warm-up (the first bars, where its windows are not full or the
start of the data still shows) and a neutral value for where it is undefined (0 / 0). A new one is a function and a line in
`INDICATORS`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from common import InputError, blamed
from features import indicator_formulas as ti
from features.rolling import (
    change,
    ema,
    rolling_argmax,
    rolling_deviation,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_sum,
    shift,
    wilder,
)

VOLUME_BARS = 24  # whose mean volume is the level that a volume is compared with
CHANGE_BARS = 24  # over which on-balance volume and the negative volume index are differenced
WEEK_BARS = 168  # of hourly bars

Values = pd.Series | np.ndarray


class Indicator(NamedTuple):
    """How to compute a column from a candle frame, the bars it needs before it holds, its value when undefined, and its group."""

    compute: Callable[[pd.DataFrame], Values]
    warmup: int
    neutral: float
    group: str = "others"


def compute_indicators(bars: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The named columns, float64 (T, len(names)): NaN in each one's warm-up, finite everywhere after it.

    Raises:
        InputError: an indicator that does not return one value for each bar.
    """
    table = np.empty((len(names), len(bars)))  # a row for each column, so that each is contiguous
    for row, name in zip(table, names, strict=True):
        compute, warmup, neutral, _ = INDICATORS[name]
        if len(bars) > warmup:
            row[:] = _checked(name, compute, bars)
            row[~np.isfinite(row)] = neutral
        row[:warmup] = np.nan
    return pd.DataFrame(table.T, index=bars.index, columns=list(names), copy=False)


def _checked(name: str, compute: Callable[[pd.DataFrame], Values], bars: pd.DataFrame) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"), blamed("INDICATORS", name):
        values = np.asarray(compute(bars), np.float64)
    if values.shape != (len(bars),):
        raise InputError(
            f"an indicator returns one value for each bar, but {name!r} returned the shape {values.shape} for {len(bars)} bars; "
            f"put NaN where it has none"
        )
    return values


def _gap(bars: pd.DataFrame, line: np.ndarray) -> Values:
    """The close relative to a price line."""
    return bars.close / line - 1


def _volumes(bars: pd.DataFrame, volume: Values) -> Values:
    """A volume, or a volume times something, in mean volumes of the last bars."""
    return volume / rolling_mean(bars.volume, VOLUME_BARS)


def _accumulation(bars: pd.DataFrame) -> Values:
    """One-bar change of the accumulation/distribution index."""
    return ti.money_flow_multiplier(bars.high, bars.low, bars.close) * bars.volume


def _obv_change(bars: pd.DataFrame) -> Values:
    """Change of on-balance volume over some bars, relative to their volume."""
    return rolling_sum(ti.signed_volume(bars.close, bars.volume), CHANGE_BARS) / rolling_sum(bars.volume, CHANGE_BARS)


def _force_index(bars: pd.DataFrame, span: int = 13) -> Values:
    """Smoothed change times volume, over the smoothed volume and the close: a mean return, weighted with volume."""
    return ema(change(bars.close) * bars.volume, span) / ema(bars.volume, span) / bars.close


def _ease_of_movement(bars: pd.DataFrame, window: int) -> Values:
    """How far the middle of the bar moved, times its range, over its volume; in closes and mean volumes."""
    moved = (change(bars.high) + change(bars.low)) / 2 * (bars.high - bars.low) / bars.volume
    traded = np.where(bars.volume > 0, moved, 0.0)
    return rolling_mean(traded, window) * rolling_mean(bars.volume, VOLUME_BARS) / bars.close**2


def _vwap(bars: pd.DataFrame, window: int = 14) -> np.ndarray:
    money = ti.typical_price(bars.high, bars.low, bars.close) * bars.volume
    return rolling_sum(money, window) / rolling_sum(bars.volume, window)


def _bollinger(bars: pd.DataFrame, side: int) -> np.ndarray:
    middle, half_width = ti.bollinger(bars.close)
    return middle + side * half_width


def _keltner(bars: pd.DataFrame, side: int) -> np.ndarray:
    middle, half_width = ti.keltner(bars.high, bars.low, bars.close)
    return middle + side * half_width


def _keltner_position(bars: pd.DataFrame) -> Values:
    return ti.channel_position(bars.close, *ti.keltner(bars.high, bars.low, bars.close))


def _width(channel: tuple[np.ndarray, np.ndarray]) -> Values:
    """Distance between the outer bands, in per cent of the middle one."""
    return 200 * channel[1] / channel[0]


def _donchian_position(bars: pd.DataFrame, window: int) -> Values:
    return ti.stochastic(bars.high, bars.low, bars.close, window) / 100


def _donchian_width(bars: pd.DataFrame, window: int = 20) -> Values:
    width = rolling_max(bars.high, window) - rolling_min(bars.low, window)
    return 100 * width / rolling_mean(bars.close, window)


def _average_range(bars: pd.DataFrame, window: int) -> Values:
    return wilder(ti.true_range(bars.high, bars.low, bars.close), window) / bars.close


def _volatility_ratio(bars: pd.DataFrame) -> Values:
    """log of a day's over a week's standard deviation of log returns."""
    returns = change(np.log(bars.close))
    return np.log(rolling_std(returns, 24) / rolling_std(returns, WEEK_BARS))


def _signal(line: np.ndarray) -> np.ndarray:
    return ema(line, 9)


def _over_signal(line: np.ndarray) -> np.ndarray:
    return line - _signal(line)


def _ichimoku_a(bars: pd.DataFrame) -> np.ndarray:
    return (ti.midpoint(bars.high, bars.low, 9) + ti.midpoint(bars.high, bars.low, 26)) / 2


def _aroon(values: pd.Series, window: int = 25) -> np.ndarray:
    """Place of the highest value among the last bars: 100 if it is this one, 0 if it is `window` bars ago."""
    return 100 * rolling_argmax(values, window + 1) / window


def _psar_distance(bars: pd.DataFrame, up: int) -> Values:
    """Close over the stop, less 1, while the trend is up (1) or down (0); 0 while it is the other."""
    stop, rising = ti.parabolic_sar(bars.high, bars.low, bars.close)
    return np.where(rising == up, bars.close / stop - 1, 0.0)


def _psar_turn(bars: pd.DataFrame, up: int) -> Values:
    """1 in the bar in which the trend turns up (1) or down (0)."""
    _, rising = ti.parabolic_sar(bars.high, bars.low, bars.close)
    return change(rising) == 2 * up - 1


def _stochastic_rsi(bars: pd.DataFrame) -> np.ndarray:
    return ti.range_position(ti.relative_strength_index(bars.close), 14, 100.0)


def _awesome(bars: pd.DataFrame) -> Values:
    middle = ti.midpoint(bars.high, bars.low, 1)
    return (rolling_mean(middle, 5) - rolling_mean(middle, 34)) / bars.close


# Windows are warm when they are full. An exponential average never forgets its start: its warm-up ends where none of 2,200 later
# starts on five markets made the column differ by more than a thousandth of its deviation. `schaff_trend_cycle` is slower: after
# 1 start in 50 it differs by more, up to a hundredth. The stop of `psar` is the same or another one: after 1 start in 300 it was
# another one still at bar 168, and after none at bar 252.
INDICATORS: dict[str, Indicator] = {
    "adi_diff": Indicator(lambda b: _volumes(b, _accumulation(b)), 23, 0.0, "volume"),
    "obv_diff": Indicator(lambda b: _volumes(b, ti.signed_volume(b.close, b.volume)), 23, 0.0, "volume"),
    "obv_change": Indicator(_obv_change, 24, 0.0, "volume"),
    "chaikin_money_flow": Indicator(lambda b: rolling_sum(_accumulation(b), 20) / rolling_sum(b.volume, 20), 19, 0.0, "volume"),
    "force_index": Indicator(_force_index, 84, 0.0, "volume"),
    "ease_of_movement": Indicator(lambda b: _ease_of_movement(b, 1), 23, 0.0, "volume"),
    "ease_of_movement_sma": Indicator(lambda b: _ease_of_movement(b, 14), 23, 0.0, "volume"),
    "vpt_diff": Indicator(lambda b: _volumes(b, ti.rate_of_change(b.close, 1) / 100 * b.volume), 23, 0.0, "volume"),
    "vwap": Indicator(lambda b: _gap(b, _vwap(b)), 13, 0.0, "volume"),
    "money_flow": Indicator(lambda b: ti.money_flow_index(b.high, b.low, b.close, b.volume), 14, 50.0, "volume"),
    "nvi_change": Indicator(lambda b: ti.negative_volume_change(b.close, b.volume, CHANGE_BARS), 24, 0.0, "volume"),

    "bollinger_middle": Indicator(lambda b: _gap(b, _bollinger(b, 0)), 19, 0.0, "volatility"),
    "bollinger_upper": Indicator(lambda b: _gap(b, _bollinger(b, 1)), 19, 0.0, "volatility"),
    "bollinger_lower": Indicator(lambda b: _gap(b, _bollinger(b, -1)), 19, 0.0, "volatility"),
    "bollinger_width": Indicator(lambda b: _width(ti.bollinger(b.close)), 19, 0.0, "volatility"),
    "bollinger_position": Indicator(lambda b: ti.channel_position(b.close, *ti.bollinger(b.close)), 19, 0.5, "volatility"),
    "bollinger_above": Indicator(lambda b: _gap(b, _bollinger(b, 1)) > ti.FLAT, 19, 0.0, "volatility"),
    "bollinger_below": Indicator(lambda b: _gap(b, _bollinger(b, -1)) < -ti.FLAT, 19, 0.0, "volatility"),
    "keltner_middle": Indicator(lambda b: _gap(b, _keltner(b, 0)), 9, 0.0, "volatility"),
    "keltner_upper": Indicator(lambda b: _gap(b, _keltner(b, 1)), 9, 0.0, "volatility"),
    "keltner_lower": Indicator(lambda b: _gap(b, _keltner(b, -1)), 9, 0.0, "volatility"),
    "keltner_width": Indicator(lambda b: _width(ti.keltner(b.high, b.low, b.close)), 9, 0.0, "volatility"),
    "keltner_position": Indicator(_keltner_position, 9, 0.5, "volatility"),
    "keltner_above": Indicator(lambda b: _gap(b, _keltner(b, 1)) > ti.FLAT, 9, 0.0, "volatility"),
    "keltner_below": Indicator(lambda b: _gap(b, _keltner(b, -1)) < -ti.FLAT, 9, 0.0, "volatility"),
    "donchian_upper": Indicator(lambda b: _gap(b, rolling_max(b.high, 20)), 19, 0.0, "volatility"),
    "donchian_lower": Indicator(lambda b: _gap(b, rolling_min(b.low, 20)), 19, 0.0, "volatility"),
    "donchian_middle": Indicator(lambda b: _gap(b, ti.midpoint(b.high, b.low, 20)), 19, 0.0, "volatility"),
    "donchian_width": Indicator(_donchian_width, 19, 0.0, "volatility"),
    "donchian_position": Indicator(lambda b: _donchian_position(b, 20), 19, 0.5, "volatility"),
    "donchian_48_position": Indicator(lambda b: _donchian_position(b, 48), 47, 0.5, "volatility"),
    "atr": Indicator(lambda b: _average_range(b, 14), 124, 0.0, "volatility"),
    "atr_10": Indicator(lambda b: _average_range(b, 10), 88, 0.0, "volatility"),
    "ulcer_index": Indicator(lambda b: ti.ulcer_index(b.close), 26, 0.0, "volatility"),
    "volatility_ratio": Indicator(_volatility_ratio, 168, 0.0, "volatility"),

    "macd": Indicator(lambda b: ti.moving_average_convergence(b.close) / b.close, 128, 0.0, "trend"),
    "macd_signal": Indicator(lambda b: _signal(ti.moving_average_convergence(b.close)) / b.close, 134, 0.0, "trend"),
    "macd_diff": Indicator(lambda b: _over_signal(ti.moving_average_convergence(b.close)) / b.close, 134, 0.0, "trend"),
    "sma_12": Indicator(lambda b: _gap(b, rolling_mean(b.close, 12)), 11, 0.0, "trend"),
    "sma_26": Indicator(lambda b: _gap(b, rolling_mean(b.close, 26)), 25, 0.0, "trend"),
    "sma_168": Indicator(lambda b: _gap(b, rolling_mean(b.close, WEEK_BARS)), 167, 0.0, "trend"),
    "ema_8": Indicator(lambda b: _gap(b, ema(b.close, 8)), 40, 0.0, "trend"),
    "ema_12": Indicator(lambda b: _gap(b, ema(b.close, 12)), 60, 0.0, "trend"),
    "ema_24": Indicator(lambda b: _gap(b, ema(b.close, 24)), 120, 0.0, "trend"),
    "ema_26": Indicator(lambda b: _gap(b, ema(b.close, 26)), 130, 0.0, "trend"),
    "vortex": Indicator(lambda b: np.subtract(*ti.vortex(b.high, b.low, b.close)), 14, 0.0, "trend"),
    "vortex_positive": Indicator(lambda b: ti.vortex(b.high, b.low, b.close)[0], 14, 1.0, "trend"),
    "vortex_negative": Indicator(lambda b: ti.vortex(b.high, b.low, b.close)[1], 14, 1.0, "trend"),
    "trix": Indicator(lambda b: ti.trix(b.close), 110, 0.0, "trend"),
    "mass_index": Indicator(lambda b: ti.mass_index(b.high, b.low), 84, 25.0, "trend"),
    "dpo": Indicator(lambda b: (shift(b.close, 11) - rolling_mean(b.close, 20)) / b.close, 19, 0.0, "trend"),
    "kst": Indicator(lambda b: ti.know_sure_thing(b.close), 44, 0.0, "trend"),
    "kst_signal": Indicator(lambda b: rolling_mean(ti.know_sure_thing(b.close), 9), 52, 0.0, "trend"),
    "kst_diff": Indicator(lambda b: ti.know_sure_thing(b.close) - rolling_mean(ti.know_sure_thing(b.close), 9), 52, 0.0, "trend"),
    "ichimoku_conversion": Indicator(lambda b: _gap(b, ti.midpoint(b.high, b.low, 9)), 8, 0.0, "trend"),
    "ichimoku_base": Indicator(lambda b: _gap(b, ti.midpoint(b.high, b.low, 26)), 25, 0.0, "trend"),
    "ichimoku_a": Indicator(lambda b: _gap(b, _ichimoku_a(b)), 25, 0.0, "trend"),
    "ichimoku_b": Indicator(lambda b: _gap(b, ti.midpoint(b.high, b.low, 52)), 51, 0.0, "trend"),
    "ichimoku_visual_a": Indicator(lambda b: _gap(b, shift(_ichimoku_a(b), 26)), 51, 0.0, "trend"),
    "ichimoku_visual_b": Indicator(lambda b: _gap(b, shift(ti.midpoint(b.high, b.low, 52), 26)), 77, 0.0, "trend"),
    "schaff_trend_cycle": Indicator(lambda b: ti.schaff_trend_cycle(b.close), 280, 50.0, "trend"),
    "adx": Indicator(lambda b: ti.directional_movement(b.high, b.low, b.close)[0], 168, 20.0, "trend"),
    "adx_positive": Indicator(lambda b: ti.directional_movement(b.high, b.low, b.close)[1], 144, 20.0, "trend"),
    "adx_negative": Indicator(lambda b: ti.directional_movement(b.high, b.low, b.close)[2], 144, 20.0, "trend"),
    "cci": Indicator(lambda b: rolling_deviation(ti.typical_price(b.high, b.low, b.close), 20) / 0.015, 19, 0.0, "trend"),
    "aroon_up": Indicator(lambda b: _aroon(b.high), 25, 0.0, "trend"),
    "aroon_down": Indicator(lambda b: _aroon(-b.low), 25, 0.0, "trend"),
    "aroon": Indicator(lambda b: _aroon(b.high) - _aroon(-b.low), 25, 0.0, "trend"),
    "psar_up_distance": Indicator(lambda b: _psar_distance(b, 1), 252, 0.0, "trend"),
    "psar_down_distance": Indicator(lambda b: _psar_distance(b, 0), 252, 0.0, "trend"),
    "psar_turns_up": Indicator(lambda b: _psar_turn(b, 1), 252, 0.0, "trend"),
    "psar_turns_down": Indicator(lambda b: _psar_turn(b, 0), 252, 0.0, "trend"),

    "rsi": Indicator(lambda b: ti.relative_strength_index(b.close), 132, 50.0, "momentum"),
    "stochastic_rsi": Indicator(_stochastic_rsi, 142, 0.5, "momentum"),
    "stochastic_rsi_k": Indicator(lambda b: rolling_mean(_stochastic_rsi(b), 3), 142, 0.5, "momentum"),
    "stochastic_rsi_d": Indicator(lambda b: rolling_mean(rolling_mean(_stochastic_rsi(b), 3), 3), 142, 0.5, "momentum"),
    "tsi": Indicator(lambda b: ti.true_strength_index(b.close), 168, 0.0, "momentum"),
    "ultimate": Indicator(lambda b: ti.ultimate_oscillator(b.high, b.low, b.close), 28, 50.0, "momentum"),
    "stochastic": Indicator(lambda b: ti.stochastic(b.high, b.low, b.close, 14), 13, 50.0, "momentum"),
    "stochastic_signal": Indicator(lambda b: rolling_mean(ti.stochastic(b.high, b.low, b.close, 14), 3), 15, 50.0, "momentum"),
    "williams_r": Indicator(lambda b: ti.stochastic(b.high, b.low, b.close, 14) - 100, 13, -50.0, "momentum"),
    "awesome": Indicator(_awesome, 33, 0.0, "momentum"),
    "roc": Indicator(lambda b: ti.rate_of_change(b.close, 12), 12, 0.0, "momentum"),
    "ppo": Indicator(lambda b: ti.percentage_oscillator(b.close), 128, 0.0, "momentum"),
    "ppo_signal": Indicator(lambda b: _signal(ti.percentage_oscillator(b.close)), 134, 0.0, "momentum"),
    "ppo_diff": Indicator(lambda b: _over_signal(ti.percentage_oscillator(b.close)), 134, 0.0, "momentum"),
    "pvo": Indicator(lambda b: ti.percentage_oscillator(b.volume), 150, 0.0, "momentum"),
    "pvo_signal": Indicator(lambda b: _signal(ti.percentage_oscillator(b.volume)), 160, 0.0, "momentum"),
    "pvo_diff": Indicator(lambda b: _over_signal(ti.percentage_oscillator(b.volume)), 152, 0.0, "momentum"),
    "kama": Indicator(lambda b: _gap(b, ti.adaptive_moving_average(b.close)), 162, 0.0, "momentum"),

    "cumulative_return": Indicator(lambda b: ti.rate_of_change(b.close, WEEK_BARS), WEEK_BARS, 0.0),
    "simple_return": Indicator(lambda b: ti.rate_of_change(b.close, 1), 1, 0.0),
    "log_return": Indicator(lambda b: 100 * change(np.log(b.close)), 1, 0.0),
}  # fmt: skip


def made_of_volumes(name: str) -> bool:
    """Whether an indicator means nothing where there are no volumes."""
    return INDICATORS[name].group == "volume" or name.startswith("pvo")
