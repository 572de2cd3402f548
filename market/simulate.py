"""Markets made from a seed. So far `bitcoin`: the demo's market, with an edge that is planted and therefore known."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from market.candles import Candles
from market.errors import InputError, unknown

FIRST_BAR = pd.Timestamp("2017-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class SimulatedCandles(Candles):
    """Candles that know the truth behind them; no feature may read it, only an oracle.

    Args:
        state: float64 (T,), the hidden state when each bar closes.
        params: the parameters that made the market.
    """

    state: np.ndarray = field(kw_only=True)
    params: dict[str, float] = field(kw_only=True)


def simulate(name: str = "bitcoin", bars: int = 20_000, seed: int = 0, **params: float) -> SimulatedCandles:
    """Make a market of known dynamics. The same arguments give the same bytes.

    Args:
        name: one of `MARKETS`.
        bars: number of hourly bars.
        seed: of the generator that all randomness comes from.
        params: parameters of the market, see its function.

    Raises:
        InputError: an unknown name or parameter.
    """
    if name not in MARKETS:
        raise InputError(unknown("simulated market", name, MARKETS))
    if bars < 2:
        raise InputError(f"a market needs `bars >= 2`, but got {bars=}")
    return MARKETS[name](bars, np.random.default_rng(seed), f"simulated {name}, seed {seed}", **params)


def bitcoin(
    bars: int,
    rng: np.random.Generator,
    source: str,
    *,
    edge: float = 0.9,
    half_life_bars: float = 8.0,
    volatility: float = 0.0095,
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
    times = pd.date_range(FIRST_BAR, periods=bars, freq=HOUR, name="time")
    sigma, shocks = _garch_shocks(_regime_scale(bars, rng), volatility, rng)
    walk = np.cumsum(np.sqrt(1 - edge) * shocks[0])
    decay = 0.5 ** (1 / half_life_bars)
    reverting = _autoregression(decay, np.sqrt(edge) * shocks[1])
    log_close = np.log(1000.0) + walk + reverting
    frame = _bars_around(log_close, sigma, rng)
    frame["volume"] = _volume(times, np.diff(log_close, prepend=log_close[0]), volatility, rng)
    frame["quote_volume"] = frame["volume"] * frame["close"]
    frame.index = times
    return SimulatedCandles(
        frame, HOUR, "BTC/USD", source + ", quote volume = volume * close", state=reverting,
        params={"edge": edge, "half_life_bars": half_life_bars, "volatility": volatility},
    )  # fmt: skip


MARKETS: dict[str, Callable[..., SimulatedCandles]] = {"bitcoin": bitcoin}


def _regime_scale(bars: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) volatility factor of a two-state Markov chain: calm 0.7, wild 1.6, about 40 and 16 days long; mean square near 1."""
    leave = np.where(np.arange(2) == 0, 1 / 960, 1 / 384)
    draws = rng.random(bars)
    wild = np.empty(bars, dtype=np.int64)
    state = 0
    for t in range(bars):
        state = 1 - state if draws[t] < leave[state] else state
        wild[t] = state
    return np.where(wild == 1, 1.6, 0.7)


def _autoregression(decay: float, shocks: np.ndarray) -> np.ndarray:
    """(T,) y_t = decay * y_{t-1} + shock_t from 0: an AR(1)."""
    values = np.empty(len(shocks))
    value = 0.0
    for t, shock in enumerate(shocks):
        value = decay * value + shock
        values[t] = value
    return values


def _garch_shocks(
    scale: np.ndarray, volatility: float, rng: np.random.Generator, alpha: float = 0.12, beta: float = 0.85, df: float = 4.5
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


def _bars_around(log_close: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Open, high, low, close: between its two ends each bar is a Brownian bridge, whose extreme has a closed form
    (the maximum m of a bridge from a to b with variance v obeys P(M > m) = exp(-2 (m - a)(m - b) / v))."""
    log_open = np.concatenate([log_close[:1], log_close[:-1]])
    width = (log_close - log_open) ** 2
    reach = -2 * sigma**2 * np.log(1 - rng.random((2, len(log_close))))  # two independent exponentials
    middle = log_open + log_close
    high = (middle + np.sqrt(width + reach[0])) / 2
    low = (middle - np.sqrt(width + reach[1])) / 2
    frame = pd.DataFrame({"open": np.exp(log_open), "high": np.exp(high), "low": np.exp(low), "close": np.exp(log_close)})
    frame["high"] = frame[["open", "high", "close"]].max(axis=1)  # exp may round the extreme inside the body
    frame["low"] = frame[["open", "low", "close"]].min(axis=1)
    return frame


def _volume(times: pd.DatetimeIndex, returns: np.ndarray, volatility: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) BTC: persistent log-normal, higher on large moves and in the afternoon, lower at weekends."""
    daily = 0.35 * np.sin(2 * np.pi * (np.asarray(times.hour) - 9) / 24)
    weekend = np.where(np.asarray(times.day_of_week) >= 5, -0.3, 0.0)
    slow = _autoregression(0.97, rng.normal(0, 0.12, len(times)))
    noise = rng.normal(0, 0.35, len(times))
    activity = np.log1p(np.abs(returns) / volatility)
    return np.exp(5.5 + daily + weekend + slow + noise + 0.7 * activity)
