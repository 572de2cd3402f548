"""Ledgers that a reader can do by hand: round numbers, one rule each. The properties are in `test_accounting.py`."""

import math
from pathlib import Path

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features, play, record

from envs import BitcoinTradingEnv, EnvSettings
from envs.kernel import OUTCOMES

BUY_ALL, BUY_HALF, BUY_A_QUARTER, SELL_ALL, SELL_HALF, HOLD = 0, 1, 3, 4, 5, 8
A_BASIS_POINT_AN_HOUR = 24.0  # of `borrow_bps_per_day` and `funding_bps_per_day`, on hourly bars
MARGIN = FREE | {"borrow_bps_per_day": 0.0, "shorts": True, "max_leverage": 3.0, "ruin_fraction": 0.0, "action_scheme": "targets"}
TARGETS = (-3.0, -1.0, 0.0, 0.5, 1.0, 3.0)
SHORT_3, SHORT_1, FLAT, HALF, LONG_1, LONG_3 = range(6)


def flat(bars=4, price=100.0):
    return make_candles([price] * bars)


def play_targets(candles, actions, **options):
    return play(candles, actions, **(MARGIN | {"targets": TARGETS} | options))


# --- where an order fills -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fill", "price"), [("", 110), ("next_open", 110), ("next_close", 120), ("same_close", 100)])
def test_an_order_fills_at_the_price_that_its_fill_names(fill, price):
    """Decided at the close of bar 0, which is 100; bar 1 opens at 110, which is the default, and closes at 120."""
    named = {"fill": fill} if fill else {}
    info = play(make_candles(closes=[100, 120, 150], opens=[90, 110, 130]), [BUY_ALL], **named, **FREE)[0]
    assert info["fill_price"] == price
    assert info["coin"] == pytest.approx(10_000 / price)
    assert info["net_worth"] == pytest.approx(10_000 / price * 120)  # marked at the close of bar 1


# --- costs --------------------------------------------------------------------------------------------------------------


def test_a_buy_pays_fee_spread_and_slippage():
    info = play(flat(), [BUY_ALL], fee_bps=100, half_spread_bps=30, slippage_bps=20)[0]
    value = 10_000 / 1.01  # what is left of the cash after a fee of 1 % on top of it
    assert info["fees"] == pytest.approx(10_000 - value)
    assert info["fill_price"] == pytest.approx(100.5)
    assert info["coin"] == pytest.approx(value / 100.5)
    assert info["slippage"] == pytest.approx(value / 100.5 * 0.5)  # half a dollar a coin
    assert info["cash"] == 0


def test_a_sale_pays_fee_spread_and_slippage():
    first, second = play(flat(), [BUY_ALL, SELL_ALL], fee_bps=100, half_spread_bps=30, slippage_bps=20)
    value = first["coin"] * 99.5
    assert second["fill_price"] == pytest.approx(99.5)
    assert second["cash"] == pytest.approx(value * 0.99)
    assert second["fees"] == pytest.approx(first["fees"] + value * 0.01)
    assert second["coin"] == 0
    assert second["net_worth"] == second["cash"]


def test_buying_and_selling_back_at_one_price_costs_exactly_the_costs():
    info = play(flat(), [BUY_ALL, SELL_ALL], fee_bps=10, half_spread_bps=1, slippage_bps=2)[1]
    assert info["net_worth"] == pytest.approx(10_000 / 1.001 / 1.0003 * 0.9997 * 0.999)
    assert info["net_worth"] == pytest.approx(10_000 - info["fees"] - info["slippage"])


def test_borrowed_cash_pays_interest_for_every_bar_held():
    """10,000 of one's own and 20,000 borrowed; the hour's interest is 1 / 10,000 of the debt, which it is added to."""
    one, two, three = play_targets(flat(), [LONG_3] * 3, borrow_bps_per_day=A_BASIS_POINT_AN_HOUR, min_trade=1_000)
    assert (one["coin"], one["cash"], one["borrow"]) == pytest.approx((300, -20_002, 2))
    assert two["borrow"] == pytest.approx(2 + 2.0002)
    assert three["net_worth"] == pytest.approx(10_000 - 2 - 2.0002 - 2.00040002)
    assert three["trades"] == 1


def test_a_short_pays_interest_on_the_value_of_the_coin_for_every_bar_held():
    candles = make_candles(closes=[100, 110, 120, 130], opens=[100, 100, 110, 120])
    options = MARGIN | {"action_scheme": "orders", "max_leverage": 1.0, "borrow_bps_per_day": A_BASIS_POINT_AN_HOUR}
    infos = play(candles, [SELL_ALL, HOLD, HOLD], **options)
    assert [info["coin"] for info in infos] == [-100, -100, -100]
    assert [info["borrow"] for info in infos] == pytest.approx([1.1, 1.1 + 1.2, 1.1 + 1.2 + 1.3])
    assert infos[2]["net_worth"] == pytest.approx(20_000 - 3.6 - 100 * 130)


def test_cash_and_coin_of_ones_own_pay_no_interest():
    assert play_targets(flat(), [LONG_1, LONG_1], borrow_bps_per_day=100)[1]["borrow"] == 0


@pytest.mark.parametrize(("target", "funding", "paid"), [(LONG_1, 1, 1), (SHORT_1, 1, -1), (LONG_1, -1, -1), (SHORT_1, -1, 1)])
def test_longs_pay_funding_to_shorts_and_the_other_way_round_when_it_is_negative(target, funding, paid):
    """A position of 10,000 and a rate of 1 / 10,000 an hour."""
    info = play_targets(flat(), [target], funding_bps_per_day=funding * A_BASIS_POINT_AN_HOUR)[0]
    assert info["funding"] == pytest.approx(paid)
    assert info["net_worth"] == pytest.approx(10_000 - paid)


def choppy(bars, volume):
    """Closes of 100 and 101 in turn, so that all log moves are +-ln 1.01; `volume` USD in every bar."""
    closes = [100.0, 101.0] * (bars // 2)
    return make_candles(closes, volume=volume / np.array(closes))


def test_impact_is_the_square_root_of_the_share_of_the_trailing_volume():
    """10,000 into 1,000,000 a bar is 1 / 100 of it, the root is 1 / 10, and a bar's volatility is ln 1.01."""
    info = play(choppy(40, volume=1e6), [HOLD] * 29 + [BUY_ALL], impact=2.0, **FREE)[-1]
    adverse = 2 * math.log(1.01) * math.sqrt(1 / 100)
    assert info["fill_price"] == pytest.approx(101 * (1 + adverse))  # bar 30 opens at the close of bar 29
    assert info["slippage"] == pytest.approx(info["coin"] * 101 * adverse)
    assert info["cash"] == 0


def test_impact_looks_back_24_bars_and_no_further():
    calm = choppy(40, volume=1e6)
    wild = make_candles([100.0, 250.0, 50.0, 170.0, 70.0, *calm.column("close")[5:]], volume=calm.column("volume"))
    actions = [HOLD] * 29 + [BUY_ALL]
    assert play(wild, actions, impact=1.0, **FREE)[-1] == play(calm, actions, impact=1.0, **FREE)[-1]
    actions = [HOLD] * 28 + [BUY_ALL]  # fills in bar 29, and the move of bar 5 is one of the 24 before it
    assert play(wild, actions, impact=1.0, **FREE)[-1] != play(calm, actions, impact=1.0, **FREE)[-1]


def test_a_quarter_of_the_order_has_half_of_the_impact():
    whole, quarter = (play(choppy(40, 1e6), [HOLD] * 29 + [action], impact=1.0, **FREE)[-1] for action in (BUY_ALL, 3))
    assert quarter["fill_price"] / 101 - 1 == pytest.approx((whole["fill_price"] / 101 - 1) / 2)


def test_an_order_that_impact_would_move_by_half_of_the_price_is_refused():
    """sigma * sqrt(10,000 / V) is 1 / 2 at V = 10,000 * (2 sigma)^2."""
    limit = 10_000 * (2 * math.log(1.01)) ** 2
    below, above = (play(choppy(40, limit * x), [HOLD] * 29 + [BUY_ALL], impact=1.0, **FREE)[-1] for x in (0.99, 1.01))
    assert (below["outcome"], below["net_worth"]) == ("refused: too large for the volume", 10_000)
    assert (above["outcome"], above["fill_price"]) == ("filled", pytest.approx(101 * (1 + 0.5 / math.sqrt(1.01))))


def test_a_forced_close_without_volume_pays_half_of_the_price():
    """Bought while there was volume; the stop at 90 comes after 24 bars without any."""
    volume = np.array([1e12] * 5 + [0.0] * 30)
    candles = make_candles([100.0] * 35, volume=volume, lows=[100.0] * 33 + [80.0, 100.0])
    *_, info = play(candles, [BUY_ALL] + [HOLD] * 32, impact=1.0, stop_loss=0.1, **FREE)
    assert (info["event"], info["forced_price"]) == ("stop-loss", pytest.approx(90 / 2))


# --- what an action means -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "share"), [(0, 1), (1, 1 / 2), (2, 1 / 3), (3, 1 / 4)])
def test_an_amount_is_a_share_of_the_cash_or_of_the_coin(action, share):
    bought = play(flat(), [action], **FREE)[0]
    assert bought["cash"] == pytest.approx(10_000 * (1 - share))
    sold = play(flat(), [BUY_ALL, action + 4], **FREE)[1]
    assert sold["coin"] == pytest.approx(100 * (1 - share))


@pytest.mark.parametrize(("action", "share"), [(0, 1), (1, 1 / 2), (2, 1 / 3), (3, 1 / 4)])
def test_on_margin_an_amount_is_a_share_of_the_way_to_the_highest_leverage(action, share):
    margin = MARGIN | {"action_scheme": "orders"}
    assert play(flat(), [action], **margin)[0]["coin"] == pytest.approx(300 * share)
    short, cover = play(flat(), [SELL_ALL, action], **margin)
    assert short["coin"] == pytest.approx(-300)
    assert cover["coin"] == pytest.approx(-300 * (1 - share))  # a buy first covers a short
    assert play(flat(), [BUY_ALL, action + 4], **margin)[1]["coin"] == pytest.approx(300 * (1 - share))
    assert play(flat(), [action + 4], **margin)[0]["coin"] == pytest.approx(-300 * share)


@pytest.mark.parametrize("action", [8, 9, 10, 11])
def test_all_holds_hold(action):
    info = play(make_candles([100, 120, 90]), [action])[0]
    assert (info["outcome"], info["cash"], info["coin"], info["trades"]) == ("held", 10_000, 0, 0)


def test_a_target_is_the_exposure_after_the_fill():
    half, whole, none = play_targets(flat(), [HALF, LONG_1, FLAT])
    assert (half["coin"], half["cash"]) == pytest.approx((50, 5_000))
    assert (whole["coin"], whole["cash"]) == pytest.approx((100, 0))
    assert (none["coin"], none["cash"]) == pytest.approx((0, 10_000))


def test_a_target_counts_the_worth_that_the_costs_leave():
    """A fee of 2 % on 49.50.. coins leaves 9,900.99, of which half is in coin: 49.50.. at 100."""
    info = play_targets(flat(), [HALF], fee_bps=200)[0]
    worth = 10_000 / (1 + 0.5 * 0.02)  # W = 10,000 - 2 % of W / 2
    assert info["net_worth"] == pytest.approx(worth)
    assert info["coin"] * 100 == pytest.approx(worth / 2)


def test_a_target_that_is_held_already_trades_nothing():
    info = play_targets(flat(), [HALF, HALF])[1]
    assert (info["outcome"], info["trades"]) == ("held", 1)


def test_one_order_turns_a_long_into_a_short():
    long, short = play_targets(flat(), [LONG_1, SHORT_1])
    assert long["coin"] == pytest.approx(100)
    assert (short["coin"], short["cash"], short["fill_coin"]) == pytest.approx((-100, 20_000, -200))
    assert short["trades"] == 2


def test_a_short_gains_what_the_price_loses():
    info = play_targets(make_candles(closes=[100, 80, 80], opens=[100, 100, 80]), [SHORT_1])[0]
    assert info["net_worth"] == pytest.approx(20_000 - 100 * 80)


@pytest.mark.parametrize(("action", "shorts", "coin"), [(-1, False, 0), (0, False, 150), (1, False, 300), (0.5, False, 225)])
def test_a_continuous_action_is_mapped_linearly_onto_the_exposures(action, shorts, coin):
    """-1 .. 1 becomes 0 .. 3 times the net worth."""
    info = play(flat(), [action], **(MARGIN | {"action_scheme": "continuous", "shorts": shorts}))[0]
    assert info["coin"] == pytest.approx(coin)


@pytest.mark.parametrize(("action", "coin"), [(-1, -300), (0, 0), (1, 300), (0.5, 150)])
def test_a_continuous_action_with_shorts_is_mapped_onto_both_sides(action, coin):
    info = play(flat(), [action], **(MARGIN | {"action_scheme": "continuous"}))[0]
    assert info["coin"] == pytest.approx(coin)


def test_leverage_multiplies_gain_and_loss():
    up, down = (play_targets(make_candles([100, p, p], [100, 100, p]), [LONG_3])[0]["net_worth"] for p in (110, 90))
    assert (up, down) == pytest.approx((10_000 + 300 * 10, 10_000 - 300 * 10))


# --- refusals -----------------------------------------------------------------------------------------------------------


def test_refusals_have_names_and_pass_like_a_hold():
    assert play(flat(), [SELL_ALL])[0]["outcome"] == "refused: no coin"
    assert play(flat(), [BUY_ALL, BUY_ALL])[1]["outcome"] == "refused: no cash"
    info = play(flat(), [BUY_HALF], min_trade=5_001)[0]
    assert (info["outcome"], info["net_worth"], info["trades"]) == ("refused: below min_trade", 10_000, 0)
    assert (info["fill_price"], info["fill_coin"], info["fees"]) == (0, 0, 0)
    assert play(flat(), [BUY_ALL, SELL_HALF], min_trade=5_001)[1]["outcome"] == "refused: below min_trade"
    assert play(flat(), [BUY_HALF], min_trade=5_000, **{k: v for k, v in FREE.items() if k != "min_trade"})[0]["coin"] == 50


def test_an_order_beyond_the_highest_leverage_is_refused():
    margin = MARGIN | {"action_scheme": "orders"}
    assert play(flat(), [BUY_ALL, BUY_ALL], **margin)[1]["outcome"] == "refused: no margin"
    assert play(flat(), [SELL_ALL, SELL_ALL], **margin)[1]["outcome"] == "refused: no margin"


def test_an_order_is_rounded_down_to_lots_and_refused_below_one():
    info = play(flat(price=300.0), [BUY_ALL], lot=10.0, **FREE)[0]  # 10,000 buy 33.3 coins
    assert (info["coin"], info["cash"]) == (30, 1_000)
    info = play(flat(price=300.0), [BUY_A_QUARTER], lot=10.0, **FREE)[0]
    assert (info["outcome"], info["coin"], info["trades"]) == ("refused: below one lot", 0, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"initial_cash": 5.0}, r"an account must be able to trade, .* but got 5 \* 1 and 10"),
        ({"min_trade": 30_000.0, "max_leverage": 2.0}, r"but got 10000 \* 2 and 30000"),
        ({"lot": 40.0}, "able to buy one lot, but 40 of BTC/USD cost 12,015.60 USD or more, and it has 10,000.00"),
        ({"lot": 80.0, "max_leverage": 2.0}, "and it has 20,000.00; raise initial_cash to 12,016, or lower lot"),
    ],
)
def test_an_account_that_can_never_trade_is_refused(options, words):
    """It would be trained to do nothing."""
    with pytest.raises(ValueError, match=words):
        play(flat(price=300.0), [BUY_ALL], **options)


def test_a_whole_number_of_lots_is_not_rounded_away():
    assert play(flat(price=1.0), [BUY_ALL], lot=0.1, initial_cash=0.3, **FREE)[0]["coin"] == pytest.approx(0.3)  # .3 / .1 < 3


def test_impact_is_of_the_lots_that_are_traded():
    """9,900 USD buy less than 100 coins, of which 50 are one lot; both orders see the same volatility and volume."""
    closes = [100.0 * (1.01 if bar % 2 else 1.0) for bar in range(30)]
    candles = make_candles(closes, volume=50.0)
    free = FREE | {"initial_cash": 9_900.0, "impact": 1.0}
    whole, lots = (play(candles, [HOLD] * 25 + [BUY_ALL], **free, lot=lot)[-1] for lot in (0.0, 50.0))
    opened = candles.column("open")[26]
    moved = [info["fill_price"] / opened - 1 for info in (whole, lots)]
    assert lots["fill_coin"] == 50
    assert moved[1] / moved[0] == pytest.approx(np.sqrt(50 * opened / 9_900))


def test_a_lot_never_buys_more_than_the_cash_can_pay():
    """299.99999995 buy 2.9999999995 coins at 100: rounded down, 2."""
    info = play(flat(), [BUY_ALL], lot=1.0, initial_cash=299.99999995, **FREE)[0]
    assert info["cash"] >= 0


def test_where_nothing_was_traded_an_order_is_refused():
    info = play(make_candles([100, 101, 102], volume=0.0), [BUY_ALL], impact=1.0, **FREE)[0]
    assert (info["outcome"], info["net_worth"], info["trades"]) == ("refused: too large for the volume", 10_000, 0)
    assert play(make_candles([100, 101, 102], volume=0.0), [BUY_ALL], **FREE)[0]["outcome"] == "filled"  # volume is unused


def test_every_outcome_can_happen():
    margin = MARGIN | {"action_scheme": "orders"}
    crash = make_candles(closes=[100, 100, 65, 65], opens=[100, 100, 69, 65])
    plays = [
        play(flat(), [HOLD, BUY_ALL, BUY_ALL, SELL_ALL]),
        play(flat(), [SELL_ALL]),
        play(flat(), [BUY_A_QUARTER], min_trade=6_000),
        play(flat(), [BUY_A_QUARTER], lot=50),
        play(make_candles([100, 101], volume=0.0), [BUY_ALL], impact=1.0),
        play(flat(), [BUY_ALL, BUY_ALL], **margin),
        play(crash, [BUY_ALL, SELL_ALL], **margin),
    ]
    assert {info["outcome"] for infos in plays for info in infos} == set(OUTCOMES)


# --- margin and liquidation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "event", "worth"), [(71, "", 10_000), (70, "liquidation", 1_000), (66, "liquidation", -200)])
def test_a_long_is_liquidated_at_the_worst_price_of_the_bar(low, event, worth):
    """300 coins and a debt of 20,000 keep a margin of 5 % down to 20,000 / (300 * .95) = 70.18."""
    candles = make_candles(closes=[100, 100, 100, 100], lows=[100, 100, low, 100])
    infos = play_targets(candles, [LONG_3, LONG_3], maintenance_margin=0.05)
    assert infos[1]["event"] == event
    assert infos[1]["net_worth"] == pytest.approx(worth)  # 300 * low - 20,000
    if event:
        assert (infos[1]["forced_price"], infos[1]["forced_coin"], infos[1]["coin"]) == pytest.approx((low, -300, 0))


@pytest.mark.parametrize(("high", "event", "worth"), [(126, "", 10_000), (127, "liquidation", 1_900), (135, "liquidation", -500)])
def test_a_short_is_liquidated_at_the_worst_price_of_the_bar(high, event, worth):
    """-300 coins and 40,000 in cash keep a margin of 5 % up to 40,000 / (300 * 1.05) = 126.98."""
    candles = make_candles(closes=[100, 100, 100, 100], highs=[100, 100, high, 100])
    infos = play_targets(candles, [SHORT_3, SHORT_3], maintenance_margin=0.05)
    assert infos[1]["event"] == event
    assert infos[1]["net_worth"] == pytest.approx(worth)  # 40,000 - 300 * high
    if event:
        assert (infos[1]["forced_price"], infos[1]["forced_coin"], infos[1]["coin"]) == pytest.approx((high, 300, 0))


def test_the_bar_that_an_order_fills_in_can_liquidate_it():
    info = play_targets(make_candles([100, 100, 100], lows=[100, 70, 100]), [LONG_3])[0]
    assert (info["outcome"], info["event"], info["trades"]) == ("filled", "liquidation", 2)
    assert info["net_worth"] == pytest.approx(1_000)


def test_a_gap_at_the_open_liquidates_before_the_order():
    """Bar 2 opens at 69, below 70.18, and falls to 68: an order to sell comes too late."""
    candles = make_candles(closes=[100, 100, 80, 80], opens=[100, 100, 69, 80], lows=[100, 100, 68, 80])
    infos = play_targets(candles, [LONG_3, FLAT])
    assert (infos[1]["outcome"], infos[1]["event"]) == ("refused: liquidated before the fill", "liquidation")
    assert infos[1]["net_worth"] == pytest.approx(300 * 68 - 20_000)
    assert infos[1]["fill_coin"] == 0


def test_an_order_at_the_open_comes_before_a_liquidation_later_in_the_bar():
    candles = make_candles(closes=[100, 100, 80, 80], opens=[100, 100, 72, 80], lows=[100, 100, 50, 80])
    infos = play_targets(candles, [LONG_3, FLAT])
    assert (infos[1]["outcome"], infos[1]["event"]) == ("filled", "")
    assert infos[1]["net_worth"] == pytest.approx(300 * 72 - 20_000)


def test_under_next_close_a_liquidation_comes_before_the_order():
    infos = play_targets(make_candles([100] * 4, lows=[100, 100, 68, 100]), [LONG_3, FLAT], fill="next_close")
    assert infos[0]["coin"] == pytest.approx(300)
    assert (infos[1]["outcome"], infos[1]["event"]) == ("refused: liquidated before the fill", "liquidation")
    assert infos[1]["net_worth"] == pytest.approx(400)


def test_a_liquidation_pays_the_costs_of_a_sale_and_minds_no_lot_or_minimum():
    candles = make_candles([100] * 4, lows=[100, 100, 50, 100])
    infos = play_targets(candles, [LONG_3, LONG_3], fee_bps=100, lot=200.0, min_trade=16_000)
    assert infos[0]["coin"] == 200  # 10,000 left at 100, and 200 of them are lots
    debt = -(10_000 - 200 * 100 * 1.01)
    assert infos[1]["coin"] == 0
    assert infos[1]["net_worth"] == pytest.approx(200 * 50 * 0.99 - debt)


def test_a_cash_account_is_never_liquidated():
    infos = play(make_candles([100, 100, 1, 1], lows=[100, 100, 0.1, 1]), [BUY_ALL, HOLD], ruin_fraction=0.0, **FREE)
    assert (infos[1]["event"], infos[1]["coin"]) == ("", 100)


# --- stop-loss and take-profit ------------------------------------------------------------------------------------------


def held_through(bar, stop_loss=0.1, take_profit=0.2, side=LONG_1, **options):
    """100 coins bought (or sold short) at 100, then a bar (open, high, low, close)."""
    open_, high, low, close = bar
    highs, lows = [100, 100, high, close], [100, 100, low, close]
    candles = make_candles([100, 100, close, close], [100, 100, open_, close], highs=highs, lows=lows)
    infos = play_targets(candles, [side, side], stop_loss=stop_loss, take_profit=take_profit, min_trade=9_000, **options)
    return infos[1]


@pytest.mark.parametrize(
    ("bar", "event", "price"),
    [
        ((100, 119, 91, 95), "", 0),
        ((100, 101, 85, 95), "stop-loss", 90),  # at the level
        ((80, 99, 75, 95), "stop-loss", 80),  # the bar opens beyond it
        ((100, 125, 99, 110), "take-profit", 120),
        ((130, 135, 125, 130), "take-profit", 130),  # a resting limit order gets the better open
        ((100, 125, 85, 110), "stop-loss", 90),  # both lie in the bar: the worse
        ((100, 120, 95, 100), "take-profit", 120),  # touched
        ((100, 101, 90, 100), "stop-loss", 90),
    ],
)
def test_stops_of_a_long(bar, event, price):
    info = held_through(bar)
    assert (info["event"], info["forced_price"]) == (event, pytest.approx(price))
    if event:
        assert (info["cash"], info["coin"]) == (pytest.approx(100 * price), 0)


@pytest.mark.parametrize(
    ("bar", "event", "price"),
    [
        ((100, 109, 81, 95), "", 0),
        ((100, 115, 99, 105), "stop-loss", 110),
        ((120, 125, 101, 105), "stop-loss", 120),
        ((100, 101, 75, 90), "take-profit", 80),
        ((70, 75, 65, 70), "take-profit", 70),
        ((100, 115, 75, 90), "stop-loss", 110),
    ],
)
def test_stops_of_a_short(bar, event, price):
    info = held_through(bar, side=SHORT_1)
    assert (info["event"], info["forced_price"]) == (event, pytest.approx(price))
    if event:
        assert (info["cash"], info["coin"]) == (pytest.approx(20_000 - 100 * price), 0)


def test_a_stop_pays_spread_slippage_and_fee():
    candles = make_candles([100] * 4, lows=[100, 100, 80, 100])
    infos = play(candles, [BUY_ALL, HOLD], stop_loss=0.1, fee_bps=100, half_spread_bps=60, slippage_bps=40)
    entry = 100 * 1.01 * 1.01  # what a coin cost: price, spread and slippage, fee
    assert infos[1]["forced_price"] == pytest.approx(entry * 0.9 * 0.99)
    assert infos[1]["cash"] == pytest.approx(infos[0]["coin"] * entry * 0.9 * 0.99 * 0.99)


def test_a_stop_before_the_liquidation_saves_the_account():
    """At 90 the account is left with 7,000; at 60 it would be 2,000 in debt."""
    info = held_through((100, 100, 60, 95), side=LONG_3)
    assert (info["event"], info["net_worth"]) == ("stop-loss", pytest.approx(300 * 90 - 20_000))


def test_a_liquidation_before_the_stop_comes_first():
    """A stop at 60 lies beyond the liquidation at 70.18."""
    info = held_through((100, 100, 65, 95), stop_loss=0.4, side=LONG_3)
    assert (info["event"], info["net_worth"]) == ("liquidation", pytest.approx(300 * 65 - 20_000))


def test_stops_guard_a_cash_account_too():
    candles = make_candles([100] * 5, lows=[100, 100, 85, 100, 100])
    infos = play(candles, [BUY_ALL, HOLD, HOLD], stop_loss=0.1, **FREE)
    assert [info["event"] for info in infos] == ["", "stop-loss", ""]
    assert infos[2]["net_worth"] == pytest.approx(9_000)


def test_the_bar_of_the_fill_can_reach_the_stop_under_next_open_but_not_under_next_close():
    candles = make_candles([100] * 3, lows=[100, 85, 100])
    at_open, at_close = (play(candles, [BUY_ALL], stop_loss=0.1, fill=fill, **FREE)[0] for fill in ("next_open", "next_close"))
    assert (at_open["event"], at_open["cash"]) == ("stop-loss", pytest.approx(9_000))
    assert (at_close["event"], at_close["coin"]) == ("", 100)


# --- average cost -------------------------------------------------------------------------------------------------------


def entries(candles, actions, **options):
    settings = EnvSettings(**(MARGIN | {"targets": TARGETS} | options))
    env = BitcoinTradingEnv(candles, no_features(candles), settings, evaluation=True)
    env.reset(seed=0)
    found = []
    for action in actions:
        observation = env.step(action)[0]
        found.append((env.trading.accounts.entry[0], observation[3]))
    return found


def test_the_average_cost_of_the_coin():
    """Half of the cash at 100, half of the rest at 200: 50 + 12.5 coins for 7,500, or 120 each. A sale changes nothing."""
    candles = make_candles(closes=[100, 100, 240, 240, 60, 60], opens=[100, 100, 200, 240, 240, 60])
    cash = {"action_scheme": "orders", "shorts": False, "max_leverage": 1.0}
    found = entries(candles, [BUY_HALF, BUY_HALF, SELL_HALF, SELL_HALF, SELL_ALL], **cash)
    assert [entry for entry, _ in found] == pytest.approx([100, 120, 120, 120, 0])
    assert [gain for _, gain in found] == pytest.approx([0, 240 / 120 - 1, 240 / 120 - 1, 60 / 120 - 1, 0])


def test_the_average_cost_counts_fee_and_slippage():
    (entry, gain), *_ = entries(flat(), [LONG_1], fee_bps=100, slippage_bps=50)
    assert entry == pytest.approx(100 * 1.005 * 1.01)
    assert gain == pytest.approx(1 / (1.005 * 1.01) - 1)


def test_turning_to_the_other_side_begins_a_new_average():
    """Long from 100, short from 120, then more of the short at 90: the new average knows nothing of the 100."""
    candles = make_candles(closes=[100, 100, 120, 90, 90], opens=[100, 100, 120, 90, 90])
    found = entries(candles, [LONG_1, SHORT_1, SHORT_1])
    worth = 12_000 + 100 * 30  # 100 coins long gained 20 each, 100 short gained 30 each
    more = worth / 90 - 100
    assert [entry for entry, _ in found] == pytest.approx([100, 120, (100 * 120 + more * 90) / (100 + more)])


# --- how an episode ends ------------------------------------------------------------------------------------------------


def ended(closes, actions, **options):
    candles = make_candles(closes)
    settings = EnvSettings(**(FREE | {"reward": "profit"} | options))
    return record(BitcoinTradingEnv(candles, no_features(candles), settings, evaluation=True), actions)


def test_ruin_terminates_and_its_last_reward_is_paid_in_full():
    steps = ended([100, 100, 9, 100, 100], [BUY_ALL, HOLD, HOLD, HOLD])
    assert len(steps) == 2
    assert (steps[1].terminated, steps[1].truncated) == (True, False)
    assert steps[1].reward == pytest.approx(9 / 100 - 1)


def test_ruin_is_measured_against_the_start_and_lies_below_the_fraction():
    steps = ended([100, 100, 10, 9.9, 100], [BUY_ALL, HOLD, HOLD, HOLD])
    assert [step.terminated for step in steps] == [False, False, True]  # 10 % of the start is not yet below it


def test_debt_terminates_even_where_no_ruin_does():
    candles = make_candles([100, 100, 60, 60])
    options = MARGIN | {"targets": TARGETS, "reward": "profit"}
    steps = record(BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options), evaluation=True), [LONG_3] * 3)
    assert [step.terminated for step in steps] == [False, True]
    assert steps[1].info["net_worth"] == pytest.approx(300 * 60 - 20_000)
    assert steps[1].reward == pytest.approx(-1.2)  # all of the 10,000 and 2,000 more


def test_the_end_of_the_data_truncates():
    steps = ended([100, 101, 102], [HOLD, HOLD])
    assert [(step.terminated, step.truncated) for step in steps] == [(False, False), (False, True)]


def test_ruin_in_the_last_bar_is_a_termination():
    steps = ended([100, 100, 5], [BUY_ALL, HOLD])
    assert (steps[1].terminated, steps[1].truncated) == (True, False)


def test_the_bar_by_hand_in_the_docs_is_what_the_kernel_does():
    page = (Path(__file__).parents[2] / "docs" / "environment.md").read_text()
    info = play(make_candles([100, 110], [100, 100]), [BUY_ALL], fee_bps=10, half_spread_bps=1, slippage_bps=2)[0]
    for name, shown in (("coin", ".6f"), ("fees", ".6f"), ("slippage", ".6f"), ("net_worth", ",.6f")):
        assert format(info[name], shown) in page, name
