from itertools import product

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features

from agents import RandomTrader
from common import InputError
from envs import BUY, HOLD, SELL, EnvSettings, Replay
from evaluation import play
from evaluation.oracles import OraclePolicy, PerfectForesight, foresight, perfect_foresight
from evaluation.statistics import log_growth
from market import simulate

COST = EnvSettings().cost_fraction


@pytest.mark.parametrize(
    ("fee", "wealth"), [(0, 149_864 / 81_270), (0.0025, 1.8074666602), (0.01, 1.7227592321), (0.05, 1.4226709167), (0.2, 1.0)]
)
def test_the_published_vector(fee, wealth):
    prices = np.array([100, 110, 105, 120, 90, 95, 130, 129, 131])
    assert perfect_foresight(prices, fee).wealth == pytest.approx(wealth, abs=5e-11)


@pytest.mark.parametrize("cost", [0.0, 0.0005, COST, 0.01, 0.3])
@pytest.mark.parametrize("bars", [1, 2, 5, 12])
def test_no_sequence_of_positions_makes_more(bars, cost):
    """All 2^T sequences of long and flat, by hand with cash and coin."""
    for seed in range(3):
        prices = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, bars)))
        best = perfect_foresight(prices, cost)
        every = np.array(list(product([0, 1], repeat=bars)))  # (2^T, T)
        assert best.wealth == pytest.approx(by_hand(prices, every, cost).max(), rel=1e-12)
        assert best.wealth == pytest.approx(by_hand(prices, best.positions[None], cost)[0], rel=1e-12)


def test_compiled_and_plain_python_agree():
    logs = np.cumsum(np.random.default_rng(0).normal(0, 0.02, 300))
    plain = foresight._foresee.py_func(logs, 0.002, 0.001)
    for compiled, expected in zip(foresight._foresee(logs, 0.002, 0.001), plain, strict=True):
        np.testing.assert_array_equal(compiled, expected)
    for last in (0, 1):
        np.testing.assert_array_equal(foresight._trace_back(*plain[2:], last), foresight._trace_back.py_func(*plain[2:], last))


def test_a_long_series_does_not_overflow():
    prices = simulate("martingale", 200_000, seed=0).column("close")
    best = perfect_foresight(prices, 0.0)
    assert best.log_wealth == pytest.approx(np.maximum(np.diff(np.log(prices)), 0).sum(), rel=1e-9)
    assert best.wealth == np.inf


def test_the_kernel_pays_it():
    """Played, it ends where it says, but for the form of the kernel's costs: 1 / (1 + f) is not quite 1 - f."""
    candles = simulate("bitcoin", 1_000, seed=1)
    best = perfect_foresight(candles.column("close"), COST)
    episode = play(candles, no_features(candles), EnvSettings(), OraclePolicy(best.positions))
    unsold = -np.log1p(-COST) * best.positions[-2]  # an episode is marked at its last close, and sells nothing there
    assert log_growth(episode) == pytest.approx(best.log_wealth + unsold, abs=3e-6 * len(episode.trades))


def test_perfect_foresight_by_hand():
    """Opens 100, 110, 105, 120 after the first bar, the last close at 130, no costs: long, flat for the fall, long to the end."""
    candles = make_candles(closes=[100, 108, 106, 119, 130], opens=[99, 100, 110, 105, 120])
    strategy = PerfectForesight(candles, EnvSettings(**FREE))
    assert list(strategy.sides) == [BUY, SELL, BUY, HOLD]
    assert np.exp(strategy.log_growth) == pytest.approx(110 / 100 * 130 / 105)
    dear = PerfectForesight(candles, EnvSettings(**FREE | {"fee_bps": 300}))  # the fall of 4.5 % does not pay two fees of 3 %
    assert list(dear.sides) == [BUY, HOLD, HOLD, HOLD]
    assert np.exp(dear.log_growth) == pytest.approx(130 / 100 / 1.03)
    assert set(PerfectForesight(candles, EnvSettings(**FREE | {"fee_bps": 3_000})).sides) == {HOLD}


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
def test_the_kernel_pays_perfect_foresight_to_the_cent_and_nobody_makes_more(fill):
    rng = np.random.default_rng(0)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    candles = make_candles(list(closes), opens=list(np.append(100.0, closes[:-1]) * np.exp(rng.normal(0, 0.002, 400))))
    settings = EnvSettings(fill=fill)
    strategy = PerfectForesight(candles, settings)
    episode = play(candles, no_features(candles), settings, strategy)
    assert log_growth(episode) == pytest.approx(strategy.log_growth, abs=1e-9)
    assert log_growth(episode) == pytest.approx(most_by_backward_induction(candles, settings), abs=1e-9)
    assert len(episode.trades) > 20
    for seed in range(20):
        other = RandomTrader(399, int(rng.integers(1, 100)), int(rng.integers(60, 200)), seed)
        assert log_growth(play(candles, no_features(candles), settings, other)) < strategy.log_growth
    for first in (0, 100, 200, 300):
        require_no_sequence_of_orders_makes_more(candles[first : first + 5], settings)


def most_by_backward_induction(candles, settings):
    """Log growth, from the last fill to the first: what a dollar in cash, and what a coin, can still become. By fees alone."""
    opens, closes = candles.column("open"), candles.column("close")
    prices = {"next_open": opens[1:], "next_close": closes[1:], "same_close": closes[:-1]}[settings.fill]
    fee, moved = settings.fee_bps / 10_000, (settings.half_spread_bps + settings.slippage_bps) / 10_000
    dollar, coin = 1.0, closes[-1]
    for price in prices[::-1]:
        buys, sells = coin / (price * (1 + moved) * (1 + fee)), dollar * price * (1 - moved) * (1 - fee)
        dollar, coin = max(dollar, buys), max(coin, sells)
    return np.log(dollar)


def require_no_sequence_of_orders_makes_more(candles, settings):
    """All sequences of buying or selling all or half, or neither, played; the best of them is perfect foresight."""
    stage = Replay(candles, no_features(candles), settings.spot())
    orders = [4 * BUY, 4 * BUY + 1, 4 * SELL, 4 * SELL + 1, 4 * HOLD]
    best = 0.0
    for actions in product(orders, repeat=len(candles) - 1):
        replay = stage.again(stage.settings)
        replay.play(np.array(actions))
        best = max(best, float(replay.table()["net_worth"].iloc[-1]))
    assert np.log(best / settings.initial_cash) == pytest.approx(PerfectForesight(candles, settings).log_growth, abs=1e-12)


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
def test_the_kernel_pays_no_sequence_of_positions_more_than_perfect_foresight(fill):
    """All 2^6 ways to be long or flat, played; some of the best end long, some flat."""
    settings, ends = EnvSettings(fill=fill), set()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 7)))
        candles = make_candles(list(closes), opens=list(np.append(100.0, closes[:-1]) * np.exp(rng.normal(0, 0.005, 7))))
        strategy = PerfectForesight(candles, settings)
        every = [OraclePolicy(np.array(positions)) for positions in product([0, 1], repeat=6)]
        growths = [log_growth(play(candles, no_features(candles), settings, other)) for other in every]
        assert strategy.log_growth == pytest.approx(max(growths), abs=1e-12)
        ends.add(play(candles, no_features(candles), settings, strategy).table["position"].iloc[-1])
    assert ends == {0.0, 1.0}


@pytest.mark.parametrize("prices", [[], [1.0, 0.0], [1.0, np.nan], [[1.0]]])
def test_bad_prices_are_refused(prices):
    with pytest.raises(InputError, match="finite prices above 0"):
        perfect_foresight(prices, 0.0)


def by_hand(prices, positions, cost):
    """Final cash (n,) of sequences of positions (n, T); whoever is still long sells at the last price."""
    cash, coin = np.ones(len(positions)), np.zeros(len(positions))
    for price, wanted in zip(prices, positions.T, strict=True):
        buys, sells = (wanted == 1) & (coin == 0), (wanted == 0) & (coin > 0)
        cash, coin = (
            np.where(buys, 0, np.where(sells, coin * price * (1 - cost), cash)),
            np.where(buys, cash * (1 - cost) / price, np.where(sells, 0, coin)),
        )
    return cash + coin * prices[-1] * (1 - cost)
