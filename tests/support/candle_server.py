"""A local HTTP server that speaks Coinbase Exchange's candle endpoint as ccxt calls it, with faults on demand."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

HOUR = 3600
PAGE = 300
PRODUCTS = [
    {"id": f"{base}-{quote}", "base_currency": base, "quote_currency": quote, "quote_increment": "0.01",
     "base_increment": "0.00000001", "min_market_funds": "1", "margin_enabled": False, "status": "online"}
    for base, quote in (("BTC", "USD"), ("BTC", "EUR"), ("ETH", "USD"))
]  # fmt: skip


def hourly_bars(start: pd.Timestamp, count: int) -> dict[int, list[float]]:
    """Open time in seconds -> the endpoint's row `[time, low, high, open, close, volume]`."""
    rng = np.random.default_rng(3)
    first = int(start.timestamp())
    bars = {}
    for time in range(first, first + count * HOUR, HOUR):
        low, inner, other, high = (round(float(price), 2) for price in np.sort(rng.uniform(900, 1100, 4)))
        bars[time] = [time, low, high, inner, other, round(float(rng.lognormal()), 8)]
    return bars


class Handler(BaseHTTPRequestHandler):
    server: "CandleServer"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/products":
            fault = self.server.faults.pop("products", None)
            fault(self, []) if fault else self.answer(PRODUCTS)
        elif address.path == "/currencies":
            self.answer([])
        elif address.path == "/products/BTC-USD/candles":
            self.candles({name: values[0] for name, values in parse_qs(address.query).items()})
        else:
            self.answer({"message": "NotFound"}, status=404)

    def candles(self, query: dict[str, str]) -> None:
        start, end = (int(pd.Timestamp(query[name]).timestamp()) for name in ("start", "end"))
        number = len(self.server.asked)
        self.server.asked.append((start, end))
        if (end - start) // int(query["granularity"]) >= PAGE:
            self.answer({"message": "granularity too small for the requested time range"}, status=400)
            return
        rows = [row for time, row in sorted(self.server.bars.items(), reverse=True) if start <= time <= end]
        self.server.faults.get(number, Handler.answer)(self, rows)

    def answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(content).encode(), status, headers or {})

    def send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None, missing: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + missing))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class CandleServer(ThreadingHTTPServer):
    """`faults`: number of the candle request, from 0, or `products` (once) -> what answers it.

    `asked`: the (start, end) of each candle request, in seconds.
    """

    daemon_threads = True

    def __init__(self, bars: dict[int, list[float]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bars = bars
        self.asked: list[tuple[int, int]] = []
        self.faults: dict[int | str, Fault] = {}
        self.stalled, self.released = threading.Event(), threading.Event()

    @property
    def options(self) -> dict[str, object]:
        """What makes ccxt call this server, without its pauses."""
        return {"urls": {"api": {"public": f"http://127.0.0.1:{self.server_port}"}}, "enableRateLimit": False}


Fault = Callable[[Handler, list[list[float]]], None]


def status(code: int, **headers: str) -> Fault:
    return lambda handler, rows: handler.answer({"message": "no"}, code, {k.replace("_", "-"): v for k, v in headers.items()})


def dropped(handler: Handler, rows: list[list[float]]) -> None:
    """The connection ends without a byte."""
    handler.close_connection = True


def torn(handler: Handler, rows: list[list[float]]) -> None:
    """The connection ends in the middle of the body."""
    body = json.dumps(rows).encode()
    handler.send(body[: len(body) // 2], missing=len(body) - len(body) // 2)


def web_page(handler: Handler, rows: list[list[float]]) -> None:
    handler.send(b"<html>We'll be back soon</html>")


def empty(handler: Handler, rows: list[list[float]]) -> None:
    handler.answer([])


def only_newest(handler: Handler, rows: list[list[float]]) -> None:
    handler.answer(rows[: len(rows) // 2])


def overlapping(handler: Handler, rows: list[list[float]]) -> None:
    """Fifty bars from before the start, and each bar twice."""
    oldest = rows[-1][0]
    before = [row for time, row in sorted(handler.server.bars.items(), reverse=True) if oldest - 50 * HOUR <= time < oldest]
    handler.answer([row for row in rows + before for _ in range(2)])


def changed(row_from_oldest: int, close: float) -> Fault:
    """One bar of the page has another close than it had on the page before."""

    def fault(handler: Handler, rows: list[list[float]]) -> None:
        rows = [list(row) for row in rows]
        rows[-1 - row_from_oldest][4] = close
        handler.answer(rows)

    return fault


def stall(handler: Handler, rows: list[list[float]]) -> None:
    """Keeps the client waiting until the test lets go; nothing is answered."""
    handler.server.stalled.set()
    handler.server.released.wait(60)
    handler.close_connection = True
