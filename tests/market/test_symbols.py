"""Which coin a file is of: no word, no length of a bar and no money is taken for one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market import CandleError, read_all_candles, read_candles, simulate
from market.__main__ import main
from market.symbols import file_names, money_of, named_in

HOURS = pd.date_range("2019-07-01", periods=60, freq="h")
PRICES = simulate("bitcoin", 60, seed=1).frame.to_numpy()[:, :4]
NAMES = ["open", "high", "low", "close"]


@pytest.fixture
def write(tmp_path):
    def write(file="bars.csv", affix="", **columns):
        frame = pd.DataFrame(PRICES, columns=[f"{price}{affix}" for price in NAMES]).assign(time=HOURS, volume=7.0)
        path = tmp_path / file
        frame.assign(**columns).to_csv(path, index=False)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTC_1H_USDT.csv", "BTC/USDT"), ("OHLC_USD.csv", ""), ("candles_60_USD.csv", ""), ("2021_EUR.csv", ""),
        ("vols_VOLUME_USDT.csv", ""), ("TRADES-EUR.csv", ""), ("DATA_2021USD.csv", ""), ("KRAKEN_EUR.csv", ""),
        ("H4_USD.csv", ""), ("COUNTRY.csv", ""), ("ETHBTC-1h.csv", "ETH/BTC"), ("BTC_ETH.csv", ""), ("ETH_BTC.csv", "ETH/BTC"),
        ("BTCUSDTPERP_1m.csv", "BTC/USDT"), ("BTCUSD_PERP-1h.csv", "BTC/USD"), ("XBTUSD.csv", "XBT/USD"),
        ("Binance_BTCUSDT_1h.csv", "BTC/USDT"), ("btc-usd-max.csv", "BTC/USD"), ("KRW-BTC_1h.csv", "BTC/KRW"),
        ("BTC_VND.csv", "BTC/VND"), ("1000SHIBUSDT-1h.csv", "1000SHIB/USDT"), ("FOOBAR-USDT.csv", "FOOBAR/USDT"),
        ("BTCUSDT_UPBIT_KRW.csv", "BTC/USDT"), ("USDCUSDT.csv", "USDC/USDT"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_names_coins_alone(name, symbol):
    assert named_in(Path(name)) == symbol


@pytest.mark.parametrize(
    ("symbol", "money"),
    [
        ("BTC/USDT", "USDT"), ("btcusd", "USD"), ("KRW-BTC", "KRW"), ("USDT-ETH", "USDT"), ("ETH/BTC", "BTC"), ("ETHBTC", "BTC"),
        ("WBTC", ""), ("STETH", ""), ("BTC", ""), ("BTCUSDT_PERP", "USDT"), ("BTC/USDT:USDT", "USDT"), ("XBTUSD", "USD"),
        ("BTC/VND", "VND"), ("BTCCOP", "COP"), ("XXBTZUSD", "USD"), ("BINANCE:BTCUSDT.P", "USDT"), ("USDC/USDT", "USDT"),
        ("unnamed coin", ""),
    ],
)  # fmt: skip
def test_the_money_of_a_symbol(symbol, money):
    assert money_of(symbol) == money


@pytest.mark.parametrize(("column", "value"), [("currency", "USD"), ("market", "spot"), ("name", "binance"), ("market", "PERP")])
def test_a_money_an_exchange_or_a_kind_of_market_is_no_coin(write, column, value):
    assert read_candles(write(**{column: value})).symbol == "unnamed coin"
    assert read_candles(write("BTCUSD.csv", **{column: value})).symbol == "BTC/USD"


def test_a_coin_that_is_called_as_a_market_is_read(write):
    assert read_candles(write(symbol="DYDX")).symbol == "DYDX"


def test_spellings_of_one_coin_are_one_coin(write):
    spelled = [["BTCUSDT", "BTC/USDT", "btcusdt", "BTCUSDT "][k % 4] for k in range(60)]
    candles = read_candles(write(symbol=spelled))
    assert (len(candles), candles.symbol) == (60, "BTCUSDT")
    assert "`symbol` is spelled BTCUSDT and BTC/USDT and btcusdt" in candles.source
    assert list(read_all_candles(write(symbol=spelled))) == ["BTCUSDT"]


def test_a_row_without_a_symbol_is_named(write):
    with pytest.raises(CandleError, match=r"line 41 of .* has no `tic` \(1 such places\); drop it"):
        read_candles(write(tic=["" if k == 39 else "BTC" for k in range(60)]))


def test_prices_in_one_money_are_read_and_in_two_refused(write):
    one = read_candles(write(affix="_usd"))
    assert one.symbol == "unnamed coin"
    assert "prices in USD" in one.source
    euros = {f"{name}_eur": PRICES[:, k] / 2 for k, name in enumerate(NAMES)}
    path = write(affix="_usd", **euros)
    with pytest.raises(CandleError, match="prices in USD and EUR; drop the columns of all but one"):
        read_candles(path)
    np.testing.assert_array_equal(read_candles(path, symbol="BTC/EUR").frame["close"], PRICES[:, 3] / 2)


def test_bid_and_ask_are_no_coins(write):
    asks = {f"{name}_ask": PRICES[:, k] + 1 for k, name in enumerate(NAMES)}
    for read in (read_candles, read_all_candles):
        with pytest.raises(CandleError, match="prices in bid and ask"):
            read(write(affix="_bid", **asks))


def test_no_two_symbols_have_one_file():
    assert file_names(["BTC/USDT", "BTC-USDT", "btc:usdt", "é"]) == {
        "BTC/USDT": "BTC-USDT",
        "BTC-USDT": "BTC-USDT-2",
        "btc:usdt": "btc-usdt-3",
        "é": "coin",
    }


ESCAPES = "\x1b[2J\x1b[31mPWNED"


@pytest.mark.parametrize("where", ["symbol", "column", "cell"])
def test_nothing_in_a_file_speaks_to_the_terminal(tmp_path, capsys, where):
    """A cleared screen or a coloured word in a symbol, a name or a cell is written out, not obeyed."""
    said = {name: ESCAPES if name == where else name for name in ("symbol", "column", "cell")}
    rows = [f"2020-01-01 {hour:02d}:00,2,2,2,2,{1 + hour},{said['symbol']},{hour * 3}" for hour in range(9)]
    rows[4] = rows[4].replace(",2,2", f",{said['cell']},2") if where == "cell" else rows[4]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([f"time,open,high,low,close,volume,symbol,{said['column']}", *rows]))
    main(["check", str(path)])
    try:
        shown = read_candles(path).symbol + read_candles(path).source
    except CandleError as error:
        shown = str(error)
    shown += "".join(capsys.readouterr())
    assert "\x1b" not in shown
    assert "x1b[2J" in shown
