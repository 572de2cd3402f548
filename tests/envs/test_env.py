import subprocess
import sys
import warnings
from importlib.metadata import entry_points

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from helpers import make_candles, no_features
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from envs import ACCOUNT_COLUMNS, ENV_ID, BitcoinTradingEnv, EnvSettings
from features import FeaturePipeline
from market import Candles, InputError, simulate

CANDLES = simulate("bitcoin", bars=700, seed=5)
FITTED = FeaturePipeline().fit(CANDLES)


@pytest.fixture
def env(candles, matrix):
    return BitcoinTradingEnv(candles, matrix, EnvSettings(episode_bars=100))


def test_the_checkers_of_gymnasium_and_sb3_find_nothing():
    env = gymnasium.make("coindojo/BitcoinTrading-v0", disable_env_checker=True, render_mode="ansi")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
        check_env_sb3(env.unwrapped)


def test_gymnasium_makes_it_without_an_import():
    code = "import gymnasium; print(gymnasium.make('envs:coindojo/BitcoinTrading-v0').reset(seed=1)[0].shape)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=True)
    assert run.stdout.strip() == "(31,)"


def test_the_entry_point_registers_it():
    (point,) = entry_points(group="gymnasium.envs", name="coindojo")
    gymnasium.registry.pop(ENV_ID)
    point.load()()
    assert ENV_ID in gymnasium.registry


def test_it_is_registered_with_defaults_and_takes_arguments(candles, matrix):
    observation, info = gymnasium.make("coindojo/BitcoinTrading-v0").reset(seed=1)
    assert observation.shape == (31,)
    assert info["net_worth"] == 10_000
    own = gymnasium.make("coindojo/BitcoinTrading-v0", candles=candles, features=matrix, settings=EnvSettings(initial_cash=5.0))
    assert own.reset(seed=1)[1]["net_worth"] == 5
    with pytest.raises(InputError, match="give `candles` too"):
        gymnasium.make("coindojo/BitcoinTrading-v0", features=matrix)


def test_the_observation_is_the_feature_row_and_the_account(env, matrix):
    observation, info = env.reset(seed=3)
    np.testing.assert_array_equal(observation[: -len(ACCOUNT_COLUMNS)], matrix.values[info["bar"]])
    np.testing.assert_array_equal(observation[-len(ACCOUNT_COLUMNS) :], [0, 1, 0, 0, 0])
    observation, _, _, _, info = env.step(1)  # buys with half of the cash
    np.testing.assert_array_equal(observation[: -len(ACCOUNT_COLUMNS)], matrix.values[info["bar"]])
    position, cash, gain, drawdown, idle = observation[-len(ACCOUNT_COLUMNS) :]
    assert position == pytest.approx(info["position"])
    assert position + cash == pytest.approx(1)
    assert abs(gain) < 0.2
    assert drawdown == pytest.approx(max(0, 1 - info["net_worth"] / 10_000), abs=1e-7)
    assert idle == 0
    assert env.step(8)[0][-1] == pytest.approx(1 / 25)


def test_the_info_names_the_bar_whose_close_is_known(env, candles):
    _, info = env.reset(seed=3)
    following = env.step(8)[4]
    assert following["bar"] == info["bar"] + 1
    assert following["time"] == info["time"] + candles.bar


def test_a_seed_repeats_an_episode_to_the_byte(env):
    def record(seed):
        rows = [env.reset(seed=seed)[0]]
        rng = np.random.default_rng(0)
        for _ in range(50):
            observation, reward, *_ = env.step(int(rng.integers(12)))
            rows += [observation, np.float32(reward)]
        return b"".join(row.tobytes() for row in rows)

    assert record(9) == record(9)
    assert record(9) != record(10)


def test_a_reset_leaves_no_trace(env):
    fresh = [env.reset(seed=2)[0].tobytes()] + [env.step(8)[0].tobytes() for _ in range(5)]
    env.reset(seed=4)
    for action in (0, 5, 1, 4) * 20:
        env.step(action)
    again = [env.reset(seed=2)[0].tobytes()] + [env.step(8)[0].tobytes() for _ in range(5)]
    assert fresh == again


def test_episodes_start_anywhere_and_are_truncated_after_episode_bars(env, matrix):
    starts = set()
    for seed in range(40):
        starts.add(env.reset(seed=seed)[1]["bar"])
        over, steps = False, 0
        while not over:
            _, _, terminated, over, info = env.step(11)
            steps += 1
        assert (steps, terminated) == (100, False)
        assert info["bar"] < len(matrix)
    assert len(starts) > 30


def test_evaluation_plays_the_whole_range_once(candles, matrix):
    env = BitcoinTradingEnv(candles, matrix, EnvSettings(episode_bars=100), evaluation=True)
    assert env.reset(seed=1)[1]["time"] == matrix.index[0]
    over, steps = False, 0
    while not over:
        _, _, _, over, info = env.step(8)
        steps += 1
    assert info["time"] == candles.index[-1]
    assert steps == len(matrix) - 1
    with pytest.raises(InputError, match="reset"):
        env.step(8)


def test_ruin_terminates_and_its_last_reward_is_paid_in_full():
    candles = make_candles([100, 100, 5, 100, 100])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(reward="profit", fee_bps=0), evaluation=True)
    env.reset(seed=0)
    env.step(0)
    _, reward, terminated, truncated, _ = env.step(8)
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(-0.95, abs=1e-3)


def test_the_end_of_the_data_truncates():
    candles = make_candles([100, 101, 102])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(), evaluation=True)
    env.reset(seed=0)
    assert env.step(8)[2:4] == (False, False)
    assert env.step(8)[2:4] == (False, True)


@settings(max_examples=40, deadline=None)
@given(
    bar=st.integers(0, 60),
    factor=st.floats(0.05, 20),
    actions=st.lists(st.integers(0, 11), min_size=61, max_size=61),
    reward=st.sampled_from(["profit", "sortino"]),
)
def test_changing_the_future_changes_no_observation_reward_or_info_before_it(bar, factor, actions, reward):
    frame = CANDLES.frame.copy()
    warmup = FITTED.transform(CANDLES).warmup
    frame.iloc[warmup + bar + 1 :] *= factor
    changed = Candles(frame, CANDLES.bar, "", "another future")

    def record(candles):
        env = BitcoinTradingEnv(candles, FITTED.transform(candles), EnvSettings(reward=reward), evaluation=True)
        observation, info = env.reset(seed=0)
        rows = [(observation.tobytes(), str(info))]
        for action in actions[:bar]:
            observation, paid, *_, info = env.step(action)
            rows.append((observation.tobytes(), paid, str(info)))
        return rows

    assert record(CANDLES) == record(changed)


def test_wrong_input_gets_one_line(candles, matrix):
    for features, message in (
        (matrix.values.astype(np.float64), "float32"),
        (matrix.values[:, 0], "shape"),
        (np.full((10, 2), np.nan, np.float32), "finite, but row 0, column 0"),
        (np.zeros((len(candles) + 1, 2), np.float32), "one for each of the last candles"),
    ):
        with pytest.raises(InputError, match=message):
            BitcoinTradingEnv(candles, features)
    with pytest.raises(InputError, match="transform these very candles"):
        BitcoinTradingEnv(candles[:-1], matrix)
    with pytest.raises(InputError, match="render_mode"):
        BitcoinTradingEnv(candles, matrix, render_mode="human")
    env = BitcoinTradingEnv(candles, matrix)
    with pytest.raises(InputError, match="reset"):
        env.step(0)
    env.reset()
    with pytest.raises(InputError, match="integer from 0 to 11, but got 12"):
        env.step(12)


def test_features_are_shared_and_never_written(env, matrix):
    assert np.shares_memory(env.trading.market.features, matrix.values)
    with pytest.raises(ValueError, match="read-only"):
        env.trading.market.features[0, 0] = 1


def test_ansi_rendering_says_where_the_account_stands(candles, matrix):
    env = BitcoinTradingEnv(candles, matrix, render_mode="ansi")
    env.reset(seed=0)
    env.step(0)
    assert "filled" in env.render()
    assert "net worth" in env.render()
