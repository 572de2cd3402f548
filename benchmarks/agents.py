"""How fast recurrent PPO learns, against sb3-contrib's in the same run, and how fast an agent decides, against torch.

    python -m benchmarks.agents             frames a second at two settings, then decisions a second
    python -m benchmarks.agents --keep      the same, and keep the figures that the pages quote
    python -m benchmarks.agents --only decisions --keep       one part, and leave the figures of the others

One core, one thread. sb3-contrib is slow where an episode starts within a minibatch, so rollouts with and without starts are
shown apart, in learns whose episodes all start together (as they do at the start of a training, and stay so unless an account is
ruined) and in learns whose episodes start one by one. Each row is one `learn` of 16 rollouts after a warm-up of one. Rows take
turns, a rollout and its update each, so that a slow phase of the machine hits all. Seconds are the processor's.

sb3-contrib has the fused Adam, an option of torch. GFLOP/s are those of the LSTMs and of the heads in the update, three passes'
worth (forward, and two backward), against a large matrix product on the same core.
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import sb3_contrib
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from agents import AgentSettings, LearnedAgent, RecurrentPPO
from agents.algorithms import blank_policy
from benchmarks import parts
from benchmarks.env import spread_ends
from envs import ACCOUNT_COLUMNS, BitcoinTradingVecEnv, EnvSettings
from features import FeatureMatrix, FeaturePipeline
from market import Candles, simulate, split

WARM_UP, ROLLOUTS, N_STEPS = 1, 16, 128  # 16 rollouts are two episodes of the default length
N_EPOCHS = AgentSettings().n_epochs
SETTINGS: dict[str, tuple[str, int, dict[str, Any], dict[str, Any]]] = {
    "lstm_256": ("8 envs, LSTM 256", 8, {"batch_size": 128}, {}),
    "lstm_64": ("64 envs, LSTM 64", 64, {"batch_size": 1_024}, {"lstm_hidden_size": 64}),
}
"""by the name of its figures: title, environments, arguments, networks; what is not named is sb3-contrib's default"""
PARTS = {f"{setting}_{ends}": (setting, ends) for setting in SETTINGS for ends in ("together", "staggered")}
"""by the beginning of the names of its figures: setting, and when episodes end"""
Kind = tuple[str, type[sb3_contrib.RecurrentPPO], dict[str, Any], dict[str, Any]]
KINDS: dict[str, Kind] = {
    "sequences": ("ours, sequences", RecurrentPPO, {}, {}),
    "slices": ("ours, slices", RecurrentPPO, {"minibatches": "slices"}, {}),
    "sb3": ("sb3-contrib", sb3_contrib.RecurrentPPO, {}, {"optimizer_kwargs": {"eps": 1e-5, "fused": True}}),
}
"""by the name of its figures: title, class, arguments, arguments of the policy"""
DECISIONS, DECISION_ROUNDS = 3_000, 5
CONSOLE = Console(width=140, highlight=False)


class Round(NamedTuple):
    """Seconds of one rollout and its update, of the update alone, and whether an episode starts in the rollout."""

    seconds: float
    update: float
    starts: bool


def main() -> None:
    """Print the tables."""
    options = parts.parser_of(__doc__, ("decisions", *PARTS)).parse_args()
    torch.set_num_threads(1)
    train = split(simulate("bitcoin", bars=10_000, seed=0)).train.own
    matrix = FeaturePipeline().fit(train).transform(train)
    learning = {part: partial(frames, part, train, matrix) for part in PARTS}
    parts.run("agents", {"decisions": partial(decisions, train, matrix), **learning}, options)


def matrix_product() -> float:
    """GFLOP/s."""
    one, two = torch.randn(1_024, 1_024), torch.randn(1_024, 1_024)
    return 2 * 1_024**3 / min(seconds_of(lambda: one @ two) for _ in range(10)) / 1e9


def seconds_of(work: Callable[[], Any]) -> float:
    """Processor seconds."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def build(
    kind: Kind, env: VecEnv, arguments: Mapping[str, Any], networks: Mapping[str, Any], seed: int = 0
) -> sb3_contrib.RecurrentPPO:
    """A learner of that kind, with the arguments of a setting and its own."""
    _, make, own, own_networks = kind
    policy = {**networks, **own_networks}
    return make("MlpLstmPolicy", env, seed=seed, device="cpu", policy_kwargs=policy, **arguments, **own)


class SteppedLearn(BaseCallback):
    """One `learn` in a thread of its own that waits before each rollout until `advance` lets it go on.

    Args:
        model: learns `ROLLOUTS` rollouts.
        staggered: the first episodes end one by one, so that later ones start one by one.
    """

    def __init__(self, model: sb3_contrib.RecurrentPPO, staggered: bool) -> None:
        super().__init__()
        self.learner, self.staggered = model, staggered
        self.rounds: list[Round] = []
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._begin: float | None = None
        self._middle, self._starts = 0.0, False
        self._thread = threading.Thread(target=self._learn, daemon=True)
        self._thread.start()
        self._waits.acquire()

    def advance(self) -> None:
        """Play one rollout and learn from it."""
        self._go.release()
        self._waits.acquire()

    def _learn(self) -> None:
        steps = self.learner.n_steps * self.learner.n_envs
        try:
            self.learner.learn(WARM_UP * steps)
            self.learner.learn(ROLLOUTS * steps, callback=self)
        finally:
            self._pause()

    def _pause(self) -> None:
        if self._begin is not None:
            now = time.process_time()
            self.rounds.append(Round(now - self._begin, now - self._middle, self._starts))
        self._waits.release()

    def _on_step(self) -> bool:
        return True

    def _on_training_start(self) -> None:
        if self.staggered:
            spread_ends(self.training_env.trading, np.random.default_rng(0))  # type: ignore[attr-defined]

    def _on_rollout_start(self) -> None:
        self._pause()
        self._go.acquire()
        self._begin = time.process_time()

    def _on_rollout_end(self) -> None:
        self._middle = time.process_time()
        self._starts = bool(self.learner.rollout_buffer.episode_starts.any())


def frames(part: str, train: Candles, matrix: FeatureMatrix) -> dict[str, float]:
    """Frames a second of each kind in one learn, printed and as figures by name.

    Args:
        part: of `PARTS`.
        train: candles that are traded on.
        matrix: their features.
    """
    setting, ends = PARTS[part]
    peak = matrix_product()
    learns = side_by_side(setting, ends == "staggered", train, matrix)
    rates = {kind: rates_of(learn) for kind, learn in learns.items()}
    count = sum(one.starts for one in learns["sb3"].rounds)
    title = (
        f"{SETTINGS[setting][0]}, episodes {ends}: frames a second, updates of {N_EPOCHS} passes included (times sb3-contrib's)"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("recurrent PPO")
    columns = {"with": f"{count} rollouts with starts", "without": f"{ROLLOUTS - count} without", "whole": "all"}
    for heading in (*columns.values(), "updates", "GFLOP/s", "of peak"):
        table.add_column(heading, justify="right")
    found: dict[str, float] = {f"{part}_rollouts_with_starts": count}
    for kind, learn in learns.items():
        times = {name: rate / rates["sb3"][name] for name, rate in rates[kind].items()}
        found |= {f"{part}_{kind}_{name}": rate for name, rate in rates[kind].items()}
        found |= {f"{part}_{kind}_{name}_times": value for name, value in times.items() if kind != "sb3"}
        cells = [f"{rates[kind][name]:,.0f} ({times[name]:.2f})" if name in times else "" for name in columns]
        share, rate = update_of(learn)
        table.add_row(KINDS[kind][0], *cells, f"{share:.0%}", f"{rate:.1f}", f"{rate / peak:.0%}")
        found |= {f"{part}_{kind}_updates": share, f"{part}_{kind}_of_peak": rate / peak} if kind == "sequences" else {}
    CONSOLE.print(table)
    CONSOLE.print(f"a product of two 1,024 x 1,024 matrices: {peak:.0f} GFLOP/s on this core")
    return found


def side_by_side(setting: str, staggered: bool, train: Candles, matrix: FeatureMatrix) -> dict[str, SteppedLearn]:
    """One `learn` of each kind, rollout by rollout in turn."""
    _, n_envs, arguments, networks = SETTINGS[setting]
    arguments = {"n_steps": N_STEPS, "n_epochs": N_EPOCHS, **arguments}
    learns = {}
    for name, kind in KINDS.items():
        env = BitcoinTradingVecEnv(train, matrix, EnvSettings(), n_envs=n_envs, seed=0)
        learns[name] = SteppedLearn(build(kind, env, arguments, networks), staggered)
    for _ in range(ROLLOUTS):
        for learn in learns.values():
            learn.advance()
    return learns


def rates_of(learn: SteppedLearn) -> dict[str, float]:
    """Frames a second in rollouts with episode starts, in those without, and in all; none where there is no such rollout."""
    frames = learn.learner.n_steps * learn.learner.n_envs
    parts = {
        "with": [one.seconds for one in learn.rounds if one.starts],
        "without": [one.seconds for one in learn.rounds if not one.starts],
        "whole": [one.seconds for one in learn.rounds],
    }
    return {part: frames * len(seconds) / sum(seconds) for part, seconds in parts.items() if seconds}


def update_of(learn: SteppedLearn) -> tuple[float, float]:
    """The share of the time that goes into updates, and their GFLOP/s."""
    model = learn.learner
    in_updates = sum(one.update for one in learn.rounds)
    weights = sum(weight.numel() for weight in model.policy.parameters() if weight.ndim == 2)
    # every weight multiplies once forward and twice backward, 2 operations each
    flops = 3 * 2 * weights * model.n_steps * model.n_envs * model.n_epochs * len(learn.rounds)
    return in_updates / sum(one.seconds for one in learn.rounds), flops / in_updates / 1e9


def decisions(train: Candles, matrix: FeatureMatrix) -> dict[str, float]:
    """Deterministic decisions a second on one bar after the other, printed and as figures by name.

    All ways have the same weights, carry the LSTM's state along, and must take the same actions.
    """
    env = BitcoinTradingVecEnv(train, matrix, EnvSettings(), n_envs=1, seed=0)
    account = np.zeros((DECISIONS, len(ACCOUNT_COLUMNS)), np.float32)
    rows = np.concatenate((matrix.values[:DECISIONS], account), axis=1)
    torch.manual_seed(0)
    policy = blank_policy(AgentSettings(), env.observation_space, env.action_space)
    nn.init.orthogonal_(policy.get_submodule("action_net").weight)  # type: ignore[arg-type]  # the fresh ones nearly tie
    ways: dict[str, tuple[str, Callable[[np.ndarray], list[int]]]] = {
        "actor": ("ours, numpy", lambda rows: by_predict(LearnedAgent(policy, AgentSettings()), rows)),
        "predict": ("the policy's own `predict`", lambda rows: by_predict(policy, rows)),
        "bare": ("its torch modules, called bare", lambda rows: by_modules(bare(policy), rows)),
        "traced": ("... compiled by torch.jit", lambda rows: by_modules(traced, rows)),
        "cell": ("... with nn.LSTMCell", lambda rows: by_modules(with_cell(policy), rows)),
        "cell_traced": ("... with nn.LSTMCell, compiled", lambda rows: by_modules(cell_traced, rows)),
    }
    traced, cell_traced = trace(bare(policy), rows), trace(with_cell(policy), rows)
    best = dict.fromkeys(ways, float("inf"))
    expected = ways["predict"][1](rows)
    for _ in range(DECISION_ROUNDS):
        for way, (title, decide) in ways.items():
            begin = time.process_time()
            actions = decide(rows)
            best[way] = min(best[way], time.process_time() - begin)
            assert actions == expected, f"{title} decides otherwise"
    table = Table(title="deterministic decisions a second, one bar at a time", title_justify="left")
    for heading in ("way", "decisions/s", "ours is so many times as fast"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, (title, _) in ways.items():
        table.add_row(title, f"{DECISIONS / best[way]:,.0f}", f"{best[way] / best['actor']:.2f}")
    found = {f"decisions_{way}": DECISIONS / seconds for way, seconds in best.items()}
    found |= {f"decisions_{way}_times": seconds / best["actor"] for way, seconds in best.items() if way != "actor"}
    CONSOLE.print(table)
    return found


def by_predict(agent: Any, rows: np.ndarray) -> list[int]:
    """Actions of something with the common `predict`."""
    state, actions = None, []
    for row in rows:
        action, state = agent.predict(row, state, None, True)
        actions.append(int(action))
    return actions


def by_modules(step: Callable[..., Any], rows: np.ndarray) -> list[int]:
    """Actions of a torch step, which takes (1, D), hidden and cell state (1, size), and returns the action and both states."""
    size = AgentSettings().lstm_size
    hidden, cell, actions = torch.zeros(1, size), torch.zeros(1, size), []
    with torch.inference_mode():
        for i in range(len(rows)):
            action, hidden, cell = step(torch.from_numpy(rows[i : i + 1]), hidden, cell)
            actions.append(int(action))
    return actions


class Bare(nn.Module):
    """The actor's modules, one after the other; `cell` takes the LSTM's place where it is given."""

    def __init__(self, policy: Any, cell: nn.LSTMCell | None = None) -> None:
        super().__init__()
        self.lstm, self.cell, self.head, self.output = policy.lstm_actor, cell, policy.mlp_extractor.policy_net, policy.action_net

    def forward(
        self, row: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if self.cell is not None:
            hidden, cell = self.cell(row, (hidden, cell))
            latent = hidden
        else:
            latent, (hidden, cell) = self.lstm(row, (hidden, cell))
        return self.output(self.head(latent)).argmax(), hidden, cell


def bare(policy: Any) -> Bare:
    """The actor's own modules."""
    return Bare(policy).eval()


def with_cell(policy: Any) -> Bare:
    """The same weights in an `nn.LSTMCell`, which has less to set up for a single step than `nn.LSTM`."""
    lstm = policy.lstm_actor
    cell = nn.LSTMCell(lstm.input_size, lstm.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in lstm.state_dict().items()})
    return Bare(policy, cell).eval()


def trace(step: Bare, rows: np.ndarray) -> Callable[..., Any]:
    """The step, compiled by torch.jit."""
    size = AgentSettings().lstm_size
    example = (torch.from_numpy(rows[:1]), torch.zeros(1, size), torch.zeros(1, size))
    with torch.no_grad():
        made: Callable[..., Any] = torch.jit.freeze(torch.jit.trace(step, example))
    return made


if __name__ == "__main__":
    main()
