"""What every simulated market is made of: candles that know their state, bars around closes, an AR(1), parameter checks."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from common import InputError
from market.candles import Candles

FIRST_BAR = pd.Timestamp("2017-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class SimulatedCandles(Candles):
    """Candles that know the truth behind them, for oracles and the `state` feature, off by default. A slice keeps it.

    Args:
        name: of the market.
        state: float64 (T,), the hidden state when each bar closes.
        params: the parameters that made the market.
    """

    name: str = field(kw_only=True)
    state: np.ndarray = field(kw_only=True)
    params: dict[str, float] = field(kw_only=True)

    def __getitem__(self, rows: slice) -> "SimulatedCandles":
        bars = super().__getitem__(rows)
        return replace(self, frame=bars.frame, filled=bars.filled, extra=bars.extra, state=self.state[rows])


def hourly_candles(
    name: str, source: str, bars: pd.DataFrame, volume: np.ndarray, state: np.ndarray, params: dict[str, float]
) -> SimulatedCandles:
    """Hourly candles from `bars_around`'s frame, the volume (T,) in BTC and the truth behind them."""
    columns = {"volume": volume, "quote_volume": volume * bars["close"]}
    frame = bars.assign(**columns).set_index(pd.date_range(FIRST_BAR, periods=len(bars), freq=HOUR, name="time"))
    source += ", quote volume = volume * close"
    return SimulatedCandles(frame, HOUR, "BTC/USD", source, name=name, state=state, params=params)


def bars_around(log_close: np.ndarray, sigma: float | np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Open, high, low, close; each bar opens at the previous close.

    Between its two ends a bar is a Brownian bridge of standard deviation `sigma` (one, or (T,); 0 draws no wicks), whose
    extreme has a closed form: the maximum m of a bridge from a to b obeys P(M > m) = exp(-2 (m - a)(m - b) / sigma^2).
    """
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


def plain_volume(bars: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) BTC: log-normal around 245, and silent about the price."""
    return np.exp(5.5 + rng.normal(0, 0.35, bars))


def autoregression(decay: float, shocks: np.ndarray, start: float = 0.0) -> np.ndarray:
    """(T,) y_t = decay * y_{t-1} + shock_t from `start`: an AR(1)."""
    values = np.empty(len(shocks))
    value = start
    for t, shock in enumerate(shocks):
        value = decay * value + shock
        values[t] = value
    return values


def require_between(low: float, high: float, **params: float) -> None:
    """Raise `InputError` for the first parameter that is not strictly between the two."""
    for name, value in params.items():
        if not low < value < high:
            raise InputError(f"`{low:g} < {name} < {high:g}` must hold for a simulated market, but got {name}={value:g}")
