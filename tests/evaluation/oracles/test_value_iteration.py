from itertools import product

import numpy as np
import pytest

from common import InputError
from envs import EnvSettings
from evaluation.oracles import (
    best_policy,
    hidden_regimes_policy,
    ou_policy,
    perfect_foresight,
    stationary_distribution,
    switching_policy,
)
from market import simulate

COST = EnvSettings().cost_fraction


@pytest.mark.parametrize("cost", [0.0, 0.0005, COST, 0.01, 0.3])
def test_no_policy_on_a_tiny_chain_gains_more(cost):
    """All 64 policies on 3 states x 2 positions, each with the exact average of its own chain."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        drift, transition = rng.normal(0, 0.01, 3), rng.dirichlet([0.5] * 3, 3)
        best = switching_policy(np.arange(3.0), drift, transition, cost)
        gains = [gain_of(np.reshape(targets, (2, 3)), drift, transition, cost) for targets in product([0, 1], repeat=6)]
        assert best.gain == pytest.approx(max(gains), abs=1e-10)
        own = np.array([best.target(np.arange(3.0), position) for position in (0, 1)])
        assert gain_of(own, drift, transition, cost) == pytest.approx(best.gain, abs=1e-10)


@pytest.mark.parametrize("cost", [0.0, COST, 0.01])
def test_plain_backward_induction_finds_the_same(cost):
    """Two values for each state, one for each position, and what one more bar adds after 2,000 of them."""
    policy = hidden_regimes_policy(0.003, 0.01, 0.98, cost)
    drift, transition = chain_of_beliefs(policy.states, 0.003, 0.01, 0.98)
    flat = long = before = np.zeros(len(drift))
    for _ in range(2_000):
        before, stay_flat, stay_long = flat, transition @ flat, drift + transition @ long
        flat = np.maximum(stay_flat, stay_long + np.log1p(-cost))
        long = np.maximum(stay_long, stay_flat + np.log1p(-cost))
    assert policy.gain == pytest.approx((flat - before).mean(), rel=0.002, abs=1e-9)  # two ways of cutting the belief up
    near = np.abs(np.abs(stay_long - stay_flat) + np.log1p(-cost)) < 2e-4  # the choice hardly matters there
    np.testing.assert_array_equal(policy.target(policy.states, 0)[~near], (stay_long + np.log1p(-cost) > stay_flat)[~near])


def test_the_positions_are_the_targets_step_by_step():
    policy = ou_policy(0.05, 0.01, 0.002)
    states = simulate("ou", 2_000, seed=0).state
    position, positions = 0, []
    for state in states:
        position = int(policy.target(state, position))
        positions.append(position)
    np.testing.assert_array_equal(policy.positions(states), positions)
    assert 0 < np.mean(positions) < 1


def test_a_chain_that_forgets_too_slowly_is_refused(monkeypatch):
    monkeypatch.setattr("evaluation.oracles.value_iteration.MAX_SWEEPS", 1_000)
    with pytest.raises(InputError, match="did not settle"):
        switching_policy(np.arange(2.0), np.array([-0.01, 0.01]), np.eye(2) + 1e-9 * (1 - 2 * np.eye(2)), 0.99999)


@pytest.mark.parametrize("cost", [-0.1, 1.0, np.nan])
def test_a_cost_is_a_fraction(cost):
    for use in (lambda: perfect_foresight(np.ones(1), cost), lambda: best_policy(simulate("martingale", 50), cost)):
        with pytest.raises(InputError, match="0 <= cost < 1"):
            use()


def gain_of(targets, drift, transition, cost):
    """Average log growth a bar, from flat, of `targets[position, state]`: the limit of the powers of the joint chain."""
    n = len(drift)
    chain, reward = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    for position, state in product(range(2), range(n)):
        target = targets[position, state]
        chain[position * n + state, target * n : (target + 1) * n] = transition[state]
        reward[position * n + state] = target * drift[state] + (target != position) * np.log1p(-cost)
    limit = np.linalg.matrix_power(chain, 2**20)
    limit = (limit + limit @ chain) / 2  # a policy that trades at every bar alternates
    return np.append(stationary_distribution(transition), np.zeros(n)) @ limit @ reward


def chain_of_beliefs(beliefs, drift, volatility, persistence, draws=801):
    """The belief's chain a second way: the return in small steps, the filter's answer shared by the two nearest states."""
    noise = np.linspace(-6, 6, draws)
    weight = np.exp(-(noise**2) / 2) / np.exp(-(noise**2) / 2).sum()
    transition = np.zeros((len(beliefs), len(beliefs)))
    for i, belief in enumerate(beliefs):
        for sign, chance in ((1, belief), (-1, 1 - belief)):
            returns = sign * drift + volatility * noise
            seen = 1 / (1 + (1 - belief) / belief * np.exp(-2 * drift * returns / volatility**2))
            after = persistence * seen + (1 - persistence) * (1 - seen)
            right = np.clip(np.searchsorted(beliefs, after), 1, len(beliefs) - 1)
            share = np.clip((after - beliefs[right - 1]) / (beliefs[right] - beliefs[right - 1]), 0, 1)
            np.add.at(transition[i], right, chance * weight * share)
            np.add.at(transition[i], right - 1, chance * weight * (1 - share))
    return drift * (2 * beliefs - 1), transition
