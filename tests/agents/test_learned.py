import json
import pickle

import numpy as np
import pytest
import torch

from agents import AgentFileError, AgentSettings, LearnedAgent, build_ppo
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play
from market import InputError

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8)


@pytest.fixture(scope="module")
def agent(candles, matrix):
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(), n_envs=4, seed=0)
    return LearnedAgent(build_ppo(SMALL, vector, seed=0).learn(64).policy, SMALL)


def test_a_saved_agent_decides_the_same(agent, candles, matrix, tmp_path):
    agent.save(tmp_path)
    loaded = LearnedAgent.load(tmp_path)
    one, two = (play(candles, matrix, EnvSettings(), each).table for each in (agent, loaded))
    assert one.equals(two)
    assert {path.name for path in tmp_path.iterdir()} == {"agent.json", "policy.safetensors"}


@pytest.mark.parametrize("options", [{"action_scheme": "continuous"}, {"action_scheme": "targets", "targets": (0, 1)}])
def test_an_agent_of_any_action_scheme_is_kept_and_trades(options, candles, matrix, tmp_path):
    settings = EnvSettings(**options)
    vector = BitcoinTradingVecEnv(candles, matrix, settings, n_envs=4, seed=0)
    trained = LearnedAgent(build_ppo(SMALL, vector, seed=0).learn(64).policy, SMALL)
    trained.save(tmp_path)
    loaded = LearnedAgent.load(tmp_path)
    assert loaded.action_space == vector.action_space
    one, two = (play(candles, matrix, settings, each).table for each in (trained, loaded))
    assert one.equals(two)
    with pytest.raises(InputError, match="trained on the actions"):
        play(candles, matrix, EnvSettings(), loaded)


def test_the_memory_is_carried_from_bar_to_bar_and_cleared_at_a_start(agent, matrix):
    observation = np.concatenate([matrix.values[:1], np.zeros((1, 5), np.float32)], axis=1)
    _, first = agent.predict(observation, None, np.ones(1, bool), deterministic=True)
    _, second = agent.predict(observation, first, np.zeros(1, bool), deterministic=True)
    _, again = agent.predict(observation, second, np.ones(1, bool), deterministic=True)
    assert not np.array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[0], again[0])


def test_loading_never_runs_code(agent, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    agent.save(tmp_path)
    for content in (pickle.dumps(Bomb()), b"", b"\xff" * 100, (tmp_path / "policy.safetensors").read_bytes()[:200]):
        (tmp_path / "policy.safetensors").write_bytes(content)
        with pytest.raises(AgentFileError, match="train it again") as error:
            LearnedAgent.load(tmp_path)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


def test_a_damaged_or_missing_description_gets_one_line(agent, tmp_path):
    with pytest.raises(AgentFileError, match=r"agent\.json"):
        LearnedAgent.load(tmp_path)
    agent.save(tmp_path)
    about = json.loads((tmp_path / "agent.json").read_text())
    (tmp_path / "agent.json").write_text(json.dumps(about | {"format": 2}))
    with pytest.raises(AgentFileError, match="format 2"):
        LearnedAgent.load(tmp_path)
    (tmp_path / "agent.json").write_text(json.dumps(about | {"observation_size": 7}))
    with pytest.raises(AgentFileError, match="train it again"):
        LearnedAgent.load(tmp_path)


def test_every_hyperparameter_reaches_the_algorithm(candles, matrix):
    settings = AgentSettings(
        n_envs=3, n_steps=20, n_minibatches=5, n_epochs=7, learning_rate=0.01, gamma=0.9, gae_lambda=0.8, clip_range=0.3,
        ent_coef=0.02, vf_coef=0.4, max_grad_norm=0.6, lstm_size=12, lstm_layers=2,
    )  # fmt: skip
    model = build_ppo(settings, BitcoinTradingVecEnv(candles, matrix, n_envs=3, seed=0), seed=0)
    assert (model.n_steps, model.batch_size, model.n_epochs, model.n_envs) == (20, 12, 7, 3)
    assert (model.learning_rate, model.gamma, model.gae_lambda) == (0.01, 0.9, 0.8)
    assert (model.clip_range(1.0), model.ent_coef, model.vf_coef, model.max_grad_norm) == (0.3, 0.02, 0.4, 0.6)
    lstm = model.policy.lstm_actor
    assert (lstm.hidden_size, lstm.num_layers) == (12, 2)
    assert model.env.gamma == 0.9  # the reward scaling discounts alike


def test_one_thread_keeps_the_order_of_sums(candles, matrix):
    build_ppo(SMALL, BitcoinTradingVecEnv(candles, matrix, n_envs=4, seed=0), seed=0)
    assert torch.get_num_threads() == 1
