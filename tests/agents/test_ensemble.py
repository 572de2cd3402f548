"""Several seeds as one trader."""

from typing import Any

import numpy as np
import pytest
import torch

from agents import AgentSettings, EnsembleAgent, LearnedAgent, build_learner
from common import InputError
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation import play

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8)
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "orders": ({}, {}),
    "masked orders": ({"mask_orders": True}, {}),
    "targets": ({}, {"action_scheme": "targets"}),
    "continuous": ({}, {"action_scheme": "continuous", "shorts": True}),
    "ppo": ({"algorithm": "ppo"}, {}),
    "qr_dqn": ({"algorithm": "qr_dqn", "replay_steps": 500}, {}),
}


def make_agents(candles, matrix, kind, seeds=3):
    agent, env = KINDS[kind]
    settings, options = SMALL.model_copy(update=agent), EnvSettings(**env)
    vector = BitcoinTradingVecEnv(candles, matrix, options, n_envs=4, seed=0)
    return [LearnedAgent(build_learner(settings, vector, seed).policy, settings) for seed in range(seeds)], options


@pytest.mark.parametrize("kind", KINDS)
def test_an_ensemble_trades_and_one_of_a_single_member_is_that_member(kind, candles, matrix):
    agents, options = make_agents(candles, matrix, kind)
    part = matrix.since(1_300)
    alone, lonely = (play(candles, part, options, agent).table for agent in (agents[0], EnsembleAgent(agents[:1])))
    assert alone.equals(lonely)
    together = play(candles, part, options, EnsembleAgent(agents)).table
    assert len(together) == len(alone)
    assert EnsembleAgent(agents).action_space == agents[0].action_space


def test_an_ensemble_takes_the_action_that_is_most_probable_on_average(candles, matrix):
    """Two would buy, by a hair, and one is sure of a sale: the mean sells, where a vote would buy."""
    agents, _ = make_agents(candles, matrix, "orders")

    def of(agent, **logits):
        with torch.no_grad():
            agent.policy.action_net.weight.zero_()
            agent.policy.action_net.bias.fill_(-20.0)
            for action, logit in logits.items():
                agent.policy.action_net.bias[int(action[1:])] = logit

    for agent in agents[:2]:
        of(agent, a0=0.1, a4=0.0)  # each alone would buy, by a hair
    of(agents[2], a4=3.0, a0=0.0)  # and this one is sure of a sale
    observation = np.zeros((2, matrix.values.shape[1] + 5), np.float32)
    assert [agent.predict(observation, deterministic=True)[0].tolist() for agent in agents] == [[0, 0], [0, 0], [4, 4]]
    actions, state = EnsembleAgent(agents).predict(observation, None, np.ones(2, bool))
    assert actions.tolist() == [4, 4]
    single, _ = EnsembleAgent(agents).predict(observation[0])
    assert single == 4
    assert len(state) == 3


def test_continuous_members_meet_at_their_mean(candles, matrix):
    agents, _ = make_agents(candles, matrix, "continuous", seeds=2)
    for agent, goal in zip(agents, (0.9, 0.1), strict=True):
        with torch.no_grad():
            agent.policy.action_net.weight.zero_()
            agent.policy.action_net.bias.fill_(goal)
    action, _ = EnsembleAgent(agents).predict(np.zeros(matrix.values.shape[1] + 5, np.float32))
    assert action.shape == (1,)
    assert action[0] == pytest.approx(0.5)


def test_each_member_keeps_its_own_memory(candles, matrix):
    """Fed bar by bar, each remembers what it would have remembered alone."""
    agents, _ = make_agents(candles, matrix, "orders", seeds=2)
    rows = np.concatenate([matrix.values[:30], np.zeros((30, 5), np.float32)], axis=1)
    together: tuple[Any, ...] | None = None
    alone: list[Any] = [None, None]
    for k, row in enumerate(rows):
        start = np.array([k in (0, 20)])
        _, together = EnsembleAgent(agents).predict(row, together, start)
        alone = [agent.predict(row, memory, start, deterministic=True)[1] for agent, memory in zip(agents, alone, strict=True)]
    assert together is not None
    for mine, theirs in zip(together, alone, strict=True):
        for one, two in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, two)
    assert not np.array_equal(together[0][0], together[1][0])


@pytest.mark.parametrize("kind", ["orders", "ppo", "qr_dqn"])
def test_what_an_agent_proposes_are_probabilities_whose_best_is_its_action(kind, candles, matrix):
    agents, _ = make_agents(candles, matrix, kind, seeds=1)
    rows = np.concatenate([matrix.values[:40], np.zeros((40, 5), np.float32)], axis=1)
    odds, _ = agents[0].propose(rows)
    assert odds.shape == (40, 12)
    np.testing.assert_allclose(odds.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(odds.argmax(axis=1), agents[0].predict(rows, deterministic=True)[0])


def test_members_of_different_actions_or_none_at_all_are_refused(candles, matrix):
    one, _ = make_agents(candles, matrix, "orders", seeds=1)
    other, _ = make_agents(candles, matrix, "targets", seeds=1)
    with pytest.raises(InputError, match=r"must have the same actions, but got Discrete\(12\) and Discrete\(5\)"):
        EnsembleAgent(one + other)
    with pytest.raises(InputError, match="one agent or more"):
        EnsembleAgent([])
