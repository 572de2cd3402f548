import empyrical
import numpy as np
import pytest
from helpers import make_candles, no_features
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import REWARDS, BitcoinTradingEnv, EnvSettings

HOURS_PER_YEAR = 365.25 * 24
returns_lists = st.lists(st.floats(-0.5, 0.5).map(lambda r: round(r, 6)), min_size=2, max_size=80)


@settings(max_examples=300, deadline=None)
@given(returns_lists)
def test_sortino_equals_empyrical_where_that_is_finite(values):
    returns = np.array(values)
    with np.errstate(all="ignore"):
        expected = empyrical.sortino_ratio(returns, annualization=HOURS_PER_YEAR)
    got = REWARDS["sortino"](returns, HOURS_PER_YEAR)
    if np.isfinite(expected):
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)
    else:
        assert 0 <= got <= np.sqrt(HOURS_PER_YEAR) * (1 + 1e-12)


def test_sortino_of_the_published_series():
    """The test vector of empyrical's own suite: daily returns in percent, 252 days a year."""
    mixed = np.array([1, 10, -4, 2, 3, 2, 1, -10]) / 100
    assert REWARDS["sortino"](mixed, 252.0) == pytest.approx(2.605531251673693, rel=1e-12)
    negative = np.array([0, -6, -7, -1, -9, -2, -6, -8, -5]) / 100
    assert REWARDS["sortino"](negative, 252.0) == pytest.approx(-13.532743075043401, rel=1e-12)


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_is_finite_and_zero_when_nothing_moves(name):
    reward = REWARDS[name]
    assert reward(np.zeros(10), HOURS_PER_YEAR) == 0
    for returns in ([0.01], [-0.01], [0.01] * 5, [-0.01] * 5, [1e-300, -1e-300], [0.0, 1e-12]):
        assert np.isfinite(reward(np.array(returns), HOURS_PER_YEAR))


@pytest.mark.parametrize("name", REWARDS)
def test_compiled_rewards_equal_plain_python(name):
    returns = np.random.default_rng(0).normal(0, 0.01, 64)
    assert REWARDS[name](returns, HOURS_PER_YEAR) == pytest.approx(REWARDS[name].py_func(returns, HOURS_PER_YEAR), rel=1e-12)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("window", [2, 5, 64])
def test_the_env_pays_the_reward_of_the_trailing_window(name, window):
    """Two roads: the env's ring of returns, and the net worths of `info` cut by hand."""
    rng = np.random.default_rng(1)
    candles = make_candles(list(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 150)))))
    options = EnvSettings(reward=name, reward_window=window)
    env = BitcoinTradingEnv(candles, no_features(candles), options, evaluation=True)
    worth = [env.reset(seed=0)[1]["net_worth"]]
    over = False
    while not over:
        _, reward, terminated, over, info = env.step(int(rng.integers(12)))
        assert not terminated
        worth.append(info["net_worth"])
        returns = np.diff(worth) / np.array(worth[:-1])
        assert reward == pytest.approx(REWARDS[name](returns[-window:], HOURS_PER_YEAR), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", REWARDS)
def test_cash_alone_earns_nothing(name):
    candles = make_candles([100, 130, 70, 200, 50])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(reward=name), evaluation=True)
    env.reset(seed=0)
    assert [env.step(8)[1] for _ in range(4)] == [0, 0, 0, 0]
