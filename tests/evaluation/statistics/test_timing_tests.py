"""The tests behind a verdict: by hand, and on traders and markets of which nothing but luck decides."""

import math

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features

from agents import SignalStrategy
from benchmarks import untimed, untimed_markets
from benchmarks.verdict import newey_west_t
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import play
from evaluation.statistics import (
    active_return_of,
    edge_statistics,
    harm_statistics,
    level_of,
    split_return,
    timing_statistics,
)
from evaluation.statistics.sharpe_tests import NORMAL

BARS = 1_500
MARKETS = ("Gaussian", "GARCH-t", "heavy tails", "rising", "falling")
N_MARKETS = 40
MOST = 17
"""of 200 at a chance of 4 % each: a count above it comes once in some 1,500 tries"""


def p_values(trader, market, number, look=0, cost=0.0):
    returns = untimed_markets.MARKETS[market](BARS, np.random.default_rng([10, number]))
    target = untimed.TRADERS[trader](returns, np.random.default_rng([11, number, look]))
    net, share, _ = untimed.held(target, returns, cost)
    split = split_return(net, returns, share, share * returns, 1 - cost)
    return edge_statistics(split).edge_p_value, harm_statistics(split).harm_p_value


@pytest.mark.parametrize("trader", untimed.TRADERS)
def test_a_false_edge_is_as_rare_as_it_says_for_every_kind_of_trader(trader):
    found = np.array([p_values(trader, market, number) for market in MARKETS for number in range(N_MARKETS)])
    assert (found[:, 0] <= level_of(1)).sum() <= MOST
    assert (found[:, 1] <= 0.01).sum() <= 8


@pytest.mark.parametrize("trader", ["random", "grid", "stops while ahead", "martingale betting", "hours of the day"])
def test_the_best_of_ten_looks_is_no_edge_once_ten_are_counted(trader):
    best = [min(p_values(trader, market, number, look)[0] for look in range(10)) for market in MARKETS for number in range(10)]
    assert (np.array(best) <= level_of(10)).sum() <= 7  # of 50 at 5 %: more comes once in some 130 tries
    assert (np.array(best) <= level_of(1)).sum() > (np.array(best) <= level_of(10)).sum()


def test_the_plain_t_test_is_wrong_about_those_who_sell_into_a_rise_or_stop_while_ahead():
    """So it is not for nothing that there are four statistics."""
    for trader, of in (("grid", "whole_mean"), ("stops while ahead", "mean_so_far")):
        wrong = 0
        for number in range(120):
            returns = untimed_markets.gaussian(BARS, np.random.default_rng([10, number]))
            net, share, _ = untimed.held(untimed.TRADERS[trader](returns, np.random.default_rng([11, number, 0])), returns, 0.0)
            found = edge_statistics(split_return(net, returns, share, share * returns))
            wrong += getattr(found, of) > 1.645
        assert wrong > 14  # 6 of 120 would be right


def test_skill_is_seen_as_often_as_by_a_t_test_that_counts_as_many_looks():
    ours, theirs, n = np.zeros(3), np.zeros(3), 300
    for number in range(n):
        rng = np.random.default_rng([12, number])
        target = (np.cumsum(rng.random(BARS) < 0.1) % 2).astype(float)
        stake = target - target.mean()
        returns = untimed_markets.garch(BARS, rng) + 3 * untimed_markets.SIZE / math.sqrt(BARS) * stake / stake.std()
        net, share, _ = untimed.held(target, returns, 0.0)
        split = split_return(net, returns, share, share * returns)
        p, t = edge_statistics(split).edge_p_value, newey_west_t(split.active[:, 0])
        for k, looks in enumerate((1, 10, 100)):
            ours[k] += p <= level_of(looks)
            theirs[k] += NORMAL.cdf(-t) <= 1 - 0.95 ** (1 / looks)
    assert theirs[0] / n > 0.85
    np.testing.assert_array_less(theirs / n - 0.06, ours / n)


def test_the_statistics_by_hand():
    """Bets of 1, 1 and 2 that made 1, -1 and 4: the third is divided by the root mean square of the stakes up to it."""
    bets, made = np.array([[0.0, 1, 1], [0, 1, 1], [0, -2, 1]]), np.array([[1.0, 1, 1], [1, -1, 1], [1, 4, 1]])
    found = timing_statistics(made, bets, way=1)
    third = 4 / math.sqrt((1 + 1 + 4) / 3)
    even = third / math.sqrt(2 + third**2)
    assert found[:4] == pytest.approx((3 / math.sqrt(3), 4 / math.sqrt(18), even, even))
    assert found.edge_p_value == pytest.approx(NORMAL.cdf(-min(found[:4])))
    assert found.harm_p_value == pytest.approx(NORMAL.cdf(max(found[:4])))


def test_who_stops_is_held_to_the_spread_of_the_whole_range():
    """A quarter of the bars with bets of one size, then none: the t-value is half of what those bars alone would have."""
    bets, made = np.zeros((400, 2)), np.zeros((400, 2))
    bets[:100, 1], made[:100, 1] = 1, np.where(np.arange(100) % 4, 1, -1)
    found = timing_statistics(made, bets, way=1)
    assert found.mean_so_far == pytest.approx(50 / 10)
    assert found.even_stakes == pytest.approx(50 / 10 / 2, rel=0.01)  # the first bars of all weigh a little less


def test_the_drift_of_the_market_is_taken_off_each_bar_by_its_stake():
    bets, made = np.array([[0.0, 1], [0, -1], [0, 1], [0, 1]]), np.array([[0.0, 3], [0, -1], [0, 2], [0, 2]])
    found = timing_statistics(made, bets, way=1, drift=2.0)
    assert found.without_drift == pytest.approx((1 + 1 + 0 + 0) / math.sqrt(2))
    assert found.even_stakes == pytest.approx(6 / math.sqrt(18))


def test_no_bet_is_no_evidence_and_rounding_is_none():
    nothing = timing_statistics(np.zeros((50, 2)), np.zeros((50, 2)), way=1)
    assert nothing[:4] == (0, 0, 0, 0)
    assert (nothing.edge_p_value, nothing.harm_p_value) == (0.5, 0.5)


def test_the_traders_of_the_benchmark_play_as_the_kernel_does():
    rng = np.random.default_rng(0)
    returns = untimed_markets.gaussian(BARS, rng)
    target = untimed.random_trades(returns, rng)
    candles = make_candles(list(100 * np.cumprod(np.append(1, 1 + returns))))
    change = np.diff(target, prepend=0)
    agent = play(
        candles, no_features(candles), EnvSettings(**FREE), SignalStrategy(np.select([change > 0, change < 0], [BUY, SELL], HOLD))
    )
    net, share, fills = untimed.held(target, returns, 0.0)
    assert len(agent.trades) == fills
    played, drawn = active_return_of(agent), split_return(net, returns, share, share * returns)
    np.testing.assert_allclose(played.active, drawn.active, atol=1e-9)
    np.testing.assert_allclose(played.bets, drawn.bets, atol=1e-9)
