"""A copy of an env goes on where the original stands, and apart from it: deepcopy, pickle and cloudpickle (SubprocVecEnv)."""

import copy
import pickle

import cloudpickle
import numpy as np
import pytest
from helpers import make_candles, no_features
from stable_baselines3.common.vec_env import SubprocVecEnv

from envs import REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings

CANDLES = make_candles(list(100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 80)))))
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
}


def make(kind, reward="sortino"):
    return kind(CANDLES, no_features(CANDLES), EnvSettings(reward=reward, reward_window=5, episode_bars=12))


def state(env):
    accounts = env.trading.accounts
    return accounts.tobytes(), str(env.trading.info(0)), env.trading.episode(0), accounts.net_worth.tobytes()


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copied_env_goes_on_as_the_original_does(duplicate, reward):
    env = make(BitcoinTradingEnv, reward)
    env.reset(seed=0)
    for action in (0, 5, 1, 8, 4, 2):
        env.step(action)
    other = duplicate(env)
    for action in (0, 5, 8, 4):
        one, two = env.step(action), other.step(action)
        assert one[0].tobytes() == two[0].tobytes()
        assert (one[1:4], str(one[4])) == (two[1:4], str(two[4]))
        assert state(env) == state(other)
    assert env.trades().equals(other.trades())


@pytest.mark.parametrize("kind", [BitcoinTradingVecEnv, BitcoinTradingVectorEnv])
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copied_vector_env_goes_on_as_the_original_does(duplicate, kind):
    env = make(kind)
    env.reset()
    actions = np.random.default_rng(0).integers(0, 12, (30, env.num_envs))
    for row in actions[:8]:
        env.step(row)
    other = duplicate(env)
    for row in actions[8:]:
        one, two = env.step(row), other.step(row)
        assert [part.tobytes() for part in one[:3]] == [part.tobytes() for part in two[:3]]
        assert str(one[-1]) == str(two[-1])
        assert state(env) == state(other)


def test_a_copy_and_its_original_leave_each_other_alone():
    env = make(BitcoinTradingEnv)
    env.reset(seed=0)
    other = copy.deepcopy(env)
    before = state(env)
    other.step(0)
    assert state(env) == before
    assert state(other) != before


def test_what_is_read_only_stays_so_in_a_copy():
    trading = pickle.loads(pickle.dumps(make(BitcoinTradingEnv))).trading
    for array in (trading.features, trading.bars):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_processes_of_their_own_step_and_tell_what_happened():
    env = SubprocVecEnv([lambda: make(BitcoinTradingEnv)] * 2, start_method="fork")
    try:
        env.seed(0)
        env.reset()
        for _ in range(3):
            infos = env.step(np.array([0, 8]))[-1]
        assert infos[0]["trades"] > 0
        assert infos[1]["net_worth"] == 10_000
    finally:
        env.close()
