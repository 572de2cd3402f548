"""Plays an agent through a range, once, from its first bar to its last: the one road of validation and backtest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from agents import Agent
from envs import BitcoinTradingEnv, EnvSettings
from features import FeatureMatrix
from market import Candles, InputError


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened. Row 0 is the start; row k the close of the k-th bar after it.

    Args:
        table: float64 columns `close`, `net_worth`, `position` (value of the coin / net worth), `fees` (so far), by open time.
        trades: the ledger, one row a fill, as `BitcoinTradingEnv.trades` gives it.
        bars_per_year: to annualise with.
        optimistic: orders filled at a price known when they were decided; nobody can trade so.
    """

    table: pd.DataFrame
    trades: pd.DataFrame
    bars_per_year: float
    optimistic: bool = False


def play(candles: Candles, features: FeatureMatrix | np.ndarray, settings: EnvSettings, agent: Agent) -> Episode:
    """Let the agent decide at every bar of the range, deterministically, its state carried from bar to bar.

    A strategy with `spot = True` trades under `settings.spot()`. Ruin ends only training episodes: who holds through a fall of
    95 % is judged at the end of the range like everyone else; only debt ends the game.

    Raises:
        InputError: an agent that was trained on other actions.
    """
    if getattr(agent, "spot", False):
        settings = settings.spot()
    env = BitcoinTradingEnv(candles, features, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)
    trained_on = getattr(agent, "action_space", env.action_space)
    if trained_on != env.action_space:
        raise InputError(
            f"the agent was trained on the actions {trained_on}, but the env has {env.action_space}; use its own settings"
        )
    observation, info = env.reset(seed=0)
    state, start, over = None, np.ones(1, bool), False
    infos = [info]
    while not over:
        action, state = agent.predict(observation, state, start, deterministic=True)
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        infos.append(info)
        start = np.zeros(1, bool)
    return Episode(_table(env, infos), env.trades(), candles.bars_per_year, settings.optimistic)


def _table(env: BitcoinTradingEnv, infos: list[dict[str, Any]]) -> pd.DataFrame:
    bars = [info["bar"] for info in infos]
    columns = {name: [info[name] for info in infos] for name in ("net_worth", "position", "fees")}
    candles = env.trading.datasets[0].candles
    return pd.DataFrame({"close": candles.column("close")[bars], **columns}, index=candles.index[bars])
