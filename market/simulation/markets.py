"""Markets made from a seed, whose best policy is known: `evaluation.best_policy` computes it; see docs/simulated-markets.md."""

import inspect
from collections.abc import Callable

import numpy as np

from common import InputError, blamed, unknown
from market.simulation.bitcoin import bitcoin
from market.simulation.simulated_candles import (
    SimulatedCandles,
    autoregression,
    bars_around,
    hourly_candles,
    plain_volume,
    require_between,
)

LOG_START = np.log(1000.0)
"""log price, in USD, that every market starts at or swings around"""


def simulate(name: str = "bitcoin", bars: int = 20_000, seed: int = 0, **params: float) -> SimulatedCandles:
    """Make a market of known dynamics. The same arguments give the same bytes.

    Args:
        name: one of `MARKETS`.
        bars: number of hourly bars.
        seed: of the generator that all randomness comes from.
        params: parameters of the market, see its function.

    Raises:
        InputError: an unknown name or parameter, or a value out of its range.
    """
    if name not in MARKETS:
        raise InputError(unknown("simulated market", name, MARKETS))
    if seed < 0:
        raise InputError(f"a market needs `seed >= 0`, but got {seed=}; take another number")
    if bars < 2:
        raise InputError(f"a market needs `bars >= 2`, but got {bars=}")
    known = [param for param in inspect.signature(MARKETS[name]).parameters if param not in ("bars", "rng", "source")]
    for param in params:
        if param not in known:
            raise InputError(unknown(f"parameter of the simulated market {name!r} named", param, known))
    with blamed("MARKETS", name):
        return MARKETS[name](bars, np.random.default_rng(seed), f"simulated {name}, seed {seed}", **params)


def ou(
    bars: int, rng: np.random.Generator, source: str, *, reversion: float = 0.05, volatility: float = 0.01
) -> SimulatedCandles:
    """A log price that is pulled back to its mean: x' = x (1 - k) + s e, e standard normal (Ornstein-Uhlenbeck).

    The `state` is x, the distance of the log price from its mean, and begins in its stationary distribution.

    Args:
        reversion: k, the share of the distance that a bar takes back; the half-life is about ln 2 / k bars.
        volatility: s, standard deviation of a bar's shock.
    """
    require_between(0, 1, reversion=reversion)
    require_between(0, np.inf, volatility=volatility)
    shocks = volatility * rng.standard_normal(bars)
    shocks[0] /= np.sqrt(1 - (1 - reversion) ** 2)
    x = autoregression(1 - reversion, shocks)
    frame = bars_around(LOG_START + x, volatility, rng)
    params = {"reversion": reversion, "volatility": volatility}
    return hourly_candles("ou", source, frame, plain_volume(bars, rng), x, params)


def regimes(
    bars: int,
    rng: np.random.Generator,
    source: str,
    *,
    drift: float = 0.003,
    volatility: float = 0.001,
    persistence: float = 0.98,
) -> SimulatedCandles:
    """A drift of +m or -m that the volume tells in advance: 200 BTC before a bar that drifts up, 100 before one down.

    The `state` is the drift of the next bar, +m or -m.

    Args:
        drift: m, the mean log return of a bar, up or down.
        volatility: standard deviation of the Gaussian noise around it; small, and of no matter to the best policy.
        persistence: q, probability that the drift stays what it is from one bar to the next.
    """
    return _drifting("regimes", bars, rng, source, drift, volatility, persistence, tell=True)


def hidden_regimes(
    bars: int,
    rng: np.random.Generator,
    source: str,
    *,
    drift: float = 0.003,
    volatility: float = 0.01,
    persistence: float = 0.98,
) -> SimulatedCandles:
    """The drift of `regimes` under noise, and nothing that gives it away but the returns: trading it needs a memory.

    The `state` is the drift of the next bar, +m or -m.

    Args:
        drift: m, the mean log return of a bar, up or down.
        volatility: s, standard deviation of the Gaussian noise around it.
        persistence: q, probability that the drift stays what it is from one bar to the next.
    """
    return _drifting("hidden_regimes", bars, rng, source, drift, volatility, persistence, tell=False)


def sine(
    bars: int, rng: np.random.Generator, source: str, *, amplitude: float = 0.1, period_bars: float = 48
) -> SimulatedCandles:
    """A price that swings without noise: 1000 (1 + A sin(2 pi t / P)). The `state` is the phase t / P, 0 to 1.

    Args:
        amplitude: A, as a fraction of the mean price.
        period_bars: P; a multiple of 4, so that every extreme is the close of a bar.
    """
    require_between(0, 1, amplitude=amplitude)
    if not period_bars > 0 or period_bars % 4:
        raise InputError(f"`period_bars` must be a multiple of 4, so that the extremes are closes, but got {period_bars=:g}")
    phase = np.arange(bars) % period_bars / period_bars
    frame = bars_around(LOG_START + np.log1p(amplitude * np.sin(2 * np.pi * phase)), 0.0, rng)
    params = {"amplitude": amplitude, "period_bars": period_bars}
    return hourly_candles("sine", source, frame, plain_volume(bars, rng), phase, params)


def martingale(bars: int, rng: np.random.Generator, source: str, *, volatility: float = 0.01) -> SimulatedCandles:
    """A price that nothing predicts: E[next price] = price, so no policy gains, and each trade costs. The `state` is 0.

    Args:
        volatility: s, standard deviation of a bar's log return, whose mean is -s^2 / 2.
    """
    require_between(0, np.inf, volatility=volatility)
    log_close = _prices_from(volatility * rng.standard_normal(bars - 1) - volatility**2 / 2)
    frame = bars_around(log_close, volatility, rng)
    return hourly_candles("martingale", source, frame, plain_volume(bars, rng), np.zeros(bars), {"volatility": volatility})


MARKETS: dict[str, Callable[..., SimulatedCandles]] = {
    "ou": ou,
    "regimes": regimes,
    "hidden_regimes": hidden_regimes,
    "sine": sine,
    "martingale": martingale,
    "bitcoin": bitcoin,
}


def _drifting(
    name: str, bars: int, rng: np.random.Generator, source: str, drift: float, volatility: float, persistence: float, tell: bool
) -> SimulatedCandles:
    """A random walk whose drift is a two-state Markov chain, begun in either state with equal chance."""
    require_between(0, np.inf, drift=drift, volatility=volatility)
    require_between(0, 1, persistence=persistence)
    turns = rng.random(bars) >= np.append(0.5, np.full(bars - 1, persistence))
    state = np.where(np.cumsum(turns) % 2 == 0, drift, -drift)
    log_close = _prices_from(state[:-1] + volatility * rng.standard_normal(bars - 1))
    frame = bars_around(log_close, volatility, rng)
    volume = np.where(state > 0, 200.0, 100.0) if tell else plain_volume(bars, rng)
    params = {"drift": drift, "volatility": volatility, "persistence": persistence}
    return hourly_candles(name, source, frame, volume, state, params)


def _prices_from(log_returns: np.ndarray) -> np.ndarray:
    """(T,) log closes from the T - 1 log returns between them."""
    return LOG_START + np.concatenate([[0.0], np.cumsum(log_returns)])
