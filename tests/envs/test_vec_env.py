import numpy as np
import pytest
from gymnasium.utils.seeding import np_random
from hypothesis import given, settings
from hypothesis import strategies as st
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from envs import REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from features import FeaturePipeline
from market import InputError, simulate

CANDLES = simulate("bitcoin", bars=600, seed=2)
MATRIX = FeaturePipeline().fit(CANDLES).transform(CANDLES)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    reward=st.sampled_from(sorted(REWARDS)),
    fee=st.floats(0, 200),
    bars=st.integers(2, 30),
    window=st.integers(2, 40),
)
def test_the_vector_env_and_the_scalar_env_give_the_same_bytes(seed, reward, fee, bars, window):
    options = EnvSettings(reward=reward, fee_bps=fee, episode_bars=bars, reward_window=window)
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, options, n_envs=3, seed=seed)
    scalars = [BitcoinTradingEnv(CANDLES, MATRIX, options) for _ in range(3)]
    assert vector.reset().tobytes() == b"".join(env.reset(seed=seed + i)[0].tobytes() for i, env in enumerate(scalars))
    rng = np.random.default_rng(seed)
    for _ in range(60):
        actions = rng.integers(0, 12, 3)
        observations, rewards, dones, infos = vector.step(actions)
        for i, env in enumerate(scalars):
            observation, paid, terminated, truncated, _ = env.step(actions[i])
            assert rewards[i] == np.float32(paid)
            assert dones[i] == (terminated or truncated)
            if dones[i]:
                assert infos[i]["terminal_observation"].tobytes() == observation.tobytes()
                assert infos[i]["TimeLimit.truncated"] == truncated
                observation, _ = env.reset()
            assert observations[i].tobytes() == observation.tobytes()


def test_episode_statistics_are_those_of_the_episode():
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, EnvSettings(episode_bars=10), n_envs=2, seed=0)
    vector.reset()
    total = np.zeros(2)
    for _ in range(10):
        _, rewards, dones, infos = vector.step(np.array([0, 4]))
        total += rewards
    assert dones.all()
    assert [info["episode"]["l"] for info in infos] == [10, 10]
    np.testing.assert_allclose([info["episode"]["r"] for info in infos], total)


def test_an_earlier_observation_is_not_overwritten():
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, n_envs=2, seed=0)
    first = vector.reset()
    kept = first.copy()
    vector.step(np.array([0, 0]))
    np.testing.assert_array_equal(first, kept)


def test_sb3_wrappers_and_algorithms_accept_it():
    vector = VecNormalize(VecMonitor(BitcoinTradingVecEnv(CANDLES, MATRIX, EnvSettings(episode_bars=20), n_envs=4, seed=0)))
    model = RecurrentPPO("MlpLstmPolicy", vector, n_steps=32, batch_size=32, n_epochs=1, policy_kwargs={"lstm_hidden_size": 8})
    model.learn(256)
    assert model.ep_info_buffer[-1]["l"] == 20


def test_attributes_and_methods_are_reachable_the_sb3_way():
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, n_envs=3, seed=0)
    assert vector.get_attr("num_envs") == [3, 3, 3]
    assert vector.get_attr("num_envs", [0, 2]) == [3, 3]
    assert vector.env_is_wrapped(VecMonitor) == [False] * 3
    assert vector.has_attr("trading")
    with pytest.raises(InputError, match="share their attributes"):
        vector.set_attr("render_mode", "ansi", [1])


def test_wrong_actions_get_one_line():
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, n_envs=2, seed=0)
    vector.reset()
    for actions in (np.array([0]), np.array([0, 12]), np.array([-1, 0])):
        with pytest.raises(InputError, match="2 integers from 0 to 11"):
            vector.step(actions)


def test_unseeded_envs_differ_and_each_env_has_its_own_generator():
    vector = BitcoinTradingVecEnv(CANDLES, MATRIX, EnvSettings(episode_bars=20), n_envs=16, seed=3)
    vector.reset()
    starts = vector.trading.accounts.bar.copy()
    assert len(set(starts)) > 8
    latest = len(MATRIX) - 1 - 20
    assert list(starts[:3]) == [int(np_random(3 + i)[0].integers(0, latest + 1)) for i in range(3)]
