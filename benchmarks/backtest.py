"""How long a backtest takes, against stepping the env bar by bar in the same run.

    python -m benchmarks.backtest              one strategy over 100 thousand bars, a decision of the agent, the default backtest
    python -m benchmarks.backtest --keep

One core, in seconds of the processor; the best of several rounds, in turn. "A bare loop" calls `env.step` and keeps nothing:
it is the least that any Gymnasium env is played by, with actions that are known beforehand where the strategy knows them, and
a `predict` a bar where it does not. "Stepping" also keeps the infos, and makes the table of them that `play` gives, too. The
default backtest is that of `make demo`'s market with an agent of random weights, which costs what a trained one does.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from agents import Agent, BuyAndHold, LearnedAgent, SignalStrategy, SmaCrossover, build_learner
from benchmarks.env import one_core
from benchmarks.features import best_in_turn, processor_seconds
from benchmarks.figures import keep, option
from configs import load_experiment
from envs import BUY, COSTS, HOLD, SELL, BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from evaluation import Episode, play
from evaluation.backtest import AGENT, BUY_AND_HOLD, Contest, TrainedRun, conclude, monthly_returns
from evaluation.report import draw_figures, write_report, write_tables
from evaluation.statistics import intervals, judge, metrics, probability_of_overfitting
from features import FeatureMatrix, FeaturePipeline, FittedFeatures
from market import Candles, Part, load_candles, simulate, split

BARS, FEATURES = 100_000, 20
AGENT_BARS = 5_000
ROUNDS = 5
CONSOLE = Console(soft_wrap=True, highlight=False, width=120)


def main() -> None:
    """Print the tables."""
    parser = option(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter))
    options, figures = parser.parse_args(), dict[str, float]()
    one_core()
    torch.set_num_threads(1)
    for part in (one_strategy, default_backtest, statistics):
        CONSOLE.print(part(figures))
    if options.keep:
        keep("backtest", figures)


def one_strategy(figures: dict[str, float]) -> Table:
    """An episode with its table and its trade list, on both roads, and the bare loop, which gives neither."""
    table = Table(title="one episode", title_justify="left")
    for heading in ("who", "bars", "trades", "a bare loop, ms", "stepping, ms", "play, ms", "x a bare loop", "x stepping"):
        table.add_column(heading, justify="left" if heading == "who" else "right")
    candles = simulate("bitcoin", bars=BARS, seed=0)
    rows = np.random.default_rng(0).normal(size=(BARS, FEATURES)).astype(np.float32)
    busy = SignalStrategy(np.resize([BUY, HOLD, SELL, HOLD], BARS))
    learner = newborn(candles[:AGENT_BARS], rows[:AGENT_BARS])
    free = EnvSettings(fee_bps=0, half_spread_bps=0, slippage_bps=0)  # so that the money lasts
    cases: tuple[tuple[str, str, int, Agent, EnvSettings], ...] = (
        ("hold", "buy and hold", BARS, BuyAndHold(), EnvSettings()), ("busy", "a fill every other bar", BARS, busy, free),
        ("agent", "the agent", AGENT_BARS, learner, EnvSettings()),
    )  # fmt: skip
    for kind, name, bars, agent, settings in cases:
        ground = candles[:bars], rows[:bars], settings, agent
        episode = play(*ground)
        assert episode.table.equals(stepping(*ground).table)
        assert bare_loop(*ground) == episode.table["net_worth"].iloc[-1]
        roads: dict[str, Callable[..., object]] = {"bare": bare_loop, "stepping": stepping, "play": play}
        best = best_in_turn(ROUNDS, {road: partial(run, *ground) for road, run in roads.items()})
        bare, slow = best["bare"] / best["play"], best["stepping"] / best["play"]
        figures |= {f"{kind}_{what}_ms": 1e3 * seconds for what, seconds in best.items()}
        figures |= {f"{kind}_bare_times": bare, f"{kind}_stepping_times": slow}
        milliseconds = (f"{1e3 * seconds:,.1f}" for seconds in best.values())
        table.add_row(name, f"{bars:,}", f"{len(episode.trades):,}", *milliseconds, f"{bare:,.2f}", f"{slow:,.2f}")
    return table


def newborn(candles: Candles, features: FeatureMatrix | np.ndarray) -> LearnedAgent:
    """The default agent with its first, random weights."""
    settings = load_experiment().agent
    return LearnedAgent(build_learner(settings, BitcoinTradingVecEnv(candles, features, n_envs=1), seed=0).policy, settings)


def bare_loop(candles: Candles, features: np.ndarray, settings: EnvSettings, agent: Agent) -> float:
    """The env, bar by bar, and nothing kept but the net worth at the end."""
    env = BitcoinTradingEnv(candles, features, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)
    observation, info = env.reset(seed=0)
    if isinstance(agent, SignalStrategy):
        for action in agent.actions(len(candles) - 1).tolist():
            _, _, _, _, info = env.step(action)
        return float(info["net_worth"])
    state, start, over = None, np.ones(1, bool), False
    while not over:
        action, state = agent.predict(observation, state, start, deterministic=True)
        observation, _, terminated, truncated, info = env.step(action)
        over, start = terminated or truncated, np.zeros(1, bool)
    return float(info["net_worth"])


def stepping(candles: Candles, features: np.ndarray, settings: EnvSettings, agent: Agent) -> Episode:
    """The env, bar by bar."""
    env = BitcoinTradingEnv(candles, features, settings.model_copy(update={"ruin_fraction": 0.0}), evaluation=True)
    observation, info = env.reset(seed=0)
    state, start, over, infos = None, np.ones(1, bool), False, [info]
    while not over:
        action, state = agent.predict(observation, state, start, deterministic=True)
        observation, _, terminated, truncated, info = env.step(action)
        infos.append(info)
        over, start = terminated or truncated, np.zeros(1, bool)
    bars = [info["bar"] for info in infos]
    columns = {name: [info[name] for info in infos] for name in ("net_worth", "position", *COSTS)}
    table = pd.DataFrame({"close": candles.column("close")[bars], **columns}, index=candles.index[bars])
    return Episode(table, env.trades(), candles.bars_per_year)


@dataclass
class Clock:
    """Seconds of each part, in the order of the parts."""

    table: Table
    total: float = 0.0

    def time(self, name: str, work: Callable[[], Any], counts: bool = True) -> Any:
        begin = time.process_time()
        made = work()
        seconds = time.process_time() - begin
        self.total += seconds if counts else 0.0
        self.table.add_row(name, f"{seconds:.2f}")
        return made


def default_backtest(figures: dict[str, float]) -> Table:
    """Part by part, the second time round: the first compiles."""
    experiment = load_experiment()
    parts = split(load_candles(experiment.market), experiment.split)
    fitted = FeaturePipeline(experiment.features).fit(parts.train.candles)
    agent = newborn(parts.train.candles, fitted.transform(parts.train.candles))
    test = Part("validation", parts.validation.candles, parts.validation.start)
    for _ in range(2):
        table = backtest_parts(test, fitted, agent, figures)
    return table


def backtest_parts(part: Part, fitted: FittedFeatures, agent: Agent, figures: dict[str, float]) -> Table:
    experiment = load_experiment()
    table = Table(title=f"the default backtest, {len(part):,} bars, seconds", title_justify="left")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    clock = Clock(table)
    contest = clock.time(
        "features and rules", lambda: Contest.on(part, fitted, experiment.env, experiment.benchmarks, {AGENT: agent})
    )
    episodes = clock.time("everyone plays, also at other fees, and 200 random traders", contest.play).episodes
    clock.time("figures and months", lambda: [*map(metrics, episodes.values()), monthly_returns(episodes)])
    clock.time("verdict", lambda: judge(episodes[AGENT], episodes[BUY_AND_HOLD], trials=10, openings=1))
    trained = TrainedRun(Path(), {AGENT: agent}, fitted, {}, trials=10, sharpe_spread=None, overfitting=None)
    outcome = conclude(contest, trained, openings=1, bootstrap=False)
    with TemporaryDirectory() as folder:
        clock.time("tables: net_worth.csv, trades.csv, monthly.csv", lambda: write_tables(Path(folder), outcome))
        clock.time("PNG figures", lambda: draw_figures(outcome, Path(folder)))
        clock.time("report.html", lambda: write_report(Path(folder) / "report.html", outcome))
    table.add_section()
    table.add_row("all of it", f"{clock.total:.2f}")
    begin = time.process_time()
    clock.time("intervals by the bootstrap, besides", lambda: [intervals(episode) for episode in episodes.values()], counts=False)
    figures |= {"default_seconds": clock.total, "intervals_seconds": time.process_time() - begin}
    return table


def statistics(figures: dict[str, float]) -> Table:
    """What one episode's figures, intervals and verdict take, and the overfitting of a search."""
    table = Table(title="statistics", title_justify="left")
    table.add_column("what")
    table.add_column("ms", justify="right")
    candles, settings = simulate("bitcoin", bars=BARS, seed=0), EnvSettings()
    rows = np.zeros((BARS, 1), np.float32)
    traders = {bars: play(candles[:bars], rows[:bars], settings, SmaCrossover(candles[:bars])) for bars in (3_500, 20_000, BARS)}
    hold = play(candles[:3_500], rows[:3_500], settings, BuyAndHold())
    trials = np.random.default_rng(0).normal(size=(3_500, 200))
    runs: dict[str, tuple[str, Callable[[], object]]] = {
        "metrics_ms": ("figures, 100,000 bars", lambda: metrics(traders[BARS])),
        "intervals_short_ms": ("intervals, 3,500 bars", lambda: intervals(traders[3_500])),
        "intervals_long_ms": ("intervals, 20,000 bars", lambda: intervals(traders[20_000])),
        "verdict_ms": ("a verdict, 3,500 bars", lambda: judge(traders[3_500], hold, trials=10, openings=1)),
        "overfitting_ms": ("overfitting of 200 trials over 3,500 bars", lambda: probability_of_overfitting(trials)),
    }
    for name, (label, run) in runs.items():
        figures[name] = 1e3 * processor_seconds(3, run)
        table.add_row(label, f"{figures[name]:,.1f}")
    return table


if __name__ == "__main__":
    main()
