"""What tests of several rooms share."""

from typing import Any

import numpy as np
import pandas as pd

from envs import BitcoinTradingEnv, EnvSettings
from market import Candles

FREE = {"fee_bps": 0.0, "half_spread_bps": 0.0, "slippage_bps": 0.0, "min_trade": 0.0}


def make_candles(closes: list[float], opens: list[float] | None = None, volume: float = 10.0) -> Candles:
    """Hourly candles from lists; each bar opens at the previous close unless opens are given."""
    opens = opens or [closes[0], *closes[:-1]]
    index = pd.date_range("2020-01-01", periods=len(closes), freq="h", tz="UTC", name="time")
    frame = pd.DataFrame({"open": opens, "close": closes}, index=index, dtype=float)
    frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
    frame["volume"], frame["quote_volume"] = volume, volume * frame["close"]
    columns = ["open", "high", "low", "close", "volume", "quote_volume"]
    return Candles(frame[columns], pd.Timedelta("1h"), "BTC/USD", "by hand")


def no_features(candles: Candles) -> np.ndarray:
    """One constant column."""
    return np.zeros((len(candles), 1), np.float32)


def play(candles: Candles, actions: list[int], **options: Any) -> list[dict[str, Any]]:
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
