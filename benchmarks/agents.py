"""How fast recurrent PPO learns, against sb3-contrib's in the same run.

    python -m benchmarks.agents            frames a second at two settings, then seconds to 95 % of the optimum on `ou`

One core. Rounds of all rows are interleaved, so that a slow phase of the machine hits all. GFLOP/s are those of the LSTMs and of
the heads in the update, three passes' worth (forward, and two backward), against a large matrix product on the same core.
"""

import contextlib
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import sb3_contrib
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from agents import AgentSettings, LearnedAgent, RecurrentPPO
from benchmarks.features import best_of
from configs import load_experiment
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import log_growth
from features import FeatureMatrix, FeaturePipeline
from market import Candles, simulate, split

ROUNDS = 3
SETTINGS: dict[str, tuple[int, dict[str, Any]]] = {
    "8 envs, LSTM 256": (8, {}),  # the defaults: batches of 128
    "64 envs, LSTM 64": (64, {"batch_size": 1_024, "policy_kwargs": {"lstm_hidden_size": 64}}),
}
KINDS: dict[str, tuple[type[sb3_contrib.RecurrentPPO], dict[str, Any]]] = {
    "ours, sequences": (RecurrentPPO, {}),
    "ours, slices": (RecurrentPPO, {"minibatches": "slices"}),
    "sb3-contrib": (sb3_contrib.RecurrentPPO, {}),
}
SMALL_NET = {"lstm_hidden_size": 32}
OU: dict[str, tuple[str, int, dict[str, Any]]] = {
    f"{kind}, {n_steps} steps, batches of {batch:,}": (kind, 64, {"n_steps": n_steps, "batch_size": batch, "n_epochs": 5})
    for n_steps, batch in ((128, 2_048), (32, 1_024), (16, 1_024))  # the last was the best of what was tried, for either
    for kind in ("ours, sequences", "sb3-contrib")
}
OU_SEEDS, OU_STEPS, ENOUGH = 3, 200_000, 0.95
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    peak = matrix_product()
    CONSOLE.print(frames(peak))
    CONSOLE.print(seconds_to_the_optimum())
    CONSOLE.print(f"a product of two 1,024 x 1,024 matrices: {peak:.0f} GFLOP/s on this core")


def matrix_product() -> float:
    """GFLOP/s."""
    one, two = torch.randn(1_024, 1_024), torch.randn(1_024, 1_024)
    return 2 * 1_024**3 / best_of(10, lambda: one @ two) / 1e9


class Timed:
    """A model that knows how much of its time goes into updates."""

    def __init__(self, model: sb3_contrib.RecurrentPPO) -> None:
        self.model, self.in_updates, update = model, 0.0, model.train

        def train() -> None:
            begin = time.perf_counter()
            update()
            self.in_updates += time.perf_counter() - begin

        model.train = train  # type: ignore[method-assign]

    def round(self) -> tuple[float, float]:
        """Seconds of a rollout and its update, and of the update alone."""
        self.in_updates = 0.0
        begin = time.perf_counter()
        self.model.learn(self.model.n_steps * self.model.n_envs)
        return time.perf_counter() - begin, self.in_updates


def frames(peak: float) -> Table:
    """Frames a second of each kind at each setting."""
    train = split(simulate("bitcoin", bars=10_000, seed=0)).train.own
    matrix = FeaturePipeline().fit(train).transform(train)
    table = Table(
        title="frames a second, updates included; x: times sb3-contrib; updates: their share of the time", title_justify="left"
    )
    for heading in ("setting", "recurrent PPO", "frames/s", "x", "updates", "GFLOP/s", "of peak"):
        table.add_column(heading, justify="left" if heading in ("setting", "recurrent PPO") else "right")
    for setting, (n_envs, options) in SETTINGS.items():
        models = {}
        for kind, (make, own) in KINDS.items():
            env = BitcoinTradingVecEnv(train, matrix, EnvSettings(), n_envs=n_envs, seed=0)
            models[kind] = Timed(make("MlpLstmPolicy", env, seed=0, device="cpu", **options, **own))
        rounds = [{kind: model.round() for kind, model in models.items()} for _ in range(ROUNDS + 1)][1:]  # the first warms up
        best = {kind: min(entry[kind] for entry in rounds) for kind in KINDS}
        for kind, (seconds, in_updates) in best.items():
            model = models[kind].model
            steps = model.n_steps * model.n_envs
            rate = flops_a_frame(model) * steps * model.n_epochs / in_updates / 1e9
            times = best["sb3-contrib"][0] / seconds
            figures = [
                f"{steps / seconds:,.0f}",
                f"{times:.1f}",
                f"{in_updates / seconds:.0%}",
                f"{rate:.1f}",
                f"{rate / peak:.0%}",
            ]
            table.add_row(setting if kind == next(iter(KINDS)) else "", kind, *figures)
        table.add_section()
    return table


class Looks(BaseCallback):
    """Looks at unseen bars after every rollout until two in a row are good enough; its own time is not counted."""

    def __init__(self, look: Callable[[Any], float]) -> None:
        super().__init__()
        self.look, self.aside, self.begin = look, 0.0, time.perf_counter()
        self.shares: list[tuple[int, float, float]] = []  # steps, seconds of learning, share of the optimum

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        now = time.perf_counter()
        if self.num_timesteps and self.crossed is None:
            self.shares.append((self.num_timesteps, now - self.begin - self.aside, self.look(self.model.policy)))
        self.aside += time.perf_counter() - now
        if self.crossed is not None:
            raise Enough

    @property
    def crossed(self) -> tuple[int, float] | None:
        for (steps, seconds, share), (_, _, after) in pairwise(self.shares):
            if min(share, after) >= ENOUGH:
                return steps, seconds
        return None


class Enough(Exception):
    """The optimum is as good as found."""


def seconds_to_the_optimum() -> Table:
    """Learning alone, on the market and under the costs of configs/known-answer-ou.yaml; looks at 40,000 unseen bars aside."""
    experiment = load_experiment(Path("configs/known-answer-ou.yaml"))
    train, unseen = simulate("ou", 60_000, seed=0), simulate("ou", 40_000, seed=1_000)
    fitted = FeaturePipeline(experiment.features).fit(train)
    rows, env = fitted.transform(unseen), experiment.env
    bars = unseen[len(unseen) - len(rows) :]
    best = log_growth(play(bars, rows, env, OraclePolicy(best_policy(bars, env.cost_fraction).positions)))
    table = Table(title="seconds of learning until 95 % of the value-iteration optimum on `ou`", title_justify="left")
    for heading in ("settings", "steps", "seconds, by seed", "median"):
        table.add_column(heading, justify="left" if heading == "settings" else "right")
    for name, (kind, n_envs, options) in OU.items():
        found = [
            _learn_ou(KINDS[kind], n_envs, options, seed, (train, fitted.transform(train), env), (bars, rows, best))
            for seed in range(OU_SEEDS)
        ]
        steps = sorted(step for step, _ in found)[len(found) // 2]
        median = sorted(seconds for _, seconds in found)[len(found) // 2]
        table.add_row(name, f"{steps:,}", ", ".join(f"{seconds:.1f}" for _, seconds in found), f"{median:.1f}")
    return table


def _learn_ou(
    kind: tuple[type[sb3_contrib.RecurrentPPO], dict[str, Any]],
    n_envs: int,
    options: dict[str, Any],
    seed: int,
    learnt_on: tuple[Candles, FeatureMatrix, EnvSettings],
    judged_on: tuple[Candles, FeatureMatrix, float],
) -> tuple[float, float]:
    """Steps and seconds at the first of two looks in a row at 95 %; infinite where there are none."""
    make, own = kind
    train, matrix, env = learnt_on
    bars, rows, best = judged_on
    vector = VecNormalize(BitcoinTradingVecEnv(train, matrix, env, n_envs=n_envs, seed=seed), norm_obs=False, gamma=0.98)
    model = make(
        "MlpLstmPolicy", vector, learning_rate=1e-3, gamma=0.98, ent_coef=1e-3, seed=seed, device="cpu",
        policy_kwargs=SMALL_NET, **options, **own,
    )  # fmt: skip
    looks = Looks(lambda policy: log_growth(play(bars, rows, env, LearnedAgent(policy, AgentSettings()))) / best)
    with contextlib.suppress(Enough):
        model.learn(OU_STEPS, callback=looks)
    return looks.crossed or (float("inf"), float("inf"))


def flops_a_frame(model: sb3_contrib.RecurrentPPO) -> float:
    """Of one frame in one pass of an update: every weight multiplies once forward and twice backward, 2 operations each."""
    weights = sum(weight.numel() for weight in model.policy.parameters() if weight.ndim == 2)
    return 3 * 2 * weights


if __name__ == "__main__":
    main()
