"""An account outside of an env is seen as the env would show it, and an action is said in words."""

import numpy as np
import pytest
from helpers import make_candles

from common import InputError
from envs import Account, BitcoinTradingEnv, EnvSettings, in_words, observe_account

CLOSES = [100.0, 104.0, 97.0, 99.0, 120.0, 90.0]
CANDLES = make_candles(CLOSES)
ROWS = np.random.default_rng(0).normal(size=(len(CLOSES), 3)).astype(np.float32)
MARGIN = {"shorts": True, "max_leverage": 3.0, "borrow_bps_per_day": 0.0}


def shown(options, actions):
    """What an env shows from the first bar on, its last info, and its account."""
    env = BitcoinTradingEnv(CANDLES, ROWS, EnvSettings(**options), evaluation=True)
    observation, info = env.reset(seed=0)
    rows = [observation]
    for action in actions:
        observation, _, _, _, info = env.step(action)
        rows.append(observation)
    return np.array(rows), info, env.trading.accounts[0]


@pytest.mark.parametrize("options", [{}, MARGIN], ids=["cash", "margin"])
def test_the_default_account_is_that_of_an_env_in_which_nothing_was_traded(options):
    rows, _, _ = shown(options, [8] * (len(CLOSES) - 1))
    settings = EnvSettings(**options)
    np.testing.assert_array_equal(observe_account(ROWS, settings), rows)
    np.testing.assert_array_equal(observe_account(ROWS, settings, prices=np.array(CLOSES)), rows)
    np.testing.assert_array_equal(observe_account(ROWS, settings, Account(10_000.0)), rows)


@pytest.mark.parametrize(("options", "order"), [({}, 1), (MARGIN, 0), (MARGIN, 6)], ids=["bought", "leverage", "short"])
def test_an_account_that_holds_coin_is_seen_as_the_env_shows_it(options, order):
    """The columns are the kernel's own: what an env shows after a trade, to the byte."""
    rows, info, account = shown(options, [order, 8, 8, 8, 8])
    held = Account(info["cash"], info["coin"], float(account.entry), float(account.peak), int(account.idle))
    seen = observe_account(ROWS[1:], EnvSettings(**options), held, np.array(CLOSES[1:]))
    np.testing.assert_array_equal(seen[-1], rows[-1])
    last = observe_account(ROWS[-1:], EnvSettings(**options), held, CLOSES[-1])
    np.testing.assert_array_equal(last[0], rows[-1])
    same = [0, 1, 2, 3, 4, 5, 7]  # the drawdown before the last row is from a peak that came later
    np.testing.assert_array_equal(seen[:, same], rows[1:][:, same])


def test_accounts_that_cannot_be_get_one_line():
    settings = EnvSettings()
    for account, prices, rule in (
        (Account(0.0, 1.0, entry=90.0), None, "needs `entry` above 0 and the prices"),
        (Account(0.0, 1.0), np.array(CLOSES), "needs `entry` above 0 and the prices"),
        (Account(-1_000.0, 1.0, entry=90.0), np.array(CLOSES), "worth more than 0"),
    ):
        with pytest.raises(InputError, match=rule) as error:
            observe_account(ROWS, settings, account, prices)
        assert "\n" not in str(error.value)


def test_actions_in_words():
    orders = [in_words(action, EnvSettings()) for action in range(12)]
    assert orders[:5] == [
        "buy with all of the cash", "buy with 1/2 of the cash", "buy with 1/3 of the cash", "buy with 1/4 of the cash",
        "sell all of the coin",
    ]  # fmt: skip
    assert set(orders[8:]) == {"hold"}
    assert in_words(5, EnvSettings(shorts=True)).startswith("sell 1/2 of what closes a long position")
    assert in_words(np.int64(1), EnvSettings(action_scheme="targets")) == "hold coin worth 25% of the net worth"
    half = np.array([0.5], np.float32)
    assert in_words(half, EnvSettings(action_scheme="continuous", shorts=True)) == "hold coin worth 50% of the net worth"
    with pytest.raises(InputError, match="integer from 0 to 11"):
        in_words(12, EnvSettings())
