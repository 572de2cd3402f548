"""Candle files as exchanges, brokers and data sites give them out, made small: each reads to the same four bars."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from market import CandleError, read_all_candles, read_candles

BARS = [  # Unix seconds, open, high, low, close, volume in coin, volume in money
    (1562198400, 8100.0, 8101.5, 8099.0, 8101.0, 1.5, 12150.75),
    (1562202000, 8101.0, 8102.5, 8100.0, 8102.0, 2.25, 18228.375),
    (1562205600, 8102.0, 8103.5, 8101.0, 8103.0, 3.5, 28358.75),
    (1562209200, 8103.0, 8104.0, 8102.0, 8103.5, 4.125, 33426.9375),
]
FRAME = pd.DataFrame(BARS, columns=["t", "open", "high", "low", "close", "volume", "quote_volume"])
TIMES = pd.to_datetime(FRAME["t"], unit="s")


def lines(*rows, names="", between=","):
    return "\n".join(([names] if names else []) + [between.join(str(cell) for cell in row) for row in rows]).encode()


def written(form):
    return [f"{time:{form}}" for time in TIMES]


def with_times(form, names, between=",", **columns):
    """A CSV file of FRAME's columns in the order of `names`."""
    table = FRAME.assign(time=written(form), **columns)
    return lines(*table[names.split()].to_numpy().tolist(), names=between.join(names.split()), between=between)


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("BTCUSDT-1h-2019-07.csv", content)
    return file.getvalue()


def feather():
    file = io.BytesIO()
    FRAME.assign(date=TIMES.dt.tz_localize("UTC"))[["date", "open", "high", "low", "close", "volume"]].to_feather(file)
    return file.getvalue()


def parquet_with_nameless_index():
    file = io.BytesIO()
    FRAME.set_index(TIMES.rename(None))[["open", "high", "low", "close", "volume"]].to_parquet(file)
    return file.getvalue()


def pandas_json(orient, **how):
    """With the times in milliseconds, as pandas writes them without being told."""
    prices = FRAME.drop(columns=["t", "quote_volume"]).set_axis(pd.Index(FRAME["t"] * 1000, name=None))
    return prices.to_json(orient=orient, **how).encode()


KLINES = [
    (t * 1000, o, h, lo, c, v, t * 1000 + 3599999, q, 7 + k, v / 2, q / 2, 0) for k, (t, o, h, lo, c, v, q) in enumerate(BARS)
]
WORDS = [[str(cell) for cell in bar] for bar in BARS]
PARTS = [(time, *bar[1:6]) for time, bar in zip(TIMES, BARS, strict=True)]  # time, open, high, low, close, volume
NAMES = "time,open,high,low,close,volume"
YFINANCE = [(f"{time:%Y-%m-%d %H:%M:%S}+00:00", c, h, lo, o, v) for time, o, h, lo, c, v in PARTS]
YAHOO = {"chart": {"result": [{"meta": {"symbol": "BTC-USD"}, "timestamp": [bar[0] for bar in BARS], "indicators": {
    "quote": [FRAME[["close", "open", "high", "volume", "low"]].to_dict("list")]}}], "error": None}}  # fmt: skip

LAYOUTS = {
    "Binance Vision, zipped": zipped(lines(*KLINES)),
    "Binance answer": json.dumps(KLINES).encode(),
    "Kraken CSV": lines(*[(t, o, h, lo, c, v, 10 + k) for k, (t, o, h, lo, c, v, _) in enumerate(BARS)]),
    "Kraken answer": json.dumps({"error": [], "result": {"XXBTZUSD": [
        [t, str(o), str(h), str(lo), str(c), str(lo + 0.5 if k % 2 else h - 0.1), str(v), 10 + k]
        for k, (t, o, h, lo, c, v, _) in enumerate(BARS)], "last": 1562209200}}).encode(),
    "closes first, no names": lines(*[(t, c, h, lo, o, v) for t, o, h, lo, c, v, _ in BARS]),
    "Bitfinex answer": json.dumps([[t * 1000, o, c, h, lo, v] for t, o, h, lo, c, v, _ in reversed(BARS)]).encode(),
    "Coinbase answer": json.dumps([[t, lo, h, o, c, v] for t, o, h, lo, c, v, _ in reversed(BARS)]).encode(),
    "KuCoin answer": json.dumps({"code": "200000", "data": [[t, o, c, h, lo, v, q] for t, o, h, lo, c, v, q in WORDS]}).encode(),
    "Bybit answer": json.dumps({"retCode": 0, "result": {"symbol": "BTCUSDT", "list": [
        [str(int(t) * 1000), o, h, lo, c, v, q] for t, o, h, lo, c, v, q in WORDS]}}).encode(),
    "OKX answer": json.dumps({"code": "0", "data": [
        [str(int(t) * 1000), o, h, lo, c, v, v, q, "1"] for t, o, h, lo, c, v, q in reversed(WORDS)]}).encode(),
    "Bitstamp answer": json.dumps({"data": {"ohlc": [
        {"timestamp": t, "open": o, "high": h, "low": lo, "close": c, "volume": v} for t, o, h, lo, c, v, _ in WORDS
    ], "pair": "BTC/USD"}}).encode(),
    "CryptoCompare answer": json.dumps({"Response": "Success", "Data": {"Aggregated": False, "Data": [
        {"time": t, "high": h, "low": lo, "open": o, "volumefrom": v, "volumeto": q, "close": c, "conversionType": "direct"}
        for t, o, h, lo, c, v, q in BARS]}}).encode(),
    "Yahoo chart": json.dumps(YAHOO).encode(),
    "freqtrade JSON": json.dumps([[t * 1000, o, h, lo, c, v] for t, o, h, lo, c, v, _ in BARS]).encode(),
    "freqtrade Feather": feather(),
    "pandas to_json": pandas_json("columns"),
    "pandas to_json, split": pandas_json("split"),
    "pandas to_json, by row": pandas_json("index"),
    "pandas to_json, lines": FRAME.assign(time=written("%Y-%m-%dT%H:%M:%SZ")).drop(columns="t").to_json(
        orient="records", lines=True).encode(),
    "pandas Parquet, nameless index": parquet_with_nameless_index(),
    "MetaTrader 4": lines(*[(f"{time:%Y.%m.%d}", f"{time:%H:%M}", *rest) for time, *rest in PARTS]),
    "MetaTrader 5, UTF-16": b"\xff\xfe" + lines(
        *[(f"{time:%Y.%m.%d}", f"{time:%H:%M:%S}", *prices, 9 + k, v, 12) for k, (time, *prices, v) in enumerate(PARTS)],
names="<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        between="\t",
    ).decode().encode("utf-16-le"),
    "Dukascopy": with_times("%d.%m.%Y %H:%M:%S.000", "time open high low close volume").replace(b"time", b"Gmt time", 1),
    "Dukascopy, zone written out": with_times("%d.%m.%Y %H:%M:%S.000 GMT+0000", "time open high low close volume").replace(
        b"time", b"Local time", 1),
    "Nasdaq": lines(*[(f"{time:%Y/%m/%d %H:%M}", f"${c}", v, f"${o}", f"${h}", f"${lo}") for time, o, h, lo, c, v in PARTS],
                    names="Date,Close/Last,Volume,Open,High,Low"),
    "CoinAPI": lines(
        *[(*(f"{end:%Y-%m-%dT%H:%M:%S}.0000000Z" for end in (time, time + pd.Timedelta("1h"))), *rest, 40 + k)
          for k, (time, *rest) in enumerate(PARTS)],
        names="time_period_start,time_period_end,price_open,price_high,price_low,price_close,volume_traded,trades_count",
    ),
    "slashes, unpadded hours": with_times("%Y/%m/%d %-H:%M", "time open high low close volume"),
    "compact dates": with_times("%Y%m%d %H%M%S", "time open high low close volume"),
    "names of months": lines(*[(f"{time:%b %d, %Y %H:%M}", *rest) for time, *rest in PARTS],
                             names="Date;Open;High;Low;Close;Volume", between=";"),
    "zone as GMT": with_times("%Y-%m-%d %H:%M:%S GMT", "time open high low close volume"),
    "decimal commas": with_times("%Y-%m-%d %H:%M", "time open high low close volume", ";").replace(b".", b","),
    "commas between thousands": lines(
        *[(f"{time:%Y-%m-%d %H:%M}", *(f'"{price:,.2f}"' for price in prices), v) for time, *prices, v in PARTS],
        names="Date,Open,High,Low,Close,Volume",
    ),
    "volume in thousands": lines(*[(f"{time:%Y-%m-%d %H:%M}", c, o, h, lo, f"{v / 1000}K") for time, o, h, lo, c, v in PARTS],
                                 names="Date,Price,Open,High,Low,Vol."),
    "CryptoDataDownload, volume_btc and volume": with_times(
        "%Y-%m-%d %H:%M:%S", "time open high low close volume_btc usd", volume_btc=FRAME["volume"], usd=FRAME["quote_volume"]
    ).replace(b"usd", b"volume", 1),
    "a header in the middle": lines(*PARTS[:2], tuple(NAMES.split(",")), *PARTS[2:], names=NAMES),
    "yfinance": lines(*YFINANCE, names="Price,Close,High,Low,Open,Volume\nTicker" + 5 * ",BTC-USD" + "\nDatetime,,,,,"),
    "yfinance, ticker first": lines(
        *YFINANCE, names="Ticker" + 5 * ",BTC-USD" + "\nPrice,Close,High,Low,Open,Volume\nDatetime,,,,,"),
    "nanoseconds": lines(*[(bar[0] * 10**9, *bar[1:6]) for bar in BARS], names=NAMES),
    "units of time mixed": lines(*[(bar[0] * 10 ** (3 * k), *bar[1:6]) for k, bar in enumerate(BARS)],
                                 names="unix,open,high,low,close,volume"),
    "a number for each row": lines(*[(k, *bar[:6]) for k, bar in enumerate(BARS)], names=",timestamp,open,high,low,close,volume"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_public_layout_reads_to_the_same_four_bars(layout, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(LAYOUTS[layout])
    candles = read_candles(path)
    assert list(candles.index.as_unit("s").asi8) == [bar[0] for bar in BARS]
    np.testing.assert_allclose(candles.frame.iloc[:, :5], FRAME.iloc[:, 1:6], rtol=1e-12)


SYMBOLS = {
    "Kraken answer": "XXBTZUSD",
    "Bybit answer": "BTCUSDT",
    "Bitstamp answer": "BTC/USD",
    "Yahoo chart": "BTC-USD",
    "yfinance": "BTC-USD",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_name_comes_from_the_file_or_from_nowhere(layout, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(LAYOUTS[layout])
    expected = SYMBOLS.get(layout.split(",")[0], "BTC-USD" if "yfinance" in layout else "unnamed coin")
    assert read_candles(path).symbol == expected
    if expected == "unnamed coin":
        assert read_candles(path, symbol="BTC/EUR").symbol == "BTC/EUR"
        assert "names no coin; `symbol=" in read_candles(path).source


TWO_COINS = {
    "rows": lines(*[(t, *prices, v, coin) for t, *prices, v, _ in BARS for coin in ("BTCUSDT", "ETHUSDT")],
                  names="time,open,high,low,close,volume,tic"),
    "columns": lines(*[(t, o, h, lo, c, v, o, h, lo, c, v) for t, o, h, lo, c, v, _ in BARS], names="time," + ",".join(
        f"{coin}:{name}" for coin in ("BTC", "ETH") for name in ("open", "high", "low", "close", "volume"))),
    "lines of names": lines(
        *[(t, c, c, h, h, lo, lo, o, o, v, v) for t, o, h, lo, c, v, _ in BARS],
        names="Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker" + 5 * ",BTC-USD,ETH-USD" + "\nDate,,,,,,,,,,",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", TWO_COINS)
def test_of_several_coins_one_is_chosen_or_all_are_read(layout, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(TWO_COINS[layout])
    with pytest.raises(CandleError, match=r"of one coin, but .*holds 2: BTC.*choose one"):
        read_candles(path)
    coins = read_all_candles(path)
    assert [coin[:3] for coin in coins] == ["BTC", "ETH"]
    for coin, candles in coins.items():
        np.testing.assert_allclose(candles.frame.iloc[:, :5], FRAME.iloc[:, 1:6], rtol=1e-12)
        assert candles.symbol == coin
        assert read_candles(path, symbol=coin.lower()).sha256 == candles.sha256
    with pytest.raises(CandleError, match="does not hold 'DOGE'"):
        read_candles(path, symbol="DOGE")


def test_tradingview_without_volumes_is_read_and_says_so(tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(lines(*[bar[:5] for bar in BARS], names="time,open,high,low,close"))
    candles = read_candles(path)
    assert not candles.has_volumes
    assert "no volumes" in candles.source
    assert list(candles.frame["close"]) == list(FRAME["close"])


def test_ticks_are_no_coins(tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(
        lines(*[(*bar[:5], 9 + k, 0) for k, bar in enumerate(BARS)], names="time,open,high,low,close,tick_volume,real_volume")
    )
    candles = read_candles(path)
    assert list(candles.frame["volume"]) == [9, 10, 11, 12]
    assert "in ticks, not in coin" in candles.source
