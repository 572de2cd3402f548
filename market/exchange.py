"""One exchange's candle endpoint through `ccxt`: names checked, passing faults waited out, pages as plain numbers.

What a series of pages must fulfil is decided in `market/download.py`.
"""

import difflib
import math
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any, TypeVar

import pandas as pd

from common import InputError, needed_for, unknown

Answer = TypeVar("Answer")
Bars = dict[int, tuple[float, ...]]
"""open time in milliseconds since 1970 -> open, high, low, close, volume; in time order"""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_ASKED_WAIT_S = 900.0
"""an exchange that asks for a longer pause (`Retry-After`) ends the download instead"""
PAGE_BARS = 100
"""bars asked for at once where ccxt does not know the exchange's limit"""
PASSING_STATUS = (408, 418, 425, 429)
"""client errors that pass with time; so do all from 500 on"""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""what ccxt's parsers raise at an answer of another shape, such as a maintenance page"""


class DownloadError(InputError):
    """An exchange that does not answer, or whose answers contradict each other."""


class Exchange:
    """Asks one exchange for the bars of one symbol. Nothing is asked before `load`.

    Args:
        name: ccxt's id of the exchange, such as `coinbaseexchange`.
        timeframe: ccxt's name of the bar length, such as `1h`.
        options: handed to ccxt's constructor (`urls`, `timeout` in milliseconds, ...).
        now, sleep: the clock and the pause, in seconds, between two tries.
        max_retries: how often one request is repeated; the pauses are 1, 2, 4, ... 60, 60 seconds, or what the exchange asks for.
        on_note: told of each pause.

    Raises:
        InputError: ccxt is not installed; an unknown exchange or timeframe, or an exchange that offers no bars.
    """

    def __init__(
        self,
        name: str,
        timeframe: str,
        options: dict[str, Any],
        now: Callable[[], pd.Timestamp],
        sleep: Callable[[float], None],
        max_retries: int,
        on_note: Callable[[str], None],
    ) -> None:
        self._ccxt = _import_ccxt()
        _refuse_unknown("exchange", name, self._ccxt.exchanges)
        self._client = getattr(self._ccxt, name)({"enableRateLimit": True, "enableLastJsonResponse": True, **options})
        if self._client.has["fetchOHLCV"] is not True:
            raise InputError(
                f"{name} offers no bars (ccxt: fetchOHLCV is {self._client.has['fetchOHLCV']}); take another exchange"
            )
        # A month or a year has no fixed length, and a candle series needs one.
        lengths = [known for known in self._client.timeframes or {} if known[-1] not in "My"]
        _refuse_unknown(f"timeframe of {name}", timeframe, lengths)
        self.name, self.timeframe = name, timeframe
        self.bar = pd.Timedelta(seconds=self._client.parse_timeframe(timeframe))
        self.page_bars = PAGE_BARS
        self._now, self._sleep, self._max_retries, self._on_note = now, sleep, max_retries, on_note

    def load(self, symbol: str) -> None:
        """Load the exchange's markets and choose one; raises `InputError` for an unknown symbol."""
        markets = self._ask(self._client.load_markets)
        _refuse_unknown(f"symbol of {self.name}", symbol, markets)
        self.symbol = symbol
        self.page_bars = self._client.feature_value(symbol, "fetchOHLCV", "limit") or PAGE_BARS

    def page(self, start: int) -> Bars:
        """At most `page_bars` bars from `start` on, the unfinished one with them.

        A row without a finite number for each value is no bar (some exchanges so mark hours without a trade).

        Raises:
            DownloadError: no usable answer after all tries, or one that the exchange means (400, 404, ...).
        """
        return self._ask(
            lambda: _bars(self._client.fetch_ohlcv(self.symbol, self.timeframe, start, self.page_bars), start, self.name)
        )

    def pause(self, attempt: int, reason: str, asked_s: float = 0.0) -> None:
        """Wait before the next try, the longer the more tries there were, and never shorter than the exchange asks."""
        if asked_s > LONGEST_ASKED_WAIT_S:
            raise DownloadError(
                f"{self.name} asks to be left alone for {asked_s:.0f} s ({reason}); run the same command after that"
            )
        seconds = max(asked_s, min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S))
        self._on_note(f"{self.name}: {reason}; asking again in {seconds:g} s")
        self._sleep(seconds)

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        for attempt in range(self._max_retries + 1):
            asked_s = 0.0
            try:
                answer = call()
                if self._client.last_http_response is None or self._client.last_json_response is not None:
                    return answer
                reason = "an answer that is no JSON"
            except InputError:
                raise
            except self._ccxt.BaseError as error:
                reason = _one_line(error)
                if not self._passes(error):
                    raise DownloadError(f"{self.name} refuses: {reason}") from None
                asked_s = self._retry_after_s(error)
            except UNREADABLE as error:
                reason = f"an answer that ccxt cannot read ({_one_line(error)})"
            if attempt < self._max_retries:
                self.pause(attempt, reason, asked_s)
        raise DownloadError(
            f"{self.name} gave no bars in {self._max_retries + 1} tries, the last time: {reason}; try again later"
        )

    def _passes(self, error: Exception) -> bool:
        """Whether the same request may succeed later; ccxt counts even a 404 among the passing faults."""
        response = _http_response(error)
        if isinstance(error, (self._ccxt.RateLimitExceeded, self._ccxt.DDoSProtection)):
            return True
        if response is not None:
            return response.status_code in PASSING_STATUS or response.status_code >= 500
        return isinstance(error, self._ccxt.OperationFailed) or isinstance(error.__cause__, OSError)  # the line broke

    def _retry_after_s(self, error: Exception) -> float:
        """Seconds that the answer's `Retry-After` (a number or a date) asks for; 0 without one."""
        response = _http_response(error)
        said = "" if response is None else response.headers.get("Retry-After", "").strip()
        if said.isdecimal():
            return float(said)
        try:
            return max(0.0, (pd.Timestamp(parsedate_to_datetime(said)) - self._now()).total_seconds())
        except (TypeError, ValueError):
            return 0.0


def _import_ccxt() -> ModuleType:
    with needed_for("downloading"):
        import ccxt
    return ccxt


def _refuse_unknown(kind: str, name: str, known: Iterable[str]) -> None:
    """An exchange has thousands of symbols: without a near one, the message names a dozen."""
    names = list(known)
    if name in names:
        return
    if len(names) > 12 and not difflib.get_close_matches(name, names, 1, 0.5):
        names = [*names[:12], f"and {len(names) - 12} more"]
    raise InputError(unknown(kind, name, names))


def _bars(rows: list[list[Any]], start: int, where: str) -> Bars:
    bars: Bars = {}
    for row in sorted(rows, key=lambda row: row[0]):
        time, values = int(row[0]), row[1:6]
        if time < start or any(value is None or not math.isfinite(value) for value in values):
            continue
        bar = tuple(float(value) for value in values)
        if bars.setdefault(time, bar) != bar:
            raise DownloadError(
                f"{where} gives two bars of {readable(time)} on one page: {bars[time]} and {bar}; try again later"
            )
    return bars


def readable(time: int) -> pd.Timestamp:
    """Milliseconds since 1970 as a UTC time."""
    return pd.Timestamp(time, unit="ms", tz="UTC")


def _http_response(error: BaseException) -> Any:
    """The HTTP answer behind ccxt's error; None if none came (the line broke) or the error is about its content."""
    cause = error.__cause__ or error.__context__
    return getattr(cause, "response", None)


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 200 else f"{text[:197]}..."
