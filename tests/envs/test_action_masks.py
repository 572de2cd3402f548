"""The mask is what the kernel refuses, on every environment, and MaskablePPO trains on it."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from helpers import examples, make_candles, no_features
from hypothesis import given, settings, strategies as st
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from common import InputError
from envs import BUY, ENV_ID, HOLD, SELL, BitcoinTradingEnv, BitcoinTradingVecEnv, BitcoinTradingVectorEnv, EnvSettings

ORDERS = np.arange(12) // 4
RULES = {
    "cash": {},
    "a minimum": {"min_trade": 4_000.0},
    "lots": {"lot": 20.0},
    "margin": {"shorts": True, "max_leverage": 3.0},
    "impact": {"impact": 30.0, "initial_cash": 1e6},
    "targets": {"action_scheme": "targets", "min_trade": 3_000.0},
    "short targets": {"action_scheme": "targets", "targets": (-1.0, 0.0, 0.3, 1.0), "shorts": True, "lot": 20.0},
}


def wild(seed, bars=80):
    """Prices around 100 that move by 5 % a bar; no bar opens where the last one closed."""
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, bars)))
    return make_candles(list(closes), list(closes * np.exp(rng.normal(0, 0.02, bars))))


def env_of(options, seed=0, **others):
    candles = wild(seed)
    return BitcoinTradingEnv(candles, no_features(candles), EnvSettings(**options, **others), evaluation=True)


def outcome_of(env, past, action):
    """What becomes of the action after the given ones."""
    env.reset(seed=0)
    for earlier in past:
        env.step(earlier)
    return env.step(action)[4]["outcome"]


@pytest.mark.parametrize("options", RULES.values(), ids=RULES)
@settings(max_examples=examples(15), deadline=None)
@given(seed=st.integers(0, 5), length=st.integers(0, 12), data=st.data())
def test_the_mask_is_what_the_kernel_refuses_at_the_last_close(options, seed, length, data):
    """Filled at the very price that the mask knows, every masked action is refused, and no other but the nearest target is."""
    env = env_of(options, seed, fill="same_close", ruin_fraction=0.0)
    n = env.action_space.n
    past = data.draw(st.lists(st.integers(0, n - 1), min_size=length, max_size=length))
    env.reset(seed=0)
    for action in past:
        _, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return
    mask = env.action_masks()
    before = env.trading.accounts.tobytes()
    assert env.action_masks().tobytes() == mask.tobytes()
    assert env.trading.accounts.tobytes() == before
    refused = np.array([outcome_of(env, past, action).startswith("refused") for action in range(n)])
    if env.settings.action_scheme == "targets":
        position = info["position"] if past else 0.0
        refused[np.abs(np.array(env.settings.targets) - position).argmin()] = False
    np.testing.assert_array_equal(mask, ~refused)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_no_cash_and_no_coin_are_known_beforehand_at_any_fill(fill):
    """Whatever the next price: in a cash account without minimum or lots the mask leaves out exactly what is refused."""
    env = env_of({"min_trade": 0.0}, fill=fill)
    rng = np.random.default_rng(0)
    for _ in range(20):
        past = rng.integers(0, 12, rng.integers(0, 10)).tolist()
        outcome_of(env, past[:-1], past[-1]) if past else env.reset(seed=0)
        mask = env.action_masks()
        refused = [outcome_of(env, past, action).startswith("refused") for action in range(12)]
        np.testing.assert_array_equal(mask, ~np.array(refused))


def test_a_mask_by_hand():
    env = env_of({})
    env.reset(seed=0)
    assert env.action_masks().tolist() == (ORDERS != SELL).tolist()  # flat: nothing to sell
    env.step(0)
    assert env.action_masks().tolist() == (ORDERS != BUY).tolist()  # all in coin: nothing to buy with
    env.step(5)
    assert env.action_masks().all()
    assert (env.action_masks().dtype, env.action_masks().shape) == (bool, (12,))
    assert env.action_masks()[ORDERS == HOLD].all()


def test_a_target_that_is_held_is_the_hold_of_targets_and_stays_allowed():
    """A drift that is worth less than `min_trade` is not traded away, and who keeps the target need not trade."""
    env = env_of({"action_scheme": "targets", "min_trade": 3_000.0})
    env.reset(seed=0)
    assert env.action_masks().tolist() == [True, False, True, True, True]  # 2,500 of 10,000 are below the minimum
    env.step(2)
    assert env.action_masks()[2]
    assert not env.action_masks()[[1, 3]].any()


def test_an_account_that_is_over_may_do_anything_and_a_continuous_action_has_no_mask():
    env = env_of({})
    assert env.action_masks().all()
    env.reset(seed=0)
    while not any(env.step(8)[2:4]):
        pass
    assert env.action_masks().all()
    with pytest.raises(InputError, match="use orders or targets"):
        env_of({"action_scheme": "continuous"}).action_masks()


def test_all_environments_give_the_same_masks():
    candles = wild(1)
    rows, options = no_features(candles), EnvSettings(episode_bars=20)
    arguments = candles, rows, options
    named = {"candles": candles, "features": rows, "settings": options}
    scalar = [BitcoinTradingEnv(*arguments) for _ in range(3)]
    sb3 = BitcoinTradingVecEnv(*arguments, n_envs=3, seed=5)
    vector = BitcoinTradingVectorEnv(*arguments, num_envs=3, autoreset_mode="SameStep")
    sync: Any = gymnasium.make_vec(
        ENV_ID, 3, vectorization_mode="sync", candles=candles, features=arguments[1], settings=arguments[2]
    )
    made = DummyVecEnv([lambda: gymnasium.make(ENV_ID, **named)] * 3)
    made.seed(5)
    for i, env in enumerate(scalar):
        env.reset(seed=5 + i)
    sb3.reset(), vector.reset(seed=5), sync.reset(seed=5), made.reset()
    rng = np.random.default_rng(0)
    for _ in range(15):
        told = [np.array([env.action_masks() for env in scalar]), sb3.action_masks(), vector.action_masks()]
        told += [np.array(sync.call("action_masks")), get_action_masks(sb3), get_action_masks(made)]
        told += [get_action_masks(VecNormalize(VecMonitor(sb3)))]
        for other in told[1:]:
            np.testing.assert_array_equal(told[0], other)
        assert [mask.shape for mask in sb3.env_method("action_masks", indices=[2, 0])] == [(12,), (12,)]
        np.testing.assert_array_equal(sb3.env_method("action_masks", indices=[2, 0]), told[0][[2, 0]])
        actions = rng.integers(0, 12, 3)
        for env, action in zip(scalar, actions, strict=True):
            env.step(action)
        for many in (sb3, vector, sync, made):
            many.step(actions)


@pytest.mark.parametrize("scheme", ["orders", "targets"])
@pytest.mark.parametrize("normalised", [False, True])
def test_maskable_ppo_trains_on_it_and_takes_no_order_that_is_masked(scheme, normalised):
    candles = wild(2, bars=400)
    vector = BitcoinTradingVecEnv(
        candles, no_features(candles), EnvSettings(action_scheme=scheme, episode_bars=40), n_envs=4, seed=0
    )
    env = VecNormalize(VecMonitor(vector)) if normalised else vector
    assert is_masking_supported(env)
    model = MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=64, n_epochs=2, seed=0)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    refused: set[str] = set()
    step = vector.trading.step

    def watched(actions):
        allowed = vector.action_masks()[np.arange(4), actions]
        assert allowed.all()
        result = step(actions)
        refused.update(vector.trading.info(i)["outcome"] for i in range(4))
        return result

    vector.trading.step = watched  # type: ignore[method-assign]
    model.learn(512)
    after = model.policy.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any((before[name] != after[name]).any() for name in before)
    assert "filled" in refused
    assert not {"refused: no cash", "refused: no coin"} & refused
    scalar = gymnasium.make(ENV_ID, candles=candles, features=no_features(candles), settings=vector.settings)
    observation, _ = scalar.reset(seed=0)
    action, _ = model.predict(observation, action_masks=get_action_masks(scalar))
    assert get_action_masks(scalar)[action]
