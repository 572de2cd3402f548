"""Plays an agent through a range, once, from its first bar to its last: the one road of validation and backtest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from agents import Agent
from envs import BitcoinTradingEnv, EnvSettings
from features import FeatureMatrix
from market import Candles


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened. Row 0 is the start; row k the close of the k-th bar after it.

    Args:
        table: float64 columns `close`, `net_worth`, `position` (value of the coin / net worth), `fees` (so far), by open time.
        trades: one row a fill: `time` of the bar it filled at the open of, `side`, `coin`, `price`, `value` (USD), by number.
        bars_per_year: to annualise with.
    """

    table: pd.DataFrame
    trades: pd.DataFrame
    bars_per_year: float


def play(candles: Candles, features: FeatureMatrix | np.ndarray, settings: EnvSettings, agent: Agent) -> Episode:
    """Let the agent decide at every bar of the range, deterministically, its state carried from bar to bar.

    Ruin ends only training episodes: who holds through a fall of 95 % is judged at the end of the range like everyone else.
    """
    env = BitcoinTradingEnv(candles, features, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)
    observation, info = env.reset(seed=0)
    state, start, over = None, np.ones(1, bool), False
    infos = [info]
    while not over:
        action, state = agent.predict(observation, state, start, deterministic=True)
        observation, _, _, over, info = env.step(int(action))
        infos.append(info)
        start = np.zeros(1, bool)
    return Episode(_table(env, infos), _trades(infos), candles.bars_per_year)


def _table(env: BitcoinTradingEnv, infos: list[dict[str, Any]]) -> pd.DataFrame:
    bars = [info["bar"] for info in infos]
    columns = {name: [info[name] for info in infos] for name in ("net_worth", "position", "fees")}
    close = env.trading.market.close[bars]
    return pd.DataFrame({"close": close, **columns}, index=env.trading.candles.index[bars])


def _trades(infos: list[dict[str, Any]]) -> pd.DataFrame:
    filled = [info for info in infos if info["fill_coin"] != 0]
    coin = np.array([info["fill_coin"] for info in filled], dtype=np.float64)
    price = np.array([info["fill_price"] for info in filled], dtype=np.float64)
    return pd.DataFrame(
        {
            "time": [info["time"] for info in filled],
            "side": np.where(coin > 0, "buy", "sell"),
            "coin": np.abs(coin),
            "price": price,
            "value": np.abs(coin) * price,
        }
    )
