"""Accounting by property: the kernel against an independent ledger, against plain Python, and against what must always hold.

The same 10,000 random stories (settings, market, actions) serve most tests; each is played once by the kernel and by `Ledger`.
"""

from typing import Any

import numpy as np
import pytest
from helpers import examples, make_candles, no_features, record
from hypothesis import given, settings, strategies as st
from stories import ACTION_SCHEMES, BARS, STORIES, Case, Steps, all_steps, draw, in_one, rig, tell, through_the_kernel, wishes

from envs import REWARDS, BitcoinTradingEnv, EnvSettings, kernel
from envs.accounts import FILLS, Trading
from market import Candles

ENV_STORIES = 200  # the same through `BitcoinTradingEnv`
SCALED_STORIES = 1_000
ROUND_TRIPS = 1_000
PLAIN_STORIES = 250  # in plain Python
FLAT_STORIES = 4  # for every reward, fill and action scheme
EXAMPLES = 300  # of hypothesis, which shrinks what it finds

EXACT = 1e-9


@pytest.fixture
def steps() -> Steps:
    return all_steps()


def assert_small(error: np.ndarray, steps: Steps, what: str) -> None:
    """Every error is at most 1e-9; else name the story, which `tell(draw(story))` repeats."""
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= EXACT, (
        f"{what} is off by {error[worst]:g} at bar {steps.after['bar'][worst]} of story {steps.story[worst]}"
    )


# --- the promises -------------------------------------------------------------------------------------------------------


def test_the_stories_leave_nothing_out(steps):
    """Not a promise of the kernel, but what makes the others worth something."""
    seen = steps.after
    assert len(np.unique(steps.story)) > 0.99 * STORIES
    assert len(steps.story) > 0.6 * STORIES * BARS  # few end early
    assert set(seen["outcome"]) == set(range(len(kernel.OUTCOMES)))
    assert set(seen["event"]) == set(range(len(kernel.EVENTS)))
    for fill in FILLS.values():
        for scheme in (kernel.ORDERS, kernel.EXPOSURE):
            of_both = (steps.rules["fill_at"] == fill) & (steps.rules["scheme"] == scheme)
            assert (seen["fill_coin"][of_both] > 0).sum() > 1_000
            assert (seen["fill_coin"][of_both] < 0).sum() > 1_000
            assert (seen["event"][of_both] == kernel.LIQUIDATION).sum() > 50


def check_against_the_ledger(steps: Steps) -> None:
    mine, theirs, scale = steps.after, steps.ledger, steps.scale
    np.testing.assert_array_equal(mine["event"], theirs["event"])
    for name in ("cash", "fees", "slippage", "borrow", "funding"):
        ever = scale + np.abs(theirs[name])
        assert_small(np.abs(mine[name] - theirs[name]) / ever, steps, name)
    for name in ("coin", "fill_coin", "forced_coin"):
        assert_small(np.abs(mine[name] - theirs[name]) * steps.bar["close"] / scale, steps, name)
    for name in ("entry", "fill_price", "forced_price"):
        assert_small(np.abs(mine[name] - theirs[name]) / np.maximum(theirs[name], steps.bar["low"]), steps, name)


def test_the_kernel_equals_an_independent_ledger(steps):
    check_against_the_ledger(steps)


def test_net_worth_is_cash_and_coin_at_the_close(steps):
    after = steps.after
    worth = after["cash"] + after["coin"] * steps.bar["close"]
    assert_small(np.abs(after["net_worth"] - worth) / steps.scale, steps, "net worth")


def test_net_worth_changes_by_the_market_gain_less_the_costs(steps):
    """The gain is what each stretch of the bar brought the coin held in it; orders and forced fills cut the bar to stretches."""
    before, after, forced = steps.before, steps.after, steps.ledger["forced_quote"]
    first = before["coin"]
    at_close = steps.rules["fill_at"] == kernel.NEXT_CLOSE
    late = after["outcome"] == kernel.LIQUIDATED
    last = first + after["fill_coin"] + after["forced_coin"]
    earlier = np.where(at_close | late, forced, steps.quote)  # of the two fills, which comes first
    later = np.where(at_close, steps.bar["close"], np.where(late, steps.bar["close"], forced))
    moved_first = np.where(at_close | late, after["forced_coin"], after["fill_coin"])
    earlier = np.where(earlier == 0, steps.known["close"], earlier)  # no forced fill
    later = np.where(later == 0, earlier, later)
    middle = first + moved_first
    gain = first * (earlier - steps.known["close"]) + middle * (later - earlier) + last * (steps.bar["close"] - later)
    costs = sum(after[name] - before[name] for name in ("fees", "slippage", "borrow", "funding"))
    change = after["net_worth"] - before["net_worth"]
    ever = steps.scale + sum(np.abs(after[name]) for name in ("fees", "slippage", "borrow", "funding"))
    assert_small(np.abs(change - (gain - costs)) / ever, steps, "the change of the net worth")


def test_costs_are_never_negative_and_funding_alone_may_be_earned(steps):
    for name in ("fees", "slippage", "borrow"):
        assert (steps.after[name] >= steps.before[name]).all()
    assert (steps.after["funding"] < 0).any()


def test_a_cash_account_owes_neither_cash_nor_coin(steps):
    cash = steps.of(steps.rules["margin"] == 0)
    assert len(cash.story) > 10_000
    assert cash.after["cash"].min() >= 0
    assert cash.after["coin"].min() >= 0
    assert (cash.after["borrow"] == 0).all()
    assert (cash.after["funding"] == 0).all()


def after_the_order(steps: Steps) -> tuple[np.ndarray, np.ndarray]:
    """Coin's value and net worth around an order that filled, at the price it filled around: before, and after."""
    fee, coins, paid = steps.rules["fee"], steps.after["fill_coin"], steps.after["fill_price"]
    at_close = steps.rules["fill_at"] == kernel.NEXT_CLOSE  # then the order is the last thing of the bar
    coin = np.where(at_close, steps.after["coin"], steps.before["coin"] + coins)
    cash = np.where(at_close, steps.after["cash"], steps.before["cash"] - coins * paid - np.abs(coins) * paid * fee)
    return coin * steps.quote, cash + coin * steps.quote


def test_an_exposure_order_ends_at_that_exposure(steps):
    filled = (steps.rules["scheme"] == kernel.EXPOSURE) & (steps.after["outcome"] == kernel.FILLED) & (steps.rules["lot"] == 0)
    some = steps.of(filled)
    value, worth = after_the_order(some)
    gross = (np.abs(value) + worth + np.abs(some.after["fill_coin"]) * some.quote) / worth
    assert len(some.story) > 10_000
    assert_small(np.abs(value / worth - some.action) / gross, some, "the exposure")


def test_no_order_goes_beyond_the_exposures_that_are_allowed(steps):
    """What has drifted beyond them may stay beyond, but no order adds to it."""
    some = steps.of(steps.after["outcome"] == kernel.FILLED)
    value, worth = after_the_order(some)
    coins = some.after["fill_coin"]
    grown = value * coins > 0  # the order has added to the side that it ended on
    beyond = np.maximum(value / worth - some.rules["highest"], some.rules["lowest"] - value / worth)
    assert_small(np.where(grown, beyond, 0.0), some, "an exposure")
    assert (worth[value != 0] > 0).all()  # only the costs of closing may leave a debt


def test_a_forced_close_leaves_no_coin(steps):
    forced = steps.of((steps.after["event"] != kernel.NOTHING) & (steps.rules["fill_at"] != kernel.NEXT_CLOSE))
    assert (forced.after["coin"] == 0).all()
    assert (forced.after["entry"] == 0).all()


def test_without_rules_that_force_nothing_is_forced(steps):
    rules, event = steps.rules, steps.after["event"]
    assert (event[rules["margin"] == 0] != kernel.LIQUIDATION).all()
    assert (event[rules["stop_loss"] == 0] != kernel.STOP_LOSS).all()
    assert (event[rules["take_profit"] == 0] != kernel.TAKE_PROFIT).all()


def test_an_episode_ends_exactly_in_ruin_in_debt_or_at_its_last_bar(steps):
    after, rules = steps.after, steps.rules
    ruined = (after["net_worth"] <= 0) | (after["net_worth"] < rules["ruin_fraction"] * rules["initial_cash"])
    np.testing.assert_array_equal(after["over"] == 1, ruined | (after["bar"] == after["last_bar"]))


def test_buying_and_selling_back_at_one_price_costs_exactly_the_costs():
    for seed in range(ROUND_TRIPS):
        case = draw(seed)
        free = {"impact": 0.0, "borrow_bps_per_day": 0.0, "funding_bps_per_day": 0.0, "stop_loss": 0.0, "take_profit": 0.0}
        plain = {"min_trade": 0.0, "lot": 0.0, "maintenance_margin": 0.0, "action_scheme": "orders", "ruin_fraction": 0.0}
        options = EnvSettings(**case.options | free | plain)
        bars = np.repeat(case.bars[:1], 3)
        for name in ("open", "high", "low"):
            bars[name] = bars["close"]
        _, _, (start, _, end) = through_the_kernel(Case({}, bars, np.array([seed % 4, 4.0])), options, 2)
        fee, adverse = options.fee_bps / 1e4, (options.half_spread_bps + options.slippage_bps) / 1e4
        spent = (start["cash"] - end["net_worth"]) / start["cash"]
        assert spent * start["cash"] == pytest.approx(end["fees"] + end["slippage"], rel=EXACT, abs=1e-12 * start["cash"])
        kept = (1 - adverse) * (1 - fee) / ((1 + adverse) * (1 + fee))
        if not options.margin:
            assert spent == pytest.approx((1 - kept) / (seed % 4 + 1), rel=EXACT, abs=1e-12)


# --- scale --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.25, 4.0, 1024.0])  # powers of 4, whose root is a power of 2
def test_another_unit_of_money_changes_no_return_to_the_bit(factor):
    """All prices, all cash and all volume in USD times `factor`, and what is measured in USD with them."""
    for seed in range(SCALED_STORIES):
        case = draw(seed)
        bars = case.bars.copy()
        for name in ("open", "high", "low", "close"):
            bars[name] *= factor
        bars["impact"] /= np.sqrt(factor)
        money = {name: case.options[name] * factor for name in ("initial_cash", "min_trade")}
        one, _, _ = through_the_kernel(case, EnvSettings(**case.options), BARS)
        two, _, _ = through_the_kernel(case._replace(bars=bars), EnvSettings(**case.options | money), BARS)
        assert one.returns.tobytes() == two.returns.tobytes(), seed
        assert one.accounts["coin"][0] == two.accounts["coin"][0]
        assert one.observations.tobytes() == two.observations.tobytes(), seed


@pytest.mark.parametrize("factor", [0.5, 2.0, 1024.0])
def test_doubling_every_price_changes_no_return_to_the_bit(factor):
    """The same cash buys half of the coin, in lots of half the size. Without impact, since the market's volume is in coin."""
    for seed in range(SCALED_STORIES):
        case = draw(seed)
        bars = case.bars.copy()
        for name in ("open", "high", "low", "close"):
            bars[name] *= factor
        options = case.options | {"impact": 0.0}
        one, _, _ = through_the_kernel(case, EnvSettings(**options), BARS)
        two, _, _ = through_the_kernel(case._replace(bars=bars), EnvSettings(**options | {"lot": options["lot"] / factor}), BARS)
        assert one.returns.tobytes() == two.returns.tobytes(), seed
        assert one.accounts["coin"][0] == two.accounts["coin"][0] * factor


# --- the environment's own ledger ---------------------------------------------------------------------------------------


def candles_of(case: Case, seed: int) -> Candles:
    bars = case.bars
    volume = 10 ** np.random.default_rng(seed).uniform(-1, 4, len(bars)) * case.options["initial_cash"] / bars["close"]
    closes, opens, highs, lows = (bars[name].tolist() for name in ("close", "open", "high", "low"))
    return make_candles(closes, opens, volume, highs, lows)


def env_of(case: Case, seed: int, **options: Any) -> tuple[BitcoinTradingEnv, list[Any]]:
    """An environment, and the actions of the case in its action space."""
    candles = candles_of(case, seed)
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**case.options | options), evaluation=True)
    match case.options["action_scheme"]:
        case "orders":
            return env, [int(a) for a in case.actions]
        case "targets":
            return env, [case.options["targets"].index(a) for a in case.actions]
        case _:
            return env, [np.array([a], np.float32) for a in case.actions]


def test_the_trades_sum_to_the_final_net_worth():
    for seed in range(ENV_STORIES):
        case = draw(seed)
        env, actions = env_of(case, seed)
        steps = record(env, actions)
        info, trades = steps[-1].info, env.trades()
        bought = np.where(trades["side"] == "buy", 1.0, -1.0)
        cash = case.options["initial_cash"] - (bought * trades["value"]).sum() - trades["fee"].sum()
        cash -= info["borrow"] + info["funding"]
        coin = (bought * trades["coin"]).sum()
        gross = case.options["initial_cash"] + trades["value"].sum()
        final = cash + coin * case.bars["close"][info["bar"]]
        assert final == pytest.approx(info["net_worth"], rel=EXACT, abs=1e-12 * gross), seed
        assert trades["fee"].sum() == pytest.approx(info["fees"])
        assert len(trades) == info["trades"]
        assert trades["time"].is_monotonic_increasing


def test_the_trades_walk_from_position_to_position_in_order():
    """Added up in the order of the ledger, a cash account never sells what it has not bought: within a bar the order is right."""
    for seed in range(ENV_STORIES):
        case = draw(seed)
        if not EnvSettings(**case.options).margin:
            env, actions = env_of(case, seed)
            record(env, actions)
            trades = env.trades()
            coin = np.cumsum(np.where(trades["side"] == "buy", 1.0, -1.0) * trades["coin"])
            assert (coin >= -1e-9 * trades["coin"].max()).all() if len(trades) else True, seed


@pytest.mark.parametrize("factor", [0.5, 2.0, 1024.0])
def test_doubling_every_price_of_the_candles_changes_no_return(factor):
    """With volume in coin as it was, cash and minimum in the new money, and impact on."""
    for seed in range(20):
        case = draw(seed)
        scaled = case.bars.copy()
        for name in ("open", "high", "low", "close"):
            scaled[name] *= factor
        money = {name: case.options[name] * factor for name in ("initial_cash", "min_trade")}
        env, actions = env_of(case, seed, impact=0.5)
        other = Case(case.options | money, scaled, case.actions)
        twin, _ = env_of(other, seed, impact=0.5)
        pairs = list(zip(record(env, actions), record(twin, actions), strict=True))
        worths = np.array([(a.info["net_worth"], b.info["net_worth"] / factor) for a, b in pairs])
        np.testing.assert_allclose(worths[:, 0], worths[:, 1], rtol=EXACT, atol=EXACT * case.options["initial_cash"])


# --- rewards and resets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", REWARDS)
def test_cash_earns_nothing_whatever_the_market_does(reward):
    for seed in range(FLAT_STORIES):
        for fill in FILLS:
            for scheme in ACTION_SCHEMES:
                case = draw(seed)
                options = case.options | {"action_scheme": scheme}
                flat = [0.0 if options["shorts"] else -1.0]
                idle: dict[str, list[Any]] = {"orders": [8, 4, 11], "targets": [2], "continuous": [flat]}
                nothing = idle[scheme]
                if options["shorts"] and scheme == "orders":
                    nothing = [8, 11]  # a sale would be a short
                env, _ = env_of(case, seed, fill=fill, reward=reward, reward_window=8, action_scheme=scheme)
                steps = record(env, (nothing * BARS)[:BARS])
                assert len(steps) == BARS
                assert all(step.reward == 0 and step.info["net_worth"] == options["initial_cash"] for step in steps)


@pytest.mark.parametrize("reward", REWARDS)
def test_a_new_episode_knows_nothing_of_the_one_before(reward):
    """Byte for byte, and so does all that follows: the rings of returns and the parts of folds are wiped whole."""
    for seed in range(10):
        case = draw(seed)
        candles = candles_of(case, seed)
        options = EnvSettings(**case.options | {"reward": reward, "reward_window": 5, "action_scheme": "orders"})
        used, fresh = (Trading(candles, no_features(candles), options, n=1, evaluation=True) for _ in range(2))
        rng = np.random.default_rng(seed)
        used.begin(0, rng)
        for _ in range(seed + 3):
            used.step(rng.integers(12, size=1))
        for road in (used, fresh):
            road.begin(0, rng)
        assert used._accounts.tobytes() == fresh._accounts.tobytes()
        assert used._returns.tobytes() == fresh._returns.tobytes()
        for _ in range(BARS):
            action = rng.integers(12, size=1)
            one, two = used.step(action), fresh.step(action)
            for a, b in zip(one[:4], two[:4], strict=True):
                assert a.tobytes() == b.tobytes()
        assert used._accounts.tobytes() == fresh._accounts.tobytes()


# --- compiled and plain -------------------------------------------------------------------------------------------------

PARTS = (
    "step", "advance", "execute_order", "target_exposure", "at_the_limit", "fill", "apply_stops_and_liquidation",
    "close_position", "slippage_fraction", "below_maintenance", "charge_interest_and_funding",
    "observe", "open_account", "replay", "record_trace", "ruined", "foresee_outcomes",
)  # fmt: skip


def test_the_compiled_kernel_equals_plain_python_to_the_last_bit():
    features = np.random.default_rng(0).normal(size=(BARS + 1, 1)).astype(np.float32)

    def play(case, plain):
        options = EnvSettings(**case.options)
        r, actions = rig(options, BARS, plain), wishes(case, options)
        bars = case.bars.view(np.recarray) if plain else case.bars
        told = np.zeros((1, BARS), np.int64)
        for action in actions:
            r.actions[0] = action
            kernel.foresee_outcomes(bars, r.rules, r.accounts, actions, told)
            yield told.tobytes(), r.accounts.tobytes()
            kernel.step(bars, features, r.rules, r.accounts, r.returns, r.actions, r.observations, *r.flags)
            yield r.accounts.tobytes(), r.returns.tobytes(), r.observations.tobytes(), [flag.tobytes() for flag in r.flags]
        trace = np.zeros(BARS, kernel.TRACE).view(np.recarray if plain else np.ndarray)
        r = rig(options, BARS, plain)
        yield kernel.replay(bars, r.rules, r.accounts, actions, trace, 0, BARS), trace.tobytes(), r.accounts.tobytes()

    cases = [draw(seed) for seed in range(PLAIN_STORIES)]
    compiled = [list(play(case, plain=False)) for case in cases]
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        for name in PARTS:
            patch.setattr(kernel, name, getattr(kernel, name).py_func)
        for seed, case in enumerate(cases):
            for bar, (one, two) in enumerate(zip(compiled[seed], play(case, plain=True), strict=True)):
                assert one == two, f"story {seed}, bar {bar // 2 + 1}"  # one more than there are: the replay of them all


def test_every_function_of_the_kernel_is_compared_with_plain_python():
    assert {name for name, thing in vars(kernel).items() if hasattr(thing, "py_func")} == set(PARTS)


# --- shrinking ----------------------------------------------------------------------------------------------------------


@st.composite
def small_cases(draw_from) -> Case:
    """A story in numbers that hypothesis can make simple."""

    def sometimes(low, high):
        return draw_from(st.just(0.0) | st.floats(low, high))

    leverage, shorts = draw_from(st.sampled_from([1.0, 2.0, 5.0])), draw_from(st.booleans())
    margin, lowest = shorts or leverage > 1, -leverage if shorts else 0.0
    scheme = draw_from(st.sampled_from(ACTION_SCHEMES))
    options = {
        "action_scheme": scheme,
        "targets": (lowest, leverage),
        "fill": draw_from(st.sampled_from(list(FILLS))),
        "fee_bps": sometimes(1, 100),
        "slippage_bps": sometimes(1, 100),
        "impact": draw_from(st.sampled_from([0.0, 1.0])),
        "borrow_bps_per_day": sometimes(1, 1_000),
        "funding_bps_per_day": sometimes(-1_000, 1_000) if margin else 0.0,
        "min_trade": sometimes(1, 3_000),
        "lot": sometimes(0.1, 10),
        "shorts": shorts,
        "max_leverage": leverage,
        "maintenance_margin": sometimes(0.01, 0.15),
        "stop_loss": sometimes(0.01, 0.5),
        "take_profit": sometimes(0.01, 0.5),
        "ruin_fraction": 0.0,
    }
    action = {"orders": st.integers(0, 11), "targets": st.floats(lowest, leverage), "continuous": st.floats(-1, 1)}[scheme]
    move, wick = st.floats(-0.2, 0.2), st.floats(0, 0.1)
    steps = draw_from(st.lists(st.tuples(action, move, move, wick, wick), min_size=1, max_size=8))
    bars = np.zeros(len(steps) + 1, kernel.BAR)
    bars[0] = (100.0, 100.0, 100.0, 100.0, 0.0)
    for t, (_, gap, run, up, down) in enumerate(steps, start=1):
        open_ = bars["close"][t - 1] * (1 + gap)
        close = open_ * (1 + run)
        bars[t] = (open_, max(open_, close) * (1 + up), min(open_, close) * (1 - down), close, 1e-4)
    return Case(options, bars, np.array([step[0] for step in steps], np.float64))


@settings(max_examples=examples(EXAMPLES), deadline=None)
@given(case=small_cases())
def test_the_kernel_equals_an_independent_ledger_in_small_stories(case):
    story = tell(case)
    if len(story.actions):
        check_against_the_ledger(in_one([story]))


# --- costs that eat the account -----------------------------------------------------------------------------------------


def after_one_order(held: float, wanted: float, leverage: float, cost: float) -> np.void:
    """The account after an exposure order at 100 from a net worth of 10,000, whose impact makes each USD traded cost `cost`."""
    free = {"fee_bps": 0.0, "half_spread_bps": 0.0, "slippage_bps": 0.0, "min_trade": 0.0, "borrow_bps_per_day": 0.0}
    margin = {"shorts": True, "max_leverage": leverage, "maintenance_margin": 0.0}
    r = rig(EnvSettings(action_scheme="continuous", impact=1.0, **free, **margin), 1)
    bars = np.zeros(2, kernel.BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = 100.0
    bars["impact"][1] = cost / np.sqrt(abs(wanted - held) * 10_000)
    r.accounts["coin"], r.accounts["cash"], r.accounts["entry"] = held * 100, 10_000 * (1 - held), 100.0
    r.actions[0] = wanted
    kernel.step(bars, np.zeros((2, 1), np.float32), r.rules, r.accounts, r.returns, r.actions, r.observations, *r.flags)
    return r.accounts[0]


@pytest.mark.parametrize("cost", [0.1, 0.19, 0.24, 0.249, 0.25, 0.26])
@pytest.mark.parametrize("side", [1, -1])
def test_an_order_to_reduce_a_position_never_trades_through_zero(side, cost):
    """Exposure 5, wanted 4: at 1 / 4 no sale gets there; a little below only one of more than is held would."""
    account = after_one_order(held=5 * side, wanted=4 * side, leverage=5.0, cost=cost)
    assert 0 <= -side * account["fill_coin"] <= 500
    assert np.isfinite(account["net_worth"])


@pytest.mark.parametrize("cost", [0.1, 0.3, 0.4, 0.49])
def test_no_order_takes_a_new_position_that_its_costs_have_left_no_worth_for(cost):
    """From exposure 3 to -3: from a cost of 1 / 3 on, nothing is left to be short of."""
    account = after_one_order(held=3, wanted=-3, leverage=3.0, cost=cost)
    assert account["net_worth"] > 0
