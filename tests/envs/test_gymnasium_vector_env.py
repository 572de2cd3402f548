"""Gymnasium's vector env: step by step what Gymnasium's own `SyncVectorEnv` makes of our scalar envs."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward, RecordEpisodeStatistics
from helpers import make_candles, no_features
from hypothesis import given, settings, strategies as st

from common import InputError
from envs import ACCOUNT_COLUMNS, ENV_ID, BitcoinTradingEnv, BitcoinTradingVectorEnv, EnvSettings
from features import FeaturePipeline
from market import simulate

CANDLES = simulate("bitcoin", bars=600, seed=2)
MATRIX = FeaturePipeline().fit(CANDLES).transform(CANDLES)
OTHER = simulate("bitcoin", bars=350, seed=3)
SEVERAL = ([CANDLES, OTHER], [MATRIX, FeaturePipeline().fit(CANDLES).transform(OTHER)])
SCHEMES = ("orders", "targets", "continuous")
MODES = list(AutoresetMode)


def make(num_envs=3, mode=AutoresetMode.NEXT_STEP, **options):
    return BitcoinTradingVectorEnv(CANDLES, MATRIX, EnvSettings(**options), num_envs=num_envs, autoreset_mode=mode)


def both(mode, num_envs=3, ground=(CANDLES, MATRIX), **options):
    """Ours as Gymnasium makes it, and Gymnasium's own of our scalar envs."""
    candles, features = ground
    given_to_both = {"candles": candles, "features": features, "settings": EnvSettings(**options)}
    ours = gymnasium.make_vec(
        ENV_ID, num_envs=num_envs, vectorization_mode="vector_entry_point", autoreset_mode=mode, **given_to_both
    )
    return ours, SyncVectorEnv([lambda: BitcoinTradingEnv(**given_to_both)] * num_envs, autoreset_mode=mode)


def assert_same_infos(ours, theirs, ended):
    """Ours says what theirs says of the envs that ended, but for the time, and adds `episode`."""
    if not ended.any():
        assert ours == {}
        return
    assert theirs.keys() - ours.keys() == {"time", "_time"}
    assert ours.keys() - theirs.keys() <= {"episode", "_episode"}
    for name in ours.keys() & theirs.keys():
        if name.startswith("_"):
            np.testing.assert_array_equal(ours[name], ended)
        else:
            assert ours[name].dtype == theirs[name].dtype
            np.testing.assert_array_equal(ours[name][ended], theirs[name][ended], err_msg=name)


def assert_same_step(mode, ours, theirs):
    """Observations, rewards, flags and what ended."""
    assert ours[0].dtype == np.float32
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1].astype(np.float32))
    for mine, other in zip(ours[2:4], theirs[2:4], strict=True):
        assert mine.dtype == other.dtype == np.bool_
        np.testing.assert_array_equal(mine, other)
    ended = ours[2] | ours[3]
    if mode != AutoresetMode.SAME_STEP or not ended.any():
        assert_same_infos(ours[4], theirs[4], ended)
        return
    assert ours[4].keys() == {"final_obs", "_final_obs", "final_info", "_final_info"}
    assert_same_infos(ours[4]["final_info"], theirs[4]["final_info"], ended)
    for name in ("final_obs", "final_info"):
        np.testing.assert_array_equal(ours[4][f"_{name}"], ended)
        np.testing.assert_array_equal(theirs[4][f"_{name}"], ended)
    for mine, other, over in zip(ours[4]["final_obs"], theirs[4]["final_obs"], ended, strict=True):
        assert (mine is None) == (other is None) == (not over)
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])
@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=10, deadline=None)
@given(
    seeds=st.integers(0, 1_000) | st.lists(st.integers(0, 1_000), min_size=3, max_size=3),
    bars=st.integers(2, 12),
    several=st.booleans(),
)
@pytest.mark.slow
def test_it_equals_gymnasiums_own_vector_env_of_scalar_envs(mode, scheme, seeds, bars, several):
    ours, theirs = both(mode, ground=SEVERAL if several else (CANDLES, MATRIX), action_scheme=scheme, episode_bars=bars)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert ours.single_action_space == theirs.single_action_space
    assert ours.action_space == theirs.action_space
    assert ours.num_envs == theirs.num_envs
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == mode
    np.testing.assert_array_equal(ours.reset(seed=seeds)[0], theirs.reset(seed=seeds)[0])
    ours.action_space.seed(0)
    rng = np.random.default_rng(0)
    for step in range(40):
        actions = ours.action_space.sample()
        mine, other = ours.step(actions), theirs.step(actions)
        assert_same_step(mode, mine, other)
        ended = mine[2] | mine[3]
        if mode == AutoresetMode.DISABLED and ended.any():
            mask = ended | (rng.random(3) < 0.2)  # one that still runs may be reset too
            np.testing.assert_array_equal(
                ours.reset(options={"reset_mask": mask})[0], theirs.reset(options={"reset_mask": mask})[0]
            )
        if step == 25:
            np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])


def test_ruin_and_the_end_of_the_data_are_told_apart():
    """Env 0 holds its coin through a crash, env 1 its cash."""
    candles = make_candles([100, 100, 5])
    vector = BitcoinTradingVectorEnv(candles, no_features(candles), num_envs=2, evaluation=True)
    vector.reset(seed=0)
    vector.step(np.array([0, 8]))
    _, _, terminated, truncated, infos = vector.step(np.array([8, 8]))
    assert terminated.tolist() == [True, False]
    assert truncated.tolist() == [False, True]
    assert infos["net_worth"][0] < 1_000
    assert infos["net_worth"][1] == 10_000


def test_next_step_ignores_the_action_after_the_end_and_pays_nothing_for_it():
    vector = make(mode="NextStep", episode_bars=2)
    vector.reset(seed=0)
    for _ in range(2):
        vector.step(np.array([0, 0, 0]))
    fresh, rewards, terminated, truncated, infos = vector.step(np.array([0, 0, 0]))
    assert (rewards.tolist(), terminated.any(), truncated.any(), infos) == ([0, 0, 0], False, False, {})
    np.testing.assert_array_equal(fresh[:, -5:], [[0, 1, 0, 0, 0]] * 3)
    assert vector.trading.accounts.trades.tolist() == [0, 0, 0]


def test_next_step_may_be_reset_between_the_end_and_the_next_step():
    """Then the episode that the reset began goes on."""
    ours, theirs = both(AutoresetMode.NEXT_STEP, episode_bars=3)
    ours.reset(seed=0), theirs.reset(seed=0)
    for _ in range(3):
        assert_same_step(AutoresetMode.NEXT_STEP, ours.step(np.array([0, 1, 2])), theirs.step(np.array([0, 1, 2])))
    mask = np.array([False, True, False])
    np.testing.assert_array_equal(ours.reset(options={"reset_mask": mask})[0], theirs.reset(options={"reset_mask": mask})[0])
    for _ in range(5):
        assert_same_step(AutoresetMode.NEXT_STEP, ours.step(np.array([0, 1, 2])), theirs.step(np.array([0, 1, 2])))


def test_disabled_refuses_to_step_an_env_that_is_over():
    vector = make(mode="Disabled", episode_bars=2)
    vector.reset(seed=0)
    vector.step(np.array([8, 8, 8]))
    vector.reset(options={"reset_mask": np.array([False, True, False])})
    vector.step(np.array([8, 8, 8]))
    with pytest.raises(InputError, match=r"episodes of envs \[0, 2\] are over; reset them with"):
        vector.step(np.array([8, 8, 8]))
    vector.reset(options={"reset_mask": np.array([True, False, True])})
    assert vector.step(np.array([8, 8, 8]))[3].tolist() == [False, True, False]


def test_a_masked_reset_reseeds_only_the_envs_of_the_mask():
    vector = make(mode="Disabled", episode_bars=50)
    vector.reset(seed=10)
    vector.step(np.array([0, 0, 0]))
    bars = vector.trading.accounts.bar.copy()
    vector.reset(seed=[5, 5, 5], options={"reset_mask": np.array([False, True, False])})
    alone = BitcoinTradingEnv(CANDLES, MATRIX, EnvSettings(episode_bars=50))
    assert vector.trading.accounts.bar.tolist() == [bars[0], alone.reset(seed=5)[1]["bar"], bars[2]]
    assert vector.trading.accounts.steps.tolist() == [1, 0, 1]


def test_an_earlier_observation_is_not_overwritten():
    vector = make(episode_bars=3)
    given = [vector.reset(seed=0)[0]]
    kept = [given[0].copy()]
    for _ in range(8):
        given.append(vector.step(np.array([0, 4, 8]))[0])
        kept.append(given[-1].copy())
    np.testing.assert_array_equal(given, kept)


def test_gymnasium_makes_it_with_defaults(matrix):
    vector = gymnasium.make_vec(ENV_ID, num_envs=4)
    assert isinstance(vector.unwrapped, BitcoinTradingVectorEnv)
    assert vector.reset(seed=0)[0].shape == (4, matrix.values.shape[1] + len(ACCOUNT_COLUMNS))
    assert vector.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


@pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])
def test_gymnasium_can_record_its_episodes(mode):
    recorded = RecordEpisodeStatistics(make(mode=mode, episode_bars=10))
    recorded.reset(seed=0)
    total = np.zeros(3)
    for _ in range(10):
        _, rewards, *_, infos = recorded.step(np.array([0, 4, 1]))
        total += rewards
    assert infos["episode"]["l"].tolist() == [10] * 3
    np.testing.assert_allclose(infos["episode"]["r"], total, rtol=1e-6)


def test_gymnasium_can_normalise_its_observations_and_rewards():
    wrapped = NormalizeReward(NormalizeObservation(make(episode_bars=10)))
    wrapped.reset(seed=0)
    for _ in range(30):
        observations, rewards, *_ = wrapped.step(wrapped.action_space.sample())
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()


# Wrong input


@pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])
def test_a_step_before_the_reset_gets_one_line(mode):
    with pytest.raises(InputError, match="call `reset` before `step`"):
        make(mode=mode).step(np.array([0, 0, 0]))


def test_a_first_reset_of_some_envs_alone_is_refused():
    """The others have no episode yet, and so nothing to observe."""
    vector = make(mode="Disabled")
    with pytest.raises(InputError, match="reset"):
        vector.reset(seed=0, options={"reset_mask": np.array([True, False, False])})


@pytest.mark.parametrize("actions", [np.array([0, 0]), np.array([0, 0, 12]), np.array([0.0, 0.0, 0.0]), np.array([0, 0, -1]), 0])
def test_wrong_actions_get_one_line_and_change_nothing(actions):
    vector = make()
    vector.reset(seed=0)
    before = vector.trading.accounts.tobytes()
    with pytest.raises(InputError, match="3 times an integer from 0 to 11, but got"):
        vector.step(actions)
    assert vector.trading.accounts.tobytes() == before


@pytest.mark.parametrize(
    "mask", [np.array([True, False]), np.zeros(3, bool), np.array([1, 0, 0]), [[True, True, True]], None, "all"], ids=str
)
def test_a_wrong_reset_mask_gets_one_line(mask):
    vector = make()
    vector.reset(seed=0)
    with pytest.raises(InputError, match="`reset_mask` must be 3 booleans, one or more of them true, but got"):
        vector.reset(options={"reset_mask": mask})


def test_seeds_that_are_not_one_an_env_get_one_line():
    with pytest.raises(InputError, match="`seed` must be an integer or a list of 3, but got 2 of them"):
        make().reset(seed=[1, 2])


def test_an_unknown_autoreset_mode_is_refused():
    with pytest.raises(ValueError, match="'Sometimes' is not a valid AutoresetMode"):
        make(mode="Sometimes")
