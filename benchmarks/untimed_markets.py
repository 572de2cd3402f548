"""Markets that nobody can time: the mean of the next return is the same whatever came before. Simple returns, float64 (bars,)."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from market import read_candles

SIZE = 0.008
"""standard deviation of a bar"""
DRIFT = 3.0
"""t-value of the mean return of the drifting markets over the range"""


def gaussian(bars: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, SIZE, bars)


def garch(bars: int, rng: np.random.Generator) -> np.ndarray:
    """GARCH(1, 1) with Student-t shocks of 4 degrees of freedom."""
    return np.maximum(_garch(rng.standard_t(4, bars + 200) / math.sqrt(2))[200:] * SIZE, -0.9)


def heavy_tails(bars: int, rng: np.random.Generator) -> np.ndarray:
    """Independent Student-t returns whose fourth moment does not exist."""
    return np.clip(rng.standard_t(2.5, bars) * SIZE / 2, -0.5, 0.5)


def random_signs(bars: int, rng: np.random.Generator) -> np.ndarray:
    """A stretch of real hourly returns, each with a sign of its own."""
    real = real_returns()
    start = rng.integers(len(real) - bars)
    return np.abs(real[start : start + bars]) * rng.choice([-1.0, 1.0], bars)


def resampled(bars: int, rng: np.random.Generator) -> np.ndarray:
    """Single real returns less their mean, drawn with replacement: the skewness and the tails stay."""
    real = real_returns()
    return rng.choice(real - real.mean(), bars)


def stationary_bootstrap(bars: int, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 24 real returns in the mean. What an hour says about the next stays, too, so here a reaction can be an edge."""
    real = real_returns()
    return _blocks(real - real.mean(), bars, 1 / 24, rng.random((bars, 2)))


def rising(bars: int, rng: np.random.Generator) -> np.ndarray:
    return garch(bars, rng) + DRIFT * SIZE / math.sqrt(bars)


def falling(bars: int, rng: np.random.Generator) -> np.ndarray:
    return garch(bars, rng) - DRIFT * SIZE / math.sqrt(bars)


MARKETS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "Gaussian": gaussian, "GARCH-t": garch, "heavy tails": heavy_tails, "rising": rising, "falling": falling,
    "real, random signs": random_signs, "real, resampled": resampled, "real, stationary bootstrap": stationary_bootstrap,
}  # fmt: skip
REAL = [name for name in MARKETS if name.startswith("real")]
REACTIONS_PAY = "real, stationary bootstrap"

_real: list[np.ndarray] = []


def use_real(file: Path) -> None:
    """Take the real returns from a candle file."""
    close = read_candles(file, repair=True).column("close")
    _real[:] = [np.diff(close) / close[:-1]]


def real_returns() -> np.ndarray:
    return _real[0]


@njit(cache=True)
def _garch(shocks: np.ndarray) -> np.ndarray:
    out, variance = np.empty(len(shocks)), 1.0
    for bar in range(len(shocks)):
        out[bar] = math.sqrt(variance) * shocks[bar]
        variance = 0.02 + 0.08 * min(out[bar] ** 2, 50.0) + 0.90 * variance
    return out


@njit(cache=True)
def _blocks(values: np.ndarray, bars: int, jump: float, drawn: np.ndarray) -> np.ndarray:
    out, place = np.empty(bars), 0
    for bar in range(bars):
        place = int(drawn[bar, 1] * len(values)) if bar == 0 or drawn[bar, 0] < jump else (place + 1) % len(values)
        out[bar] = values[place]
    return out
