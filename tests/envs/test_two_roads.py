"""One episode on four roads: the scalar env and the three vector envs give the same bytes, whatever the settings."""

import numpy as np
import pandas as pd
import pytest
from gymnasium.vector import AutoresetMode
from helpers import examples, step_all
from hypothesis import given, settings, strategies as st

from common import InputError
from envs import COSTS, REWARDS, BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings, Replay, kernel
from envs.market_arrays import Rows, Series
from market import Candles

N_TARGETS = 4


def violent(bars: int, seed: int) -> tuple[Candles, np.ndarray]:
    """Hourly candles that gap, have long wicks and bars without volume, and rows of features for all but the first 5."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, bars)))
    frame = pd.DataFrame({"open": close * np.exp(rng.normal(0, 0.05, bars)), "close": close})
    frame["high"] = frame.max(axis=1) * np.exp(np.abs(rng.normal(0, 0.03, bars)))
    frame["low"] = frame[["open", "close"]].min(axis=1) * np.exp(-np.abs(rng.normal(0, 0.03, bars)))
    frame["volume"] = rng.choice([0.0, 1.0, 500.0], bars)
    frame["quote_volume"] = frame["volume"] * frame["close"]
    frame.index = pd.date_range("2020-01-01", periods=bars, freq="h", tz="UTC", name="time")
    columns = ["open", "high", "low", "close", "volume", "quote_volume"]
    return Candles(frame[columns], pd.Timedelta("1h"), "", "violent"), rng.normal(size=(bars - 5, 3)).astype(np.float32)


SERIES = [violent(90, 1), violent(35, 2), violent(60, 3)]
ONE = SERIES[0]
SEVERAL = [candles for candles, _ in SERIES], [rows for _, rows in SERIES]


@st.composite
def physics(draw):
    """Settings of any kind that fit together."""
    scheme = draw(st.sampled_from(["orders", "targets", "continuous"]))
    shorts, leverage = draw(st.booleans()), draw(st.sampled_from([1.0, 1.0, 3.0, 10.0]))
    lowest = -leverage if shorts else 0.0
    margin = shorts or leverage > 1
    basis_points = st.sampled_from([0.0, 1.0, 25.0, 100.0])
    return {
        "action_scheme": scheme,
        "targets": draw(st.lists(st.floats(lowest, leverage), min_size=N_TARGETS, max_size=N_TARGETS).map(tuple)),
        "fill": draw(st.sampled_from(["next_open", "next_close", "same_close"])),
        "reward_window": draw(st.integers(2, 12)),
        "fee_bps": draw(basis_points),
        "half_spread_bps": draw(basis_points),
        "slippage_bps": draw(basis_points),
        "impact": draw(st.sampled_from([0.0, 1.0])),
        "borrow_bps_per_day": draw(basis_points),
        "funding_bps_per_day": draw(st.sampled_from([-50.0, 0.0, 50.0])) if margin else 0.0,
        "min_trade": draw(st.sampled_from([0.0, 10.0, 3_000.0])),
        "lot": draw(st.sampled_from([0.0, 0.5, 20.0])),
        "shorts": shorts,
        "max_leverage": leverage,
        "stop_loss": draw(st.sampled_from([0.0, 0.02, 0.1])),
        "take_profit": draw(st.sampled_from([0.0, 0.02, 0.1])),
        "episode_bars": draw(st.integers(2, 30)),
        "ruin_fraction": draw(st.sampled_from([0.0, 0.1, 0.9])),
        "dataset_sampling": draw(st.sampled_from(["least_used", "length"])),
    }


def actions_for(options, n, steps, rng):
    """What each env is to do: (n, steps) integers, or (n, steps, 1) float32."""
    if options.action_scheme == "continuous":
        return rng.choice([-1, -0.3, 0, 0.7, 1], (n, steps, 1)).astype(np.float32)
    return rng.integers(0, 12 if options.action_scheme == "orders" else N_TARGETS, (n, steps))


# A story is all that one env gave: observations, rewards and flags, in bytes, in order.


def event(observation, reward, terminated, truncated):
    assert observation.dtype == np.float32
    return observation.tobytes(), np.float32(reward).tobytes(), bool(terminated), bool(truncated)


def scalar_story(env, seed, actions):
    """A reset after each episode, as the vector envs do."""
    story = [env.reset(seed=seed)[0].tobytes()]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        story.append(event(observation, reward, terminated, truncated))
        if terminated or truncated:
            story.append(env.reset()[0].tobytes())
    return story


def sb3_stories(env, seed, actions):
    env.seed(seed)
    stories = [[observation.tobytes()] for observation in env.reset()]
    for step in range(actions.shape[1]):
        observations, rewards, dones, infos = env.step(actions[:, step])
        for i, story in enumerate(stories):
            cut = dones[i] and infos[i]["TimeLimit.truncated"]
            last = infos[i]["terminal_observation"] if dones[i] else observations[i]
            story.append(event(last, rewards[i], dones[i] and not cut, cut))
            if dones[i]:
                story.append(observations[i].tobytes())
    return stories


def same_step_stories(env, seed, actions):
    stories = [[observation.tobytes()] for observation in env.reset(seed=seed)[0]]
    for step in range(actions.shape[1]):
        observations, rewards, terminated, truncated, infos = env.step(actions[:, step])
        for i, story in enumerate(stories):
            over = terminated[i] or truncated[i]
            story.append(event(infos["final_obs"][i] if over else observations[i], rewards[i], terminated[i], truncated[i]))
            if over:
                story.append(observations[i].tobytes())
    return stories


def next_step_stories(env, seed, actions):
    """The step after an episode begins the next one; what was to be done then is done a step later."""
    stories = [[observation.tobytes()] for observation in env.reset(seed=seed)[0]]
    done, resting = np.zeros(len(actions), int), np.zeros(len(actions), bool)
    while (done < actions.shape[1]).any():
        now = actions[np.arange(len(actions)), np.minimum(done, actions.shape[1] - 1)]
        observations, rewards, terminated, truncated, _ = env.step(now)
        for i, story in enumerate(stories):
            if resting[i]:
                assert (rewards[i], terminated[i], truncated[i]) == (0, False, False)
                story.append(observations[i].tobytes())
            else:
                story.append(event(observations[i], rewards[i], terminated[i], truncated[i]))
                done[i] += 1
        resting = terminated | truncated
    return stories


def assert_same_start(stories, others):
    """The shorter of each two stories begins the longer."""
    for story, other in zip(stories, others, strict=True):
        length = min(len(story), len(other))
        assert length > 1
        assert story[:length] == other[:length]


@pytest.mark.parametrize("reward", REWARDS)
@settings(max_examples=examples(20), deadline=None)
@given(options=physics(), several=st.booleans(), seed=st.integers(0, 10_000), n=st.integers(1, 4))
def test_scalar_and_vector_envs_give_the_same_bytes(reward, options, several, seed, n):
    options = EnvSettings(reward=reward, **options)
    ground: tuple[Series, Rows] = SEVERAL if several else ONE
    actions = actions_for(options, n, 50, np.random.default_rng(seed))
    scalar = BitcoinTradingEnv(*ground, options)
    expected = [scalar_story(scalar, seed + i, actions[i]) for i in range(n)]
    assert sb3_stories(BitcoinTradingVecEnv(*ground, options, n_envs=n), seed, actions) == expected
    for mode, tell in ((AutoresetMode.SAME_STEP, same_step_stories), (AutoresetMode.NEXT_STEP, next_step_stories)):
        vector = BitcoinTradingVectorEnv(*ground, options, num_envs=n, autoreset_mode=mode)
        assert_same_start(tell(vector, seed, actions), expected)


@settings(max_examples=examples(40), deadline=None)
@given(
    options=physics(), reward=st.sampled_from(list(REWARDS)), seed=st.integers(0, 10_000),
    few=st.integers(1, 4), more=st.integers(1, 20),
)  # fmt: skip
def test_an_env_does_not_depend_on_how_many_are_beside_it(options, reward, seed, few, more):
    options = EnvSettings(reward=reward, **options)
    actions = actions_for(options, few + more, 40, np.random.default_rng(seed))
    stories = sb3_stories(BitcoinTradingVecEnv(*SEVERAL, options, n_envs=few + more), seed, actions)
    alone = sb3_stories(BitcoinTradingVecEnv(*SEVERAL, options, n_envs=few), seed, actions[:few])
    assert alone == stories[:few]


@settings(max_examples=examples(40), deadline=None)
@given(
    options=physics(), reward=st.sampled_from(list(REWARDS)), seed=st.integers(0, 10_000),
    before=st.integers(1, 60), resets=st.integers(1, 3),
)  # fmt: skip
def test_a_seeded_reset_leaves_no_trace_of_earlier_episodes(options, reward, seed, before, resets):
    options = EnvSettings(reward=reward, **options)
    actions = actions_for(options, 3, 60, np.random.default_rng(seed))
    fresh = BitcoinTradingEnv(*SEVERAL, options)
    used = BitcoinTradingEnv(*SEVERAL, options)
    for k in range(resets):
        scalar_story(used, seed + k, actions[0][:before])
    np.testing.assert_array_equal(used.reset(seed=seed)[0], fresh.reset(seed=seed)[0])
    assert used.trading.accounts.tobytes() == fresh.trading.accounts.tobytes()
    assert scalar_story(used, seed, actions[1]) == scalar_story(fresh, seed, actions[1])
    assert used.trading.accounts.tobytes() == fresh.trading.accounts.tobytes()
    assert used.trades().equals(fresh.trades())

    vector = BitcoinTradingVecEnv(*SEVERAL, options, n_envs=3, seed=seed)
    stories = sb3_stories(vector, seed, actions)
    sb3_stories(vector, seed + 17, actions[::-1][:, :before])
    assert sb3_stories(vector, seed, actions) == stories


@settings(max_examples=examples(30), deadline=None)
@given(options=physics(), reward=st.sampled_from(list(REWARDS)), seed=st.integers(0, 10_000))
def test_the_next_episode_of_the_same_bars_and_actions_is_the_same_episode(options, reward, seed):
    """An evaluation always plays the same range, so nothing of an episode, nor of its autoreset, may reach the next."""
    options = EnvSettings(reward=reward, **options)
    one = BitcoinTradingVecEnv(*violent(30, 4), options, n_envs=2, seed=seed, evaluation=True)
    script = actions_for(options, 2, 24, np.random.default_rng(seed))
    observations, taken = one.reset(), np.zeros(2, int)
    episodes: list[list[list[bytes]]] = [[], []]
    rows = [[observations[i].tobytes()] for i in range(2)]
    while min(map(len, episodes)) < 3:
        observations, rewards, dones, _ = step_all(one, script[[0, 1], taken])
        taken += 1
        for i in range(2):
            rows[i].append(rewards[i].tobytes())
            if dones[i]:
                episodes[i].append(rows[i])
                rows[i], taken[i] = [], 0
            rows[i].append(observations[i].tobytes())
    for each in episodes:
        assert all(episode == each[0] for episode in each)


@settings(max_examples=examples(150), deadline=None)
@given(options=physics(), seed=st.integers(0, 10_000), by_hand=st.integers(0, 90))
def test_a_replay_gives_what_stepping_the_env_gives(options, seed, by_hand):
    """Observations, table and ledger to the bit, the first actions one by one and all others in a single call."""
    options = EnvSettings(reward="profit", **options)
    env = BitcoinTradingEnv(*ONE, options, evaluation=True)
    replay = Replay(*ONE, options)
    assert replay.action_space == env.action_space
    actions = actions_for(options, 1, replay.decisions, np.random.default_rng(seed))[0]
    observation, info = env.reset(seed=seed)
    infos, over = [info], False
    for k, action in enumerate(actions):
        if k < by_hand and not replay.over:
            assert replay.observe().tobytes() == observation.tobytes()
            replay.step(action)
        if not over:
            observation, _, terminated, truncated, info = env.step(action)
            infos.append(info)
            over = terminated or truncated
    if not replay.over:
        replay.play(actions[by_hand:])
    assert replay.over
    table = replay.table()
    for name in ("net_worth", "position", *COSTS):
        np.testing.assert_array_equal(table[name], [info[name] for info in infos])
    np.testing.assert_array_equal(pd.DatetimeIndex(table.index).tz_convert(None), [info["time"] for info in infos])
    np.testing.assert_array_equal(table["close"], ONE[0].frame["close"].loc[table.index])
    pd.testing.assert_frame_equal(replay.trades(), env.trades(), check_exact=True)
    with pytest.raises(InputError, match="the episode is over"):
        replay.step(actions[0])


@pytest.mark.parametrize("scheme", ["orders", "targets", "continuous"])
def test_a_replay_reads_actions_as_the_env_does(scheme):
    replay = Replay(*ONE, EnvSettings(action_scheme=scheme))
    for wrong in (99, -2, "buy", None):
        with pytest.raises(InputError, match="must be"):
            replay.step(wrong)
    for actions in (np.zeros(3, int), np.full(replay.decisions, 77), np.full(replay.decisions, np.nan)):
        with pytest.raises(InputError, match=f"actions must be {replay.decisions} times"):
            replay.play(actions)
    assert len(replay.table()) == 1


def test_the_settings_above_reach_every_outcome_and_event():
    """Else the tests above would compare what never happens."""
    outcomes, events, ends = set(), set(), set()

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(options=physics(), seed=st.integers(0, 10_000))
    def gather(options, seed):
        options = EnvSettings(reward="profit", **options)
        env = BitcoinTradingEnv(*ONE, options)
        env.reset(seed=seed)
        for action in actions_for(options, 1, 30, np.random.default_rng(seed))[0]:
            _, _, terminated, truncated, info = env.step(action)
            outcomes.add(info["outcome"])
            events.add(info["event"])
            if terminated or truncated:
                ends.add("terminated" if terminated else "truncated")
                env.reset()

    gather()
    assert outcomes == set(kernel.OUTCOMES)
    assert events == set(kernel.EVENTS)
    assert ends == {"terminated", "truncated"}


@settings(max_examples=examples(60), deadline=None)
@given(options=physics(), reward=st.sampled_from(list(REWARDS)), seed=st.integers(0, 10_000))
def test_every_observation_lies_in_its_space_and_every_reward_is_finite(options, reward, seed):
    options = EnvSettings(reward=reward, **options)
    vector = BitcoinTradingVectorEnv(*SEVERAL, options, num_envs=5, autoreset_mode="SameStep")
    observations, _ = vector.reset(seed=seed)
    actions = actions_for(options, 5, 60, np.random.default_rng(seed))
    for step in range(60):
        assert vector.observation_space.contains(observations), observations
        observations, rewards, _, _, infos = vector.step(actions[:, step])
        assert np.isfinite(rewards).all()
        for last in infos.get("final_obs", []):
            assert last is None or vector.single_observation_space.contains(last), last


MAKERS = {
    "scalar": BitcoinTradingEnv,
    "sb3": lambda candles, rows: BitcoinTradingVecEnv(candles, rows, n_envs=7, seed=0),
    "gymnasium": lambda candles, rows: BitcoinTradingVectorEnv(candles, rows, num_envs=7),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_features_and_bars_are_read_only_and_features_are_not_copied(make, candles, matrix):
    for features in (matrix, np.ascontiguousarray(matrix.values.copy())):
        values = features if isinstance(features, np.ndarray) else features.values
        env = make(candles, features)
        assert np.shares_memory(env.trading.features, values) is not values.flags.writeable  # copied only if it could change
        assert env.trading.features.shape == values.shape
        assert len(env.trading.bars) == len(values)  # one set of bars, however many accounts there are
        with pytest.raises(ValueError, match="read-only"):
            env.trading.features[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            env.trading.bars.close[0] = 1
        kept = values.tobytes(), env.trading.bars.tobytes()
        env.reset()
        n = len(env.trading.accounts)
        for _ in range(20):
            env.step(np.zeros(n, int) if n > 1 else 0)
        assert (values.tobytes(), env.trading.bars.tobytes()) == kept


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_traded_bars_are_the_candles_that_have_a_feature_row(make, candles, matrix):
    env = make(candles, matrix)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(env.trading.bars[name], candles.column(name)[matrix.warmup :])
