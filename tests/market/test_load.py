from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import make_coin
from pydantic import ValidationError

from common import InputError
from configs import load_experiment
from market import MarketSettings, load_candles, load_coins, simulate, write_candles


def test_the_parameters_of_a_simulated_market_come_from_yaml(tmp_path):
    (tmp_path / "mine.yaml").write_text("market: {simulate: ou, bars: 500, seed: 3, params: {reversion: 0.2, volatility: 0.02}}")
    candles = load_candles(load_experiment(tmp_path / "mine.yaml").market)
    same = simulate("ou", 500, 3, reversion=0.2, volatility=0.02)
    np.testing.assert_array_equal(candles.column("close"), same.column("close"))
    assert not np.array_equal(candles.column("close"), simulate("ou", 500, 3).column("close"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"simulate": "ou", "params": {"reversions": 0.2}}, "did you mean 'reversion'"),
        ({"params": {"edge": 0.2}}, "is `market.edge`, but `market.params` has it too"),
    ],
)
def test_a_parameter_that_the_market_does_not_have_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        load_candles(MarketSettings(**settings))


def test_several_files_are_named_by_commas_or_in_a_list(tmp_path):
    (tmp_path / "mine.yaml").write_text("market: {files: [a.parquet, b.parquet]}")
    listed = load_experiment(tmp_path / "mine.yaml").market
    assert load_experiment(None, {"market.files": "a.parquet, b.parquet"}).market == listed
    assert listed.files == (Path("a.parquet"), Path("b.parquet"))


def test_one_of_several_files_is_the_file(tmp_path):
    coin = make_coin("BTC/USD", bars=600)
    write_candles(coin, tmp_path / "a.parquet")
    one = MarketSettings(files=(tmp_path / "a.parquet",))
    assert one == MarketSettings(file=tmp_path / "a.parquet")
    assert [candles.sha256 for candles in load_coins(one)] == [load_candles(one).sha256] == [coin.sha256]


def test_both_a_file_and_several_are_refused():
    with pytest.raises(InputError, match=r"from `file` or from `files`, but got a.csv and .*b.csv.*; drop one") as refused:
        load_experiment(None, {"market.file": "a.csv", "market.files": "b.csv,c.csv"})
    assert "\n" not in str(refused.value)
    with pytest.raises(ValidationError, match="from `file` or from `files`"):
        MarketSettings(file=Path("a.csv"), files=(Path("b.csv"),))


def test_where_one_series_is_needed_several_files_are_refused():
    with pytest.raises(InputError, match=r"one series is needed here, but `market\.files` names 2"):
        load_candles(MarketSettings(files=(Path("a.csv"), Path("b.csv"))))


def test_all_coins_of_one_file_are_loaded_on_request(tmp_path):
    one, two = make_coin("BTC/USD", bars=600), make_coin("ETH/USD", bars=600, price=0.01)
    rows = pd.concat([coin.frame.assign(symbol=coin.symbol).reset_index() for coin in (one, two)])
    rows.sort_values("time", kind="stable").to_csv(tmp_path / "coins.csv", index=False)
    coins = load_coins(MarketSettings(file=tmp_path / "coins.csv", symbol="all"))
    assert [(coin.symbol, coin.sha256) for coin in coins] == [("BTC/USD", one.sha256), ("ETH/USD", two.sha256)]
    with pytest.raises(InputError, match=r"does not hold 'all' but BTC/USD, ETH/USD"):
        load_candles(MarketSettings(file=tmp_path / "coins.csv", symbol="all"))
    write_candles(one, tmp_path / "one.parquet")
    assert [coin.symbol for coin in load_coins(MarketSettings(file=tmp_path / "one.parquet", symbol="all"))] == ["BTC/USD"]
