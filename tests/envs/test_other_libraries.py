"""Researchers bring their own learners: MaskablePPO, SAC and a loop in one file train on the environment, as docs/ shows them."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import VecNormalize

from envs import BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings, Replay
from evaluation import log_growth, play
from market import simulate

DOCS = Path(__file__).parents[2] / "docs"
BARS = 6_000


def regimes(seed):
    """A market whose drift is seen: who is long while it is up has made the most of it."""
    candles = simulate("regimes", bars=BARS, seed=seed)
    return candles, np.sign(candles.state).astype(np.float32)[:, None]


SETTINGS = {"reward": "log_return", "episode_bars": 256, "min_trade": 0.0}


def best(candles, settings):
    """The log growth of who follows the drift, by the orders 0 and 4, at full cost."""
    sides = np.where(candles.state[:-1] > 0, 0, 4)
    replay = Replay(candles, np.zeros((len(candles), 1), np.float32), EnvSettings(**settings))
    replay.play(sides)
    return float(np.log(replay.table()["net_worth"].iloc[-1] / 10_000))


def ppo_in_one_file():
    spec = importlib.util.spec_from_file_location("ppo_in_one_file", DOCS / "examples" / "ppo.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Greedy:
    """The most probable action of a policy made of torch."""

    def __init__(self, policy) -> None:
        self.policy = policy

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        with torch.no_grad():
            return self.policy.actor(torch.from_numpy(observation)).argmax(-1).numpy(), None


def examples_of(heading):
    """The code blocks of a section of docs/environment.md."""
    page = (DOCS / "environment.md").read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## )", page, re.DOTALL | re.MULTILINE)
    assert section
    blocks = re.findall(r"(?:^    .*\n|^\n)+", section[1], re.MULTILINE)
    return ["\n".join(line[4:] for line in block.splitlines()) for block in blocks if block.strip()]


@pytest.mark.parametrize("number", [0, 1], ids=["MaskablePPO", "SAC"])
def test_the_examples_of_the_page_train(number):
    candles, rows = regimes(0)
    code = examples_of("Other learners")[number]
    code, shortened = re.subn(r"\.learn\([\d_]+\)", ".learn(600)", code)
    assert shortened == 1
    names = {"candles": candles, "features": rows}
    exec(code, names)
    model = names["model"]
    assert model.num_timesteps >= 600
    assert all(value.isfinite().all() for value in model.policy.state_dict().values())


def test_a_loop_in_one_file_trains():
    candles, rows = regimes(0)
    module = ppo_in_one_file()
    env = BitcoinTradingVectorEnv(candles, rows, EnvSettings(**SETTINGS), num_envs=8, autoreset_mode="SameStep")
    torch.manual_seed(0)
    before = module.Policy(6, 12).state_dict()
    after = module.train(env, updates=3).state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert all((before[name] != after[name]).any() for name in before)


@pytest.mark.slow
def test_a_loop_in_one_file_finds_most_of_a_drift_that_it_sees():
    candles, rows = regimes(0)
    env = BitcoinTradingVectorEnv(candles, rows, EnvSettings(**SETTINGS), num_envs=64, autoreset_mode="SameStep")
    policy = ppo_in_one_file().train(env, updates=15)
    unseen, seen = regimes(1)
    found = log_growth(play(unseen, seen, EnvSettings(**SETTINGS), Greedy(policy)))
    assert found > 0.8 * best(unseen, SETTINGS)


@pytest.mark.slow
def test_sac_finds_most_of_a_drift_that_it_sees():
    torch.set_num_threads(1)
    candles, rows = regimes(0)
    options = EnvSettings(**SETTINGS, action_scheme="continuous")
    env = VecNormalize(BitcoinTradingVecEnv(candles, rows, options, n_envs=8, seed=0), norm_obs=False, gamma=0.9)
    small: dict[str, Any] = {"learning_starts": 500, "batch_size": 128, "policy_kwargs": {"net_arch": [32, 32]}}
    model = SAC("MlpPolicy", env, gamma=0.9, ent_coef=0.01, learning_rate=1e-3, seed=0, **small)
    model.learn(12_000)
    unseen, seen = regimes(1)
    found = log_growth(play(unseen, seen, options, model))
    assert found > 0.6 * best(unseen, SETTINGS)
