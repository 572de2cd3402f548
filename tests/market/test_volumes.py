"""Whether a volume is in coin, in money or in contracts: it is asked where nothing in the file can tell."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market import CandleError, read_candles, simulate
from market.column_names import VOLUME
from market.read_options import NOTHING_SAID
from market.volumes import find_volumes

HOURS = pd.date_range("2019-07-01", periods=60, freq="h")
PRICES = simulate("bitcoin", 60, seed=1).frame[["open", "high", "low", "close"]].reset_index(drop=True)  # about 1,000
COINS = np.linspace(50, 110, 60)


@pytest.fixture
def write(tmp_path):
    def write(scale=1.0, **columns):
        path = tmp_path / "bars.csv"
        (PRICES * scale).assign(time=HOURS, **columns).to_csv(path, index=False)
        return path

    return write


@pytest.mark.parametrize(
    ("symbol", "scale"), [("BTC/VND", 2.5e6), ("BTC/COP", 4e5), ("BTC/IDR", 1.5e6), ("KRW-BTC", 1.4e5), ("BTC/KRW", 1.4e5)]
)
def test_coins_priced_in_money_of_little_worth_stay_coins(write, symbol, scale):
    candles = read_candles(write(scale, volume=COINS), symbol=symbol)
    np.testing.assert_array_equal(candles.frame["volume"], COINS)


@pytest.mark.parametrize("symbol", [None, "BTC/XYZ", "BTC"])
def test_of_unknown_money_nothing_is_decided_by_size(write, symbol):
    path = write(2.5e6, volume=COINS)
    with pytest.raises(CandleError, match=r"may be either: as coins .*`volume='base'` or `volume='quote'`"):
        read_candles(path, symbol=symbol)
    np.testing.assert_array_equal(read_candles(path, symbol=symbol, volume="base").frame["volume"], COINS)


def test_a_price_that_no_coin_has_in_dollars_is_in_other_money(write):
    with pytest.raises(CandleError, match="may be either"):
        read_candles(write(2.5e6, volume=COINS), symbol="BTC/USD")


def test_beside_a_market_capitalization_the_volume_is_in_money():
    prices = PRICES / 1e4  # a cheap coin, of which any volume could be coins
    found = find_volumes(
        Path("bars.csv"),
        {VOLUME: ["volume"]},
        {"volume": COINS},
        prices,
        24.0,
        "USD",
        NOTHING_SAID,
        ["date", "volume", "marketCap"],
    )
    assert (found.base, found.quote) == (None, "volume")


def test_a_volume_named_by_the_money_of_the_symbol_is_in_money(write):
    btc = COINS * PRICES["close"].to_numpy() / 1e4
    candles = read_candles(write(1e-4, **{"Volume BTC": btc}), symbol="ETH/BTC")
    np.testing.assert_array_equal(candles.frame["quote_volume"], btc)
    np.testing.assert_array_equal(read_candles(write(**{"Volume BTC": COINS}), symbol="BTC/USD").frame["volume"], COINS)


@pytest.mark.parametrize("lots", [1_000.0, 0.1])
def test_a_volume_in_contracts_is_refused_and_coins_come_from_the_money(write, lots):
    money = COINS * PRICES["close"].to_numpy()
    path = write(volume=COINS * lots, turnover=money)
    with pytest.raises(CandleError, match=rf"contracts of about {1 / lots:g} coin: `turnover`.*give `volume='quote'`"):
        read_candles(path)
    candles = read_candles(path, volume="quote")
    np.testing.assert_array_equal(candles.frame["quote_volume"], money)
    np.testing.assert_allclose(candles.frame["volume"], COINS, rtol=0.05)
    np.testing.assert_array_equal(read_candles(path, volume="base").frame["volume"], COINS * lots)


def test_contracts_worth_a_dollar_each_are_the_money(write):
    dollars = np.round(COINS * PRICES["close"].to_numpy())
    path = write(volume=dollars, turnover=dollars / PRICES["close"].to_numpy() * 1e8)  # BitMEX: in hundred millionths of a coin
    with pytest.raises(CandleError, match=r"`turnover` of .* contracts of about 1e-08 coin: `volume`"):
        read_candles(path)
    np.testing.assert_array_equal(read_candles(path, volume="quote").frame["quote_volume"], dollars)


def test_a_volume_in_another_money_than_the_price_is_no_volume_of_the_candles(write):
    won = write(1.4e5, volume=COINS, **{"Volume USD": COINS * PRICES["close"].to_numpy() * 100})
    candles = read_candles(won, symbol="BTC/KRW")
    np.testing.assert_array_equal(candles.frame["volume"], COINS)
    np.testing.assert_array_equal(candles.frame["quote_volume"], COINS * candles.frame["close"])
