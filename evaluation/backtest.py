"""Plays the agent and the benchmark strategies through one range, on one kernel at one cost, and says how they did."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from agents import Agent, BuyAndHold, ForecastFollower, RandomTrader, RsiDivergence, SmaCrossover, StrategySettings
from envs import OPTIMISTIC, EnvSettings
from evaluation.episode import Episode, play
from evaluation.metrics import Metrics, log_growth
from evaluation.oracle import OraclePolicy, best_policy
from features import FittedFeatures
from features.forecasters import FittedForecaster
from market import Part, SimulatedCandles

AGENT = "agent"
BUY_AND_HOLD = "buy and hold"
PATH_END = "_path_end"


def backtest(
    part: Part,
    features: FittedFeatures,
    env: EnvSettings,
    benchmarks: StrategySettings,
    agent: Agent,
    forecasters: Mapping[str, FittedForecaster] | None = None,
) -> dict[str, Episode]:
    """One episode for each, all over the same bars.

    The agent comes first, then buy and hold, RSI divergence, SMA crossover, then a follower of each forecaster that the features
    hold, and of each of `forecasters`, which must know nothing of the range.
    """
    matrix = features.transform(part.candles).since(part.start)
    start = len(part.candles) - len(matrix)
    strategies: dict[str, Agent] = {
        AGENT: agent,
        BUY_AND_HOLD: BuyAndHold(),
        "RSI divergence": RsiDivergence(part.candles, start, benchmarks.rsi_bars, benchmarks.rsi_lookback_bars),
        "SMA crossover": SmaCrossover(part.candles, start, benchmarks.sma_short_bars, benchmarks.sma_long_bars),
    }
    columns = features.out_of_fold(part.candles).reindex(part.candles.index).filter(like=PATH_END)
    followed = {str(name).removesuffix(PATH_END): column.to_numpy() for name, column in columns.items()}
    followed |= {name: fitted.forecast(part.candles)[:, -1] for name, fitted in (forecasters or {}).items()}
    for name, returns in followed.items():
        strategies[f"follows {name}"] = ForecastFollower(returns, start, env.cost_fraction)
    return {name: play(part.candles, matrix, env, strategy) for name, strategy in strategies.items()}


def random_like(episode: Episode, seed: int) -> RandomTrader:
    """A random trader with the turnover and the exposure of an episode: as many full-sized fills, as many bars held.

    Fills of a part of the net worth, and positions of a part of it, are added up to whole ones.
    """
    worth, decisions = episode.table["net_worth"], len(episode.table) - 1
    at = np.maximum(worth.index.searchsorted(episode.trades["time"]) - 1, 0)  # net worth when the order was decided
    sizes = episode.trades["value"].to_numpy() / worth.to_numpy()[at]
    held = min(round(float(episode.table["position"].abs().sum())), decisions)
    trades = max(round(float(sizes.sum())), 1) if held else 0
    return RandomTrader(decisions, min(trades, 2 * held, 2 * (decisions - held) + 1), held, seed)


def oracle_growth(part: Part, features: FittedFeatures, env: EnvSettings) -> float | None:
    """Log growth of the best long/flat policy, who sees the hidden state, over the bars of `backtest`; None on real candles."""
    if not isinstance(part.candles, SimulatedCandles):
        return None
    matrix = features.transform(part.candles).since(part.start)
    bars = part.candles[len(part.candles) - len(matrix) :]
    return log_growth(play(bars, matrix.values, env, OraclePolicy(best_policy(bars, env.cost_fraction).positions)))


def share_in_words(agent: float, oracle: float | None) -> str:
    """How the agent's log growth stands to the oracle's, where there is an oracle."""
    if oracle is None:
        return ""
    if oracle <= 0:
        return "Here the best policy never trades: the oracle stayed in cash."
    made = f"{math.exp(min(oracle, 700.0)):,.4g}x"
    return (
        f"The oracle, who sees the simulated market's state, made {made}; of its log growth the agent found {agent / oracle:.0%}."
    )


def in_words(figures: dict[str, Metrics], first: pd.Timestamp, last: pd.Timestamp, optimistic: bool = False) -> str:
    """The comparison that matters, without a claim that one seed on one range could not carry."""
    agent, hold = (1 + (figures[name]["total_return"] or 0.0) for name in (AGENT, BUY_AND_HOLD))
    beaten = [name for name in figures if name != AGENT and (figures[name]["total_return"] or 0.0) < agent - 1]
    order = "equal to" if f"{agent:.2f}" == f"{hold:.2f}" else "above" if agent > hold else "below"
    return (
        f"From {first:%Y-%m-%d} to {last:%Y-%m-%d} the agent made {agent:.2f}x its start, {order} buy and hold's {hold:.2f}x; "
        f"it ended above {len(beaten)} of {len(figures) - 1} benchmarks. One seed on one range: this is no evidence of an edge."
        + (f" {OPTIMISTIC}" if optimistic else "")
    )
