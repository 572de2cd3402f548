"""What a backtest comes to, from real episodes on simulated candles, without a training."""

from typing import Any

import numpy as np
import pandas as pd
from helpers import no_features

from agents import Agent, BuyAndHold, Flat, RandomTrader, RsiDivergence, SignalStrategy, SmaCrossover
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import Episode, play
from evaluation.backtest import Outcome
from evaluation.oracles import best_policy
from evaluation.statistics import Evidence, Verdict, metrics
from market import Candles, SimulatedCandles, simulate

REASONS = (
    "Luck does as well in 12 % of ranges. With 2 openings of the test range 2.5 % or less is an edge.",
    "Costs took 12.2 % of the net worth, which anyone with this turnover would have paid.",
)


def make_outcome(bars: int = 1_500, seeds: int = 0, models: int = 0, verdict: str = "no evidence of an edge") -> Outcome:
    """An agent that sees the planted state for part of the time, seeds of it, benchmarks, and `models` that are followed."""
    candles = simulate("bitcoin", bars=bars, seed=7)
    names = tuple(f"seed {seed}" for seed in range(seeds))
    agents: dict[str, Agent] = {
        "agent": half_sighted(candles, 0), **{name: half_sighted(candles, 1 + seed) for seed, name in enumerate(names)},
        "buy and hold": BuyAndHold(), "RSI divergence": RsiDivergence(candles), "SMA crossover": SmaCrossover(candles, 0, 20, 80),
        **{f"follows model {k + 1}": SmaCrossover(candles, 0, 5 + 3 * k, 30 + 11 * k) for k in range(models)},
        "flat": Flat(), "random, same turnover": RandomTrader(bars - 1, bars // 40, bars // 2, 3),
    }  # fmt: skip
    played = {multiple: play_all(candles, agents, 10.0 * multiple) for multiple in (0.0, 1.0, 2.0, 4.0)}
    episodes = played[1.0]
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    growths = {multiple: {name: growth(episode) for name, episode in all_of.items()} for multiple, all_of in played.items()}
    return Outcome(
        title=f"BTC/USD, test range {candles.index[0]:%Y-%m-%d} to {candles.index[-1]:%Y-%m-%d}",
        candles=candles.frame[["open", "high", "low", "close", "volume"]], ends=candles.ends, episodes=episodes, figures=figures,
        intervals={name: around(row) for name, row in figures.items()}, seeds=names,
        over_seeds={"total_return": (0.5, 0.4, 0.6), "sharpe": (1.0, 0.5, 1.5)} if seeds else {}, costs=pd.DataFrame(growths),
        monthly=pd.DataFrame({name: months(episode) for name, episode in episodes.items()}),
        learning={name: looks(seed) for seed, name in enumerate(names or ("agent",))}, windows=thirds(episodes),
        verdict=make_verdict(verdict, episodes["agent"]), notes=("Costs: 13 bps a trade.", "Data: simulated."), optimistic=False,
        validated="BTC/USD, validation range 2016-06-01 to 2016-12-31",
    )  # fmt: skip


def half_sighted(candles: SimulatedCandles, seed: int) -> SignalStrategy:
    """Follows the best policy on some days, and is long by lot on the others."""
    best = best_policy(candles, 0.0013).positions[:-1]
    generator, days = np.random.default_rng(seed), len(best) // 24 + 1
    sighted, drawn = (np.repeat(generator.random(days) < share, 24)[: len(best)] for share in (0.3, 0.5))
    change = np.diff(np.where(sighted, best, drawn).astype(int), prepend=0)
    return SignalStrategy(np.select([change > 0, change < 0], [BUY, SELL], HOLD).astype(np.int64))


def play_all(candles: Candles, agents: dict[str, Agent], fee_bps: float) -> dict[str, Episode]:
    settings = EnvSettings(fee_bps=fee_bps)
    return {name: play(candles, no_features(candles), settings, agent) for name, agent in agents.items()}


def around(row: dict[str, Any]) -> dict[str, tuple[float, float] | None]:
    return {key: None if value is None else (0.5 * value, 1.5 * value) for key, value in row.items()}


def make_verdict(words: str, episode: Episode) -> Verdict:
    evidence = Evidence(
        active_log_growth=0.21, interval=(-0.13, 0.52), p_value=0.12, level=0.0253, timing=0.3, timing_interval=(-0.1, 0.6),
        harm_p_value=0.9, costs=0.13, sharpe=1.2, psr=0.83, dsr=0.41, min_track_record_bars=52_341.0, trials=31, overfitting=0.23,
        openings=2, fills=len(episode.trades), bars=len(episode.table) - 1, exposure=0.5,
    )  # fmt: skip
    return Verdict(words, "luck does as well too often", REASONS, evidence)


def growth(episode: Episode) -> float:
    worth = episode.table["net_worth"]
    return float(worth.iloc[-1] / worth.iloc[0] - 1)


def months(episode: Episode) -> pd.Series:
    worth = episode.table["net_worth"]
    last = worth.groupby(pd.DatetimeIndex(worth.index).strftime("%Y-%m")).last()
    return last / last.shift(1, fill_value=worth.iloc[0]) - 1


def thirds(episodes: dict[str, Episode]) -> pd.DataFrame:
    index = episodes["agent"].table.index
    edges = np.linspace(0, len(index) - 1, 4).astype(int)
    logs = {name: np.log(episodes[name].table["net_worth"].to_numpy()) for name in ("agent", "buy and hold")}
    growths = {name: np.diff(log[edges]) for name, log in logs.items()}
    return pd.DataFrame({"first": index[edges[:-1]], "last": index[edges[1:]], **growths})


def looks(seed: int) -> list[dict[str, Any]]:
    growths = 1.4 - 1.5 * np.exp(-np.arange(16) / 4) + np.random.default_rng(seed).normal(0, 0.12, 16)
    best = np.maximum.accumulate(growths) == growths
    return [
        {"step": 16_384 * (k + 1), "log_growth": float(growths[k]), "standard_error": 0.2, "best": bool(best[k])}
        for k in range(16)
    ]
