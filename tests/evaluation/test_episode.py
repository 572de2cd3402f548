"""One road for everybody who plays a range: in one call of the kernel where the actions are known, else bar by bar."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_candles, no_features

from agents import BuyAndHold, Flat, RandomTrader, RsiDivergence, SignalStrategy, SmaCrossover
from common import InputError
from envs import BUY, COSTS, HOLD, SELL, BitcoinTradingEnv, EnvSettings, Replay
from evaluation import play, play_on
from market import simulate

STRATEGIES = {
    "buy and hold": lambda candles: BuyAndHold(),
    "flat": lambda candles: Flat(),
    "random": lambda candles: RandomTrader(len(candles) - 1, 60, 300, seed=1),
    "RSI divergence": lambda candles: RsiDivergence(candles),
    "SMA crossover": lambda candles: SmaCrossover(candles, 0, 5, 20),
    "more sides than bars": lambda candles: SignalStrategy(np.resize([BUY, SELL, HOLD], 2 * len(candles))),
}


class Asked:
    """The same decisions, given one by one."""

    spot = True

    def __init__(self, strategy):
        self.strategy = strategy

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return self.strategy.predict(observation, state, episode_start, deterministic)


@pytest.fixture(scope="module")
def market():
    return simulate("bitcoin", bars=800, seed=3)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(
    "options", [{}, {"fill": "next_close", "impact": 0.5}, {"fee_bps": 100.0, "lot": 0.05, "min_trade": 2_000}]
)
def test_the_fast_road_and_the_bar_by_bar_road_are_the_same_to_the_bit(name, options, market):
    strategy, settings = STRATEGIES[name](market), EnvSettings(**options)
    fast, slow = (play(market, no_features(market), settings, agent) for agent in (strategy, Asked(strategy)))
    pd.testing.assert_frame_equal(fast.table, slow.table, check_exact=True)
    pd.testing.assert_frame_equal(fast.trades, slow.trades, check_exact=True)
    assert len(fast.table) == len(market)


def test_an_episode_is_what_the_env_shows(market):
    """Three roads: the env's own infos and ledger are the episode's table and trades."""
    strategy, settings = RandomTrader(len(market) - 1, 60, 300, seed=1), EnvSettings(ruin_fraction=0.0)
    env = BitcoinTradingEnv(market, no_features(market), settings, evaluation=True)
    _, info = env.reset(seed=0)
    infos = [info, *(env.step(action)[-1] for action in strategy.actions(len(market) - 1))]
    episode = play(market, no_features(market), settings, strategy)
    for name in ("net_worth", "position", *COSTS):
        np.testing.assert_array_equal(episode.table[name], [info[name] for info in infos])
    np.testing.assert_array_equal(episode.table["close"], market.column("close"))
    pd.testing.assert_frame_equal(episode.trades, env.trades(), check_exact=True)


def test_a_strategy_that_decides_by_itself_is_asked_at_every_bar():
    class Contrary(SignalStrategy):
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            action, state = super().predict(observation, state, episode_start, deterministic)
            return 4 * HOLD if action == 4 * BUY else action, state

    candles = make_candles([100.0] * 6)
    assert len(play(candles, no_features(candles), EnvSettings(), Contrary(np.array([BUY, HOLD]))).trades) == 0


def test_many_play_on_one_stage_and_leave_no_trace(market):
    stage = Replay(market, no_features(market), EnvSettings(impact=1.0))
    before = play_on(stage, EnvSettings(impact=1.0), STRATEGIES["random"](market))
    for name, fee in (("RSI divergence", 0.0), ("buy and hold", 50.0)):
        settings, strategy = EnvSettings(fee_bps=fee, impact=1.0), STRATEGIES[name](market)
        there = play_on(stage, settings, strategy)
        pd.testing.assert_frame_equal(there.table, play(market, no_features(market), settings, strategy).table, check_exact=True)
    again = play_on(stage, EnvSettings(impact=1.0), STRATEGIES["random"](market))
    pd.testing.assert_frame_equal(again.table, before.table, check_exact=True)
    assert len(stage.table()) == 1


def test_a_stage_without_impact_is_not_played_with_one(market):
    stage = Replay(market, no_features(market), EnvSettings())
    with pytest.raises(InputError, match="laid out without impact"):
        play_on(stage, EnvSettings(impact=1.0), BuyAndHold())


def test_an_agent_of_other_actions_is_refused(market):
    class Other(Asked):
        spot = False
        action_space = Replay(market, no_features(market), EnvSettings(action_scheme="targets")).action_space

    with pytest.raises(InputError, match="was trained on the actions Discrete"):
        play(market, no_features(market), EnvSettings(), Other(BuyAndHold()))
