"""How fast recurrent PPO learns, against sb3-contrib's in the same run.

    python -m benchmarks.agents            frames a second at two settings

One core. Rounds of all rows are interleaved, so that a slow phase of the machine hits all. GFLOP/s are those of the LSTMs and of
the heads in the update, three passes' worth (forward, and two backward), against a large matrix product on the same core.
"""

import time
from typing import Any

import sb3_contrib
import torch
from rich.console import Console
from rich.table import Table

from agents import RecurrentPPO
from benchmarks.features import best_of
from envs import BitcoinTradingVecEnv, EnvSettings
from features import FeaturePipeline
from market import simulate, split

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
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    peak = matrix_product()
    CONSOLE.print(frames(peak))
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


def flops_a_frame(model: sb3_contrib.RecurrentPPO) -> float:
    """Of one frame in one pass of an update: every weight multiplies once forward and twice backward, 2 operations each."""
    weights = sum(weight.numel() for weight in model.policy.parameters() if weight.ndim == 2)
    return 3 * 2 * weights


if __name__ == "__main__":
    main()
