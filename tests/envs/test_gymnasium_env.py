"""The scalar env: Gymnasium's contract, its episodes, its infos and ledger, and what it refuses."""

import os
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.seeding import np_random
from helpers import make_candles, no_features
from hypothesis import given, settings, strategies as st
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from common import InputError
from envs import ACCOUNT_COLUMNS, ENV_ID, BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings, kernel
from features import FeaturePipeline
from market import Candles, simulate

ROOT = Path(__file__).parents[2]
CANDLES = simulate("bitcoin", bars=700, seed=5)
FITTED = FeaturePipeline().fit(CANDLES)
N_ACCOUNT = len(ACCOUNT_COLUMNS)
SCHEMES = ("orders", "targets", "continuous")
INFO = {
    "dataset", "bar", "time", "net_worth", "cash", "coin", "position", "fees", "slippage", "borrow", "funding", "trades",
    "outcome", "event", "fill_coin", "fill_price", "forced_coin", "forced_price", "optimistic",
}  # fmt: skip


@pytest.fixture
def env(candles, matrix):
    return BitcoinTradingEnv(candles, matrix, EnvSettings(episode_bars=100))


def wild(bars=400, seed=0):
    """Candles that move by 5 % a bar, so that margin is called and stops are hit."""
    return make_candles(list(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.05, bars)))))


def utc(candles, bar):
    """Open time of a bar, as infos give it."""
    return candles.index[bar].tz_localize(None).to_datetime64()


# Gymnasium's contract


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("margin", [False, True])
def test_the_checkers_of_gymnasium_and_sb3_find_nothing(scheme, margin, candles, matrix):
    env = BitcoinTradingEnv(candles, matrix, EnvSettings(action_scheme=scheme, shorts=margin, episode_bars=50))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)  # test_rendering.py looks at the pictures
        check_env_sb3(env)


def test_the_registered_env_passes_the_checkers_too():
    env = gymnasium.make(ENV_ID, disable_env_checker=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
        wrapped = gymnasium.make(ENV_ID)  # checks every step
        wrapped.reset(seed=0)
        for _ in range(20):
            wrapped.step(wrapped.action_space.sample())


@pytest.mark.parametrize(
    ("scheme", "space"),
    [
        ("orders", gymnasium.spaces.Discrete(12)),
        ("targets", gymnasium.spaces.Discrete(5)),
        ("continuous", gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)),
    ],
)
def test_each_action_scheme_has_its_space(scheme, space, candles, matrix):
    assert BitcoinTradingEnv(candles, matrix, EnvSettings(action_scheme=scheme)).action_space == space


def test_gymnasium_makes_it_without_an_import(matrix):
    """By the room's name before the id, since Gymnasium reads no entry points; `import envs` does the same."""
    code = "import gymnasium; print(gymnasium.make('envs:coindojo/BitcoinTrading-v0').reset(seed=1)[0].shape)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env=environment, check=True)
    assert run.stdout.strip() == f"({matrix.values.shape[1] + len(ACCOUNT_COLUMNS)},)"
    assert "entry-points" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_it_is_registered_with_defaults_and_takes_arguments(candles, matrix):
    assert ENV_ID == "coindojo/BitcoinTrading-v0"
    observation, info = gymnasium.make("coindojo/BitcoinTrading-v0").reset(seed=1)
    assert observation.shape == (matrix.values.shape[1] + len(ACCOUNT_COLUMNS),)
    assert info["net_worth"] == 10_000
    own = gymnasium.make(ENV_ID, candles=candles, features=matrix, settings=EnvSettings(initial_cash=50.0), evaluation=True)
    _, info = own.reset(seed=1)
    assert (info["net_worth"], info["bar"]) == (50, 0)
    with pytest.raises(InputError, match="give `candles` too"):
        gymnasium.make(ENV_ID, features=matrix)


# Observations, actions and seeds


def test_the_observation_is_the_feature_row_and_the_account(env, matrix):
    observation, info = env.reset(seed=3)
    np.testing.assert_array_equal(observation[:-N_ACCOUNT], matrix.values[info["bar"]])
    np.testing.assert_array_equal(observation[-N_ACCOUNT:], [0, 1, 0, 0, 0])
    observation, _, _, _, info = env.step(1)  # buys with half of the cash
    np.testing.assert_array_equal(observation[:-N_ACCOUNT], matrix.values[info["bar"]])
    position, cash, gain, drawdown, idle = observation[-N_ACCOUNT:]
    assert position == pytest.approx(info["position"])
    assert position + cash == pytest.approx(1)
    assert abs(gain) < 0.2
    assert drawdown == pytest.approx(max(0, 1 - info["net_worth"] / 10_000), abs=1e-7)
    assert idle == 0
    assert env.step(8)[0][-1] == pytest.approx(1 / 25)


def test_an_earlier_observation_is_not_overwritten(env):
    first, _ = env.reset(seed=0)
    kept = first.copy()
    second = env.step(0)[0]
    np.testing.assert_array_equal(first, kept)
    kept = second.copy()
    env.step(4)
    np.testing.assert_array_equal(second, kept)


def test_a_seed_repeats_an_episode_to_the_byte(env):
    def record(seed):
        rows = [env.reset(seed=seed)[0]]
        rng = np.random.default_rng(0)
        for _ in range(50):
            observation, reward, *_ = env.step(int(rng.integers(12)))
            rows += [observation, np.float32(reward)]
        return b"".join(row.tobytes() for row in rows)

    assert record(9) == record(9)
    assert record(9) != record(10)


def test_an_action_may_be_any_integer_of_python_or_numpy(env):
    def after(action):
        env.reset(seed=1)
        return env.step(action)[4]["coin"]

    assert after(1) > 0
    assert after(np.int32(1)) == after(np.array(1)) == after(np.uint8(1)) == after(1)


def test_a_continuous_action_runs_from_the_lowest_exposure_to_the_highest(candles, matrix):
    options = EnvSettings(action_scheme="continuous", shorts=True, max_leverage=2.0, fill="next_close", borrow_bps_per_day=0)
    env = BitcoinTradingEnv(candles, matrix, options, evaluation=True)
    for action, exposure in ((-1.0, -2.0), (0.0, 0.0), (0.5, 1.0), (1.0, 2.0)):
        env.reset(seed=0)
        assert env.step(np.array([action], np.float32))[4]["position"] == pytest.approx(exposure, abs=1e-9)


# Episodes


def test_episodes_start_anywhere_and_are_truncated_after_episode_bars(env, matrix):
    starts = set()
    for seed in range(40):
        starts.add(env.reset(seed=seed)[1]["bar"])
        over, steps = False, 0
        while not over:
            _, _, terminated, over, info = env.step(11)
            steps += 1
        assert (steps, terminated) == (100, False)
        assert info["bar"] < len(matrix)
    assert len(starts) > 30


@pytest.mark.parametrize("bars", [2, 3, 9, 10, 1_000])
def test_every_start_that_leaves_room_is_drawn_alike_and_no_other(bars):
    """11 bars hold 11 - bars starts of an episode of that length, or one of all 10 steps."""
    candles = make_candles([100.0] * 11)
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(episode_bars=bars))
    env.reset(seed=0)
    starts = [env.reset()[1]["bar"] for _ in range(2_000)]
    counts = np.bincount(starts, minlength=11)
    possible = max(11 - bars, 1)
    assert (counts[possible:] == 0).all()
    expected = 2_000 / possible
    assert np.sum((counts[:possible] - expected) ** 2 / expected) < possible + 5 * np.sqrt(2 * possible)
    over = False
    while not over:
        *_, over, info = env.step(8)
    assert info["bar"] == starts[-1] + min(bars, 10)


def test_the_start_is_drawn_by_the_generator_that_the_seed_made(env, matrix):
    for seed in range(5):
        latest = len(matrix) - 1 - 100
        assert env.reset(seed=seed)[1]["bar"] == int(np_random(seed)[0].random() * (latest + 1))


def test_evaluation_plays_the_whole_range_once(candles, matrix):
    env = BitcoinTradingEnv(candles, matrix, EnvSettings(episode_bars=100), evaluation=True)
    assert env.reset(seed=1)[1]["bar"] == 0
    over, steps = False, 0
    while not over:
        _, _, _, over, info = env.step(8)
        steps += 1
    assert info["bar"] == steps == len(matrix) - 1
    with pytest.raises(InputError, match="reset"):
        env.step(8)


def test_ruin_terminates_and_its_last_reward_is_paid_in_full():
    candles = make_candles([100, 100, 5, 100, 100])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(reward="profit", fee_bps=0), evaluation=True)
    env.reset(seed=0)
    env.step(0)
    _, reward, terminated, truncated, _ = env.step(8)
    assert (terminated, truncated) == (True, False)
    assert reward == pytest.approx(-0.95, abs=1e-3)


def test_ruin_in_the_last_bar_terminates_rather_than_truncates():
    candles = make_candles([100, 100, 5])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(), evaluation=True)
    env.reset(seed=0)
    env.step(0)
    assert env.step(8)[2:4] == (True, False)


def test_the_end_of_the_data_truncates():
    candles = make_candles([100, 101, 102])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(), evaluation=True)
    env.reset(seed=0)
    assert env.step(8)[2:4] == (False, False)
    assert env.step(8)[2:4] == (False, True)


@settings(max_examples=8, deadline=None)
@given(
    bar=st.integers(0, 60),
    factor=st.floats(0.05, 20),
    actions=st.lists(st.integers(0, 11), min_size=61, max_size=61),
    reward=st.sampled_from(["profit", "sortino"]),
)
def test_changing_the_future_changes_no_observation_reward_or_info_before_it(bar, factor, actions, reward):
    frame = CANDLES.frame.copy()
    warmup = FITTED.transform(CANDLES).warmup
    frame.iloc[warmup + bar + 1 :] *= factor
    changed = Candles(frame, CANDLES.bar, "", "another future")

    def record(candles):
        env = BitcoinTradingEnv(candles, FITTED.transform(candles), EnvSettings(reward=reward), evaluation=True)
        observation, info = env.reset(seed=0)
        rows: list[tuple[object, ...]] = [(observation.tobytes(), str(info))]
        for action in actions[:bar]:
            observation, paid, *_, info = env.step(action)
            rows.append((observation.tobytes(), paid, str(info)))
        return rows

    assert record(CANDLES) == record(changed)


# Infos


def test_the_info_names_the_bar_whose_close_is_known(env, candles, matrix):
    _, info = env.reset(seed=3)
    for _ in range(3):
        assert env.trading.bars.close[info["bar"]] == candles.column("close")[matrix.warmup + info["bar"]]
        following = env.step(8)[4]
        assert following["bar"] == info["bar"] + 1
        assert following["time"] - info["time"] == candles.bar
        info = following


def test_the_time_of_an_info_is_a_numpy_datetime64_in_utc(env, candles, matrix):
    """As the env's docstring says."""
    for info in (env.reset(seed=3)[1], env.step(8)[4]):
        assert isinstance(info["time"], np.datetime64)
        assert info["time"] == utc(candles, matrix.warmup + info["bar"])


def test_a_fresh_info_is_all_cash(env):
    _, info = env.reset(seed=3)
    assert info.keys() == INFO
    assert {name: info[name] for name in ("net_worth", "cash", "outcome", "event", "dataset", "optimistic")} == {
        "net_worth": 10_000.0, "cash": 10_000.0, "outcome": "held", "event": "", "dataset": 0, "optimistic": False,
    }  # fmt: skip
    rest = INFO - {"net_worth", "cash", "outcome", "event", "dataset", "optimistic", "bar", "time"}
    assert {info[name] for name in rest} == {0}


MARGIN = {"shorts": True, "max_leverage": 5.0, "funding_bps_per_day": 30.0, "borrow_bps_per_day": 20.0}
PHYSICS = {
    "cash": {"fee_bps": 25.0},
    "margin": MARGIN,
    "stops": MARGIN | {"stop_loss": 0.03, "take_profit": 0.05},
    "next close": MARGIN | {"fill": "next_close", "stop_loss": 0.03},
    "same close": {"fill": "same_close", "impact": 1.0},
    "lots": {"lot": 7.0, "min_trade": 2_000.0},
}


@pytest.mark.parametrize("options", PHYSICS.values(), ids=PHYSICS)
def test_an_info_means_what_its_names_say(options):
    candles = wild()
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options, reward="profit"))
    close = candles.column("close")
    rng = np.random.default_rng(1)
    seen = set()
    _, before = env.reset(seed=1)
    for _ in range(600):
        _, reward, terminated, truncated, info = env.step(int(rng.integers(12)))
        assert info.keys() == INFO
        worth, price = info["net_worth"], close[info["bar"]]
        assert worth == pytest.approx(info["cash"] + info["coin"] * price, rel=1e-12)
        assert info["position"] == pytest.approx(info["coin"] * price / worth, rel=1e-12)
        assert info["coin"] == pytest.approx(before["coin"] + info["fill_coin"] + info["forced_coin"], rel=1e-9, abs=1e-9)
        assert info["trades"] == before["trades"] + (info["fill_coin"] != 0) + (info["forced_coin"] != 0)
        assert (info["outcome"] == "filled") == (info["fill_coin"] != 0) == (info["fill_price"] != 0)
        assert (info["event"] != "") == (info["forced_coin"] != 0) == (info["forced_price"] != 0)
        assert info["optimistic"] == (options.get("fill") == "same_close")
        traded = abs(info["fill_coin"]) * info["fill_price"] + abs(info["forced_coin"]) * info["forced_price"]
        assert info["fees"] - before["fees"] == pytest.approx(traded * env.settings.fee_bps / 1e4, rel=1e-9, abs=1e-9)
        assert (info["slippage"] > before["slippage"]) == (info["trades"] > before["trades"])
        for cost in ("borrow", "funding"):
            assert info[cost] == before[cost] or env.settings.margin
        assert reward == pytest.approx(worth / before["net_worth"] - 1, rel=1e-6, abs=1e-9)
        seen |= {info["outcome"], info["event"]}
        before = env.reset()[1] if terminated or truncated else info
    expected = {"filled", "held"} | ({"liquidation"} if options == MARGIN else set())
    expected |= {name for setting, name in (("stop_loss", "stop-loss"), ("take_profit", "take-profit")) if setting in options}
    assert expected <= seen <= {*kernel.OUTCOMES, *kernel.EVENTS}


# The ledger


def test_the_ledger_has_its_columns_even_without_a_trade(env):
    env.reset(seed=0)
    empty = env.trades()
    assert list(empty) == ["time", "reason", "side", "coin", "price", "value", "fee"]
    assert len(empty) == 0
    env.step(0)
    bought = env.trades()
    assert len(bought) == 1
    assert list(bought) == list(empty)
    for table in (empty, bought):
        assert isinstance(table["time"].dtype, pd.DatetimeTZDtype)
        assert str(table["time"].dt.tz) == "UTC"
        assert (table[["coin", "price", "value", "fee"]].dtypes == np.float64).all()


@pytest.mark.parametrize("options", PHYSICS.values(), ids=PHYSICS)
def test_the_ledger_adds_up_to_the_account(options):
    candles = wild(seed=3)
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options), evaluation=True)
    rng = np.random.default_rng(2)
    env.reset(seed=0)
    over, rows = False, []
    while not over:
        _, _, terminated, truncated, info = env.step(int(rng.integers(12)))
        over = terminated or truncated
        fills = [("order", info["fill_coin"], info["fill_price"]), (info["event"], info["forced_coin"], info["forced_price"])]
        fills = fills[::-1] if env.settings.fill == "next_close" else fills
        rows += [(candles.index[info["bar"]], *fill) for fill in fills if fill[1]]
    ledger = env.trades()
    assert len(ledger) == len(rows) == info["trades"] > 5
    sign = np.where(ledger["side"] == "buy", 1, -1)
    assert list(zip(ledger["time"], ledger["reason"], ledger["coin"] * sign, ledger["price"], strict=True)) == rows
    np.testing.assert_array_equal(ledger["value"], ledger["coin"] * ledger["price"])
    assert ledger["fee"].sum() == pytest.approx(info["fees"], rel=1e-9)
    carry = info["borrow"] + info["funding"]
    cash = 10_000 - (sign * ledger["value"]).sum() - ledger["fee"].sum() - carry
    assert cash == pytest.approx(info["cash"], rel=1e-9, abs=1e-9 * ledger["value"].sum())
    assert (sign * ledger["coin"]).sum() == pytest.approx(info["coin"], rel=1e-9, abs=1e-9 * ledger["coin"].sum())


def test_a_reset_begins_a_new_ledger(env):
    env.reset(seed=0)
    env.step(0)
    kept = env.trades()
    env.reset(seed=0)
    assert len(env.trades()) == 0
    assert len(kept) == 1


# Wrong input


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda matrix, n: matrix.values.astype(np.float64), "float32 of shape"),
        (lambda matrix, n: matrix.values[:, 0], "float32 of shape"),
        (lambda matrix, n: matrix.values.tolist(), "features"),
        (lambda matrix, n: np.full((10, 2), np.nan, np.float32), "finite, but row 0, column 0 is nan"),
        (lambda matrix, n: np.array([[0, 0], [0, np.inf]], np.float32), "finite, but row 1, column 1 is inf"),
        (lambda matrix, n: np.zeros((n + 1, 2), np.float32), "one for each of the last candles"),
        (lambda matrix, n: np.zeros((1, 2), np.float32), "2 to 1500 rows"),
        (lambda matrix, n: [matrix], "features"),
    ],
    ids=["float64", "flat", "list", "nan", "inf", "too long", "too short", "a list for one"],
)
def test_features_that_do_not_fit_get_one_line(candles, matrix, rows, message):
    with pytest.raises(InputError, match=message) as refusal:
        BitcoinTradingEnv(candles, rows(matrix, len(candles)))
    assert "\n" not in str(refusal.value)


def test_features_of_other_candles_get_one_line(candles, matrix):
    with pytest.raises(InputError, match="transform these very candles"):
        BitcoinTradingEnv(candles[:-1], matrix)


def test_an_unknown_render_mode_gets_one_line(candles, matrix):
    with pytest.raises(InputError, match=r"`render_mode` must be one of .* but got 'video'"):
        BitcoinTradingEnv(candles, matrix, render_mode="video")


DISCRETE_ERRORS: list[object] = [-1, 12, 1.0, np.nan, None, "0", [1], np.array([1]), np.array([1, 2]), np.array(1.0), {}]
CONTINUOUS_ERRORS: list[object] = [
    1.01, -1.01, np.nan, np.inf, None, "up", [0.1, 0.2], np.zeros(2, np.float32), np.array(["a"]), {},
]  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "action"),
    [("orders", action) for action in DISCRETE_ERRORS]
    + [("targets", action) for action in [*DISCRETE_ERRORS, 5]]
    + [("continuous", action) for action in CONTINUOUS_ERRORS],
    ids=repr,
)
def test_a_wrong_action_gets_one_line_and_changes_nothing(scheme, action, candles, matrix):
    env = BitcoinTradingEnv(candles, matrix, EnvSettings(action_scheme=scheme))
    env.reset(seed=0)
    before = env.trading.accounts.tobytes()
    rule = {"orders": "an integer from 0 to 11", "targets": "an integer from 0 to 4", "continuous": "a number from -1 to 1"}
    with pytest.raises(InputError, match=f"{rule[scheme]}, but got") as refusal:
        env.step(action)
    assert "\n" not in str(refusal.value)
    assert env.trading.accounts.tobytes() == before


def test_a_step_before_the_reset_or_after_the_end_gets_one_line():
    candles = make_candles([100, 101])
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings())
    for _ in range(2):
        with pytest.raises(InputError, match="call `reset` before `step`"):
            env.step(0)
        env.reset()
        env.step(8)
    with pytest.raises(InputError, match="call `reset` before `step`"):
        env.step(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action_scheme": "order"}, "action_scheme\n.*'orders', 'targets' or 'continuous'"),
        ({"fill": "next_opening"}, "fill\n.*'next_open', 'next_close' or 'same_close'"),
        ({"reward": "sortinoo"}, "there is no reward 'sortinoo'; did you mean 'sortino'"),
        ({"dataset_sampling": "lengths"}, "dataset_sampling\n.*'least_used' or 'length'"),
        ({"action_scheme": "targets", "targets": (0.0, 1.5)}, "must lie in 0 .. 1, but got 1.5; raise max_leverage"),
        ({"action_scheme": "targets", "targets": (-0.5, 1.0)}, "must lie in 0 .. 1, but got -0.5; set shorts: true"),
        ({"action_scheme": "targets", "targets": (-1.5, 1.0), "shorts": True}, "but got -1.5; raise max_leverage"),
        ({"action_scheme": "targets", "targets": (1.0,)}, "targets"),
        ({"funding_bps_per_day": 1.0}, "need margin, but got funding_bps_per_day=1 in a cash account; set shorts: true"),
        ({"max_leverage": 10.0, "maintenance_margin": 0.1}, "`max_leverage \\* maintenance_margin < 1` must hold"),
        ({"max_leverage": 50.0, "maintenance_margin": 0.0, "fee_bps": 100.0}, "costs must leave something"),
        ({"max_leverage": 0.5}, "max_leverage"),
        ({"episode_bars": 1}, "episode_bars"),
        ({"reward_window": 1}, "reward_window"),
        ({"fee_bps": -1.0}, "fee_bps"),
        ({"fee": 1.0}, "fee"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_do_not_fit_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        EnvSettings(**options)


def test_an_account_that_is_worth_exactly_nothing_has_an_info():
    candles = make_candles([100, 100, 50])
    free = {"fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0, "borrow_bps_per_day": 0, "maintenance_margin": 0}
    options = EnvSettings(action_scheme="targets", targets=(0, 2), max_leverage=2, **free)
    env = BitcoinTradingEnv(candles, no_features(candles), options, evaluation=True)
    env.reset(seed=0)
    env.step(1)
    _, _, terminated, _, info = env.step(1)
    assert (terminated, info["net_worth"], info["position"]) == (True, 0, 0)


def test_what_the_caller_does_to_his_own_features_does_not_reach_the_env():
    candles = make_candles([100, 101, 102, 103])
    mine = no_features(candles)
    env = BitcoinTradingEnv(candles, mine, evaluation=True)
    mine[:] = np.nan
    assert np.isfinite(env.reset(seed=0)[0]).all()


@pytest.mark.parametrize("make", [BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv])
def test_wrong_arguments_get_one_line(make):
    candles = make_candles([100, 101, 102])
    with pytest.raises(InputError, match="`settings` must be an EnvSettings, but got a dict"):
        make(candles, no_features(candles), {"fee_bps": 5})
    with pytest.raises(InputError, match="candles must be `Candles`"):
        make([candles.frame.to_numpy()], [no_features(candles)])
    assert make(candles.frame, no_features(candles)) is not None  # a DataFrame of candles is as good
    with pytest.raises(InputError, match="did you mean 'sortino'"):
        make(candles, no_features(candles), reward="sortinho")
    if make is not BitcoinTradingEnv:
        with pytest.raises(InputError, match="1 env or more, but got 0"):
            make(candles, no_features(candles), EnvSettings(), 0)


def test_make_vec_says_where_lengths_and_pictures_are_set():
    with pytest.raises(InputError, match="episode_bars"):
        gymnasium.make_vec(ENV_ID, num_envs=2, max_episode_steps=3)
    with pytest.raises(InputError, match="have no picture"):
        gymnasium.make_vec(ENV_ID, num_envs=2, render_mode="rgb_array")


def test_the_costs_in_words_leave_nothing_out():
    words = EnvSettings(shorts=True, impact=1, funding_bps_per_day=2).costs_in_words
    trade, rest = words.split("), ")
    assert trade == "13 bps a trade (fee, half-spread, slippage"
    assert rest == "square-root impact with coefficient 1, borrowing 3 bps a day, funding 2 bps a day"
    assert EnvSettings().costs_in_words == "13 bps a trade (fee, half-spread, slippage)"
