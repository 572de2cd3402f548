from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features, step_all
from ta.momentum import rsi

from agents import BuyAndHold, Flat, ForecastFollower, RandomTrader, RsiDivergence, SignalStrategy, SmaCrossover
from common import InputError
from envs import BUY, HOLD, SELL, BitcoinTradingVecEnv, EnvSettings
from evaluation import play


def test_buy_and_hold_buys_once_and_follows_the_price():
    candles = make_candles([100, 100, 50, 300])
    episode = play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold())
    assert list(episode.table["net_worth"]) == [10_000, 10_000, 5_000, 30_000]
    assert list(episode.trades["side"]) == ["buy"]


def test_flat_never_trades():
    candles = make_candles([100, 50, 300, 10])
    episode = play(candles, no_features(candles), EnvSettings(), Flat())
    assert list(episode.table["net_worth"]) == [10_000] * 4
    assert len(episode.trades) == 0


def test_a_random_trader_trades_and_holds_as_often_as_it_was_told():
    """8 decisions, 3 fills, 4 bars held: a spell of 1, 2 or 3, a gap, and the rest at the end."""
    drawn = Counter(tuple(RandomTrader(8, trades=3, bars_held=4, seed=seed).positions) for seed in range(1_200))
    assert set(drawn) == {(0,) * a + (1,) * b + (0,) * (4 - a) + (1,) * (4 - b) for a in range(4) for b in (1, 2, 3)}
    assert all(60 < count < 140 for count in drawn.values())  # 12 ways, 100 times each: four deviations of about 10
    candles = make_candles([100, 110, 120, 130, 120, 110, 100, 110, 120])
    strategy = RandomTrader(8, trades=3, bars_held=4, seed=0)
    episode = play(candles, no_features(candles), EnvSettings(**FREE), strategy)
    assert list(episode.trades["side"]) == ["buy", "sell", "buy"]
    assert list(episode.table["position"] > 0) == [False, *(strategy.positions == 1)]


@pytest.mark.parametrize(("trades", "held"), [(0, 0), (1, 1), (1, 50), (2, 49), (2, 1), (7, 4), (50, 25), (49, 25)])
def test_any_turnover_that_can_be_is_matched(trades, held):
    for seed in range(5):
        positions = RandomTrader(50, trades, held, seed).positions
        assert (len(positions), positions.sum()) == (50, held)
        assert np.abs(np.diff(positions, prepend=0)).sum() == trades


@pytest.mark.parametrize("decisions", [1, 2, 5, 6])
def test_just_the_turnovers_that_can_be_are_played(decisions):
    """Against all 2^n sequences of long and flat: what one of them does is drawn, what none does is refused."""
    possible = defaultdict(set)
    for positions in product([0, 1], repeat=decisions):
        possible[int(np.abs(np.diff(positions, prepend=0)).sum()), sum(positions)].add(positions)
    for trades, held in product(range(-3, decisions + 3), range(-2, decisions + 3)):
        if (trades, held) in possible:
            assert tuple(RandomTrader(decisions, trades, held, seed=0).positions) in possible[trades, held]
        else:
            with pytest.raises(InputError, match="take the numbers of an episode"):
                RandomTrader(decisions, trades, held, seed=0)


@pytest.mark.parametrize(
    ("decisions", "trades", "held", "rule"),
    [
        (50, 51, 25, "`0 <= trades <= decisions` .* but got trades=51, decisions=50; take"),
        (50, -1, 0, "`0 <= trades <= decisions` .* but got trades=-1, decisions=50; take"),
        (0, 0, 0, "`decisions >= 1` .* but got trades=0, decisions=0; take"),
        (50, 0, 5, "`0 <= bars_held <= 0` must hold for 0 trades in 50 decisions, but got bars_held=5; take"),
        (50, 3, 1, "`2 <= bars_held <= 49` must hold for 3 trades in 50 decisions, but got bars_held=1; take"),
        (50, 2, 50, "`1 <= bars_held <= 49` must hold for 2 trades in 50 decisions, but got bars_held=50; take"),
    ],
)
def test_a_turnover_that_cannot_be_is_refused_in_a_line_that_says_why(decisions, trades, held, rule):
    with pytest.raises(InputError, match=rule) as refusal:
        RandomTrader(decisions, trades, held, seed=0)
    assert "\n" not in str(refusal.value)


def test_a_random_trader_is_its_seed():
    one, again, other = (RandomTrader(60, 12, 30, seed).positions for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_random_trades_are_spread_evenly():
    """Each bar is held about as often as any other: no seed's luck, no favoured place."""
    share = np.mean([RandomTrader(60, 12, 30, seed).positions for seed in range(3_000)], axis=0)
    assert share[5:-5].std() < 0.02
    assert share[5:-5].mean() == pytest.approx(0.5, abs=0.05)


def test_rsi_divergence_by_hand():
    """Wilder's averages over 2 bars halve at each bar: gains 0, 2, 3, 3.5, then 1.75, 2.375; losses 0, 0, 0, 0, then 1, .5.

    RSI = 100 gains / (gains + losses): 100 after four rises, 64 and 83 around the fall, while the price rises over 2 bars.
    """
    closes = [100, 104, 108, 112, 110, 113, 101, 91, 90, 91]
    strength = rsi(make_candles(closes).frame["close"], 2)
    assert [round(value) for value in strength[3:6]] == [100, 64, 83]
    sides = RsiDivergence(make_candles(closes), rsi_bars=2, lookback_bars=2).sides
    assert list(sides[3:6]) == [HOLD, SELL, SELL]  # 112 over 104, but the RSI stood at 100 then, too; 110 over 108; 113 over 112
    assert [round(value) for value in strength[6:10]] == [16, 7, 6, 22]
    assert list(sides[6:10]) == [HOLD, HOLD, HOLD, HOLD]  # both fall; at last both prices are 91
    slower = [*closes[:9], 90.9]
    assert RsiDivergence(make_candles(slower), rsi_bars=2, lookback_bars=2).sides[9] == BUY  # below 91, while the RSI rises


def test_sma_crossover_buys_when_the_short_average_rises_above_the_long_one():
    """By hand, averages over 2 and 4 bars: short above long from bar 5 on, below it again from bar 8 on."""
    closes = [10, 10, 10, 10, 9, 12, 13, 12, 8, 7]
    short = [sum(closes[t - 1 : t + 1]) / 2 for t in range(3, 10)]
    long = [sum(closes[t - 3 : t + 1]) / 4 for t in range(3, 10)]
    assert [round(s - v, 3) for s, v in zip(short, long, strict=True)] == [0, -0.25, 0.25, 1.5, 1, -1.25, -2.5]
    sides = SmaCrossover(make_candles(closes), short_bars=2, long_bars=4).sides
    assert list(sides) == [HOLD, HOLD, HOLD, HOLD, SELL, BUY, HOLD, HOLD, SELL, HOLD]


def test_rsi_divergence_sells_when_rsi_falls_while_price_rises():
    rng = np.random.default_rng(0)
    candles = make_candles(list(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 300)))))
    close = candles.frame["close"]
    strength = rsi(close, 14)
    sides = RsiDivergence(candles, rsi_bars=14, lookback_bars=5).sides
    assert {BUY, SELL, HOLD} == set(sides)
    for t in range(300):
        before = t - 5
        if before < 13:  # the RSI's first value stands at bar 13
            expected = HOLD
        elif strength.iloc[t] < strength.iloc[before] and close.iloc[t] > close.iloc[before]:
            expected = SELL
        elif strength.iloc[t] > strength.iloc[before] and close.iloc[t] < close.iloc[before]:
            expected = BUY
        else:
            expected = HOLD
        assert sides[t] == expected, t


@pytest.mark.parametrize("strategy", [SmaCrossover, RsiDivergence])
def test_a_signal_uses_no_later_bar(strategy):
    rng = np.random.default_rng(1)
    closes = list(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 500))))
    whole = strategy(make_candles(closes)).sides
    for bar in (220, 300, 450):
        assert list(strategy(make_candles(closes[:bar])).sides) == list(whole[:bar])


def test_the_bars_before_the_range_warm_the_averages_up():
    closes = list(100 + 10 * np.sin(np.arange(400) / 20))
    whole = SmaCrossover(make_candles(closes)).sides
    np.testing.assert_array_equal(SmaCrossover(make_candles(closes), start=300).sides, whole[300:])


def test_a_strategy_trades_at_the_open_after_its_signal():
    candles = make_candles(closes=[100, 110, 120, 130], opens=[100, 101, 111, 121])
    episode = play(candles, no_features(candles), EnvSettings(**FREE), SignalStrategy(np.array([HOLD, BUY, HOLD, HOLD])))
    assert list(episode.trades["time"]) == [candles.index[2]]
    assert list(episode.trades["price"]) == [111]


def test_one_predict_serves_a_single_observation_and_a_batch():
    agent = SignalStrategy(np.array([BUY, HOLD, SELL]))
    single, state = agent.predict(np.zeros(6, np.float32), None, np.ones(1, bool))
    assert np.shape(single) == ()
    assert single == 0
    batch, state = agent.predict(np.zeros((2, 6), np.float32), np.array([2, 1]), np.array([False, True]))
    assert list(batch) == [4, 0]  # the second env begins a new episode
    assert list(state) == [3, 1]


def test_strategies_play_in_the_vector_env_too():
    candles = make_candles([100, 100, 50, 300])
    vector = BitcoinTradingVecEnv(candles, no_features(candles), EnvSettings(**FREE), n_envs=2, evaluation=True)
    observation, state, start = vector.reset(), None, np.ones(2, bool)
    for _ in range(3):
        action, state = BuyAndHold().predict(observation, state, start)
        observation, _, start, infos = step_all(vector, action)
    assert [info["net_worth"] for info in infos] == [30_000, 30_000]


def test_a_follower_is_long_from_where_the_forecast_pays_for_a_round_trip_until_it_expects_a_fall():
    """At 10 bps one way a round trip costs 0.2 %: 0.0020 does not pay, 0.0021 does; 0.0001 is no reason to leave."""
    forecast = np.array([np.nan, 0.0020, 0.0021, 0.0001, np.nan, -0.0001, 0.0020, 0.01, -0.5, 0.0])
    sides = ForecastFollower(forecast, 0, 0.001).sides
    assert list(sides) == [HOLD, HOLD, BUY, HOLD, HOLD, SELL, HOLD, BUY, SELL, HOLD]


def test_a_follower_begins_at_its_start_without_a_position():
    """What it would have held before is not carried in: it buys only when the forecast pays again."""
    forecast = np.array([0.01, 0.001, 0.01, -0.01])
    assert list(ForecastFollower(forecast, 1, 0.001).sides) == [HOLD, BUY, SELL]


def test_who_follows_the_truth_makes_money_in_any_market():
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    candles, settings = make_candles(list(close)), EnvSettings()
    ahead = np.append(np.log(close[4:] / close[:-4]), np.full(4, np.nan))
    worth = play(candles, no_features(candles), settings, ForecastFollower(ahead, 0, settings.cost_fraction)).table["net_worth"]
    other = play(candles, no_features(candles), settings, ForecastFollower(-ahead, 0, settings.cost_fraction)).table["net_worth"]
    assert worth.iloc[-1] > 2 * worth.iloc[0]
    assert other.iloc[-1] < other.iloc[0]
