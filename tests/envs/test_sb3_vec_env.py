"""The Stable-Baselines3 vector env: its contract, its infos, its attributes, and the algorithms that train on it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium.utils.seeding import np_random
from helpers import make_candles, no_features, step_all
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from common import InputError
from envs import BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings
from features import FeaturePipeline
from market import simulate

CANDLES = simulate("bitcoin", bars=600, seed=2)
MATRIX = FeaturePipeline().fit(CANDLES).transform(CANDLES)
SCHEMES = ("orders", "targets", "continuous")


def make(n_envs=2, seed=0, **options):
    return BitcoinTradingVecEnv(CANDLES, MATRIX, EnvSettings(**options), n_envs=n_envs, seed=seed)


def test_episode_statistics_are_those_of_the_episode():
    vector = make(episode_bars=10)
    vector.reset()
    for _ in range(3):
        total = np.zeros(2)
        for _ in range(10):
            _, rewards, dones, infos = vector.step(np.array([0, 4]))
            total += rewards
        assert dones.all()
        assert [info["episode"]["l"] for info in infos] == [10, 10]
        np.testing.assert_allclose([info["episode"]["r"] for info in infos], total)


def test_a_finished_env_says_how_its_episode_ended():
    """Env 0 holds its coin through a crash and is ruined; env 1 holds its cash to the end of the data."""
    candles = make_candles([100, 100, 5, 100])
    vector = BitcoinTradingVecEnv(candles, no_features(candles), EnvSettings(), n_envs=2, seed=0, evaluation=True)
    vector.reset()
    vector.step(np.array([0, 8]))
    observations, _, dones, infos = step_all(vector, np.array([8, 8]))
    assert dones.tolist() == [True, False]
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["terminal_observation"][1] == 1  # all in coin
    assert observations[0][1] == 0  # the next episode has begun, in cash
    observations, _, dones, infos = step_all(vector, np.array([8, 8]))
    assert dones.tolist() == [False, True]
    assert infos[1]["TimeLimit.truncated"] is True
    assert infos[1]["terminal_observation"].tolist() == [*observations[1][:5].tolist(), pytest.approx(3 / 27)]


def test_the_info_of_a_finished_env_is_that_of_the_scalar_env_but_for_the_time():
    vector = make(episode_bars=15)
    scalar = BitcoinTradingEnv(CANDLES, MATRIX, EnvSettings(episode_bars=15))
    vector.reset()
    scalar.reset(seed=1)
    for action in [0, 4, 1, 5, 9] * 3:
        *_, infos = vector.step(np.array([8, action]))
        *_, info = scalar.step(action)
    added = {"terminal_observation", "TimeLimit.truncated", "episode"}
    assert {name: value for name, value in infos[1].items() if name not in added} == {
        name: value for name, value in info.items() if name != "time"
    }
    assert added < infos[1].keys()


def test_an_earlier_observation_is_not_overwritten():
    vector = make(episode_bars=3)
    given = [vector.reset()]
    kept = [given[0].copy()]
    for _ in range(8):
        given.append(vector.step(np.array([0, 4]))[0])
        kept.append(given[-1].copy())
    np.testing.assert_array_equal(given, kept)


WRITES = {
    "[]": lambda info: info.__setitem__("mine", 1),
    "update": lambda info: info.update(mine=1),
    "setdefault": lambda info: info.setdefault("mine", 1),
    "|=": lambda info: info.__ior__({"mine": 1}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_infos_of_running_episodes_are_one_empty_dict_that_refuses_to_be_written_to(write):
    vector = make(n_envs=3)
    vector.reset()
    *_, infos = vector.step(np.array([0, 0, 0]))
    assert infos == [{}, {}, {}]
    assert infos[0] is infos[1] is infos[2]
    own = infos[0].copy()
    own["mine"] = 1
    try:
        with pytest.raises(InputError, match=r"one shared, empty dict, so .* cannot be set; copy it first"):
            write(infos[0])
        assert infos == [{}, {}, {}]
    finally:
        infos[0].clear()  # else a write that got through would be seen by every later test


def test_a_quiet_info_can_be_copied_and_pickled():
    vector = make(n_envs=1)
    vector.reset()
    *_, infos = vector.step(np.array([0]))
    assert copy.deepcopy(infos[0]) == pickle.loads(pickle.dumps(infos[0])) == {}


def test_the_state_of_any_account_can_be_asked_for():
    vector = make(n_envs=5)
    scalar = BitcoinTradingEnv(CANDLES, MATRIX)
    vector.reset()
    scalar.reset(seed=3)
    vector.step(np.array([8, 8, 8, 1, 8]))
    *_, info = scalar.step(1)
    del info["time"]
    assert vector.env_method("info", 3, indices=[0]) == [info]
    assert vector.env_method("info", 3) == [info] * 5
    assert vector.trading.accounts.cash[3] == info["cash"]
    assert vector.trading.accounts.cash[2] == 10_000


def test_attributes_and_methods_are_reachable_the_sb3_way():
    vector = make(n_envs=3)
    assert vector.get_attr("num_envs") == [3, 3, 3]
    assert vector.get_attr("num_envs", [0, 2]) == [3, 3]
    assert vector.get_attr("num_envs", 1) == [3]
    assert vector.env_is_wrapped(VecMonitor) == [False] * 3
    assert vector.has_attr("trading")
    assert not vector.has_attr("ledger")
    vector.set_attr("label", "mine")
    assert vector.get_attr("label", 0) == ["mine"]
    with pytest.raises(InputError, match="share their attributes"):
        vector.set_attr("render_mode", "ansi", [1])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sb3_wrappers_and_recurrent_ppo_train_on_it(scheme):
    """`RecurrentPPO` of sb3-contrib, on normalised and monitored envs."""
    vector = VecNormalize(VecMonitor(make(n_envs=4, episode_bars=20, action_scheme=scheme)))
    model = RecurrentPPO("MlpLstmPolicy", vector, n_steps=32, batch_size=32, n_epochs=1, policy_kwargs={"lstm_hidden_size": 8})
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(256)
    assert model.ep_info_buffer is not None
    assert model.ep_info_buffer[-1]["l"] == 20
    after = model.policy.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any((before[name] != after[name]).any() for name in before)
    mean, _ = evaluate_policy(model, vector, n_eval_episodes=4, warn=False)
    assert np.isfinite(mean)


def test_what_monitors_count_is_what_the_env_counts():
    vector = VecMonitor(make(n_envs=2, episode_bars=12))
    vector.reset()
    for _ in range(12):
        *_, infos = vector.step(np.array([0, 5]))
    for i, info in enumerate(infos):
        assert info["episode"]["l"] == 12
        scalar = BitcoinTradingEnv(CANDLES, MATRIX, EnvSettings(episode_bars=12))
        scalar.reset(seed=i)
        total = sum(scalar.step([0, 5][i])[1] for _ in range(12))
        assert info["episode"]["r"] == pytest.approx(total, rel=1e-5)


def test_a_truncated_episode_is_bootstrapped_and_ruin_is_not(monkeypatch):
    """PPO adds the value of the terminal observation to the last reward exactly where `TimeLimit.truncated` says so."""
    candles = make_candles([100, 100, 5, 5])
    vector = BitcoinTradingVecEnv(candles, no_features(candles), EnvSettings(reward="profit"), n_envs=2, seed=0, evaluation=True)
    model = PPO("MlpPolicy", vector, n_steps=3, batch_size=6, n_epochs=1, gamma=0.5)
    orders = iter([[0, 8], [8, 8], [8, 8]])  # env 0 buys and is ruined at its second bar, env 1 is cut off at its third
    decided = lambda observations: (torch.tensor(next(orders)), torch.zeros(2, 1), torch.zeros(2))  # noqa: E731
    monkeypatch.setattr(model.policy, "forward", decided)
    monkeypatch.setattr(model.policy, "predict_values", lambda observations: torch.full((len(observations), 1), 8.0))
    _, callback = model._setup_learn(6, None)
    model.collect_rollouts(vector, callback, model.rollout_buffer, 3)
    paid = model.rollout_buffer.rewards
    assert paid[1, 0] == pytest.approx(-0.95, abs=0.01)
    assert paid[2, 1] == pytest.approx(0.5 * 8.0)


# Seeds


def starts(vector):
    vector.reset()
    return vector.trading.accounts.bar.tolist()


def test_each_env_has_its_own_generator_seeded_with_seed_plus_i():
    drawn = starts(make(n_envs=16, seed=3, episode_bars=20))
    latest = len(MATRIX) - 1 - 20
    assert drawn == [int(np_random(3 + i)[0].random() * (latest + 1)) for i in range(16)]
    assert len(set(drawn)) > 8


def test_a_reset_without_a_seed_goes_on_and_with_one_begins_anew():
    vector = make(n_envs=4, seed=7, episode_bars=20)
    first, second, third = starts(vector), starts(vector), starts(vector)
    assert first != second != third
    vector.seed(7)
    assert [starts(vector) for _ in range(3)] == [first, second, third]


def test_without_a_seed_two_vector_envs_differ():
    assert starts(make(n_envs=8, seed=None, episode_bars=20)) != starts(make(n_envs=8, seed=None, episode_bars=20))


# Wrong input


DISCRETE_ERRORS = {
    "too few": np.array([0]), "too many": np.array([0, 0, 0]), "above": np.array([0, 12]), "below": np.array([-1, 0]),
    "floats": np.array([0.0, 1.0]), "booleans": np.array([True, False]), "a column": np.array([[0], [1]]), "a number": 3,
    "text": ["0", "1"], "None": None, "huge": np.array([0, 2**64 - 1], np.uint64), "ragged": [[1], [2, 3]],
}  # fmt: skip
CONTINUOUS_ERRORS = {
    "too few": np.zeros((1, 1), np.float32), "too many": np.zeros((3, 1), np.float32),
    "above": np.array([[0.0], [1.01]]), "below": np.array([[-1.01], [0.0]]), "nan": np.array([[0.0], [np.nan]], np.float32),
    "infinite": np.array([[0.0], [np.inf]]), "text": ["0", "1"], "None": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "actions"),
    [
        pytest.param(scheme, actions, id=f"{scheme}-{name}")
        for scheme in SCHEMES
        for name, actions in (CONTINUOUS_ERRORS if scheme == "continuous" else DISCRETE_ERRORS).items()
    ],
)
def test_wrong_actions_get_one_line_and_change_nothing(scheme, actions):
    vector = make(action_scheme=scheme)
    vector.reset()
    before = vector.trading.accounts.tobytes()
    rule = {"orders": "integer from 0 to 11", "targets": "integer from 0 to 4", "continuous": "number from -1 to 1"}[scheme]
    with pytest.raises(InputError, match=f"actions must be 2 times an? {rule}, but got"):
        vector.step(actions)
    assert vector.trading.accounts.tobytes() == before
    right = np.array([[0.5], [0.5]], np.float32) if scheme == "continuous" else np.array([1, 2], np.int32)
    vector.step(right)
    assert vector.trading.accounts.steps.tolist() == [1, 1]


def test_a_step_before_the_reset_or_without_actions_gets_one_line():
    vector = make()
    with pytest.raises(InputError, match="call `reset` before `step`"):
        vector.step(np.array([0, 0]))
    vector.reset()
    with pytest.raises(InputError, match="call `step_async` before `step_wait`"):
        vector.step_wait()


def test_features_that_do_not_fit_get_one_line():
    with pytest.raises(InputError, match="float32 of shape"):
        BitcoinTradingVecEnv(CANDLES, MATRIX.values.astype(float))
    with pytest.raises(InputError, match="transform these very candles"):
        BitcoinTradingVecEnv(CANDLES[:-1], MATRIX)
