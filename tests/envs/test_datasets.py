"""Several series: which one an episode is drawn from, and that nothing crosses from one into another."""

import numpy as np
import pandas as pd
import pytest
from gymnasium import spaces
from helpers import examples, make_candles, no_features, step_all
from hypothesis import given, settings, strategies as st

from common import InputError
from envs import BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings
from features import FeaturePipeline
from market import Candles, simulate

LENGTHS = (40, 25, 70, 12)
N = len(LENGTHS)


def series(dataset, warmup=3):
    """Candles whose closes tell the series (1,000 each) and the bar, and rows of features that do the same."""
    candles = make_candles([1_000.0 * (dataset + 1) + bar for bar in range(LENGTHS[dataset] + warmup)])
    late = candles.frame.set_axis(candles.index + pd.Timedelta(f"{1_000 * dataset}D"))
    bars = np.arange(LENGTHS[dataset], dtype=np.float32)
    rows = np.column_stack([np.full_like(bars, dataset), bars])
    return Candles(late.rename_axis("time"), candles.bar, "", f"series {dataset}"), rows


CANDLES, ROWS = map(list, zip(*(series(dataset) for dataset in range(N)), strict=True))


def make(episode_bars=8, evaluation=False, **options):
    return BitcoinTradingEnv(CANDLES, ROWS, EnvSettings(**options, episode_bars=episode_bars), evaluation=evaluation)


def draws(env, n, seed=0):
    """The series of `n` episodes."""
    drawn = [env.reset(seed=seed)[1]["dataset"]]
    return drawn + [env.reset()[1]["dataset"] for _ in range(n - 1)]


# Which series


@settings(max_examples=examples(50), deadline=None)
@given(seed=st.integers(0, 10_000))
def test_least_used_takes_each_series_once_before_any_twice(seed):
    drawn = draws(make(dataset_sampling="least_used"), 5 * N, seed)
    for k in range(0, 5 * N, N):
        assert sorted(drawn[k : k + N]) == list(range(N))


def test_least_used_draws_its_ties_at_random():
    """Every order of the first round is as likely as any other; so is every order after that."""
    env = make(dataset_sampling="least_used")
    orders = [tuple(draws(env, N, seed)) for seed in range(1_200)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert np.sum((counts - 50) ** 2 / 50) < 23 + 5 * np.sqrt(2 * 23)
    env.reset(seed=0)
    later = [env.reset()[1]["dataset"] for _ in range(4 * 30)][3::4]
    assert len(set(later)) == N


def test_ties_are_drawn_by_the_envs_own_generator():
    env = make(dataset_sampling="least_used")
    assert draws(env, 12, seed=4) == draws(make(dataset_sampling="least_used"), 12, seed=4)
    np.random.seed(0)  # noqa: NPY002 (the global state must not matter)
    assert draws(env, 12, seed=4) == draws(env, 12, seed=4)
    assert len({tuple(draws(env, 12, seed)) for seed in range(10)}) > 5


@pytest.mark.parametrize("make_vector", [BitcoinTradingVecEnv, BitcoinTradingVectorEnv])
def test_each_env_of_a_vector_counts_for_itself(make_vector):
    options = EnvSettings(episode_bars=3, dataset_sampling="least_used")
    vector = make_vector(CANDLES, ROWS, options, 6)
    if make_vector is BitcoinTradingVecEnv:
        vector.seed(0)
        vector.reset()
    else:
        vector.reset(seed=0)
    rounds = [vector.trading.dataset.copy()]
    for _ in range(2 * N - 1):
        vector.reset()
        rounds.append(vector.trading.dataset.copy())
    for i, drawn in enumerate(np.transpose(rounds)):
        assert sorted(drawn[:N]) == sorted(drawn[N:]) == list(range(N))
        env = BitcoinTradingEnv(CANDLES, ROWS, options)
        assert drawn.tolist() == draws(env, 2 * N, seed=i)
    assert len(set(map(tuple, np.transpose(rounds)))) > 1


def test_an_autoreset_takes_its_turn_too():
    vector = BitcoinTradingVecEnv(CANDLES, ROWS, EnvSettings(episode_bars=2), n_envs=3, seed=0)
    vector.reset()
    drawn = [vector.trading.dataset.copy()]
    for _ in range(2 * (N - 1)):
        *_, dones, infos = vector.step(np.array([8, 8, 8]))
        if dones.all():
            assert [info["dataset"] for info in infos] == drawn[-1].tolist()
            drawn.append(vector.trading.dataset.copy())
    for each in np.transpose(drawn):
        assert sorted(each) == list(range(N))


def test_length_draws_in_proportion_to_the_bars():
    drawn = draws(make(dataset_sampling="length"), 2_000)
    expected = 2_000 * np.array(LENGTHS) / sum(LENGTHS)
    counts = np.bincount(drawn, minlength=N)
    assert np.sum((counts - expected) ** 2 / expected) < 11.3  # chi-square of 3 degrees of freedom, 1 %
    assert any(drawn[k] == drawn[k + 1] for k in range(20))  # it does not count what was used


def test_a_seed_forgets_what_was_used():
    env = make(dataset_sampling="least_used")
    first = draws(env, N - 1, seed=9)
    assert draws(env, N - 1, seed=9) == first


# Where in it


@settings(max_examples=examples(60), deadline=None)
@given(
    seed=st.integers(0, 10_000), bars=st.integers(2, 90), sampling=st.sampled_from(["least_used", "length"]),
    evaluation=st.booleans(),
)  # fmt: skip
def test_no_episode_crosses_the_border_of_a_series(seed, bars, sampling, evaluation):
    """Every observation, info and net worth of an episode is of one series and of consecutive bars."""
    env = make(bars, evaluation, dataset_sampling=sampling, action_scheme="targets", fee_bps=0, half_spread_bps=0, slippage_bps=0)
    for episode in range(3):
        observation, info = env.reset(seed=seed) if episode == 0 else env.reset()
        dataset, start = info["dataset"], info["bar"]
        length = LENGTHS[dataset] - 1 if evaluation else min(bars, LENGTHS[dataset] - 1)
        worth = 10_000.0
        for step in range(length + 1):
            bar = start + step
            close = 1_000 * (dataset + 1) + 3 + bar
            assert (info["dataset"], info["bar"]) == (dataset, bar)
            assert observation[:2].tolist() == [dataset, bar]
            assert pd.Timestamp(info["time"]).tz_localize(None) == CANDLES[dataset].index[3 + bar].tz_localize(None)
            if step == length:
                break
            observation, _, terminated, truncated, info = env.step(4)  # all in coin
            assert (terminated, truncated) == (False, step + 1 == length)
            worth *= (close + 1) / close  # opens at the last close
            assert info["net_worth"] == pytest.approx(worth, rel=1e-9)
        assert info["bar"] < LENGTHS[dataset]


def test_every_bar_of_every_series_is_a_start_or_lies_behind_one():
    env = make(5)
    env.reset(seed=0)
    starts = {(info["dataset"], info["bar"]) for _, info in (env.reset() for _ in range(3_000))}
    assert starts == {(dataset, bar) for dataset in range(N) for bar in range(LENGTHS[dataset] - 5)}


def test_a_series_shorter_than_an_episode_is_played_whole():
    env = make(30)
    for _ in range(2 * N):
        _, info = env.reset()
        if LENGTHS[info["dataset"]] <= 30:
            assert info["bar"] == 0


@pytest.mark.parametrize("sampling", ["least_used", "length"])
def test_evaluation_plays_each_whole_series_in_turn(sampling):
    env = make(8, evaluation=True, dataset_sampling=sampling)
    played = []
    for episode in range(2 * N):
        _, info = env.reset(seed=3) if episode == 0 else env.reset()
        assert info["bar"] == 0
        over, steps = False, 0
        while not over:
            *_, over, info = env.step(0)
            steps += 1
        assert steps == LENGTHS[info["dataset"]] - 1
        played.append(info["dataset"])
    assert played == list(range(N)) * 2


def test_impact_does_not_look_across_the_border():
    """The first bar of a series knows of no volume but what its own candles had before it."""
    options = EnvSettings(impact=1.0)
    together = BitcoinTradingEnv(CANDLES, ROWS, options).trading
    for dataset, (candles, rows) in enumerate(zip(CANDLES, ROWS, strict=True)):
        alone = BitcoinTradingEnv(candles, rows, options).trading
        first = sum(LENGTHS[:dataset])
        assert together.bars[first : first + LENGTHS[dataset]].tobytes() == alone.bars.tobytes()


def test_a_list_of_one_series_is_that_series():
    def story(candles, rows):
        env = BitcoinTradingEnv(candles, rows, EnvSettings(episode_bars=10))
        first = [env.reset(seed=2)[0].tobytes()]
        return first + [env.step(action)[0].tobytes() for action in (0, 5, 1, 8)]

    assert story([CANDLES[0]], [ROWS[0]]) == story(CANDLES[0], ROWS[0])


def test_feature_matrices_of_one_pipeline_go_together():
    first, second = simulate("bitcoin", bars=400, seed=1), simulate("bitcoin", bars=300, seed=2)
    fitted = FeaturePipeline().fit(first)
    matrices = [fitted.transform(first), fitted.transform(second)]
    env = BitcoinTradingEnv([first, second], matrices, EnvSettings(episode_bars=5))
    assert isinstance(env.observation_space, spaces.Box)
    assert np.isfinite(env.observation_space.high).all()
    for _ in range(4):
        observation, info = env.reset()
        assert env.observation_space.contains(observation)
        np.testing.assert_array_equal(observation[:-5], matrices[info["dataset"]].values[info["bar"]])


def test_accounts_that_are_spread_share_the_series_evenly_at_any_time():
    """Account i stays on series i modulo their number, and begins its episodes at random bars of it."""
    env = BitcoinTradingVecEnv(CANDLES, ROWS, EnvSettings(episode_bars=3), n_envs=2 * N, seed=0, spread=True)
    env.reset()
    starts = set()
    for _ in range(40):
        trading = env.trading
        assert trading.dataset.tolist() == [*range(N), *range(N)]
        starts |= {(info["dataset"], info["bar"]) for info in map(env.info, range(2 * N)) if info["trades"] == 0}
        assert all(0 <= env.info(i)["bar"] < LENGTHS[i % N] for i in range(2 * N))
        step_all(env, np.full(2 * N, 8))
    assert len(starts) > 3 * N
    with pytest.raises(InputError, match=rf"each of {N} series needs an environment or more, but there are 2; raise n_envs"):
        BitcoinTradingVecEnv(CANDLES, ROWS, EnvSettings(), n_envs=2, spread=True)


# Wrong input


@pytest.mark.parametrize(
    ("candles", "rows", "message"),
    [
        (CANDLES, ROWS[:-1], "a list of candles needs a list of as many features"),
        (CANDLES[:-1], ROWS, "a list of candles needs a list of as many features"),
        ([], [], "a list of candles needs a list of as many features, one or more"),
        (CANDLES, ROWS[0], "a list of candles needs a list of as many features"),
        (CANDLES[0], ROWS, "features"),
        (CANDLES[:2], [ROWS[0], ROWS[1][:, :1]], "same feature columns; transform them with one fitted pipeline"),
        (CANDLES[:2], [ROWS[0], ROWS[1].astype(float)], "must be float32 of shape"),
        (CANDLES[:2], [ROWS[0], ROWS[2]], "2 to 28 rows"),
        (CANDLES[:2], [ROWS[0], np.full((5, 2), np.nan, np.float32)], "finite, but row 0, column 0 is nan"),
    ],
    ids=["too few rows", "too few candles", "none", "one array", "one series", "columns", "type", "too long", "nan"],
)
@pytest.mark.parametrize("make_env", [BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv])
def test_series_that_do_not_fit_get_one_line(make_env, candles, rows, message):
    with pytest.raises(InputError, match=message) as refusal:
        make_env(candles, rows)
    assert "\n" not in str(refusal.value)


def test_series_of_different_bars_get_one_line():
    hourly = make_candles([100.0] * 10)
    daily = Candles(
        hourly.frame.set_axis(pd.date_range("2020", periods=10, freq="D", tz="UTC", name="time")), pd.Timedelta("1D"), "", ""
    )
    with pytest.raises(InputError, match="bars of one length, but got 0 days 01:00:00 and 1 days 00:00:00; resample"):
        BitcoinTradingEnv([hourly, daily], [no_features(hourly), no_features(daily)])


def test_series_of_different_columns_get_one_line():
    candles = simulate("bitcoin", bars=400, seed=1)
    matrix = FeaturePipeline().fit(candles).transform(candles)
    with pytest.raises(InputError, match="same feature columns; transform them with one fitted pipeline"):
        BitcoinTradingEnv([candles, candles], [matrix, matrix.values])  # type: ignore[arg-type]


def test_features_of_another_series_get_one_line():
    first, second = simulate("bitcoin", bars=400, seed=1), simulate("bitcoin", bars=300, seed=2)
    fitted = FeaturePipeline().fit(first)
    with pytest.raises(InputError, match=r"transform these very candles|one for each of the last candles"):
        BitcoinTradingEnv([second, first], [fitted.transform(first), fitted.transform(second)])
