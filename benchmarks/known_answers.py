"""What a memory is worth on `hidden_regimes`, and sb3-contrib's memory task, ours against theirs.

    python -m benchmarks.known_answers      some minutes; --keep keeps the figures that the pages quote

`hidden_regimes`: shares of what a Bayes filter with value iteration makes on 60,000 unseen bars, after the training of
configs/known-answer-hidden-regimes.yaml, for agents that see one log difference a bar and remember, that see it and have their
LSTM state emptied before every bar, or that see the last 32 of them side by side and have no LSTM (Stable-Baselines3's PPO).
The memory task: CartPole without its velocities, 500 at most. One thread.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import sb3_contrib
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from agents import MlpLstmPolicy, RecurrentPPO, algorithms, numpy_actor
from benchmarks import parts
from configs import load_experiment
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import log_growth
from market import load_candles, simulate, split
from training import train_agent

CONFIG = Path("configs/known-answer-hidden-regimes.yaml")
UNSEEN = 1_000  # seed of the market that is judged on
STACKED = {"agent.algorithm": "ppo", "features.window": 32}
AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "recurrent": ("recurrent PPO", {}),
    "emptied": ("... its LSTM state emptied before every bar", {}),
    "stacked": ("PPO without an LSTM, 32 stacked rows", STACKED),
}
"""by the name of its figures: title, settings"""
LEARNERS = {"ours": RecurrentPPO, "sb3": sb3_contrib.RecurrentPPO}
SEEDS, MEMORY_SEEDS = range(2), range(3)
CONSOLE = Console(width=120, highlight=False)


class Emptied(MlpLstmPolicy):
    """The same networks with an LSTM state that is emptied before every bar."""

    @staticmethod
    def _process_sequence(features: Any, lstm_states: Any, episode_starts: Any, lstm: Any) -> Any:
        count = lstm_states[0].shape[1]
        nothing = torch.zeros((lstm.num_layers, len(features), lstm.hidden_size))
        outputs, _ = lstm(features[None], (nothing, nothing))  # every step a sequence of its own
        return outputs[0], tuple(state[:, :count] * 0 for state in lstm_states)


class WithoutVelocities(gym.ObservationWrapper[Any, Any, Any]):
    """CartPole that shows where cart and pole are, not how fast they move, as sb3-contrib's test has it."""

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1"))
        shown = self.env.observation_space
        assert isinstance(shown, gym.spaces.Box)
        self.observation_space = gym.spaces.Box(shown.low[::2], shown.high[::2], dtype=np.float32)

    def observation(self, observation: Any) -> Any:
        return observation[::2]


def main() -> None:
    """Print the tables."""
    options = parts.parser_of(__doc__, ("hidden", "memory")).parse_args()
    torch.set_num_threads(1)
    parts.run("known_answers", {"hidden": hidden_regimes, "memory": memory_tasks}, options)


def hidden_regimes() -> dict[str, float]:
    """Shares of the oracle by agent and seed, printed and as figures by name."""
    found: dict[str, float] = {}
    table = Table(title="`hidden_regimes`: share of the oracle's log growth on unseen bars", title_justify="left")
    for heading in ("agent", *(f"seed {seed}" for seed in SEEDS)):
        table.add_column(heading)
    for name, (title, settings) in AGENTS.items():
        with emptied() if name == "emptied" else contextlib.nullcontext():
            row = [share(settings, seed) for seed in SEEDS]
        print(title, *(f"{value:.3f}" for value in row), file=sys.stderr)  # all of it takes minutes
        found |= {f"hidden_{name}_seed{seed}": value for seed, value in zip(SEEDS, row, strict=True)}
        table.add_row(title, *(f"{value:.0%}" for value in row))
    CONSOLE.print(table)
    return found


def memory_tasks() -> dict[str, float]:
    """Scores of CartPole without velocities by learner and seed, printed and as figures by name."""
    found: dict[str, float] = {}
    table = Table(title="CartPole without velocities, mean of 20 episodes after 50,000 steps", title_justify="left")
    for heading in ("recurrent PPO", *(f"seed {seed}" for seed in MEMORY_SEEDS)):
        table.add_column(heading)
    for name, learner in LEARNERS.items():
        row = [memory_task(learner, seed) for seed in MEMORY_SEEDS]
        found |= {f"memory_{name}_seed{seed}": value for seed, value in zip(MEMORY_SEEDS, row, strict=True)}
        table.add_row(name, *(f"{value:.0f}" for value in row))
    CONSOLE.print(table)
    return found


def share(settings: dict[str, Any], seed: int) -> float:
    """Train as configured with these settings changed; the share of the oracle's log growth on bars of another seed."""
    experiment = load_experiment(CONFIG, settings | {"train.seed": seed})
    parts = split(load_candles(experiment.market), experiment.split)
    trained = train_agent(parts, experiment.trial_settings, experiment.train, seed=seed)
    candles = simulate("hidden_regimes", experiment.market.bars // 5, UNSEEN)
    rows, env = trained.features.transform(candles), experiment.env
    bars = candles[len(candles) - len(rows) :]
    best = log_growth(play(bars, rows, env, OraclePolicy(best_policy(bars, env.cost_fraction).positions)))
    return log_growth(play(bars, rows, env, trained.agent)) / best


@contextlib.contextmanager
def emptied() -> Iterator[None]:
    """Train and play with an LSTM state that is emptied before every bar, in torch and in the numpy actor."""
    recurrent, decide = algorithms.ALGORITHMS["recurrent_ppo"], numpy_actor.Actor.__call__

    def classes(settings: Any) -> algorithms.Classes:
        return recurrent.classes(settings)._replace(policy=Emptied)

    def forget(actor: Any, rows: np.ndarray, memory: Any, starts: Any) -> Any:
        return decide(actor, rows, memory, np.ones(len(rows), bool))

    algorithms.ALGORITHMS["recurrent_ppo"] = recurrent._replace(classes=classes)
    numpy_actor.Actor.__call__ = forget  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        algorithms.ALGORITHMS["recurrent_ppo"] = recurrent
        numpy_actor.Actor.__call__ = decide  # type: ignore[method-assign]


def memory_task(learner: type[sb3_contrib.RecurrentPPO], seed: int) -> float:
    """Mean reward after 50,000 steps, with the settings of sb3-contrib's own test of its recurrent PPO."""
    env = VecNormalize(make_vec_env(WithoutVelocities, n_envs=8, seed=0))
    net = {"lstm_hidden_size": 64, "net_arch": {"vf": [64]}, "ortho_init": False, "enable_critic_lstm": True}
    model = learner(
        "MlpLstmPolicy", env, n_steps=128, learning_rate=7e-4, batch_size=256, n_epochs=10, max_grad_norm=1.0, gae_lambda=0.98,
        policy_kwargs=net, seed=seed, device="cpu",
    )  # fmt: skip
    model.learn(50_000)
    score, _ = evaluate_policy(model, env, n_eval_episodes=20, warn=False)
    assert isinstance(score, float)
    print(f"{learner.__module__}, seed {seed}: {score:.0f}", file=sys.stderr)
    return score


if __name__ == "__main__":
    main()
