"""What tests of several rooms share."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from envs import BitcoinTradingEnv, EnvSettings
from market import Candles

FREE = {"fee_bps": 0.0, "half_spread_bps": 0.0, "slippage_bps": 0.0, "min_trade": 0.0}


def make_candles(
    closes: list[float],
    opens: list[float] | None = None,
    volume: float | np.ndarray = 10.0,
    highs: list[float] | None = None,
    lows: list[float] | None = None,
) -> Candles:
    """Hourly candles from lists; each bar opens at the previous close and has no wicks unless they are given."""
    opens = opens or [closes[0], *closes[:-1]]
    index = pd.date_range("2020-01-01", periods=len(closes), freq="h", tz="UTC", name="time")
    frame = pd.DataFrame({"open": opens, "close": closes}, index=index, dtype=float)
    frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
    frame["high"] = frame["high"] if highs is None else np.array(highs, float)
    frame["low"] = frame["low"] if lows is None else np.array(lows, float)
    frame["volume"], frame["quote_volume"] = volume, volume * frame["close"]
    columns = ["open", "high", "low", "close", "volume", "quote_volume"]
    return Candles(frame[columns], pd.Timedelta("1h"), "BTC/USD", "by hand")


def no_features(candles: Candles) -> np.ndarray:
    """One constant column."""
    return np.zeros((len(candles), 1), np.float32)


def play(candles: Candles, actions: list[Any], **options: Any) -> list[dict[str, Any]]:
    """Infos of an evaluation episode, until the actions or the episode end."""
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options), evaluation=True)
    env.reset(seed=0)
    infos = []
    for action in actions:
        _, _, terminated, truncated, info = env.step(action)
        infos.append(info)
        if terminated or truncated:
            break
    return infos


class Step(NamedTuple):
    """What `env.step` returned."""

    observation: np.ndarray
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def record(env: BitcoinTradingEnv, actions: list[Any]) -> list[Step]:
    """Reset with seed 0, then step until the actions or the episode end."""
    env.reset(seed=0)
    steps = []
    for action in actions:
        steps.append(Step(*env.step(action)))
        if steps[-1].terminated or steps[-1].truncated:
            break
    return steps
