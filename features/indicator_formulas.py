"""Technical indicators with the numbers, windows and scales of the `ta` library, causal from the first row on and much faster.

All take float64 arrays or `pandas.Series` (T,) and return float64 (T,), NaN where a window is not full or where it is undefined:
0 / 0 on a flat window. A range or a move that is but a rounding error of what it was computed from counts as 0.
"""

import numpy as np

from features.rolling import (
    change,
    compiled,
    ema,
    on_arrays,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_sum,
    shift,
    smooth,
    wilder,
)

FLAT = 1e-13  # a range or move below this share of its scale is rounding


@on_arrays
def typical_price(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """(high + low + close) / 3."""
    return (high + low + close) / 3


@on_arrays
def true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """The range of the bar and the previous close together; of the bar alone in the first row."""
    previous = shift(close)
    return np.fmax(high, previous) - np.fmin(low, previous)


@on_arrays
def midpoint(high: np.ndarray, low: np.ndarray, window: int) -> np.ndarray:
    """The middle between the highest high and the lowest low: Donchian's middle band and all lines of Ichimoku."""
    return (rolling_max(high, window) + rolling_min(low, window)) / 2


@on_arrays
def rate_of_change(close: np.ndarray, window: int) -> np.ndarray:
    """Change over `window` bars, in per cent."""
    return 100 * (close / shift(close, window) - 1)


# Volume


@on_arrays
def money_flow_multiplier(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Where the close lies in the bar: -1 at the low, 1 at the high, 0 in a bar without range."""
    return np.where(high > low, (2 * close - high - low) / (high - low), 0.0)


@on_arrays
def signed_volume(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """One-bar change of on-balance volume: 0 where the close is unchanged, as it was defined (`ta` adds the volume there)."""
    return np.nan_to_num(np.sign(change(close))) * volume


@on_arrays
def money_flow_index(high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, window: int = 14) -> np.ndarray:
    """Share of the money (typical price * volume) that moved in bars of a rising typical price, in per cent."""
    price = typical_price(high, low, close)
    rise = change(price) / price
    risen = rolling_sum(np.where(rise > FLAT, price * volume, 0.0), window)
    return 100 * risen / (risen + rolling_sum(np.where(rise < -FLAT, price * volume, 0.0), window))


@on_arrays
def negative_volume_change(close: np.ndarray, volume: np.ndarray, window: int) -> np.ndarray:
    """Change over `window` bars of the negative volume index, which moves with the price when volume falls; as a fraction."""
    moves = np.where(change(volume) < 0, np.log(close / shift(close)), 0.0)
    return np.expm1(rolling_sum(moves, window))


# Volatility


@on_arrays
def bollinger(close: np.ndarray, window: int = 20, deviations: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """The middle band, and the distance of the two others from it."""
    return rolling_mean(close, window), deviations * rolling_std(close, window)


@on_arrays
def keltner(high: np.ndarray, low: np.ndarray, close: np.ndarray, window: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The middle band, and the distance of the two others from it: the mean range of a bar (Keltner's original version)."""
    return rolling_mean(typical_price(high, low, close), window), rolling_mean(high - low, window)


@on_arrays
def channel_position(close: np.ndarray, middle: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """0 at the lower band, 1 at the upper."""
    return (1 + (close - middle) / half_width) / 2


@on_arrays
def ulcer_index(close: np.ndarray, window: int = 14) -> np.ndarray:
    """Root mean square of the drawdowns from the window's highest close, in per cent."""
    tops = rolling_max(np.concatenate([np.full(window - 1, close[0]), close]), window)[window - 1 :]
    return np.sqrt(rolling_mean((100 * (close / tops - 1)) ** 2, window))


# Trend


@on_arrays
def moving_average_convergence(close: np.ndarray, fast: int = 12, slow: int = 26) -> np.ndarray:
    """MACD: the fast exponential average less the slow one."""
    return ema(close, fast) - ema(close, slow)


@on_arrays
def vortex(high: np.ndarray, low: np.ndarray, close: np.ndarray, window: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Positive and negative trend movement relative to the true range."""
    ranges = rolling_sum(true_range(high, low, close), window)
    up, down = np.abs(high - shift(low)), np.abs(low - shift(high))
    return rolling_sum(up, window) / ranges, rolling_sum(down, window) / ranges


@on_arrays
def trix(close: np.ndarray, window: int = 15) -> np.ndarray:
    """One-bar change of a triple exponential average, in per cent."""
    return rate_of_change(ema(ema(ema(close, window), window), window), 1)


@on_arrays
def mass_index(high: np.ndarray, low: np.ndarray, fast: int = 9, slow: int = 25) -> np.ndarray:
    """Sum over `slow` bars of the average range relative to its own average; about `slow` on a steady market."""
    average = ema(high - low, fast)
    again = ema(average, fast)
    return rolling_sum(np.where(again == 0, 1.0, average / again), slow)


@on_arrays
def know_sure_thing(close: np.ndarray) -> np.ndarray:
    """KST: weighted smoothed rates of change over 10, 15, 20 and 30 bars."""
    parts = ((1, 10, 10), (2, 15, 10), (3, 20, 10), (4, 30, 15))
    return np.sum([weight * rolling_mean(rate_of_change(close, bars), window) for weight, bars, window in parts], axis=0)


@on_arrays
def schaff_trend_cycle(close: np.ndarray, slow: int = 50, fast: int = 23, cycle: int = 10, smoothing: int = 3) -> np.ndarray:
    """The place of MACD in its range of the last `cycle` bars, smoothed; then the same of that; 0 to 100."""
    first = range_position(moving_average_convergence(close, fast, slow), cycle, close)
    second = range_position(ema(100 * first, smoothing), cycle, 100.0)
    return ema(100 * second, smoothing)


@on_arrays
def directional_movement(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, window: int = 14
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wilder's ADX, +DI and -DI, in per cent."""
    up, down = change(high), -change(low)
    known, more = ~np.isnan(up), (up - down) / close
    ranges = wilder(np.where(known, true_range(high, low, close), np.nan), window)
    plus = 100 * wilder(np.where(known, up * ((more > FLAT) & (up > 0)), np.nan), window) / ranges
    minus = 100 * wilder(np.where(known, down * ((more < -FLAT) & (down > 0)), np.nan), window) / ranges
    index = np.where(plus + minus == 0, 0.0, 100 * np.abs(plus - minus) / (plus + minus))
    return wilder(index, window), plus, minus


@on_arrays
@compiled
def parabolic_sar(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, step: float = 0.02, max_step: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Wilder's stop-and-reverse price, and whether the trend is up (1) or down (0)."""
    prices, rising = np.full(len(close), np.nan), np.full(len(close), np.nan)
    side = 1.0  # a falling trend is a rising one of the negated prices: `stop` and `extreme` are kept in those
    stop, extreme, rate = (close[1], high[0], step) if len(close) > 1 else (0.0, 0.0, step)
    for bar in range(2, len(close)):
        top, bottom = (high[bar], low[bar]) if side > 0 else (-low[bar], -high[bar])
        stop += rate * (extreme - stop)
        if bottom < stop:
            side, stop, extreme, rate = -side, -extreme, -bottom, step
        else:
            if top > extreme:
                extreme, rate = top, min(rate + step, max_step)
            older, newer = (low[bar - 2], low[bar - 1]) if side > 0 else (-high[bar - 2], -high[bar - 1])
            if older < stop:
                stop = older
            elif newer < stop:
                stop = newer
        prices[bar], rising[bar] = side * stop, side > 0
    return prices, rising


# Momentum


@on_arrays
def relative_strength_index(close: np.ndarray, window: int = 14) -> np.ndarray:
    """Average rise over average rise and fall, in per cent."""
    move, alphas = change(close), np.full(len(close), 1 / window)
    up, down = smooth(np.where(move > 0, move, 0.0), alphas, 1), smooth(np.where(move < 0, -move, 0.0), alphas, 1)
    return 100 * up / (up + down)


@on_arrays
def true_strength_index(close: np.ndarray, slow: int = 25, fast: int = 13) -> np.ndarray:
    """Doubly smoothed change over the same of its size, in per cent."""
    move = change(close)
    return 100 * ema(ema(move, slow), fast) / ema(ema(np.abs(move), slow), fast)


@on_arrays
def ultimate_oscillator(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Buying pressure over true range, of 7, 14 and 28 bars weighted 4 : 2 : 1, in per cent."""
    pressure, ranges = close - np.minimum(low, shift(close)), true_range(high, low, close)
    ratios = [
        weight * rolling_sum(pressure, window) / rolling_sum(ranges, window) for weight, window in ((4, 7), (2, 14), (1, 28))
    ]
    return 100 * np.sum(ratios, axis=0) / 7


@on_arrays
def stochastic(high: np.ndarray, low: np.ndarray, close: np.ndarray, window: int) -> np.ndarray:
    """The place of the close between the lowest low and the highest high, in per cent."""
    lowest = rolling_min(low, window)
    return 100 * (close - lowest) / (rolling_max(high, window) - lowest)


@on_arrays
def range_position(values: np.ndarray, window: int, scale: np.ndarray | float) -> np.ndarray:
    """The place of a value in the range of its last `window` ones, 0 to 1; NaN where that range is rounding beside `scale`."""
    lowest = rolling_min(values, window)
    width = rolling_max(values, window) - lowest
    return np.where(width > FLAT * scale, (values - lowest) / width, np.nan)


@on_arrays
def percentage_oscillator(values: np.ndarray, fast: int = 12, slow: int = 26) -> np.ndarray:
    """The fast exponential average less the slow one, in per cent of that: PPO of prices, PVO of volumes."""
    average = ema(values, slow)
    return 100 * (ema(values, fast) - average) / average


@on_arrays
def adaptive_moving_average(close: np.ndarray, window: int = 10, fast: int = 2, slow: int = 30) -> np.ndarray:
    """Kaufman's KAMA: as fast as the `fast` exponential average on a straight move, as slow as the `slow` one on noise."""
    path = rolling_sum(np.abs(change(close)), window)
    efficiency = np.where(path > 0, np.abs(change(close, window)) / path, 0.0)
    alphas = (efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2
    begun = np.arange(len(close)) >= window - 1
    return smooth(np.where(begun, close, np.nan), alphas, 1)
