"""The verdict on traders of whom it is known what they are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import FREE, against_the_price, episodes_of, make_candles, no_features

from agents import BuyAndHold, Flat, RandomTrader, SignalStrategy
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import active_return_of, judge, level_of, log_growth, sharpe_moments
from market import read_candles, simulate

EDGE, NO_EDGE, HARM = "evidence of an edge", "no evidence of an edge", "evidence of harm"
BARS = 2_500
COSTS = EnvSettings()


def verdict_on(candles, agent, settings=COSTS, trials=0, **known):
    flat = no_features(candles)
    hold = play(candles, flat, COSTS, BuyAndHold())
    return judge(play(candles, flat, settings, agent), hold, trials=trials, openings=1, **known)


def oracle(candles):
    return best_policy(candles, COSTS.cost_fraction).positions


def random_trader(seed, bars=BARS):
    """From a handful of fills to one in two bars, and any exposure that they allow."""
    rng, decisions = np.random.default_rng(seed), bars - 1
    trades = int(np.exp(rng.uniform(np.log(4), np.log(decisions / 2))))
    held = int(rng.integers((trades + 1) // 2, decisions - trades // 2 + 1))
    return RandomTrader(decisions, trades, held, seed)


def count(verdicts, name):
    return sum(verdict.verdict == name for verdict in verdicts)


def on_noise(seeds):
    return [verdict_on(simulate("martingale", bars=BARS, seed=seed), random_trader(seed)) for seed in seeds]


def on_ou(seeds):
    markets = [simulate("ou", bars=BARS, seed=seed) for seed in seeds]
    return [verdict_on(candles, OraclePolicy(oracle(candles))) for candles in markets]


def test_random_traders_on_noise_have_no_edge_and_do_no_harm_19_times_of_20():
    assert count(on_noise(range(20)), NO_EDGE) >= 19


def test_the_best_policy_on_a_planted_edge_has_an_edge_19_times_of_20():
    assert count(on_ou(range(20)), EDGE) >= 19


@pytest.mark.slow
def test_false_verdicts_are_as_rare_as_they_say_and_true_ones_as_common():
    """Over 200 markets each: an interval of 95 % and one of 99 % leave 3 % to luck, before costs."""
    noise = on_noise(range(100, 300))
    assert count(noise, NO_EDGE) >= 190
    assert count(on_ou(range(100, 300)), EDGE) >= 190


def test_the_best_of_100_random_traders_has_no_edge_once_the_100_are_counted():
    """The field's own claim: picked by its profit on the test range itself, without costs, it looks like skill."""
    passed_uncounted = 0
    for seed in range(5):
        candles = simulate("martingale", bars=BARS, seed=seed)
        traders = [RandomTrader(BARS - 1, 60, BARS // 2, 1_000 * seed + k) for k in range(100)]
        free = EnvSettings(**FREE)
        episodes = [play(candles, no_features(candles), free, trader) for trader in traders]
        hold = play(candles, no_features(candles), free, BuyAndHold())
        best = max(episodes, key=log_growth)
        assert judge(best, hold, trials=0, openings=100).verdict == NO_EDGE
        passed_uncounted += judge(best, hold, trials=0, openings=1).verdict == EDGE
    assert passed_uncounted >= 2  # so it is the counting that stops it


def test_timing_a_market_wrongly_is_harm():
    candles = simulate("ou", bars=BARS, seed=0)
    verdict = verdict_on(candles, OraclePolicy(1 - oracle(candles)))
    assert verdict.verdict == HARM
    assert "Before any cost" in verdict.reasons[0]


def test_costs_alone_are_no_harm_and_are_said():
    """A trader without skill, whom fees ruin: so would they ruin anyone who trades as much."""
    candles = simulate("martingale", bars=BARS, seed=1)
    verdict = verdict_on(candles, RandomTrader(BARS - 1, 1_200, 1_200, seed=2))
    assert verdict.verdict == NO_EDGE
    assert verdict.evidence.interval[1] < 0
    assert verdict.evidence.costs == pytest.approx(1_200 * 0.0013, rel=0.02)
    assert verdict.reasons[1].startswith("Costs took 79.")


@pytest.mark.parametrize("market", ["martingale", "ou", "bitcoin"])
def test_who_does_not_time_the_market_gets_no_evidence(market):
    candles = simulate(market, bars=BARS, seed=3)
    leveraged = EnvSettings(max_leverage=2.0)
    for agent, settings in ((Flat(), COSTS), (BuyAndHold(), COSTS), (Leveraged(), leveraged), (HalfTheCash(), COSTS)):
        verdict = verdict_on(candles, agent, settings)
        assert verdict.verdict == NO_EDGE
        assert all(np.isfinite([verdict.evidence.psr, verdict.evidence.dsr, verdict.evidence.sharpe, *verdict.evidence.interval]))
    assert "never traded" in verdict_on(candles, Flat()).reasons[0]


class HalfTheCash:
    """Buys once and holds."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.int64(1 if episode_start[0] else 8), state


class Leveraged:
    """Buys all it may and holds, with twice its own money."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.int64(0 if episode_start[0] else 8), state


def test_a_claim_must_hold_both_ways_of_matching_the_exposure():
    """One agent seems to time the market by the mean that is known afterwards alone, one by the mean so far alone."""
    bars = 2_000
    drifting = np.random.default_rng(0).normal(0.001, 0.01, bars)
    late = episodes_of(np.arange(bars) > bars / 2, drifting)
    noise = [np.random.default_rng(seed).normal(0, 0.01, bars) for seed in range(60)]
    against = [episodes_of(against_the_price(moves), moves) for moves in noise]
    apart = [pair for pair in against if sure_of(pair, 0) and not sure_of(pair, 1, 1.5)]
    assert len(apart) >= 2
    assert sure_of(late, 1)
    for pair in [late, *apart]:
        assert judge(*pair, trials=0, openings=1).verdict == NO_EDGE


def test_so_must_harm():
    bars = 2_000
    falling = np.random.default_rng(1).normal(-0.002, 0.01, bars)
    late = episodes_of(np.arange(bars) > bars / 2, falling)
    noise = [np.random.default_rng(seed).normal(0, 0.01, bars) for seed in range(60)]
    along = [episodes_of(1 - against_the_price(moves), moves) for moves in noise]
    apart = [pair for pair in along if sure_of(pair, 0, -2.7) and not sure_of(pair, 1, -2.0)]
    assert len(apart) >= 2
    assert sure_of(late, 1, -2.7)
    for pair in [late, *apart]:
        assert judge(*pair, trials=0, openings=1).verdict == NO_EDGE


def test_six_gains_one_of_them_outsized_are_no_edge():
    """The probabilistic Sharpe ratio thinks them sure, since none of the bets has lost."""
    share, moves = np.zeros(2_000), np.zeros(2_000)
    share[100:1_900:300] = 1
    moves[100:1_900:300] = [0.01, 0.012, 0.07, 0.009, 0.011, 0.01]
    verdict = judge(*episodes_of(share, moves), trials=0, openings=1)
    assert verdict.evidence.psr > 0.95
    assert verdict.evidence.active_log_growth > 0.1
    assert verdict.verdict == NO_EDGE


def sure_of(pair, way, t=1.96):
    """Whether one way of matching alone goes beyond t."""
    sharpe, *_ = sharpe_moments(active_return_of(*pair).active[:, way])
    return np.sign(t) * sharpe * np.sqrt(len(pair[0].table) - 1) > abs(t)


@pytest.fixture(scope="module")
def skilled():
    candles = simulate("ou", bars=BARS, seed=4)
    flat = no_features(candles)
    return play(candles, flat, COSTS, OraclePolicy(oracle(candles))), play(candles, flat, COSTS, BuyAndHold())


def test_an_edge_falls_with_each_thing_that_it_needs(skilled):
    agent, hold = skilled
    assert judge(agent, hold, trials=30, openings=2, overfitting=0.1).verdict == EDGE
    few = replace(agent, trades=agent.trades.iloc[:11])
    for words, verdict in {
        ("openings unknown", "opened before is unknown"): judge(agent, hold, trials=0, openings=None),
        ("fills at a known price", "price that was known when they were decided"): judge(
            replace(agent, optimistic=True), hold, trials=0, openings=1
        ),
        ("too few fills", "Fewer than 12 fills"): judge(few, hold, trials=0, openings=1),
        ("no trade", "never traded"): judge(replace(agent, trades=agent.trades.iloc[:0]), hold, trials=0, openings=1),
        ("luck does as well too often", "or less is an edge"): judge(agent, hold, trials=0, openings=10**12),
    }.items():
        assert (verdict.verdict, verdict.rule) == (NO_EDGE, words[0])
        assert words[1] in verdict.reasons[0]


def test_a_choice_by_luck_is_said_and_decides_nothing(skilled):
    """Where every trial has the edge, the best of them is no better than the rest."""
    lucky, chosen = (judge(*skilled, trials=30, openings=2, overfitting=overfitting) for overfitting in (0.7, 0.3))
    assert (lucky.verdict, chosen.verdict) == (EDGE, EDGE)
    assert "30 trials on validation whose choice was luck (probability of overfitting 0.70)." in lucky.reasons[1]
    assert "luck" not in chosen.reasons[1]


def test_openings_are_counted_and_trials_on_validation_are_reported_beside(skilled):
    """A trial has not seen the test range; an opening has, whatever was selected by it."""
    agent, hold = skilled
    one, many, unknown = (judge(agent, hold, trials=trials, openings=1) for trials in (0, 10_000, None))
    assert (one.verdict, many.verdict, unknown.verdict) == (EDGE, EDGE, EDGE)
    assert one.evidence.p_value == many.evidence.p_value
    assert one.evidence.dsr > many.evidence.dsr  # what it would be if they had been chosen by this range
    assert unknown.evidence.trials is None
    assert "after a search of an unknown number of trials" in unknown.reasons[1]
    levels = [judge(agent, hold, trials=0, openings=openings).evidence.level for openings in (1, 2, 10, 100)]
    assert levels == pytest.approx([0.045, 1 - 0.95**0.5, 1 - 0.95**0.1, 1 - 0.95**0.01])
    assert levels == [level_of(openings) for openings in (1, 2, 10, 100)]


def test_a_spread_of_trials_that_resemble_each_other_is_no_less_than_that_of_luck(skilled):
    """Trials alike would make the deflation do nothing."""
    agent, hold = skilled
    alike, luck, wide = (judge(agent, hold, trials=100, openings=1, sharpe_spread=s).evidence.dsr for s in (0.002, None, 0.2))
    assert alike == luck
    assert wide < luck


@pytest.mark.parametrize("drift", [0.0, 0.0008])
def test_an_agent_without_timing_gains_nothing_from_a_benchmark_that_could_not_buy(drift):
    """In the market but for seven bars, where buy and hold, in whole lots, has two thirds of its cash in it, or none."""
    moves = np.random.default_rng(3).normal(drift, 0.008, BARS)
    candles = make_candles(list(3_000 * np.cumprod(np.append(1, 1 + moves))))
    sides = np.full(BARS, HOLD)
    sides[0], sides[100::300], sides[101::300] = BUY, SELL, BUY
    agent = play(candles, no_features(candles), COSTS, SignalStrategy(sides))
    assert len(agent.trades) > 12
    for lot in (1.0, 4.0):
        hold = play(candles, no_features(candles), EnvSettings(lot=lot), BuyAndHold())
        verdict = judge(agent, hold, trials=0, openings=1)
        assert verdict.verdict == NO_EDGE
        assert 0.8 < np.exp(verdict.evidence.active_log_growth) < 1.05
        words = "Buy and hold could not trade (below one lot)" if lot == 4.0 else "Buy and hold had "
        assert verdict.reasons[2].startswith(words)
        assert "against the market itself" in verdict.reasons[2]


def test_funding_that_anybody_with_the_position_earns_is_no_timing():
    """Long all the time on a perpetual future that pays its longs, with a tenth more or less at random."""
    funded = EnvSettings(action_scheme="continuous", max_leverage=2.0, funding_bps_per_day=-50.0, **FREE)
    rng = np.random.default_rng(0)
    candles = make_candles(list(100 * np.cumprod(np.append(1, 1 + rng.normal(0, 0.004, BARS)))))

    class Restless:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.array([rng.choice([0.45, 0.5])], np.float32), state

    agent = play(candles, no_features(candles), funded, Restless())
    hold = play(candles, no_features(candles), COSTS, BuyAndHold())
    earned = (
        agent.table["net_worth"].iloc[-1]
        / play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold()).table["net_worth"].iloc[-1]
    )
    assert earned > 1.3
    verdict = judge(agent, hold, trials=0, openings=1)
    assert verdict.verdict == NO_EDGE
    assert 0.9 < np.exp(verdict.evidence.active_log_growth) < 1.1
    assert judge(replace(agent, funding=0.0), hold, trials=0, openings=1).verdict == EDGE  # so it is the funding that stops it


def test_buy_and_hold_in_whole_lots_of_real_coins_is_no_edge():
    """Judged against itself it made 1.24 times the same exposure, when the reference was its own net worth."""
    file = Path(__file__).parents[4] / "shared" / "data" / "coinbase-btcusd-1h.csv"
    if not file.exists():
        pytest.skip(f"needs {file}")
    candles = read_candles(file, repair=True)[-3_500:]
    in_lots = EnvSettings(lot=1.0)
    hold = play(candles, no_features(candles), in_lots, BuyAndHold())
    sides = np.full(3_499, HOLD)
    sides[0], sides[400::450], sides[401::450] = BUY, SELL, BUY
    agent = play(candles, no_features(candles), in_lots, SignalStrategy(sides))
    for episode in (hold, agent):
        verdict = judge(episode, hold, trials=0, openings=1)
        assert verdict.verdict == NO_EDGE
    assert len(agent.trades) > 12
    assert verdict.evidence.p_value > 0.05


def test_the_sentences_the_rule_and_all_numbers_go_into_the_json(skilled):
    agent, hold = skilled
    verdict = judge(agent, hold, trials=30, openings=2, overfitting=0.1)
    assert len(verdict.reasons) == 2
    assert all(reason[0].isupper() and reason.endswith(".") for reason in verdict.reasons)
    assert "opened 2 times, after a search of 30 trials" in verdict.reasons[1]
    written = json.loads(json.dumps(verdict.as_json(), allow_nan=False))
    assert written["rule"] == verdict.rule == "luck hardly ever does as well"
    assert written["verdict"] == EDGE
    assert written["interval"] == list(verdict.evidence.interval)


def test_the_seed_decides_the_draws():
    moves = np.random.default_rng(0).normal(0, 0.01, 1_000)
    agent, hold = episodes_of(against_the_price(moves), moves)
    one, same, other = (judge(agent, hold, trials=0, openings=1, seed=seed) for seed in (0, 0, 1))
    assert one == same
    first, second = ((each.evidence.interval, each.evidence.timing_interval) for each in (one, other))
    assert first != second
