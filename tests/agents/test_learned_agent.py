import copy
import os
import pickle
import struct
from typing import Any

import numpy as np
import pytest
import torch
from helpers import step_all
from safetensors.torch import save as dump_tensors
from stable_baselines3.common.vec_env import VecNormalize
from trainings import train

from agents import AgentSettings, BuyAndHold, EnsembleAgent, LearnedAgent, RecurrentPPO, build_learner
from agents.algorithms import fastest_threads
from agents.learned_agent import FILE
from common import InputError, SealError, read_sealed, sealed_tensors, write_sealed
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play
from features import FeatureSettings

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8)


@pytest.fixture(scope="module")
def agent(candles, matrix):
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(), n_envs=4, seed=0)
    return LearnedAgent(build_learner(SMALL, vector, seed=0).learn(64).policy, SMALL)


def test_a_saved_agent_decides_the_same(agent, candles, matrix, tmp_path):
    agent.save(tmp_path)
    loaded = LearnedAgent.load(tmp_path)
    one, two = (play(candles, matrix, EnvSettings(), each).table for each in (agent, loaded))
    assert one.equals(two)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("options", [{"action_scheme": "continuous"}, {"action_scheme": "targets", "targets": (0, 1)}])
def test_an_agent_of_any_action_scheme_is_kept_and_trades(options, candles, matrix, tmp_path):
    settings = EnvSettings(**options)
    vector = BitcoinTradingVecEnv(candles, matrix, settings, n_envs=4, seed=0)
    trained = LearnedAgent(build_learner(SMALL, vector, seed=0).learn(64).policy, SMALL)
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


KINDS = {
    "orders": ({}, {}, ()),
    "targets": ({}, {"action_scheme": "targets"}, ()),
    "continuous": ({}, {"action_scheme": "continuous"}, (1,)),
    "ppo": ({"algorithm": "ppo"}, {}, ()),
    "ensemble": ({}, {}, ()),
    "ensemble, continuous": ({}, {"action_scheme": "continuous"}, (1,)),
    "strategy": ({}, {}, ()),
}


def decider(kind, candles, matrix):
    """Something of that kind that decides, four observations, and the shape of one action."""
    agent, env, shape = KINDS[kind]
    settings = SMALL.model_copy(update=agent)
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(**env), n_envs=4, seed=0)
    observations = vector.reset()
    if kind == "strategy":
        return BuyAndHold(), observations, shape
    members = [LearnedAgent(build_learner(settings, vector, seed).policy, settings) for seed in range(2)]
    return EnsembleAgent(members) if kind.startswith("ensemble") else members[0], observations, shape


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_predict_takes_one_observation_or_a_batch(kind, deterministic, candles, matrix):
    """With an episode's start for each, one for all, or none, in either order of calls, as Stable-Baselines3 does."""
    one, rows, shape = decider(kind, candles, matrix)
    for start in (None, True, False, np.True_, [True], np.ones(1, bool)):
        action, state = one.predict(rows[0], None, start, deterministic)
        assert np.shape(action) == shape
        again, _ = one.predict(rows[1], state, False, deterministic)
        assert np.shape(again) == shape
    for start in (None, True, False, [True] * 4, np.array([1, 0, 1, 0], bool)):
        actions, state = one.predict(rows, None, start, deterministic)
        assert np.shape(actions) == (4, *shape)
        actions, _ = one.predict(rows, state, start, deterministic)
        assert np.shape(actions) == (4, *shape)


@pytest.mark.parametrize("kind", KINDS)
def test_one_by_one_and_in_a_batch_the_decisions_are_the_same(kind, candles, matrix):
    one, rows, _ = decider(kind, candles, matrix)
    states: list = [None] * 4
    state: Any = None
    for start in (True, False, np.array([True, False, False, True])):
        together, state = one.predict(rows, state, start, True)
        for i, begun in enumerate(np.broadcast_to(start, 4)):
            action, states[i] = one.predict(rows[i], states[i], bool(begun), True)
            np.testing.assert_allclose(action, together[i], atol=1e-6)
    if kind == "orders":
        np.testing.assert_allclose(np.concatenate([each[0] for each in states], axis=1), state[0], atol=1e-6)


def test_one_truth_value_empties_the_memory_of_all(agent, matrix):
    rows = np.concatenate([matrix.values[:4], np.zeros((4, 5), np.float32)], axis=1)
    _, first = agent.predict(rows, None, True, deterministic=True)
    _, emptied = agent.predict(rows, first, True, deterministic=True)
    _, kept = agent.predict(rows, first, False, deterministic=True)
    np.testing.assert_array_equal(first[0], emptied[0])
    assert not np.array_equal(first[0], kept[0])
    drawn = agent.predict(rows, first, True)[1], agent.predict(rows, first, [True] * 4)[1]
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])


def test_observations_that_do_not_fit_get_one_line(agent, matrix):
    rows = np.zeros((3, matrix.values.shape[1] + 5), np.float32)
    _, memory = agent.predict(rows, None, True, deterministic=True)
    for wrong, rule in (
        (lambda: agent.predict(matrix.values[0]), "features and account columns side by side"),
        (lambda: agent.predict(rows[None]), "an observation has the shape"),
        (lambda: agent.predict(rows, None, [True, False]), "one truth value or one for each of 3 rows"),
        (lambda: agent.predict(rows[0], memory), "memory of as many observations, but got that of 3 and 1"),
    ):
        with pytest.raises(InputError, match=rule) as error:
            wrong()
        assert "\n" not in str(error.value)


class Bomb:
    """Opens a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def refused(folder, words="cannot read"):
    """Loading ends in one line that names the file."""
    with pytest.raises(SealError, match=words) as error:
        LearnedAgent.load(folder)
    assert str(folder / FILE) in str(error.value)
    assert "\n" not in str(error.value)


def test_loading_never_runs_code(agent, tmp_path):
    """Pickles in the place of any part, and well-sealed descriptions that are code."""
    exploded = tmp_path / "exploded"
    agent.save(tmp_path)
    good, (tensors, _) = (tmp_path / FILE).read_bytes(), read_sealed(tmp_path / FILE, "agent")
    bomb = pickle.dumps(Bomb(exploded))
    torch.save({"a": Bomb(exploded)}, tmp_path / "torch.pt")
    (length,) = struct.unpack("<Q", good[:8])
    codes = [
        f"open({str(exploded)!r}, 'w')", f"!!python/object/apply:builtins.open [{str(exploded)!r}, w]",
        f"{{kind: agent, format: 2, settings: !!python/object/apply:builtins.open [{str(exploded)!r}, w]}}",
    ]  # fmt: skip
    planted = [
        bomb, b"", b"\xff" * 100, (tmp_path / "torch.pt").read_bytes(), good + bomb, good[:8] + bomb + good[8 + len(bomb) :],
        good[: 8 + length] + bomb + good[8 + length + len(bomb) :], struct.pack("<Q", len(bomb)) + bomb + good,
        *(dump_tensors(tensors, {"seal": f"{sealed_tensors._digest(tensors, code)} {code}"}) for code in codes),
    ]  # fmt: skip
    for content in planted:
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(SealError):
            LearnedAgent.load(tmp_path)
        assert not exploded.exists()
        refused(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(agent, tmp_path):
    agent.save(tmp_path)
    good = (tmp_path / FILE).read_bytes()
    for place in np.linspace(0, len(good) - 1, 50).astype(int):
        (tmp_path / FILE).write_bytes(good[:place])
        refused(tmp_path)


def test_a_flipped_byte_anywhere_is_refused(agent, tmp_path):
    """Header, description and weights alike; a space that pads the header is the one thing that may differ."""
    agent.save(tmp_path)
    good = (tmp_path / FILE).read_bytes()
    flips = [(place, 1 << (place % 8)) for place in np.random.default_rng(0).integers(0, len(good), 150)]
    described = good.index(b'{\\"actions')
    digits = [place for place in range(described, good.index(b"}}", described)) if good[place : place + 1].isdigit()]
    assert len(digits) > 20  # each of them flips to another digit: a description that reads well
    for place, bit in (*flips, *((place, 1) for place in digits)):
        content = bytearray(good)
        content[place] ^= bit
        (tmp_path / FILE).write_bytes(bytes(content))
        refused(tmp_path)
    (tmp_path / FILE).write_bytes(good)
    LearnedAgent.load(tmp_path)


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**31, 2**40, 2**63, 2**64 - 1])
def test_an_absurd_header_size_is_refused(agent, size, tmp_path):
    agent.save(tmp_path)
    good = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(struct.pack("<Q", size) + good[8:])
    refused(tmp_path)


@pytest.mark.parametrize(
    "about",
    [
        {"format": 1}, {"settings": {"lstm_size": 10**12}}, {"settings": {"lstm_layers": 10**9}}, {"observation_size": 10**15},
        {"actions": 10**12}, {"observation_size": 7}, {"observation_size": "many"}, {"actions": "all"}, {"settings": None},
        {"settings": {"head_layers": [10**10]}},
    ],
)  # fmt: skip
def test_a_well_sealed_file_that_describes_nonsense_is_refused_and_takes_no_memory(agent, about, tmp_path):
    agent.save(tmp_path)
    tensors, good = read_sealed(tmp_path / FILE, "agent")
    settings = about.get("settings", {})
    forged = good | about | {"settings": settings and good["settings"] | settings}
    write_sealed(tmp_path / FILE, tensors, forged if "settings" in about else good | about)
    refused(tmp_path, "train it again")


def test_a_missing_agent_is_named(tmp_path):
    with pytest.raises(SealError, match="there is no agent"):
        LearnedAgent.load(tmp_path)


def test_a_half_written_agent_never_replaces_a_good_one(agent, tmp_path, monkeypatch):
    agent.save(tmp_path)
    good = (tmp_path / FILE).read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        agent.save(tmp_path)
    assert (tmp_path / FILE).read_bytes() == good
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_scaling_of_the_rewards_is_kept_with_the_agent(parts, tmp_path):
    trained = train(parts, features=FeatureSettings(indicators=("rsi",)), agent=SMALL, steps=128, validations=1)
    trained.agent.save(tmp_path)
    scaling = LearnedAgent.load(tmp_path).reward_scaling
    assert scaling is not None
    assert scaling == trained.agent.reward_scaling
    assert scaling["var"] > 0
    assert scaling["count"] == pytest.approx(128, abs=0.01)


@pytest.mark.parametrize("options", [{}, {"lstm_layers": 2}, {"head_layers": (16, 8)}, {"mask_orders": True}])
def test_a_decision_in_numpy_is_that_of_the_policy(options, candles, matrix):
    """Two roads to one number: the same outputs and the same memory to 1e-5, bar after bar, for several accounts."""
    settings = SMALL.model_copy(update=options)
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(), n_envs=4, seed=0)
    learner = LearnedAgent(build_learner(settings, vector, seed=0).learn(256).policy, settings)
    observations, mine, theirs = vector.reset(), None, None
    start = np.ones(4, bool)
    for _ in range(60):
        actions, mine = learner.predict(observations, mine, start, deterministic=True)
        expected, theirs = learner.policy.predict(observations, theirs, start, deterministic=True)
        np.testing.assert_array_equal(actions, expected)
        assert theirs is not None
        for one, two in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-5, rtol=0)
        observations, _, start, _ = step_all(vector, np.array([0, 4, 8, 5]) if options else actions)


def test_a_new_episode_decides_with_the_newest_weights(agent, candles, matrix):
    observation = np.concatenate([matrix.values[:1], np.zeros((1, 5), np.float32)], axis=1)
    before, _ = agent.predict(observation, None, None, deterministic=True)
    held = copy.deepcopy(agent.policy.state_dict())
    with torch.no_grad():
        agent.policy.action_net.bias[(int(before[0]) + 1) % 12] += 100.0
    after, _ = agent.predict(observation, None, None, deterministic=True)
    agent.policy.load_state_dict(held)
    assert after[0] == (before[0] + 1) % 12


def test_a_masked_agent_never_tries_what_is_impossible(candles, matrix):
    """Neither while it explores nor when it decides; its updates stay finite."""
    settings = SMALL.model_copy(update={"mask_orders": True})
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(episode_bars=50), n_envs=4, seed=0)
    model = build_learner(settings, vector, seed=0)
    seen = []

    def watch(local, _):
        before = local["self"]._last_obs
        for action, cash, position in zip(local["actions"].ravel(), before[:, -4], before[:, -5], strict=True):
            seen.append((action // 4, cash > 0, position > 0))
        return True

    model.learn(1_024, callback=watch)
    assert all(torch.isfinite(weights).all() for weights in model.policy.state_dict().values())
    assert {side for side, _, _ in seen} == {0, 1, 2}
    assert not [1 for side, cash, coin in seen if (side == 0 and not cash) or (side == 1 and not coin)]
    assert not all(cash for _, cash, _ in seen)
    assert not all(coin for _, _, coin in seen)
    learner = LearnedAgent(model.policy, settings)
    observations = np.concatenate([matrix.values[:50], np.zeros((50, 5), np.float32)], axis=1)  # neither cash nor coin
    for deterministic in (True, False):
        actions, _ = learner.predict(observations, None, None, deterministic)
        assert set(actions // 4) == {2}


def test_a_mask_of_other_actions_is_refused(candles, matrix):
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(action_scheme="continuous"), n_envs=4, seed=0)
    with pytest.raises(InputError, match="a mask needs the 12 orders"):
        build_learner(SMALL.model_copy(update={"mask_orders": True}), vector, seed=0)
    with pytest.raises(ValueError, match="`mask_orders` is for recurrent_ppo, but the algorithm is ppo"):
        AgentSettings(algorithm="ppo", mask_orders=True)


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "qr_dqn"])
def test_every_algorithm_trains_is_kept_and_trades_behind_the_same_face(algorithm, candles, parts, tmp_path):
    """With stacked windows, since these have no memory of their own."""
    settings = SMALL.model_copy(update={"algorithm": algorithm, "head_layers": (16,), "replay_steps": 500})
    features = FeatureSettings(indicators=("rsi",), window=4)
    trained = train(parts, features=features, agent=settings, steps=1_024, validations=2)
    fresh = train(parts, features=features, agent=settings, steps=64, validations=1)
    assert not all(
        torch.equal(one, two)
        for one, two in zip(trained.agent.policy.state_dict().values(), fresh.agent.policy.state_dict().values(), strict=True)
    )
    trained.agent.save(tmp_path)
    loaded = LearnedAgent.load(tmp_path)
    matrix = trained.features.transform(candles)
    one, two = (play(candles, matrix, EnvSettings(), each).table for each in (trained.agent, loaded))
    assert one.equals(two)


def test_qr_dqn_needs_a_list_of_actions(candles, matrix):
    vector = BitcoinTradingVecEnv(candles, matrix, EnvSettings(action_scheme="continuous"), n_envs=4, seed=0)
    with pytest.raises(InputError, match="qr_dqn` needs a list of actions"):
        build_learner(SMALL.model_copy(update={"algorithm": "qr_dqn"}), vector, seed=0)


def test_every_hyperparameter_reaches_the_algorithm(candles, matrix):
    settings = AgentSettings(
        n_envs=3, n_steps=20, n_minibatches=5, n_epochs=7, learning_rate=0.01, gamma=0.9, gae_lambda=0.8, clip_range=0.3,
        ent_coef=0.02, vf_coef=0.4, max_grad_norm=0.6, lstm_size=12, lstm_layers=2,
    )  # fmt: skip
    model = build_learner(settings, BitcoinTradingVecEnv(candles, matrix, n_envs=3, seed=0), seed=0)
    assert isinstance(model, RecurrentPPO)
    assert (model.n_steps, model.batch_size, model.n_epochs, model.n_envs) == (20, 12, 7, 3)
    assert (model.learning_rate, model.gamma, model.gae_lambda) == (0.01, 0.9, 0.8)
    assert (model.clip_range(1.0), model.ent_coef, model.vf_coef, model.max_grad_norm) == (0.3, 0.02, 0.4, 0.6)
    lstm = model.policy.lstm_actor
    assert isinstance(lstm, torch.nn.LSTM)
    assert (lstm.hidden_size, lstm.num_layers) == (12, 2)
    assert isinstance(model.env, VecNormalize)
    assert model.env.gamma == 0.9  # the reward scaling discounts alike


def test_one_thread_keeps_the_order_of_sums(candles, matrix):
    build_learner(SMALL, BitcoinTradingVecEnv(candles, matrix, n_envs=4, seed=0), seed=0)
    assert torch.get_num_threads() == 1


def test_the_threads_are_chosen_by_a_measurement_if_that_is_asked_for(candles, matrix):
    vector = BitcoinTradingVecEnv(candles, matrix, n_envs=4, seed=0)
    model = build_learner(SMALL.model_copy(update={"threads": 0}), vector, seed=0)
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    chosen = fastest_threads(model.policy, SMALL.batch_size)
    torch.set_num_threads(1)
    assert chosen in (1, torch.multiprocessing.cpu_count())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.policy.state_dict().items())
