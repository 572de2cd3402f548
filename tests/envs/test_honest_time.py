"""Nothing at step t knows what comes after the close of bar t, and no order fills at a price that it was decided on."""

from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from helpers import FREE, examples, make_candles, no_features, record
from hypothesis import given, settings, strategies as st

from envs import REWARDS, BitcoinTradingEnv, EnvSettings
from envs.accounts import FILLS, Trading
from features import FeatureMatrix, FeaturePipeline
from market import Candles, simulate

EXAMPLES = 400  # of action scheme, fill, reward, rules, actions and one of FUTURES
FUTURES = 12
ACTION_SCHEMES = get_args(EnvSettings.model_fields["action_scheme"].annotation)
BUY_ALL, BUY_HALF, SELL_ALL, HOLD = 0, 1, 4, 8

CANDLES = simulate("bitcoin", bars=500, seed=5)
FITTED = FeaturePipeline().fit(CANDLES)  # once, on what did happen
MATRIX = FITTED.transform(CANDLES)


class Future(NamedTuple):
    """The same candles up to bar `last` of the matrix, and others after it."""

    last: int
    candles: Candles
    matrix: FeatureMatrix


def another_future(seed: int) -> Future:
    """Each kind of change in turn: all prices and volumes, wicks alone, volumes alone."""
    rng = np.random.default_rng(seed)
    last = int(rng.integers(1, 60))
    frame = CANDLES.frame.copy()
    rows = slice(MATRIX.warmup + last + 1, None)
    n = len(frame.iloc[rows])
    kind = ("all", "wicks", "volumes")[seed % 3]
    if kind == "all":
        closes = frame["close"].iloc[rows.start - 1] * np.exp(np.cumsum(rng.normal(0, 0.05, n)))
        opens = closes * np.exp(rng.normal(0, 0.05, n))
        for name, values in (("open", opens), ("close", closes)):
            frame.iloc[rows, list(frame).index(name)] = values
    if kind != "volumes":
        body = frame[["open", "close"]].iloc[rows]
        frame.iloc[rows, list(frame).index("high")] = body.max(axis=1) * np.exp(rng.exponential(0.1, n))
        frame.iloc[rows, list(frame).index("low")] = body.min(axis=1) * np.exp(-rng.exponential(0.1, n))
    if kind != "wicks":
        for name in ("volume", "quote_volume"):
            frame.iloc[rows, list(frame).index(name)] *= rng.exponential(1.0, n) * (rng.random(n) < 0.8)
    candles = Candles(frame, CANDLES.bar, "", "another future")
    return Future(last, candles, FITTED.transform(candles))


OTHERS = [another_future(seed) for seed in range(FUTURES)]


def known_by(candles: Candles, matrix: FeatureMatrix, options: dict[str, Any], actions: list[Any]) -> list[tuple[Any, ...]]:
    """All that an agent gets to see, step by step."""
    env = BitcoinTradingEnv(candles, matrix, EnvSettings(**options), evaluation=True)
    observation, info = env.reset(seed=0)
    rows: list[tuple[Any, ...]] = [(observation.tobytes(), repr(info))]
    for step in record(env, actions):
        rows.append((step.observation.tobytes(), np.float64(step.reward).tobytes(), step.terminated, repr(step.info)))
    return rows


@st.composite
def plans(draw: Any) -> tuple[dict[str, Any], list[Any]]:
    """Settings with or without each rule, and 60 actions."""
    scheme, margin = draw(st.sampled_from(ACTION_SCHEMES)), draw(st.booleans())
    lowest, highest = (-3.0, 3.0) if margin else (0.0, 1.0)
    options = {
        "action_scheme": scheme,
        "targets": (lowest, 0.0, highest / 2, highest),
        "fill": draw(st.sampled_from(list(FILLS))),
        "reward": draw(st.sampled_from(list(REWARDS))),
        "reward_window": draw(st.sampled_from([4, 64])),
        "impact": draw(st.sampled_from([0.0, 1.0])),
        "shorts": margin,
        "max_leverage": highest,
        "maintenance_margin": draw(st.sampled_from([0.0, 0.1, 0.3])) if margin else 0.0,
        "funding_bps_per_day": draw(st.sampled_from([0.0, 30.0])) if margin else 0.0,
        "stop_loss": draw(st.sampled_from([0.0, 0.01])),
        "take_profit": draw(st.sampled_from([0.0, 0.01])),
        "ruin_fraction": draw(st.sampled_from([0.0, 0.97])),
        "lot": draw(st.sampled_from([0.0, 0.01])),
    }
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    match scheme:
        case "orders":
            return options, rng.integers(12, size=60).tolist()
        case "targets":
            return options, rng.integers(4, size=60).tolist()
        case _:
            return options, list(rng.uniform(-1, 1, (60, 1)).astype(np.float32))


@settings(max_examples=examples(EXAMPLES), deadline=None)
@given(plan=plans(), which=st.integers(0, FUTURES - 1))
def test_another_future_changes_nothing_that_was_known_before_it(plan, which):
    options, actions = plan
    last, candles, matrix = OTHERS[which]
    assert known_by(CANDLES, MATRIX, options, actions[:last]) == known_by(candles, matrix, options, actions[:last])


def test_another_future_is_felt_at_its_first_bar():
    """The test above can fail: one bar later all is different."""
    for last, candles, matrix in OTHERS[::3]:
        one, two = (known_by(*road, {}, [BUY_ALL] * (last + 1)) for road in ((CANDLES, MATRIX), (candles, matrix)))
        assert one[: last + 1] == two[: last + 1]
        assert one[last + 1] != two[last + 1]


# --- the price of a fill ------------------------------------------------------------------------------------------------

bars = st.lists(st.tuples(st.integers(0, 11), st.floats(0.1, 0.5), st.floats(-0.1, 0.1), st.booleans()), min_size=1, max_size=30)


def leaping(plan: list[tuple[int, float, float, bool]]) -> Candles:
    """Each bar opens far outside of the range of the one before."""
    opens, closes = [100.0], [100.0]
    for _, leap, move, up in plan:
        opens.append(closes[-1] * (1 + leap + abs(move)) * 1.05 if up else closes[-1] / (1 + leap + abs(move)) / 1.05)
        closes.append(opens[-1] * (1 + move / 2))
    return make_candles(closes, opens)


@settings(max_examples=examples(200), deadline=None)
@given(plan=bars, fill=st.sampled_from(list(FILLS)))
def test_an_order_fills_at_the_price_that_its_fill_names_and_no_other(plan, fill):
    candles = leaping(plan)
    options = EnvSettings(fill=fill, half_spread_bps=3.0, slippage_bps=7.0, ruin_fraction=0.0)
    steps = record(BitcoinTradingEnv(candles, no_features(candles), options, evaluation=True), [action for action, *_ in plan])
    open_, high, low, close = (candles.column(name) for name in ("open", "high", "low", "close"))
    for t, step in enumerate(steps):  # decided at the close of bar t
        if step.info["fill_coin"]:
            price = {"next_open": open_[t + 1], "next_close": close[t + 1], "same_close": close[t]}[fill]
            worse = 1.001 if step.info["fill_coin"] > 0 else 0.999
            assert step.info["fill_price"] == pytest.approx(price * worse, rel=1e-12)
            if fill != "same_close":
                assert not low[t] <= step.info["fill_price"] <= high[t]


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_the_prices_of_the_bar_that_an_order_is_decided_in_do_not_move_its_fill(fill):
    """Bars 0 and 1 may have been anything: an order decided at the close of bar 1 pays the price of bar 2."""
    for calm, wild in (([100, 101], [900, 7]), ([100, 100], [1, 1_000])):
        infos = []
        for first in (calm, wild):
            candles = make_candles([*first, 55, 60], [*first, 50, 55])
            env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(fill=fill, **FREE), evaluation=True)
            infos.append(record(env, [HOLD, BUY_ALL])[1].info)
        assert infos[0] == infos[1]
        assert infos[0]["fill_price"] == {"next_open": 50, "next_close": 55}[fill]


def test_only_same_close_is_optimistic_and_says_so():
    assert [fill for fill in FILLS if EnvSettings(fill=fill).optimistic] == ["same_close"]
    for fill in FILLS:
        candles = make_candles([100, 101])
        env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(fill=fill), evaluation=True)
        env.reset(seed=0)
        assert env.step(HOLD)[4]["optimistic"] is (fill == "same_close")


def test_same_close_earns_from_a_gap_that_nobody_can_trade_and_next_open_does_not():
    """The close of bar 0 is 100 and bar 1 opens at 200: whoever decided at 100 could buy at 200 only."""
    candles = make_candles([100, 200, 200], [100, 200, 200])
    worths = {}
    for fill in FILLS:
        env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(fill=fill, **FREE), evaluation=True)
        worths[fill] = record(env, [BUY_ALL])[0].info["net_worth"]
    assert worths == {"next_open": 10_000, "next_close": 10_000, "same_close": 20_000}


# --- impact -------------------------------------------------------------------------------------------------------------


def noisy(n: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    return {"opens": np.r_[closes[:1], closes[:-1]], "closes": closes, "volume": rng.uniform(50, 150, n)}


def filled(market: dict[str, np.ndarray], t: int, fill: str) -> tuple[Candles, dict[str, Any]]:
    """The info of buying with all cash at the close of bar t."""
    candles = make_candles(market["closes"].tolist(), market["opens"].tolist(), market["volume"])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(fill=fill, impact=1.0, **FREE), evaluation=True)
    return candles, record(env, [HOLD] * t + [BUY_ALL])[-1].info


@settings(max_examples=examples(60), deadline=None)
@given(t=st.integers(1, 38), factor=st.floats(0, 50), price=st.floats(0.5, 2), fill=st.sampled_from(list(FILLS)))
def test_impact_knows_nothing_of_the_bar_that_the_order_fills_in(t, factor, price, fill):
    """Neither its volume nor its prices move the fill away from the price that it is quoted at."""
    quoted = {"next_open": ("opens", t + 1), "next_close": ("closes", t + 1), "same_close": ("closes", t)}[fill]
    market, other = noisy(), noisy()
    other["volume"][t + 1 :] *= factor
    for name in ("opens", "closes"):
        other[name][t + 1 :] *= price
    one, two = (filled(road, t, fill)[1]["fill_price"] / road[quoted[0]][quoted[1]] for road in (market, other))
    assert one == pytest.approx(two, rel=1e-12)
    assert one > 1


@pytest.mark.parametrize("fill", FILLS)
def test_impact_knows_the_bar_that_the_order_is_decided_in(fill):
    market, other = noisy(), noisy()
    other["volume"][30] *= 10
    assert filled(market, 30, fill)[1]["fill_price"] > filled(other, 30, fill)[1]["fill_price"]


def test_the_impact_of_a_bar_is_of_the_24_bars_before_it_to_the_bit():
    """Cut anywhere, the candles give the same numbers."""
    market = noisy(80)
    candles = make_candles(market["closes"].tolist(), market["opens"].tolist(), market["volume"])
    impact = Trading(candles, no_features(candles), EnvSettings(impact=1.0), n=1, evaluation=True).bars.impact
    for n in (2, 10, 24, 25, 26, 79):
        cut = candles[:n]
        np.testing.assert_array_equal(
            Trading(cut, no_features(cut), EnvSettings(impact=1.0), n=1, evaluation=True).bars.impact, impact[:n]
        )
    moves, money = np.diff(np.log(candles.column("close"))), candles.column("quote_volume")
    for t in range(25, 80):
        sigma, volume = np.sqrt(np.mean(moves[t - 25 : t - 1] ** 2)), np.mean(money[t - 24 : t])
        assert impact[t] == pytest.approx(sigma / np.sqrt(volume), rel=1e-9)
