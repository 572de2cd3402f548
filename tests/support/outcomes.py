"""What a backtest comes to, from real episodes on simulated candles, without a training."""

import numpy as np
import pandas as pd
from helpers import no_features

from agents import Agent, BuyAndHold, Flat, RandomTrader, RsiDivergence, SignalStrategy, SmaCrossover
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import Episode, Outcome, best_policy, metrics, play
from evaluation.verdict import EDGE, HARM, NO_EDGE, Verdict
from market import Candles, simulate

VERDICTS = {
    EDGE: ("The deflated Sharpe ratio is 0.98 with 31 trials counted, and the active growth lies above 0 in 95 % of resamples.",
           "Costs took 12.1 % of the net worth in 325 fills, which is counted."),
    NO_EDGE: ("The deflated Sharpe ratio is 0.41 with 31 trials counted; 0.95 would be evidence.",
              "Costs took 12.1 % of the net worth in 325 fills, which anyone with this turnover would have paid."),
    HARM: ("The positions lost more before costs than chance would at the same exposure.",
           "Costs took 12.1 % of the net worth in 325 fills besides."),
}  # fmt: skip


def make_outcome(
    bars: int = 1_500, seeds: int = 0, benchmarks: int = 0, verdict: str = NO_EDGE, optimistic: bool = False
) -> Outcome:
    """An agent that knows the planted state half of the time, the seeds of it, and the benchmarks, `benchmarks` more of them."""
    candles = simulate("bitcoin", bars=bars, seed=7)
    agents: dict[str, Agent] = {"agent": half_sighted(candles, 0)}
    names = tuple(f"seed {seed}" for seed in range(seeds))
    agents |= {name: half_sighted(candles, 1 + seed) for seed, name in enumerate(names)}
    agents |= {
        "buy and hold": BuyAndHold(), "RSI divergence": RsiDivergence(candles), "SMA crossover": SmaCrossover(candles, 0, 20, 80),
        **{f"follows model {k + 1}": SmaCrossover(candles, 0, 5 + 3 * k, 30 + 11 * k) for k in range(benchmarks)},
        "flat": Flat(), "random, same turnover": RandomTrader(bars - 1, bars // 40, bars // 2, 3),
    }  # fmt: skip
    settings = {multiple: EnvSettings(fee_bps=10.0 * multiple) for multiple in (0.0, 1.0, 2.0, 4.0)}
    played = {fee: {name: play(candles, no_features(candles), one, agent) for name, agent in agents.items()}
              for fee, one in settings.items()}  # fmt: skip
    episodes = played[1.0]
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    return Outcome(
        title="BTC/USD, test range 2017-01-01 to 2019-04-14", candles=candles.frame[["open", "high", "low", "close", "volume"]],
        episodes=episodes, figures=figures,
        intervals={name: {key: None if value is None else (value - 0.1, value + 0.1) for key, value in row.items()}
                   for name, row in figures.items()},
        seeds=names, over_seeds={"total_return": (0.5, 0.4, 0.6), "sharpe": (1.0, 0.5, 1.5)} if seeds else {},
        costs=pd.DataFrame({fee: {name: growth(episode) for name, episode in by_name.items()} for fee, by_name in played.items()}),
        monthly=pd.DataFrame({name: months(episode) for name, episode in episodes.items()}),
        learning={name: learning(k) for k, name in enumerate(names or ("agent",))}, windows=thirds(episodes),
        verdict=make_verdict(verdict, episodes["agent"]),
        notes=("Costs: 13 bps a trade (fee, half-spread, slippage). Data: simulated.", "The agent made more than 83 % of 200 random traders."),
        optimistic=optimistic,
    )  # fmt: skip


def half_sighted(candles: Candles, seed: int) -> SignalStrategy:
    """Follows the best policy for a day or so, then for as long a position drawn by lot."""
    best = best_policy(candles, 0.0013).positions[:-1]
    generator, days = np.random.default_rng(seed), len(best) // 24 + 1
    sighted, drawn = (np.repeat(generator.random(days) < share, 24)[: len(best)] for share in (0.3, 0.5))
    change = np.diff(np.where(sighted, best, drawn).astype(int), prepend=0)
    return SignalStrategy(np.select([change > 0, change < 0], [BUY, SELL], HOLD).astype(np.int64))


def make_verdict(words: str, episode: Episode) -> Verdict:
    return Verdict(
        verdict=words, reasons=VERDICTS[words], active_log_growth=0.21, interval=(-0.13, 0.52), timing=0.3, timing_interval=(-0.1, 0.6),
        costs=0.13, sharpe=1.2, psr=0.83, dsr={EDGE: 0.98}.get(words, 0.41), min_track_record_bars=52_341.0, trials_counted=33,
        overfitting=0.23, openings=2, fills=len(episode.trades), bars=len(episode.table) - 1, exposure=0.5,
    )  # fmt: skip


def growth(episode: Episode) -> float:
    return float(episode.table["net_worth"].iloc[-1] / episode.table["net_worth"].iloc[0] - 1)


def months(episode: Episode) -> pd.Series:
    worth = episode.table["net_worth"]
    last = worth.groupby(worth.index.strftime("%Y-%m")).last()
    return last / last.shift(1, fill_value=worth.iloc[0]) - 1


def thirds(episodes: dict[str, Episode]) -> pd.DataFrame:
    index = episodes["agent"].table.index
    edges = np.linspace(0, len(index) - 1, 4).astype(int)
    logs = {name: np.log(episodes[name].table["net_worth"].to_numpy()) for name in ("agent", "buy and hold")}
    return pd.DataFrame(
        {"first": index[edges[:-1]], "last": index[edges[1:]], **{name: np.diff(log[edges]) for name, log in logs.items()}}
    )


def learning(seed: int) -> list[dict[str, object]]:
    generator = np.random.default_rng(seed)
    growths = 1.4 - 1.5 * np.exp(-np.arange(16) / 4) + generator.normal(0, 0.12, 16)
    best = np.maximum.accumulate(growths) == growths
    return [
        {"step": 16_384 * (k + 1), "log_growth": float(growths[k]), "standard_error": 0.2, "best": bool(best[k])}
        for k in range(16)
    ]
