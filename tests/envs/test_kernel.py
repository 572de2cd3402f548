"""Accounting by hand and by property; time; the compiled kernel against plain Python."""

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features, play
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import BitcoinTradingEnv, EnvSettings, kernel
from envs.trading import Trading

BUY_ALL, BUY_HALF, SELL_ALL, SELL_HALF, HOLD = 0, 1, 4, 5, 8

# --- ledgers that a reader can do by hand -------------------------------------------------------------------------------


def test_an_order_fills_at_the_next_open():
    candles = make_candles(closes=[100, 120, 150], opens=[90, 110, 130])
    info = play(candles, [BUY_ALL], **FREE)[0]
    assert info["fill_price"] == 110  # decided at the close of bar 0 (100); filled at the open of bar 1
    assert info["coin"] == pytest.approx(10_000 / 110)
    assert info["net_worth"] == pytest.approx(10_000 / 110 * 120)  # marked at the close of bar 1


def test_a_buy_pays_fee_spread_and_slippage():
    info = play(make_candles([100, 100, 100]), [BUY_ALL], fee_bps=100, half_spread_bps=30, slippage_bps=20)[0]
    value = 10_000 / 1.01  # what is left of the cash after a fee of 1 % on top of it
    assert info["fees"] == pytest.approx(10_000 - value)
    assert info["fill_price"] == pytest.approx(100.5)
    assert info["coin"] == pytest.approx(value / 100.5)
    assert info["cash"] == 0


def test_a_sale_pays_fee_spread_and_slippage():
    first, second = play(make_candles([100, 100, 100]), [BUY_ALL, SELL_ALL], fee_bps=100, half_spread_bps=30, slippage_bps=20)
    value = first["coin"] * 99.5
    assert second["fill_price"] == pytest.approx(99.5)
    assert second["cash"] == pytest.approx(value * 0.99)
    assert second["fees"] == pytest.approx(first["fees"] + value * 0.01)
    assert second["coin"] == 0
    assert second["net_worth"] == second["cash"]


def test_buying_and_selling_back_at_one_price_costs_exactly_the_costs():
    info = play(make_candles([100, 100, 100]), [BUY_ALL, SELL_ALL], fee_bps=10, half_spread_bps=1, slippage_bps=2)[1]
    assert info["net_worth"] == pytest.approx(10_000 / 1.001 / 1.0003 * 0.9997 * 0.999)


@pytest.mark.parametrize(("action", "share"), [(0, 1), (1, 1 / 2), (2, 1 / 3), (3, 1 / 4)])
def test_an_amount_is_a_share_of_the_cash_or_of_the_coin(action, share):
    bought = play(make_candles([100, 100, 100]), [action], **FREE)[0]
    assert bought["cash"] == pytest.approx(10_000 * (1 - share))
    sold = play(make_candles([100, 100, 100]), [BUY_ALL, action + 4], **FREE)[1]
    assert sold["coin"] == pytest.approx(100 * (1 - share))


@pytest.mark.parametrize("action", [8, 9, 10, 11])
def test_all_holds_hold(action):
    info = play(make_candles([100, 120, 90]), [action])[0]
    assert (info["outcome"], info["cash"], info["coin"], info["trades"]) == ("held", 10_000, 0, 0)


def test_refusals_have_names_and_pass_like_a_hold():
    candles = make_candles([100, 100, 100, 100])
    assert play(candles, [SELL_ALL])[0]["outcome"] == "refused: no coin"
    assert play(candles, [BUY_ALL, BUY_ALL])[1]["outcome"] == "refused: no cash"
    info = play(candles, [BUY_HALF], min_trade=5_001)[0]
    assert (info["outcome"], info["net_worth"], info["trades"]) == ("refused: below min_trade", 10_000, 0)
    assert play(candles, [BUY_ALL, SELL_HALF], min_trade=5_001)[1]["outcome"] == "refused: below min_trade"


def test_the_average_cost_of_the_coin():
    """Half of the cash at 100, half of the rest at 200: 50 + 12.5 coins for 7,500."""
    candles = make_candles(closes=[100, 100, 240, 240], opens=[100, 100, 200, 240])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**FREE), evaluation=True)
    env.reset(seed=0)
    env.step(BUY_HALF)
    observation = env.step(BUY_HALF)[0]
    assert env.trading.accounts.entry[0] == pytest.approx(7_500 / 62.5)
    assert observation[3] == pytest.approx(240 / 120 - 1)


# --- properties ---------------------------------------------------------------------------------------------------------

costs = st.fixed_dictionaries(
    {
        "fee_bps": st.floats(0, 500),
        "half_spread_bps": st.floats(0, 100),
        "slippage_bps": st.floats(0, 100),
        "min_trade": st.floats(0, 3_000),
        "initial_cash": st.floats(1, 1e6),
    }
)
episodes = st.lists(st.tuples(st.integers(0, 11), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)), min_size=1, max_size=40)


def market_of(episode):
    """Log moves (close to open, open to close) as candles; the first bar only opens the account."""
    opens, closes = [100.0], [100.0]
    for _, gap, move in episode:
        opens.append(closes[-1] * np.exp(gap))
        closes.append(opens[-1] * np.exp(move))
    return make_candles(closes, opens)


@settings(max_examples=300, deadline=None)
@given(options=costs, episode=episodes)
def test_net_worth_is_cash_and_coin_and_changes_by_gain_less_costs(options, episode):
    candles = market_of(episode)
    trading = Trading(candles, no_features(candles), EnvSettings(**options), n=1, evaluation=True)
    trading.begin(0, np.random.default_rng(0))
    accounts, market = trading.accounts, trading.market
    for t, (action, _, _) in enumerate(episode, start=1):
        before = [float(getattr(accounts, name)[0]) for name in ("net_worth", "coin", "fees", "adverse")]
        trading.step(np.array([action]))
        worth, cash, coin = accounts.net_worth[0], accounts.cash[0], accounts.coin[0]
        assert worth == pytest.approx(cash + coin * market.close[t], rel=1e-9)
        gain = before[1] * (market.open[t] - market.close[t - 1]) + coin * (market.close[t] - market.open[t])
        paid = (accounts.fees[0] - before[2]) + (accounts.adverse[0] - before[3])
        assert worth - before[0] == pytest.approx(gain - paid, abs=1e-9 * max(worth, before[0]))
        assert min(cash, coin, paid) >= 0


@settings(max_examples=100, deadline=None)
@given(options=costs, episode=episodes, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_doubling_every_price_changes_no_return(options, episode, factor):
    candles = market_of(episode)
    scaled = make_candles(list(candles.column("close") * factor), list(candles.column("open") * factor))
    actions = [action for action, _, _ in episode]
    one, two = (play(c, actions, **options) for c in (candles, scaled))
    assert [info["net_worth"] for info in one] == [info["net_worth"] for info in two]


@settings(max_examples=100, deadline=None)
@given(options=costs, episode=episodes)
def test_the_ledger_of_trades_sums_to_the_final_net_worth(options, episode):
    candles = market_of(episode)
    infos = play(candles, [action for action, _, _ in episode], **options)
    cash, coin, fee = options["initial_cash"], 0.0, options["fee_bps"] / 1e4
    for info in infos:
        value = abs(info["fill_coin"]) * info["fill_price"]
        cash -= value * (1 + fee) if info["fill_coin"] > 0 else -value * (1 - fee)
        coin += info["fill_coin"]
    final = cash + coin * candles.column("close")[infos[-1]["bar"]]
    assert final == pytest.approx(infos[-1]["net_worth"], rel=1e-9, abs=1e-9 * options["initial_cash"])


@settings(max_examples=60, deadline=None)
@given(episode=episodes, options=costs)
def test_the_compiled_kernel_equals_plain_python(episode, options):
    candles = market_of(episode)
    compiled, plain = (Trading(candles, no_features(candles), EnvSettings(**options), n=1, evaluation=True) for _ in range(2))
    flags = np.zeros(1, np.bool_), np.zeros(1, np.bool_)
    out = np.empty((1, compiled.observation_size), np.float32)
    for trading in (compiled, plain):
        trading.begin(0, np.random.default_rng(0))
    with pytest.MonkeyPatch.context() as patch:
        for action, _, _ in episode:
            compiled.step(np.array([action]))
            with patch.context() as pure:
                pure.setattr(kernel, "fill", kernel.fill.py_func)
                kernel.step.py_func(plain.market, plain.accounts, plain.rules, np.array([action]), *flags)
            kernel.observe.py_func(plain.market, plain.accounts, out)
            assert compiled.observe().tobytes() == out.tobytes()
        for one, two in zip(compiled.accounts, plain.accounts, strict=True):
            np.testing.assert_array_equal(one, two)
