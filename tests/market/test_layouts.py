"""Each known layout, told by its content, reads to the same four bars; an unknown one is named with what it has."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from helpers import filled_of

from market import CandleError, read_candles

BARS = [  # Unix seconds, open, high, low, close, volume in BTC, volume in USD
    (1562198400, 100.0, 101.5, 99.0, 101.0, 1.0, 100.5),
    (1562202000, 101.0, 102.5, 100.0, 102.0, 2.0, 203.0),
    (1562205600, 102.0, 103.5, 101.0, 103.0, 3.0, 307.5),
    (1562209200, 103.0, 104.0, 102.0, 103.5, 4.0, 412.0),
]


def iso(seconds):
    return f"{pd.Timestamp(seconds, unit='s'):%Y-%m-%d %H:%M:%S}"


def am_pm(seconds):
    return f"{pd.Timestamp(seconds, unit='s'):%Y-%m-%d %I-%p}"


def table(header, rows, banner=None):
    lines = [*([banner] if banner else []), header, *(",".join(str(cell) for cell in row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


NEWEST_FIRST = list(reversed(BARS))
CDD_OLD = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"
CDD = "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD"
KLINE = [(t * 1000, o, h, lo, c, v, t * 1000 + 3599999, q, 7, 1.0, 2.0, 0) for t, o, h, lo, c, v, q in BARS]
POLONIEX = [
    {"date": t, "high": h, "low": lo, "open": o, "close": c, "volume": q, "quoteVolume": v, "weightedAverage": q / v}
    for t, o, h, lo, c, v, q in BARS
]

LAYOUTS = {
    "CryptoDataDownload, ISO dates": table(CDD_OLD, [(iso(t), "BTCUSD", *rest) for t, *rest in NEWEST_FIRST]),
    "CryptoDataDownload, 01-AM": table(CDD_OLD, [(am_pm(t), "BTCUSD", *rest) for t, *rest in NEWEST_FIRST]),
    "CryptoDataDownload, banner": table(CDD_OLD, [(iso(t), "BTCUSD", *rest) for t, *rest in NEWEST_FIRST], "www.example.com"),
    "CryptoDataDownload, Unix and date": table(CDD, [(t, am_pm(t), "BTCUSD", *rest) for t, *rest in NEWEST_FIRST]),
    "CryptoDataDownload, milliseconds": table(
        CDD.lower().replace(" timestamp", ""), [(t * 1000, iso(t), "BTC/USD", *rest) for t, *rest in NEWEST_FIRST]
    ),
    "CryptoDataDownload, seconds and milliseconds mixed": table(
        "unix,symbol,open,high,low,close,volume,Volume USD",
        [(t * (1000 if k % 2 else 1), "BTCUSD", *rest) for k, (t, *rest) in enumerate(NEWEST_FIRST)],
    ),
    "CryptoDataDownload, ISO, 01-AM and Unix mixed": table(
        CDD_OLD, [((iso(t), am_pm(t), t, t * 1000)[k], "BTCUSD", *rest) for k, (t, *rest) in enumerate(NEWEST_FIRST)]
    ),
    "Kaggle": table("Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price", [(*bar, 100) for bar in BARS]),
    "Binance klines without a header": table(",".join(map(str, KLINE[0])), KLINE[1:]),
    "Binance klines with a header": table(
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore", KLINE
    ),
    "Binance klines in microseconds": table(",".join(map(str, (KLINE[0][0] * 1000, *KLINE[0][1:]))),
                                            [(row[0] * 1000, *row[1:]) for row in KLINE[1:]]),
    "plain, with a zone": table(
        "datetime,open,high,low,close,vol,turnover", [(iso(t).replace(" ", "T") + "Z", *r) for t, *r in BARS]
    ),
    "plain, with UTC in words": table(
        "time,open,high,low,close,volume,quote_volume", [(f"{iso(t)} UTC", *rest) for t, *rest in BARS]
    ),
    "plain, another zone": table(
        "time,o,h,l,c,v,quote volume",
        [(pd.Timestamp(t, unit="s", tz="Asia/Tokyo").isoformat(), *rest) for t, *rest in BARS],
    ),
    "plain, semicolons": table("time,open,high,low,close,volume,quote_volume", BARS).replace(b",", b";"),
    "Windows line ends and blank lines": table(CDD_OLD, [(iso(t), "BTCUSD", *r) for t, *r in BARS]).replace(b"\n", b"\r\n\r\n"),
    "a byte-order mark": b"\xef\xbb\xbf" + table(CDD_OLD, [(iso(t), "BTCUSD", *r) for t, *r in BARS]),
    "quoted cells": table('"Date","Open","High","Low","Close","Volume BTC","Volume USD"',
                          [(f'"{iso(t)}"', *(f'"{value}"' for value in r)) for t, *r in BARS]),
    "Poloniex": json.dumps(POLONIEX).encode(),
    "Poloniex, numbers as text": json.dumps([{k: str(v) for k, v in bar.items()} for bar in POLONIEX]).encode(),
}  # fmt: skip


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "bars.csv"
    path.write_bytes(LAYOUTS["CryptoDataDownload, ISO dates"])
    candles = read_candles(path)
    assert [tuple(row) for row in candles.frame.itertuples(index=False)] == [tuple(bar[1:]) for bar in BARS]
    assert list(candles.index.as_unit("s").asi8) == [bar[0] for bar in BARS]
    return candles


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_layout_reads_to_the_same_candles_whatever_its_name(layout, packed, expected, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(gzip.compress(LAYOUTS[layout]) if packed else LAYOUTS[layout])
    candles = read_candles(path)
    pd.testing.assert_frame_equal(candles.frame, expected.frame)
    if layout.startswith("Poloniex"):
        assert candles.extra is not None
        assert list(candles.extra.columns) == ["weighted_average"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_of_any_origin_reads_to_the_same_candles(unit, expected, tmp_path):
    frame = pd.DataFrame(BARS, columns=["t", "Open", "High", "Low", "Close", "Volume", "Quote Volume"])
    frame.insert(0, "Date", pd.to_datetime(frame.pop("t"), unit="s", utc=True).dt.as_unit(unit))
    path = tmp_path / "a.file"
    frame.to_parquet(path)
    assert read_candles(path).sha256 == expected.sha256
    frame.set_index("Date").to_parquet(path)
    assert read_candles(path).sha256 == expected.sha256


def test_swapped_volumes_are_found_and_put_back(expected, tmp_path):
    swapped = [(t, *prices, *((q, v) if k in (0, 2) else (v, q))) for k, (t, *prices, v, q) in enumerate(BARS)]
    path = tmp_path / "bars.csv"
    path.write_bytes(table(CDD_OLD, [(iso(t), "BTCUSD", *rest) for t, *rest in swapped]))
    with pytest.raises(CandleError, match=r"line 2 \(2019-07-04 00:00\).*volume=100.5, quote_volume=1 \(2 such places\)"):
        read_candles(path)
    mended = read_candles(path, repair=True)
    assert mended.sha256 == expected.sha256
    assert "swapped volumes put back: 2" in mended.source


def test_minutes_without_a_trade_become_flat_bars_on_request(tmp_path):
    rows = [(bar[0], *(["NaN"] * 7 if k == 2 else [*bar[1:], 100])) for k, bar in enumerate(BARS)]
    path = tmp_path / "bars.csv"
    path.write_bytes(table("Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price", rows))
    with pytest.raises(CandleError, match=r"a bar must have prices, but line 4 \(2019-07-04 02:00\)"):
        read_candles(path)
    candles = read_candles(path, repair=True)
    assert list(candles.frame.iloc[2]) == [102, 102, 102, 102, 0, 0]
    assert filled_of(candles) == [False, False, True, False]


def test_a_missing_quote_volume_is_computed_and_said(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_bytes(table("time,open,high,low,close,volume", [bar[:6] for bar in BARS]))
    candles = read_candles(path)
    np.testing.assert_array_equal(candles.frame["quote_volume"], candles.frame["volume"] * candles.frame["close"])
    assert "quote volume = volume * close" in candles.source


SYMBOLS = ("BTC", "BTC", "ETH", "BTC")
EMPTY = [{"date": 0, "high": 0, "low": 0, "open": 0, "close": 0, "volume": 0, "quoteVolume": 0, "weightedAverage": 0}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(EMPTY).encode(), "Poloniex's empty answer"),
        (b'{"error": "Invalid currency pair."}', "Invalid currency pair"),
        (b"[1, 2, 3]", "holds no candles but the answer"),
        (b"[{", "damaged JSON"),
        (b"\x1f\x8b\x08 no gzip", "damaged gzip"),
        (json.dumps([{k: v for k, v in bar.items() if k != "quoteVolume"} for bar in POLONIEX]).encode(), "no quoteVolume"),
        (json.dumps([bar | {"open": [1]} for bar in POLONIEX]).encode(), "some.file"),
        (b"[" * 100_000, "cannot be read|damaged JSON"),
        (
            table("time,open,high,low,close,Volume,Volume BTC", [(*bar[:6], 9.0) for bar in BARS]),
            r"one column must be the volume.*'Volume BTC', 'Volume'",
        ),
        (
            table("time,open,high,low,close,volume,filled", [(*bar[:6], "maybe") for bar in BARS]),
            "`filled` must be true or false",
        ),
        (
            table(
                "time,symbol,open,high,low,close,volume",
                [(b[0], "ETH" if k == 2 else "BTC", *b[1:6]) for k, b in enumerate(BARS)],
            ),
            "of one coin, but .* holds 2: BTC, ETH",
        ),
        (table("time,open,high,low,close,volume", [b[:6] for b in BARS]).replace(b"103.5", b"10\xff.5"), "some.file"),
        (b"PAR1 no parquet", "damaged Parquet"),
        (b"", "has the columns"),
        (b"\x00\x01\x02" * 99, "no text, no Parquet and no Feather"),
        (b"name,age,height,weight,shoe\nAnn,3,1,1,1\nBob,4,1,1,1\n", r"columns \['name', 'age', 'height', 'weight', 'shoe'\]"),
        (table("time,open,high,low,close,volume", [BARS[0][:6], (*BARS[1][:6], 9)]), "6 cells like the header, but line 3"),
        (table("time,open,high,low,close,volume", [BARS[0][:6], BARS[1][:4]]), "6 cells like the header, but line 3"),
        (table("date,open,high,low,close,volume", [("03/04/2019", *b[1:6]) for b in BARS]), "time must be readable.*03/04/2019"),
        (
            table("unix,date,open,high,low,close,volume", [(t, iso(t + 3600), *r[:5]) for t, *r in BARS]),
            "two columns of times must agree.*1 h apart in 4 of 4 rows",
        ),
        (table("time,open,high,low,close,volume", [(20190704, *b[1:6]) for b in BARS]), "fewer than two"),
        (table("time,open,high,low,close,volume", [(2019070, *b[1:6]) for b in BARS]), "'2019070' as time"),
    ],
)
def test_what_is_no_candle_file_gets_one_line(content, message, tmp_path):
    path = tmp_path / "some.file"
    path.write_bytes(content)
    for repair in (False, True):
        with pytest.raises(CandleError, match=message) as error:
            read_candles(path, repair)
        assert "\n" not in str(error.value)
        assert "some.file" in str(error.value)
