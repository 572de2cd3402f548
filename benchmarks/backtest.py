"""How long a backtest takes, against stepping the env bar by bar in the same run.

    python -m benchmarks.backtest              one strategy over 100 thousand bars, a decision of the agent, the default backtest

One core; the best of several rounds. "Stepping" is what any Gymnasium env is played by: a `predict` and a `step` with its infos a
bar. The default backtest is that of `make demo`'s market with an agent of random weights, which costs what a trained one does.
"""

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

from agents import Agent, BuyAndHold, LearnedAgent, SignalStrategy, build_learner
from benchmarks.features import best_of
from configs import load_experiment
from envs import BUY, HOLD, SELL, BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from evaluation import Episode, play
from evaluation.backtest import AGENT, BUY_AND_HOLD, Contest, TrainedRun, conclude, monthly_returns
from evaluation.report import draw_figures, write_report
from evaluation.statistics import intervals, judge, metrics
from features import FeatureMatrix, FeaturePipeline, FittedFeatures
from market import Candles, Part, load_candles, simulate, split

BARS, FEATURES = 100_000, 20
AGENT_BARS = 5_000
ROUNDS = 5
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    CONSOLE.print(one_strategy())
    CONSOLE.print(default_backtest())


def one_strategy() -> Table:
    """An episode with its table and its trade list, on both roads."""
    table = Table(title="one episode with its table and its trade list", title_justify="left")
    for heading in ("who", "bars", "trades", "stepping, ms", "play, ms", "us a bar", "times as fast"):
        table.add_column(heading, justify="left" if heading == "who" else "right")
    candles = simulate("bitcoin", bars=BARS, seed=0)
    rows = np.random.default_rng(0).normal(size=(BARS, FEATURES)).astype(np.float32)
    busy = SignalStrategy(np.resize([BUY, HOLD, SELL, HOLD], BARS))
    learner = newborn(candles[:AGENT_BARS], rows[:AGENT_BARS])
    free = EnvSettings(fee_bps=0, half_spread_bps=0, slippage_bps=0)  # so that the money lasts
    cases: tuple[tuple[str, int, Agent, EnvSettings], ...] = (
        ("buy and hold", BARS, BuyAndHold(), EnvSettings()), ("a fill every other bar", BARS, busy, free),
        ("the agent", AGENT_BARS, learner, EnvSettings()),
    )  # fmt: skip
    for name, bars, agent, settings in cases:
        ground = candles[:bars], rows[:bars], settings, agent
        episode = play(*ground)
        assert episode.table.equals(stepping(*ground).table)
        fast, slow = best_of(ROUNDS, partial(play, *ground)), best_of(2, partial(stepping, *ground))
        figures = (f"{slow * 1e3:,.0f}", f"{fast * 1e3:,.1f}", f"{fast / bars * 1e6:.2f}", f"{slow / fast:,.1f}")
        table.add_row(name, f"{bars:,}", f"{len(episode.trades):,}", *figures)
    return table


def newborn(candles: Candles, features: FeatureMatrix | np.ndarray) -> LearnedAgent:
    """The default agent with its first, random weights."""
    settings = load_experiment().agent
    return LearnedAgent(build_learner(settings, BitcoinTradingVecEnv(candles, features, n_envs=1), seed=0).policy, settings)


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
    columns = {name: [info[name] for info in infos] for name in ("net_worth", "position", "fees")}
    table = pd.DataFrame({"close": candles.column("close")[bars], **columns}, index=candles.index[bars])
    return Episode(table, env.trades(), candles.bars_per_year)


@dataclass
class Clock:
    """Seconds of each part, in the order of the parts."""

    table: Table
    total: float = 0.0

    def time(self, name: str, work: Callable[[], Any], counts: bool = True) -> Any:
        begin = time.perf_counter()
        made = work()
        seconds = time.perf_counter() - begin
        self.total += seconds if counts else 0.0
        self.table.add_row(name, f"{seconds:.2f}")
        return made


def default_backtest() -> Table:
    """Part by part, the second time round: the first compiles."""
    experiment = load_experiment()
    parts = split(load_candles(experiment.market), experiment.split)
    fitted = FeaturePipeline(experiment.features).fit(parts.train.candles)
    agent = newborn(parts.train.candles, fitted.transform(parts.train.candles))
    test = Part("validation", parts.validation.candles, parts.validation.start)
    for _ in range(2):
        table = backtest_parts(test, fitted, agent)
    return table


def backtest_parts(part: Part, fitted: FittedFeatures, agent: Agent) -> Table:
    experiment = load_experiment()
    table = Table(title=f"the default backtest, {len(part):,} bars, seconds", title_justify="left")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    clock = Clock(table)
    contest = clock.time(
        "features and rules", lambda: Contest.on(part, fitted, experiment.env, experiment.benchmarks, {AGENT: agent})
    )
    episodes = clock.time("everyone plays", contest.play)
    clock.time("at other fees", lambda: contest.costs(episodes))
    clock.time("200 random traders", lambda: contest.share_below(episodes[AGENT]))
    clock.time("figures and months", lambda: [*map(metrics, episodes.values()), monthly_returns(episodes)])
    clock.time("verdict", lambda: judge(episodes[AGENT], episodes[BUY_AND_HOLD], trials=10, openings=1))
    trained = TrainedRun(Path(), {AGENT: agent}, fitted, {}, trials=10, sharpe_spread=None, overfitting=None)
    outcome = conclude(contest, trained, openings=1, bootstrap=False)
    with TemporaryDirectory() as folder:
        clock.time("PNG figures", lambda: draw_figures(outcome, Path(folder)))
        clock.time("report.html", lambda: write_report(Path(folder) / "report.html", outcome))
    table.add_section()
    table.add_row("all of it", f"{clock.total:.2f}")
    clock.time("intervals by the bootstrap, besides", lambda: [intervals(episode) for episode in episodes.values()], counts=False)
    return table


if __name__ == "__main__":
    main()
