"""What timing made, by hand, and what must be no timing at all."""

import numpy as np
import pytest
from helpers import FREE, against_the_price, episodes_of, make_candles, no_features

from agents import BuyAndHold, Flat, RandomTrader, SignalStrategy
from common import InputError
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import play
from evaluation.statistics import active_return_of, sharpe_moments
from market import simulate

TARGETS = EnvSettings(action_scheme="targets", targets=(0, 0.5, 1, 2), max_leverage=2.0, **FREE)


class Target:
    """Orders one target at every decision."""

    def __init__(self, target, settings):
        self.action = np.int64(settings.targets.index(target))

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return self.action, state


@pytest.fixture(scope="module")
def noise():
    return simulate("martingale", bars=1_000, seed=5)


def test_buy_and_hold_and_flat_have_no_timing(noise):
    hold = play(noise, no_features(noise), EnvSettings(), BuyAndHold())
    for agent in (BuyAndHold(), Flat()):
        timing = active_return_of(play(noise, no_features(noise), EnvSettings(), agent), hold)
        for series in (timing.active, timing.growth, timing.gross):
            assert not series[:, :2].any()
    assert active_return_of(hold, hold).exposure == pytest.approx(1)
    assert active_return_of(hold, hold).costs == pytest.approx(np.log(1.001 * 1.0003))


def test_a_constant_exposure_is_no_timing(noise):
    """Held at a half by an order a bar: what is left is rounding."""
    hold = play(noise, no_features(noise), EnvSettings(**FREE), BuyAndHold())
    timing = active_return_of(play(noise, no_features(noise), TARGETS, Target(0.5, TARGETS)), hold)
    assert timing.exposure == pytest.approx(0.5)
    assert np.abs(timing.gross[:, :2]).max() < 1e-9
    assert np.abs(timing.growth[:, :2]).max() < 1e-9
    assert timing.bets[0, 2] == pytest.approx(-0.5)  # the middle of 0 to 2 is 1


def test_timing_by_hand():
    """Long for the first of two moves: the mean exposure is a half, and the exposure so far was a whole one."""
    candles = make_candles([100, 110, 99])
    hold = play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold())
    timing = active_return_of(
        play(candles, no_features(candles), EnvSettings(**FREE), SignalStrategy(np.array([BUY, SELL]))), hold
    )
    second = (0.2 * 0.5 + 1) / 1.2  # a middle of a half weighs a tenth of two bars
    np.testing.assert_allclose(timing.gross, [[0.5 * 0.1, 0, 0.5 * 0.1], [-0.5 * -0.1, 0 - -0.1, -second * -0.1]])
    np.testing.assert_allclose(timing.active, timing.gross)
    np.testing.assert_allclose(timing.bets, [[0.5, 0, 0.5], [-0.5, -1, -second]])
    np.testing.assert_allclose(timing.growth[:, :2], np.log([[1.1 / 1.05, 1], [1 / 0.95, 1 / 0.9]]))
    assert timing.costs == pytest.approx(0)


def test_costs_are_all_that_lies_between_the_decisions_and_the_net_worth(noise):
    trader = RandomTrader(999, 100, 500, seed=0)
    hold = play(noise, no_features(noise), EnvSettings(**FREE), BuyAndHold())
    free = play(noise, no_features(noise), EnvSettings(**FREE), trader)
    paid = play(noise, no_features(noise), EnvSettings(min_trade=0), trader)
    assert active_return_of(free, hold).costs == pytest.approx(0, abs=1e-9)
    cost = np.log(free.table["net_worth"].iloc[-1] / paid.table["net_worth"].iloc[-1])
    assert active_return_of(paid, hold).costs == pytest.approx(cost, rel=1e-3)
    np.testing.assert_allclose(active_return_of(paid, hold).gross, active_return_of(free, hold).gross, atol=1e-12)


def test_the_reference_is_the_market_less_one_purchase_whoever_could_buy(noise):
    """Buy and hold that can buy a single lot has two thirds of its cash in the market; the reference has all of it."""
    settings = EnvSettings(lot=0.67 * 10_000 / noise.column("close")[0])
    whole, in_lots = (play(noise, no_features(noise), env, BuyAndHold()) for env in (EnvSettings(), settings))
    assert in_lots.table["position"].iloc[1:].mean() < 0.8
    someone = play(noise, no_features(noise), EnvSettings(), RandomTrader(999, 100, 500, seed=0))
    for one, two in zip(active_return_of(someone, in_lots), active_return_of(someone, whole), strict=True):
        np.testing.assert_array_equal(one, two)
    market = noise.column("close")[1:] / noise.column("close")[:-1] - 1
    market[0] = (1 + market[0]) / (1.001 * 1.0003) - 1
    net = someone.table["net_worth"].pct_change().to_numpy()[1:]
    np.testing.assert_allclose(
        active_return_of(someone).active[:, 0], net - active_return_of(someone).exposure * market, atol=1e-12
    )


def test_a_stop_fills_at_its_price_and_not_at_the_decision(noise):
    """What falls through the stop is the position's loss, and not a cost."""
    candles = make_candles([100, 100, 90, 90], lows=[100, 100, 85, 90])
    settings = EnvSettings(stop_loss=0.05, **FREE)
    hold = play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold())

    class Once:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.int64(0 if episode_start[0] else 8), state

    episode = play(candles, no_features(candles), settings, Once())
    assert list(episode.trades["reason"]) == ["order", "stop-loss"]
    assert active_return_of(episode, hold).costs == pytest.approx(0, abs=1e-9)
    assert active_return_of(episode, hold).gross[1, 0] == pytest.approx(-0.05 - 1 / 3 * -0.1)


def test_a_debt_keeps_every_number_finite():
    candles = make_candles([100, 100, 10, 10, 10])
    settings = EnvSettings(action_scheme="targets", targets=(0, 5), max_leverage=5.0, **FREE)
    hold = play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold())
    timing = active_return_of(play(candles, no_features(candles), settings, Target(5, settings)), hold)
    assert len(timing.active) == 2
    assert all(np.isfinite(part).all() for part in timing)


def test_other_bars_are_refused(noise):
    hold = play(noise, no_features(noise), EnvSettings(), BuyAndHold())
    rest = play(noise[1:], no_features(noise[1:]), EnvSettings(), SignalStrategy(np.array([HOLD])))
    with pytest.raises(InputError, match="over the same bars, two or more, but got 999 bars"):
        active_return_of(rest, hold)


def test_going_against_the_price_looks_like_timing_in_hindsight_alone():
    """On noise, where nobody can time: a t above 1.96 is one chance in 40, and by the mean exposure it is one in five."""
    sure = np.zeros(2)
    for seed in range(200):
        moves = np.random.default_rng(seed).normal(0, 0.01, 2_000)
        active = active_return_of(*episodes_of(against_the_price(moves), moves)).active
        sure += [sharpe_moments(column)[0] * np.sqrt(len(moves)) > 1.96 for column in active.T[:2]]
    in_hindsight, so_far = sure / 200
    assert in_hindsight > 0.12
    assert so_far < 0.06


def test_to_come_in_late_into_a_rising_price_looks_like_timing_at_the_time_alone():
    sure = np.zeros(2)
    for seed in range(200):
        moves = np.random.default_rng(seed).normal(0.001, 0.01, 2_000)
        active = active_return_of(*episodes_of(np.arange(2_000) >= 1_000, moves)).active
        sure += [sharpe_moments(column)[0] * np.sqrt(len(moves)) > 1.96 for column in active.T[:2]]
    in_hindsight, at_the_time = sure / 200
    assert in_hindsight < 0.06
    assert at_the_time > 0.3
