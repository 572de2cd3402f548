"""The `bitcoin` market: Bitcoin's habits from a seed, and a planted edge of settable size."""

import numpy as np
import pandas as pd

from common import InputError
from market.simulation.simulated_candles import (
    FIRST_BAR,
    HOUR,
    SimulatedCandles,
    autoregression,
    bars_around,
    hourly_candles,
    require_between,
)


def bitcoin(
    bars: int,
    rng: np.random.Generator,
    source: str,
    *,
    edge: float = 0.9,
    half_life_bars: float = 6.0,
    volatility: float = 0.0099,
) -> SimulatedCandles:
    """Hourly bars with Bitcoin's habits: clustered, heavy-tailed returns, busy hours, quiet weekends.

    Log price = random walk + mean-reverting component, both driven by shocks of one volatility: two regimes (calm, wild)
    times a GARCH(1,1), Student-t distributed. `edge` is the component's share of the variance of the shocks; it alone can
    be predicted, and it is the `state`. Each bar opens at the previous close.

    Args:
        edge: 0 (nothing to find) to 1.
        half_life_bars: of the mean-reverting component.
        volatility: standard deviation of an hourly shock.
    """
    if not 0 <= edge <= 1:
        raise InputError(f"`0 <= edge <= 1` must hold, but got edge={edge:g}; it is a share of the variance")
    require_between(0, np.inf, half_life_bars=half_life_bars, volatility=volatility)
    sigma, shocks = _garch_shocks(_regime_scale(bars, rng), volatility, rng)
    walk = np.cumsum(np.sqrt(1 - edge) * shocks[0])
    decay = 0.5 ** (1 / half_life_bars)
    reverting = autoregression(decay, np.sqrt(edge) * shocks[1])
    log_close = np.log(1000.0) + walk + reverting
    frame = bars_around(log_close, sigma, rng)
    volume = _volume(np.diff(log_close, prepend=log_close[0]), volatility, rng)
    params = {"edge": edge, "half_life_bars": half_life_bars, "volatility": volatility}
    return hourly_candles("bitcoin", source, frame, volume, reverting, params)


def _regime_scale(bars: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) volatility factor of a two-state Markov chain: calm 0.6, wild 1.75, about 54 and 23 days long; mean square near 1."""
    leave = np.where(np.arange(2) == 0, 1 / 1_300, 1 / 550)
    draws = rng.random(bars)
    wild = np.empty(bars, dtype=np.int64)
    state = 0
    for t in range(bars):
        state = 1 - state if draws[t] < leave[state] else state
        wild[t] = state
    return np.where(wild == 1, 1.75, 0.6)


def _garch_shocks(
    scale: np.ndarray, volatility: float, rng: np.random.Generator, alpha: float = 0.10, beta: float = 0.88, df: float = 5.0
) -> tuple[np.ndarray, np.ndarray]:
    """Volatility (T,) and two independent rows of shocks (2, T) that share it; GARCH(1,1), Bollerslev 1986."""
    bars = len(scale)
    unit = rng.standard_t(df, (2, bars)) * np.sqrt((df - 2) / df)  # variance 1
    variance = 1.0
    garch = np.empty(bars)
    for t in range(bars):
        garch[t] = variance
        variance = (1 - alpha - beta) + variance * (beta + alpha * min(0.5 * (unit[0, t] ** 2 + unit[1, t] ** 2), 25.0))
    sigma = volatility * scale * np.sqrt(garch)
    return sigma, sigma * unit


def _volume(returns: np.ndarray, volatility: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) BTC: persistent log-normal, higher on large moves, lower at weekends; the day's course is that of Coinbase's
    2017-2019 candles, two harmonics with a low at 8:00 and a high at 16:00 UTC."""
    times = pd.date_range(FIRST_BAR, periods=len(returns), freq=HOUR)
    day = 2 * np.pi * np.asarray(times.hour) / 24
    daily = -0.28 * np.sin(day) + 0.12 * np.cos(day) + 0.13 * np.sin(2 * day) + 0.02 * np.cos(2 * day)
    weekend = np.where(np.asarray(times.day_of_week) >= 5, -0.35, 0.0)
    slow = autoregression(0.97, rng.normal(0, 0.12, len(times)))
    noise = rng.normal(0, 0.35, len(times))
    activity = np.log1p(np.abs(returns) / volatility)
    return np.exp(5.5 + daily + weekend + slow + noise + 0.7 * activity)
