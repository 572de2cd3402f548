"""All eight rewards against empyrical, against plain numpy, and against themselves on another road."""

import empyrical
import numpy as np
import pytest
from helpers import examples, make_candles, no_features
from hypothesis import assume, example, given, settings, strategies as st
from numba import njit
from numba.core.dispatcher import Dispatcher

from common import InputError
from envs import REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, EnvSettings, Fold, kernel, rewards
from envs.reward_loops import PAID_BOUND, new_returns, scorer, stride_of
from envs.rewards import DIFFERENTIAL_BOUND

HOURS_PER_YEAR = 365.25 * 24
RATIOS = ("sortino", "calmar", "omega", "sharpe")
DIFFERENTIALS = ("differential_sharpe", "differential_sortino")
EMPYRICAL = {
    "sortino": lambda returns, bars: empyrical.sortino_ratio(returns, annualization=bars),
    "calmar": lambda returns, bars: empyrical.calmar_ratio(returns, annualization=bars),
    "omega": lambda returns, bars: empyrical.omega_ratio(returns),
    "sharpe": lambda returns, bars: empyrical.sharpe_ratio(returns, annualization=bars),
}
MIXED = np.array([np.nan, 1, 10, -4, 2, 3, 2, 1, -10]) / 100
NEGATIVE = np.array([0, -6, -7, -1, -9, -2, -6, -8, -5]) / 100
POSITIVE = np.array([1, 2, 1, 1, 1, 1, 1, 1, 1]) / 100

bar_returns = st.floats(-0.9, 1.0).map(lambda r: round(r, 6)) | st.sampled_from([0.0, 1e-6, -1e-6, 0.01, -0.01])
windows = st.lists(bar_returns, min_size=2, max_size=80).map(np.array) | st.builds(
    np.full, st.integers(2, 80), st.floats(-0.5, 0.5).map(lambda r: round(r, 6))
)
bars_per_year = st.sampled_from([252.0, 365.25, HOURS_PER_YEAR, HOURS_PER_YEAR * 60])


def ratio(name, returns, annualization=HOURS_PER_YEAR):
    """The reward of one window; a ratio reads nothing of the account."""
    return REWARDS[name](np.asarray(returns, np.float64), None, annualization)


def by_empyrical(name, returns, annualization=HOURS_PER_YEAR):
    with np.errstate(all="ignore"):
        return EMPYRICAL[name](returns, annualization)


def degenerate(name, returns):
    """True where empyrical divides rounding by rounding, so that its own digits mean nothing.

    The deviation of returns that differ by less than a millionth of their size is the rounding of their mean, and a drawdown of
    less than a millionth is the rounding of 1 + r.
    """
    if name == "sharpe":
        return 0 < np.std(returns) < 1e-6 * np.abs(returns).max()
    return name == "calmar" and -1e-6 < empyrical.max_drawdown(returns) < 0


def near(name, expected, returns, annualization=HOURS_PER_YEAR):
    """1e-9 relative. What 1 + r rounds off is compounded over a year and divided by the drawdown, in empyrical's calmar too."""
    drawdown = -empyrical.max_drawdown(returns)
    return pytest.approx(expected, rel=1e-9, abs=1e-15 * annualization / drawdown if name == "calmar" else 1e-9)


def stand_in(name, returns, annualization):
    """What the docstrings promise where empyrical has no number."""
    size = np.sqrt(np.mean(returns**2))
    if name == "omega":
        return np.sum(returns > 0)
    if name == "calmar":
        return annualization / len(returns) if np.prod(1 + returns) > 1 else 0.0
    return np.sqrt(annualization) * np.mean(returns) / size if size else 0.0


@njit
def drive(score, bars, features, rules, accounts, ring, exposures, paid, returns):
    """Let the kernel trade, and note in float64 what is paid after every step, and for what return."""
    action, reward, ended = np.zeros(1), np.zeros(1), np.zeros(1, np.int64)
    observation, flags = np.zeros((1, features.shape[1] + 5), np.float32), np.zeros((2, 1), np.bool_)
    for t in range(len(paid)):
        before = accounts[0].net_worth
        action[0] = exposures[t]
        kernel.step(bars, features, rules, accounts, ring, action, observation, flags[0], flags[1], ended)
        score(rules, accounts, ring, reward)
        paid[t] = reward[0]
        returns[t] = accounts[0].net_worth / before - 1.0


def trade(reward, moves, window, exposures=None, annualization=HOURS_PER_YEAR):
    """Rewards and net-worth returns, float64 (T,), of exposures (1 by default) to a market that moves so, without costs."""
    bars = np.zeros(len(moves) + 1, kernel.BAR)
    bars["close"] = 100 * np.concatenate([[1.0], np.cumprod(1 + np.asarray(moves))])
    bars["open"] = np.concatenate([bars["close"][:1], bars["close"][:-1]])
    bars["high"], bars["low"] = np.maximum(bars["open"], bars["close"]), np.minimum(bars["open"], bars["close"])
    rules = np.zeros(1, kernel.RULES)
    rules["scheme"], rules["window"], rules["annualization"] = kernel.EXPOSURE, window, annualization
    rules["initial_cash"], rules["highest"], rules["stride"] = 1e4, 1, stride_of(reward)
    accounts, ring = np.zeros(1, kernel.ACCOUNT), new_returns(reward, 1, window)
    kernel.open_account(accounts, ring, 0, rules, 0, len(moves))
    paid, returns = np.empty((2, len(moves)))
    exposures = np.ones(len(moves)) if exposures is None else exposures
    drive(scorer(reward), bars, np.zeros((len(bars), 1), np.float32), rules, accounts, ring, exposures, paid, returns)
    return paid, returns


def score_by_hand(reward, returns, window, annualization=HOURS_PER_YEAR):
    """What `scorer` pays, float64 (T,), for returns written into the kernel's arrays one by one: any, possible or not."""
    rules = np.zeros(1, kernel.RULES)
    rules["window"], rules["annualization"], rules["initial_cash"] = window, annualization, 1e4
    accounts, ring = np.zeros(1, kernel.ACCOUNT), new_returns(reward, 1, window)
    rules["stride"] = stride_of(reward)
    kernel.open_account(accounts, ring, 0, rules, 0, len(returns))
    paid, out = [], np.zeros(1)
    for t, r in enumerate(returns):
        ring[0, t % window * stride_of(reward)] = r
        if not isinstance(reward, Fold):
            ring[0, t % window + window] = r
        accounts["slot"], accounts["steps"] = (t + 1) % window, t + 1
        scorer(reward)(rules, accounts, ring, out)
        paid.append(out.item())
    return np.array(paid)


# The four ratios and empyrical


@pytest.mark.parametrize("name", RATIOS)
@settings(max_examples=examples(300), deadline=None)
@given(returns=windows, annualization=bars_per_year)
@example(returns=np.array([0.5, -0.2, -0.2]), annualization=8_766.0)  # a fall in two bars, from a peak inside the window
def test_a_ratio_equals_empyrical_where_that_is_finite_and_its_documented_number_elsewhere(name, returns, annualization):
    expected = by_empyrical(name, returns, annualization)
    got = ratio(name, returns, annualization)
    if np.isfinite(expected):
        assume(not degenerate(name, returns))
        assert got == near(name, expected, returns, annualization)
    elif name == "calmar" and empyrical.max_drawdown(returns) < 0:
        assert got == np.inf  # compounded beyond the largest float; what is paid then is the next test
    else:
        assert got == pytest.approx(stand_in(name, returns, annualization), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("last", [-1.0, -1.5, -1e6, 9.0, 1e6])
def test_what_is_paid_is_bounded_even_where_a_year_of_it_overflows(name, last):
    paid = score_by_hand(REWARDS[name], [-0.01, last], window=2, annualization=HOURS_PER_YEAR * 60)
    assert np.abs(paid).max() <= PAID_BOUND
    if name == "calmar" and last > 0:
        assert paid[-1] == PAID_BOUND


@pytest.mark.parametrize(
    ("name", "returns", "expected"),
    [
        # One kind of bar alone: sortino and sharpe end at -sqrt(annualization) and +sqrt(annualization).
        ("sortino", [0.01], 10.0),
        ("sortino", [0.01] * 7, 10.0),
        ("sortino", [-0.01], -10.0),
        ("sortino", [-0.01] * 7, -10.0),
        ("sortino", [0.03, 0.01], 10 * 0.02 / np.sqrt(0.0005)),
        ("sortino", [0.01, 0.0], 10 * 0.005 / np.sqrt(0.00005)),
        ("sharpe", [0.01], 10.0),
        ("sharpe", [0.01] * 7, 10.0),
        ("sharpe", [-0.01], -10.0),
        ("sharpe", [-0.01] * 7, -10.0),
        ("sharpe", [0.03, 0.01], 10 * 0.02 / np.sqrt(0.0002)),
        # Without a losing bar omega counts the gaining ones; without a gaining bar it is 0.
        ("omega", [0.5], 1.0),
        ("omega", [0.01, 0.0, 0.03], 2.0),
        ("omega", [-0.5], 0.0),
        ("omega", [-0.01, 0.0], 0.0),
        ("omega", [0.01, -0.01], 1.0),
        # Without a drawdown calmar is annualization / n; who loses everything has -100 % a year over a drawdown of 1.
        ("calmar", [0.5], 100.0),
        ("calmar", [0.01, 0.0, 0.0, 0.03], 25.0),
        ("calmar", [0.1, -1.0], -1.0),
        ("calmar", [0.1, -3.0], -1.0 / 3.0),
        ("calmar", [1.0, -0.5], 0.0),
    ]
    + [(name, [0.0] * n, 0.0) for name in RATIOS for n in (1, 7)],
)
def test_the_documented_numbers_where_a_ratio_is_undefined(name, returns, expected):
    assert ratio(name, returns, 100.0) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_published_vectors_of_empyricals_own_suite():
    """Daily returns in percent, 252 days a year. Each ratio drops the first day, which is NaN, but for calmar, that counts it."""
    days = MIXED[1:]
    assert ratio("sortino", days, 252.0) == pytest.approx(2.605531251673693, rel=1e-12)
    assert ratio("sortino", NEGATIVE, 252.0) == pytest.approx(-13.532743075043401, rel=1e-12)
    assert ratio("calmar", np.nan_to_num(MIXED), 252.0) == pytest.approx(19.135925373194233, rel=1e-12)
    assert ratio("omega", days - (11 ** (1 / 252) - 1), 252.0) == pytest.approx(0.83354263497557934, rel=1e-12)
    assert ratio("omega", POSITIVE - 0.011, 252.0) == pytest.approx(1.125, rel=1e-12)
    assert ratio("sharpe", days, 252.0) == pytest.approx(1.7238613961706866, rel=1e-12)
    drawdown = Fold(rewards.lift_path, rewards.follow, lambda parts, n, annualization: parts[3])
    assert -drawdown(NEGATIVE, None, 252.0) == pytest.approx(-0.36590730, abs=5e-9)


# The other four, by definition


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5).map(np.array))
def test_profit_and_log_return_are_those_of_the_last_bar(returns):
    last = returns[-1]
    assert REWARDS["profit"](returns, None, HOURS_PER_YEAR) == last
    expected = np.log(1 + last) if last > -0.999 else np.log(0.001)
    assert REWARDS["log_return"](returns, None, HOURS_PER_YEAR) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def moody_saffell(name, returns, window):
    """The differential ratios as the paper writes them, A and B (or DD^2) being lists of all bars; rates 1/n up to the window."""
    a, b, square = [0.0], [0.0], [0.0]
    ratios = []
    for t, r in enumerate(returns):
        rate = 1 / min(t + 1, window)
        moment = r**2 if name == "differential_sharpe" else min(r, 0) ** 2
        if name == "differential_sharpe":
            up = b[-1] * (r - a[-1]) - 0.5 * a[-1] * (r**2 - b[-1])
            variance = b[-1] - a[-1] ** 2
            down = variance**1.5 if variance > 1e-12 * b[-1] else 0.0
            up = up if down else r - a[-1]
        else:
            below = b[-1] if b[-1] > 0 else square[-1]  # until a bar has lost
            up = r - 0.5 * a[-1] if r > 0 else below * (r - 0.5 * a[-1]) - 0.5 * a[-1] * r**2
            down = np.sqrt(below) if r > 0 else below**1.5
            up = up if below else r
        ratios.append(np.clip(up / down, -10, 10) if down else 10 * np.sign(up))
        a.append(a[-1] + rate * (r - a[-1]))
        b.append(b[-1] + rate * (moment - b[-1]))
        square.append(square[-1] + rate * (r**2 - square[-1]))
    return np.array(ratios)


@pytest.mark.parametrize("name", DIFFERENTIALS)
@settings(max_examples=examples(60), deadline=None)
@given(
    moves=st.lists(st.floats(-0.2, 0.2).map(lambda r: round(r, 4)), min_size=1, max_size=200),
    window=st.sampled_from([2, 3, 5, 64]),
)
def test_a_differential_ratio_equals_the_recursion_of_moody_and_saffell(name, moves, window):
    paid, returns = trade(REWARDS[name], moves, window)
    np.testing.assert_allclose(paid, moody_saffell(name, returns, window), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", DIFFERENTIALS)
def test_a_differential_ratio_adds_up_to_the_ratio_that_it_is_the_derivative_of(name):
    """To first order in the rate 1/n, D_t / n is by how much the plain ratio of the first n bars moves with bar n."""
    returns = np.random.default_rng(3).normal(0.001, 0.01, 4_000)
    paid, returns = trade(REWARDS[name], returns, window=4_000)
    n = np.arange(1, 4_001)
    moment = returns**2 if name == "differential_sharpe" else np.minimum(returns, 0) ** 2
    mean, second = (np.cumsum(returns) / n)[999:], (np.cumsum(moment) / n)[999:]
    plain = mean / np.sqrt(second - mean**2 if name == "differential_sharpe" else second)
    assert np.sum((paid / n)[1_000:]) == pytest.approx(plain[-1] - plain[0], abs=2e-3)


@pytest.mark.parametrize("name", DIFFERENTIALS)
def test_a_differential_ratio_begins_at_its_bounds_and_never_leaves_them(name):
    for move in (0.01, -0.01):
        assert trade(REWARDS[name], [move], 5)[0] == DIFFERENTIAL_BOUND * np.sign(move)
    paid, _ = trade(REWARDS[name], [-0.001, 0.001] * 50 + [-0.9], 64)
    assert paid[-1] == -DIFFERENTIAL_BOUND
    assert np.abs(paid).max() == DIFFERENTIAL_BOUND


# The sliding window


@pytest.mark.parametrize("name", RATIOS)
@settings(max_examples=examples(25), deadline=None)
@given(window=st.sampled_from([2, 3, 5, 64]), bars=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), tied=st.booleans())
def test_a_fold_slides_over_the_window_as_if_it_were_computed_anew(name, window, bars, seed, tied):
    """Three roads, at every bar of an episode longer than three windows: the env's scorer, the whole window, and empyrical."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, 0.02, 3 * window + bars)
    moves = np.round(moves, 2) if tied else moves  # many bars that do not move, or move alike
    paid, returns = trade(REWARDS[name], moves, window)
    for t in range(len(moves)):
        trailing = returns[max(t + 1 - window, 0) : t + 1]
        anew = np.clip(ratio(name, trailing), -PAID_BOUND, PAID_BOUND)
        if degenerate(name, trailing):
            continue
        scale = 1e-15 * HOURS_PER_YEAR / max(-empyrical.max_drawdown(trailing), 1e-6) if name == "calmar" else 1e-9
        assert paid[t] == pytest.approx(anew, rel=1e-9, abs=scale)
        expected = by_empyrical(name, trailing)
        if np.isfinite(expected) and abs(expected) < PAID_BOUND:
            assert paid[t] == near(name, expected, trailing)


@pytest.mark.parametrize("name", RATIOS)
@settings(max_examples=examples(100), deadline=None)
@given(stretches=st.tuples(*[st.lists(bar_returns, min_size=1, max_size=20)] * 3))
def test_the_combination_of_a_folds_parts_is_associative(name, stretches):
    """So that it does not matter where the window is cut."""
    fold = REWARDS[name]
    assert isinstance(fold, Fold)
    a, b, c = ([fold.lift(r) for r in stretch] for stretch in stretches)
    sizes = np.sum([np.abs(parts) for parts in a + b + c], axis=0)  # of which 1e-12 is rounding

    def join(pieces):
        joined = pieces[0]
        for piece in pieces[1:]:
            joined = fold.combine(joined, piece)
        return joined

    left = fold.combine(fold.combine(join(a), join(b)), join(c))
    right = fold.combine(join(a), fold.combine(join(b), join(c)))
    np.testing.assert_array_less(np.abs(np.subtract(left, right)), 1e-12 * (1 + sizes + np.abs(left)))


def many_moves(rng, bars):
    """A crash of a half about every 4,000 bars, then 200 bars that hardly move, then the way back up; else noise."""
    moves = rng.normal(5e-5, 0.01, bars)
    crashes = np.arange(3_000, bars - 10_000, 4_000)
    crashes += rng.integers(0, 1_000, len(crashes))
    for at in crashes:
        moves[at], moves[at + 1 : at + 200], moves[at + 200] = -0.5, rng.normal(0, 1e-6, 199), 1.0
    late = crashes[-20:]
    checks = np.concatenate(
        [rng.integers(bars - bars // 10, bars, 100)] + [late + k for k in (0, 1, 5, 62, 63, 64, 65, 150, 200, 264)]
    )
    return moves, np.unique(checks)


def of_a_window_anew(name, returns, t, window):
    """The reward at bar t without its past: from the window's own bars, or, of the differentials, from weighted sums."""
    if name in RATIOS:
        return by_empyrical(name, returns[t + 1 - window : t + 1])
    if name == "profit":
        return returns[t]
    if name == "log_return":
        return np.log1p(returns[t])
    r, before = returns[t], returns[t - 60 * window : t]  # older ones weigh less than e^-60
    weights = (1 - 1 / window) ** np.arange(len(before))[::-1] / window
    a, b = weights @ before, weights @ (before**2 if name == "differential_sharpe" else np.minimum(before, 0) ** 2)
    if name == "differential_sharpe":
        ratio_of = (b * (r - a) - 0.5 * a * (r**2 - b)) / (b - a**2) ** 1.5
    else:
        ratio_of = (r - 0.5 * a) / b**0.5 if r > 0 else (b * (r - 0.5 * a) - 0.5 * a * r**2) / b**1.5
    return np.clip(ratio_of, -DIFFERENTIAL_BOUND, DIFFERENTIAL_BOUND)


@pytest.mark.parametrize("bars", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", REWARDS)
def test_a_million_bars_bring_no_drift(name, bars):
    rng = np.random.default_rng(1)
    moves, checks = many_moves(rng, bars)
    paid, returns = trade(REWARDS[name], moves, 64, exposures=rng.choice([0.25, 0.5, 1.0], len(moves)))
    assert np.isfinite(paid).all()
    for t in checks:
        expected = of_a_window_anew(name, returns, t, 64)
        if not np.isfinite(expected) or abs(expected) > PAID_BOUND:
            assert name == "calmar"  # 64 bars that hold the way back up, compounded 137 times
            expected = PAID_BOUND
        scale = 1e-15 * HOURS_PER_YEAR / -empyrical.max_drawdown(returns[t - 63 : t + 1]) if name == "calmar" else 1e-15
        assert paid[t] == pytest.approx(expected, rel=1e-9, abs=scale), t


# All eight


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("window", [2, 5, 64])
def test_the_env_pays_the_reward_of_the_trailing_window(name, window):
    """Two roads: the env's float32 rewards, and the net worths of `info` cut by hand."""
    rng = np.random.default_rng(1)
    candles = make_candles(list(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 150)))))
    env = BitcoinTradingEnv(candles, no_features(candles), EnvSettings(reward=name, reward_window=window), evaluation=True)
    worth = [env.reset(seed=0)[1]["net_worth"]]
    account = np.zeros(1, kernel.ACCOUNT).view(np.recarray)[0]
    over, total = False, 0.0
    while not over:
        _, reward, terminated, over, info = env.step(int(rng.integers(12)))
        assert not terminated
        worth.append(info["net_worth"])
        returns = np.diff(worth) / np.array(worth[:-1])
        expected = REWARDS[name](returns[-window:], account, HOURS_PER_YEAR)
        assert reward == pytest.approx(np.clip(expected, -PAID_BOUND, PAID_BOUND), rel=1e-6, abs=1e-6)
        total += reward
    assert env.trading.episode(0)["r"] == pytest.approx(total, rel=1e-12)


def parts_of(reward):
    return [reward.lift, reward.combine, reward.value] if isinstance(reward, Fold) else [reward]


@pytest.mark.parametrize("name", REWARDS)
@settings(max_examples=examples(40), deadline=None)
@given(windows)
def test_compiled_rewards_equal_plain_python(name, returns):
    """Each compiled part, and the whole that is put together from the plain ones."""
    reward = REWARDS[name]
    accounts = np.zeros(2, kernel.ACCOUNT).view(np.recarray)
    accounts.memory[:] = [0.001, 0.0004, 0.0007, 0.0]
    if isinstance(reward, Fold):
        plain = Fold(*(part.py_func for part in parts_of(reward)))
        with np.errstate(over="ignore"):
            try:
                expected = plain(returns, None, HOURS_PER_YEAR)
            except OverflowError:  # Python's power refuses where numba's is infinite
                expected = np.inf
        got = reward(returns, None, HOURS_PER_YEAR)
    else:
        assert isinstance(reward, Dispatcher)
        expected = reward.py_func(returns, accounts[0], HOURS_PER_YEAR)
        got = reward(returns, accounts[1], HOURS_PER_YEAR)
        np.testing.assert_allclose(accounts[0].memory, accounts[1].memory, rtol=1e-12)
        assert (accounts[1].memory[0] != 0.001) == (name in DIFFERENTIALS and np.mean(returns) != 0.001)
    # A compiled power may differ in its last digits, and calmar's is taken 8,766 / n times.
    assert got == pytest.approx(expected, rel=1e-12 if name != "calmar" else 1e-10, abs=1e-12)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("scheme", ["orders", "targets", "continuous"])
def test_cash_alone_earns_nothing(name, scheme):
    candles = make_candles([100, 130, 70, 200, 50])
    options = EnvSettings(reward=name, reward_window=2, action_scheme=scheme)
    env = BitcoinTradingEnv(candles, no_features(candles), options, evaluation=True)
    env.reset(seed=0)
    hold = {"orders": 8, "targets": 0, "continuous": np.array([-1.0], np.float32)}[scheme]
    assert [env.step(hold)[1] for _ in range(4)] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize(
    "returns",
    [
        [0.01] * 9, [-0.01] * 9, [0.01, -0.01] * 5, [0.5, -0.5] * 5, [1e-300, -1e-300] * 4, [1e-300] * 9, [-1e-300] * 9,
        [1e-16, -1e-16] * 4, [1e-9] * 9, [1e-9, -0.5] * 4, [-0.999999] * 9, [0.1] * 8 + [-1.0], [0.1] * 8 + [-1.7],
        [-0.1] * 8 + [-1.7], [0.0] * 8 + [-40.0], [-1.0], [-2.0], [0.1 + 1e-16 * k for k in range(9)],
        [0.01] * 8 + [0.01 + 1e-15], [1e3] * 9, [1e3, -0.999] * 5, [-0.5] + [1e-6, -1e-6] * 4,
    ],
)  # fmt: skip
@pytest.mark.parametrize("window", [2, 3, 9])
def test_a_reward_is_finite_whatever_the_returns(name, returns, window):
    paid = score_by_hand(REWARDS[name], returns, window)
    assert np.isfinite(paid).all()
    assert np.isfinite(paid.astype(np.float32)).all()
    if name in ("sortino", "sharpe") and np.ptp(returns) == 0:
        assert np.abs(paid).max() <= np.sqrt(HOURS_PER_YEAR) * (1 + 1e-9)


@pytest.mark.parametrize("name", REWARDS)
def test_an_account_that_has_not_stepped_is_paid_nothing(name):
    accounts, out = np.zeros(3, kernel.ACCOUNT), np.full(3, 7.0)
    rules = np.zeros(1, kernel.RULES)
    rules["window"] = 4
    scorer(REWARDS[name])(rules, accounts, new_returns(REWARDS[name], 3, 4), out)
    assert out.tolist() == [0, 0, 0]


# A reward of your own


@njit
def careful(returns, account, annualization):
    """The tutorial's reward: the log return of the last bar, less twice the fees of that bar.

    `returns` are the trailing window's, the newest last. `account` is this account's record: its fields are there to read, and
    `account.memory` is four numbers of our own, 0 when the episode begins. Here the first keeps what fees we have seen so far.
    """
    new_fees = account.fees - account.memory[0]
    account.memory[0] = account.fees
    return np.log(1.0 + returns[-1]) - 2.0 * new_fees / account.net_worth


def careful_by_hand(infos):
    """The same from the infos of an episode, without numba."""
    worth, fees = np.array([info["net_worth"] for info in infos]), np.array([info["fees"] for info in infos])
    return np.diff(np.log(worth)) - 2 * np.diff(fees) / worth[1:]


@njit
def lift_hits(r):
    return (1.0 if r > 0.0 else 0.0, 1.0 if r < 0.0 else 0.0, 0.0, 0.0)  # one bar: did it win, did it lose; two numbers unused


@njit
def add_hits(older, newer):
    return (older[0] + newer[0], older[1] + newer[1], 0.0, 0.0)  # two stretches: add them up


@njit
def balance(hits, n, annualization):
    return (hits[0] - hits[1]) / n  # n bars: the share that won, less the share that lost


HITS = Fold(lift_hits, add_hits, balance)


def market():
    candles = make_candles(list(100 * np.exp(np.cumsum(np.random.default_rng(8).normal(0, 0.02, 60)))))
    return candles, no_features(candles)


def play(env, seed=0):
    """Rewards and infos (the reset's first) of an evaluation episode of random orders."""
    rng = np.random.default_rng(seed)
    infos, paid, over = [env.reset(seed=seed)[1]], [], False
    while not over:
        _, reward, _, over, info = env.step(int(rng.integers(12)))
        paid.append(reward)
        infos.append(info)
    return paid, infos


def test_a_reward_of_your_own_is_one_njit_function():
    # 1. Write a function under numba's `@njit`: `careful`, above.
    # 2. Give it to the env. That is all.
    candles, features = market()
    env = BitcoinTradingEnv(candles, features, evaluation=True, reward=careful)
    paid, infos = play(env)
    assert infos[-1]["fees"] > 0
    np.testing.assert_allclose(paid, careful_by_hand(infos), rtol=1e-6, atol=1e-9)
    # Each episode begins with a fresh memory, so the second is as the first.
    assert play(env)[0] == paid
    # 3. The vector env takes it too; each of its accounts has a memory of its own.
    vector = BitcoinTradingVecEnv(candles, features, n_envs=2, seed=0, evaluation=True, reward=careful)
    vector.reset()
    rng = np.random.default_rng(0)
    for expected in paid:
        order = int(rng.integers(12))
        _, rewards_now, _, _ = vector.step(np.array([order, 8]))  # the second holds its cash
        assert rewards_now.tolist() == [expected, 0]


def test_a_reward_of_your_own_can_have_a_name(monkeypatch):
    # A line in `REWARDS` makes it known to the settings, and so to every YAML file and command line.
    with pytest.raises(ValueError, match="there is no reward 'careful'"):
        EnvSettings(reward="careful")
    monkeypatch.setitem(REWARDS, "careful", careful)
    candles, features = market()
    paid, infos = play(BitcoinTradingEnv(candles, features, EnvSettings(reward="careful"), evaluation=True))
    np.testing.assert_allclose(paid, careful_by_hand(infos), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("window", [2, 7, 64])
def test_a_fold_of_your_own_slides_over_the_window_at_any_length(monkeypatch, window):
    # A reward over the whole window that is put together from its bars' parts costs the same for 5 bars and for 5,000: say what
    # one bar is, how two stretches join, and what the reward of the whole is. `HITS`, above, does.
    monkeypatch.setitem(REWARDS, "hits", HITS)
    candles, features = market()
    named = BitcoinTradingEnv(candles, features, EnvSettings(reward="hits", reward_window=window), evaluation=True)
    given_to_it = BitcoinTradingEnv(candles, features, EnvSettings(reward_window=window), evaluation=True, reward=HITS)
    paid, infos = play(named)
    assert play(given_to_it)[0] == paid
    signs = np.sign(np.diff([info["net_worth"] for info in infos]))
    expected = [signs[max(t + 1 - window, 0) : t + 1].mean() for t in range(len(signs))]
    np.testing.assert_allclose(paid, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "reward",
    [
        lambda returns, account, annualization: 0.0,
        Fold(lift_hits, add_hits, lambda parts, n, annualization: 0.0),
        Fold(lift_hits, lambda older, newer: older, balance),
        np.mean,
    ],
    ids=["function", "value", "combine", "numpy"],
)
def test_a_reward_that_is_not_compiled_is_refused_in_one_line(reward):
    candles, rows = market()
    for make in (BitcoinTradingEnv, BitcoinTradingVecEnv):
        with pytest.raises(InputError, match="must be a function under numba's `@njit`") as refusal:
            make(candles, rows, reward=reward)
        assert "\n" not in str(refusal.value)


def test_a_reward_may_be_given_by_its_name():
    candles, rows = market()
    env = BitcoinTradingEnv(candles, rows, EnvSettings(reward="profit"), reward="log_return", evaluation=True)
    env.reset(seed=0)
    info = env.step(0)[-1]
    env.reset(seed=0)
    assert env.step(0)[1] == pytest.approx(np.log(info["net_worth"] / 10_000), rel=1e-6)


def test_an_unknown_reward_names_the_near_miss():
    with pytest.raises(ValueError, match="there is no reward 'sortinoo'; did you mean 'sortino'"):
        EnvSettings(reward="sortinoo")


def test_a_reward_that_gives_nan_is_named():
    @njit
    def undefined(returns, account, annualization):
        return np.nan if account.steps == 2 else 0.0

    candles = make_candles([100, 101, 102, 103])
    env = BitcoinTradingEnv(candles, no_features(candles), reward=undefined, evaluation=True)
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(InputError, match="NaN for account 0"):
        env.step(0)


def test_a_reward_that_does_not_compile_is_refused_in_one_line_before_the_first_step():
    @njit
    def two(returns, account):
        return 0.0

    @njit
    def nothing(returns, account, annualization):
        pass

    candles = make_candles([100, 101, 102])
    for wrong in (two, nothing):
        with pytest.raises(InputError, match=r"must compile as `reward\(returns, account, annualization\)`") as refusal:
            BitcoinTradingEnv(candles, no_features(candles), reward=wrong)  # type: ignore[arg-type]
        assert "\n" not in str(refusal.value)
