"""Series of several coins are cut at the same times, so that no coin tells what another one's test range holds."""

from itertools import product

import pandas as pd
import pytest
from helpers import make_coin

from common import InputError
from market import Candles, CoinSplits, Split, SplitSettings, resample, split, split_coins


class Notebook:
    """Lets everyone in."""

    def record(self, opened, config_sha256, caller, at_least=0) -> int:
        return 1


def begins(coin: Split) -> pd.Timestamp:
    return coin.open_test(Notebook(), "c", "me").own.index[0]


def cut(*coins: Candles, **settings: float) -> CoinSplits:
    parts = split_coins(coins, SplitSettings(**settings))
    assert isinstance(parts, CoinSplits)
    return parts


LATE = make_coin("ETH/USD", bars=700, seed=1, late=500)
WHOLE = make_coin("BTC/USD", bars=1_300)
ENDED = make_coin("SOL/USD", bars=1_150, seed=2)


@pytest.fixture
def parts() -> CoinSplits:
    return cut(LATE, WHOLE, ENDED)


def test_no_bar_that_is_trained_on_lies_behind_the_purge_before_a_test_bar_of_any_coin(parts):
    purge = pd.Timedelta(hours=24)
    for way in (parts, parts.joined(), *parts.walk_forward(2)):
        for one, other in product(way.coins, parts.coins):
            trained_until = one.train.candles.index[-1] + one.train.candles.bar
            chosen_until = one.validation.candles.index[-1] + one.train.candles.bar
            assert max(trained_until, chosen_until) <= begins(other) - purge


def test_all_coins_are_cut_at_the_same_times(parts):
    for way in (parts, *parts.walk_forward(2)):
        ends = [(coin.train.own.index[-1], coin.validation.own.index[0], coin.validation.own.index[-1]) for coin in way.coins]
        assert len(set(ends)) == 1
        assert len({begins(coin) for coin in way.coins}) == 1


def test_a_coin_that_begins_later_has_a_shorter_train_range_and_moves_no_boundary(parts):
    alone = split(WHOLE)
    btc, eth, sol = parts.coins
    assert [coin.symbol for coin in parts.coins] == ["BTC/USD", "ETH/USD", "SOL/USD"]
    assert (len(btc.train), len(eth.train), len(sol.train)) == (780, 280, 780)
    assert (len(btc.train), len(btc.validation), begins(btc)) == (len(alone.train), len(alone.validation), begins(alone))
    assert btc.test_known_as == alone.test_known_as
    assert eth.train.own.index[0] == LATE.index[0]
    assert sol.open_test(Notebook(), "c", "me").own.index[-1] == ENDED.index[-1]


def test_the_order_of_the_files_changes_nothing(parts):
    assert cut(ENDED, WHOLE, LATE).data_sha256 == cut(LATE, WHOLE, ENDED).data_sha256
    assert list(parts.data_sha256.items()) == [("BTC/USD", WHOLE.sha256), ("ETH/USD", LATE.sha256), ("SOL/USD", ENDED.sha256)]


def test_one_series_is_split_as_it_is_alone():
    one, alone = split_coins([WHOLE]), split(WHOLE)
    assert isinstance(one, Split)
    assert one.in_words == alone.in_words
    assert (one.data_sha256, one.validation_known_as) == (alone.data_sha256, alone.validation_known_as)
    assert [len(window.train) for window in one.walk_forward(3)] == [len(window.train) for window in alone.walk_forward(3)]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (make_coin("ETH/USD", bars=560, late=740), "but train of ETH/USD would have 40 of 560 "),
        (make_coin("ETH/USD", bars=300, late=1_000), "but train of ETH/USD would have 0 of 300 "),
        (make_coin("ETH/USD", bars=1_060), "but test of ETH/USD would have 0 of 1060 "),
        (make_coin("btc-usd"), "each file must hold another coin, but two hold "),
        (make_coin("XBT/USD"), "each file must hold another coin, but two hold "),
        (
            resample(make_coin("ETH/USD"), pd.Timedelta("4h")),
            "of BTC/USD last 1h and those of ETH/USD 4h; resample one",
        ),
    ],
    ids=["short train", "no train", "no test", "the same coin", "another spelling", "other bars"],
)
def test_what_does_not_fit_gets_one_line_with_the_coin(other, words):
    with pytest.raises(InputError) as refused:
        split_coins([WHOLE, other])
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_bars_that_open_at_other_times_are_refused():
    shifted = Candles(LATE.frame.set_axis(LATE.index + pd.Timedelta(minutes=30)), LATE.bar, "ETH/USD", "by hand")
    with pytest.raises(InputError, match="must open at the same times, but BTC/USD has one at 2017-01-01 00:00:00"):
        split_coins([WHOLE, shifted])
