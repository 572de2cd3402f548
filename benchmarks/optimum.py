"""Seconds of learning until 95 % of the value-iteration optimum on `ou`, recurrent PPO against sb3-contrib's in the same run.

    python -m benchmarks.optimum                             some minutes; --keep keeps the figures that the pages quote
    python -m benchmarks.optimum --only rollouts_16 --keep   one row, and leave the figures of the others

The market and the costs are those of configs/known-answer-ou.yaml. After every rollout the agent plays 10,000 unseen bars; two
such plays in a row at 95 % end the learning. Their own time is not counted. One core, one thread, seconds of the processor.
Rollouts of 16 steps with batches of 1,024 were the best of what was tried, for either.
"""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from agents import AgentSettings, LearnedAgent
from benchmarks import parts
from benchmarks.agents import KINDS, build
from configs import load_experiment
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import log_growth
from features import FeatureMatrix, FeaturePipeline
from market import Candles, simulate

ROLLOUTS = {"rollouts_128": (128, 2_048), "rollouts_32": (32, 1_024), "rollouts_16": (16, 1_024)}
"""by the beginning of the names of its figures: steps of a rollout in each environment, and of a batch"""
COMPARED = ("sequences", "sb3")
N_ENVS, SEEDS, MOST_STEPS, ENOUGH = 64, range(3), 200_000, 0.95
CONSOLE = Console(width=120, highlight=False)


class Problem(NamedTuple):
    """What is learned on, what it is judged on, and the optimum's log growth there."""

    train: Candles
    matrix: FeatureMatrix
    env: EnvSettings
    bars: Candles
    rows: FeatureMatrix
    best: float


def main() -> None:
    """Print the tables."""
    options = parts.parser_of(__doc__, tuple(ROLLOUTS)).parse_args()
    torch.set_num_threads(1)
    task = problem()
    for kind in COMPARED:
        learn(kind, 16, 1_024, 0, task)  # warms up
    parts.run("optimum", {name: partial(measured, name, task) for name in ROLLOUTS}, options)


def measured(name: str, task: Problem) -> dict[str, float]:
    """Steps and seconds of both kinds with rollouts of one length, printed and as figures by name."""
    n_steps, batch = ROLLOUTS[name]
    runs = {kind: list[tuple[float, float]]() for kind in COMPARED}
    for seed in SEEDS:
        for kind in COMPARED:
            runs[kind].append(learn(kind, n_steps, batch, seed, task))
    title = f"seconds until 95 % of the optimum on `ou`, rollouts of {n_steps}, batches of {batch:,}"
    table = Table(title=title, title_justify="left")
    for heading in ("recurrent PPO", "steps, median", "seconds, by seed", "median", "times sb3-contrib's"):
        table.add_column(heading, justify="left" if heading == "recurrent PPO" else "right")
    medians = {kind: float(np.median([seconds for _, seconds in runs[kind]])) for kind in COMPARED}
    found = {f"{name}_times": medians["sb3"] / medians["sequences"]}
    for kind in COMPARED:
        found[f"{name}_{kind}_steps"] = steps = float(np.median([steps for steps, _ in runs[kind]]))
        found |= {f"{name}_{kind}_seed{seed}": runs[kind][seed][1] for seed in SEEDS}
        by_seed = ", ".join(f"{seconds:.1f}" for _, seconds in runs[kind])
        times = medians["sb3"] / medians[kind]
        table.add_row(KINDS[kind][0], f"{steps:,.0f}", by_seed, f"{medians[kind]:.1f}", f"{times:.2f}")
    CONSOLE.print(table)
    return found


def problem() -> Problem:
    """60,000 bars to learn on, 10,000 of another seed to judge on."""
    experiment = load_experiment(Path("configs/known-answer-ou.yaml"))
    train, unseen = simulate("ou", 60_000, seed=0), simulate("ou", 10_000, seed=1_000)
    fitted = FeaturePipeline(experiment.features).fit(train)
    rows, env = fitted.transform(unseen), experiment.env
    bars = unseen[len(unseen) - len(rows) :]
    best = log_growth(play(bars, rows, env, OraclePolicy(best_policy(bars, env.cost_fraction).positions)))
    return Problem(train, fitted.transform(train), env, bars, rows, best)


def learn(kind: str, n_steps: int, batch_size: int, seed: int, task: Problem) -> tuple[float, float]:
    """Steps and seconds at the first of two plays in a row at 95 % of the optimum; infinite where there are none.

    Args:
        kind: of `KINDS`.
        n_steps: of a rollout, in each environment.
        batch_size: steps of a minibatch.
        seed: of weights, environments and actions.
        task: what is learned.
    """
    vec = BitcoinTradingVecEnv(task.train, task.matrix, task.env, n_envs=N_ENVS, seed=seed)
    env = VecNormalize(vec, norm_obs=False, gamma=0.98)
    arguments = {
        "learning_rate": 1e-3, "gamma": 0.98, "ent_coef": 1e-3, "n_epochs": 5, "n_steps": n_steps, "batch_size": batch_size,
    }  # fmt: skip
    model = build(KINDS[kind], env, arguments, {"lstm_hidden_size": 32}, seed)

    def share(policy: Any) -> float:
        return log_growth(play(task.bars, task.rows, task.env, LearnedAgent(policy, AgentSettings()))) / task.best

    plays = Plays(share)
    with contextlib.suppress(Enough):
        model.learn(MOST_STEPS, callback=plays)
    return plays.crossed or (float("inf"), float("inf"))


class Plays(BaseCallback):
    """Plays the unseen bars after every rollout until two in a row are good enough; its own time is not counted."""

    def __init__(self, share: Callable[[Any], float]) -> None:
        super().__init__()
        self.share, self.aside, self.begin = share, 0.0, time.process_time()
        self.shares: list[tuple[int, float, float]] = []  # steps, seconds of learning, share of the optimum

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        now = time.process_time()
        if self.num_timesteps:
            self.shares.append((self.num_timesteps, now - self.begin - self.aside, self.share(self.model.policy)))
        self.aside += time.process_time() - now
        if self.crossed is not None:
            raise Enough

    @property
    def crossed(self) -> tuple[int, float] | None:
        """Steps and seconds at the first of two plays in a row that are good enough."""
        for (steps, seconds, share), (_, _, after) in pairwise(self.shares):
            if min(share, after) >= ENOUGH:
                return steps, seconds
        return None


class Enough(Exception):
    """The optimum is as good as found."""


if __name__ == "__main__":
    main()
