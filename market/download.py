"""Downloads finished bars from an exchange, page by page, and goes on where a killed download stood. Needs `ccxt`.

    with progress_bar(since) as (on_progress, on_note):
        done = download("coinbaseexchange", "BTC/USD", "1h", since, path, on_progress=on_progress, on_note=on_note)

How the exchange is asked, and asked again, stands in `market/exchange.py`; what has come is kept by `market/partial.py`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from common import InputError
from market.candles import COLUMNS
from market.download_journal import VALUES, Partial
from market.exchange import Bars, DownloadError, Exchange, readable
from market.parquet import read_parquet_meta, write_parquet

OVERLAP_BARS = 2
"""each page asks again for the last bars of the one before: the pages must agree there"""
EMPTY_PAGE_TRIES = 3
OnProgress = Callable[[int, pd.Timestamp], None]
OnNote = Callable[[str], None]


@dataclass(frozen=True)
class Downloaded:
    """What a download wrote; as text, one line for the user."""

    path: Path
    bars: int
    added: int
    """bars that were not in the file before"""
    first: pd.Timestamp
    last: pd.Timestamp
    missing: int
    """bars between first and last that the exchange does not have (nobody traded then, or it was down)"""
    revised: int
    """bars that came again with other values; the later answer stands"""

    def __str__(self) -> str:
        gaps = f"{self.missing} bars between are missing at the exchange and in the file" if self.missing else "no bar is missing"
        return f"{self.path}: {self.bars} bars, {self.added} of them new, from {self.first} to {self.last}; {gaps}"


def download(
    exchange: str,
    symbol: str,
    timeframe: str,
    since: pd.Timestamp,
    path: Path,
    *,
    until: pd.Timestamp | None = None,
    exchange_options: dict[str, Any] | None = None,
    on_progress: OnProgress = lambda bars, newest: None,
    on_note: OnNote = lambda note: None,
    now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now("UTC"),
    sleep: Callable[[float], None] = time.sleep,
    max_retries: int = 8,
) -> Downloaded:
    """Download an exchange's finished bars into a Parquet file (see `write_parquet`), or extend that file by the newer ones.

    The file appears, or changes, when all bars are there. Until then they are kept in `PATH.partial`; the same call goes on
    from there after a kill. Bars that the exchange does not have are missing in the file too: nothing is invented.

    Args:
        exchange: ccxt's id, such as `coinbaseexchange` or `bitstamp`.
        symbol: ccxt's name of the market, such as `BTC/USD`.
        timeframe: ccxt's name of the bar length, such as `1h`.
        since: no bar opens before this; UTC if it has no zone.
        path: the Parquet file to write, or to extend if an earlier download wrote it.
        until: every newly asked bar closes by then; at the latest, now.
        exchange_options: handed to ccxt's constructor.
        on_progress: told after each page the number of bars so far and the newest one's time.
        on_note: told in words of pauses, of revised bars, of a start later than asked.
        now, sleep: the clock, and the pause in seconds.
        max_retries: tries of one request after the first; see `Exchange`.

    Raises:
        InputError: ccxt is missing; an unknown exchange, symbol or timeframe; a file or an unfinished download of something
            else at `path`; no time between `since` and `until`.
        DownloadError: no answer after all tries, no bars at all, or answers that contradict each other. What has come is kept.
    """
    since, end = _utc(since), min(_utc(until or now()), _utc(now()))
    market = Exchange(exchange, timeframe, exchange_options or {}, now, sleep, max_retries, on_note)
    if end - market.bar < since:
        raise InputError(
            f"`since` must lie at least one bar before the end, but got {since} with the end {end}; ask for an earlier one"
        )
    what = {
        "symbol": symbol,
        "source": f"{exchange} through ccxt, since {since}; quote_volume is volume * close",
        "bar": str(market.bar),
    }
    stored = _stored(path, what)
    partial = Partial(path, what, None if stored.empty else _milliseconds(stored.index)[-1])
    known = _join(stored, partial.read())
    market.load(symbol)

    revised, count = 0, len(known)
    for fresh, again in _new_bars(market, _tail(known), _milliseconds(pd.DatetimeIndex([since]))[0], end, on_note):
        partial.append(fresh)
        revised, count = revised + again, count + len(fresh) - again
        on_progress(count, readable(max(fresh)))

    frame = _join(stored, partial.read())
    if frame.empty:
        raise DownloadError(f"{exchange} has no {timeframe} bars of {symbol} from {since} to {end}; ask for another range")
    if frame.index[0] - since >= market.bar:
        on_note(f"asked for bars since {since}, but the first one that {exchange} gives opens at {frame.index[0]}")
    if not frame.equals(stored):
        write_parquet(frame, path, what["symbol"], what["source"], market.bar)
    partial.delete()
    first, last = frame.index[0], frame.index[-1]
    missing = round((last - first) / market.bar) + 1 - len(frame)
    return Downloaded(path, len(frame), len(frame) - len(stored), first, last, missing, revised)


@contextmanager
def progress_bar(since: pd.Timestamp, until: pd.Timestamp | None = None) -> Iterator[tuple[OnProgress, OnNote]]:
    """A bar on stderr from `since` to `until` or now; yields the two callbacks that `download` takes."""
    start, end = _utc(since), _utc(until or pd.Timestamp.now("UTC"))
    columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[bars]} bars")]
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("downloading", total=(end - start).total_seconds(), bars=0)

        def on_progress(bars: int, newest: pd.Timestamp) -> None:
            progress.update(task, completed=(newest - start).total_seconds(), bars=bars, description=f"{newest:%Y-%m-%d}")

        yield on_progress, lambda note: progress.console.print(note, markup=False, highlight=False)
        progress.update(task, completed=(end - start).total_seconds())


def _new_bars(market: Exchange, tail: Bars, since: int, end: pd.Timestamp, on_note: OnNote) -> Iterator[tuple[Bars, int]]:
    """Page by page, the bars not known yet, with how many of them revise a known one. `tail`: the newest known bars.

    The range is fixed at the start, and each round moves on by a bar at least, so it ends.
    """
    bar = round(market.bar.total_seconds() * 1000)
    last = _milliseconds(pd.DatetimeIndex([end]))[0] - bar  # a later bar is unfinished
    start = min(tail, default=since)
    newest = max(tail, default=since - bar)
    while start <= last and newest + bar <= last:
        page = _whole_page(market, start, tail, bar)
        fresh = _compare(tail, {opens: values for opens, values in page.items() if opens <= last}, bar, market.name)
        revised = [opens for opens in fresh if opens in tail]
        for opens in revised:
            on_note(
                f"{market.name} revised its bar of {readable(opens)}: {fresh[opens]} after {tail[opens]}; the later one stands"
            )
        if fresh:
            yield fresh, len(revised)
            tail = dict(sorted((tail | fresh).items())[-OVERLAP_BARS:])
        # Without a newer bar, this page is a gap of the exchange: look behind it.
        start = min(tail) if fresh and max(fresh) > newest else start + market.page_bars * bar
        newest = max(tail, default=newest)


def _whole_page(market: Exchange, start: int, tail: Bars, bar: int) -> Bars:
    """A page that is not a hiccup: it holds the bars known of its range, and an empty one is believed only when repeated."""
    expected = {opens for opens in tail if start <= opens < start + market.page_bars * bar}
    for attempt in range(EMPTY_PAGE_TRIES):
        page = market.page(start)
        if page and expected <= set(page):
            return page
        if attempt < EMPTY_PAGE_TRIES - 1:
            lack = "without bars that it gave before" if page else "empty"
            market.pause(attempt, f"the page from {readable(start)} is {lack}")
    if expected and not page:
        raise DownloadError(
            f"{market.name} now has no bars from {readable(start)} on, though it gave the one of {readable(max(expected))} "
            "before; what has come is kept, try again later"
        )
    return page


def _compare(tail: Bars, page: Bars, bar: int, where: str) -> Bars:
    """The page's bars that are new, or newer than a known one. Only the newest known bar may have changed since."""
    newest = max(tail, default=min(page, default=0) - bar)
    for opens, values in page.items():
        if opens < newest and tail.get(opens) != values:
            raise DownloadError(
                f"two answers of {where} must agree on a bar, but that of {readable(opens)} was {tail.get(opens, 'missing')} "
                f"and is {values} now; delete the file, and its .partial, to download anew"
            )
        if (opens - newest) % bar:
            raise DownloadError(
                f"each bar must open a multiple of {pd.Timedelta(bar, 'ms')} after the one before, but {where} goes from "
                f"{readable(newest)} to {readable(opens)}; take another timeframe or a later start"
            )
    return {opens: values for opens, values in page.items() if opens >= newest and tail.get(opens) != values}


def _stored(path: Path, what: dict[str, str]) -> pd.DataFrame:
    """The bars of an earlier download at `path`, none if there is no file; another file is refused."""
    if not path.exists():
        return pd.DataFrame({name: np.empty(0) for name in COLUMNS}, index=pd.DatetimeIndex([], tz="UTC", name="time"))
    if path.is_dir():
        raise InputError(f"the bars go into a file, but {path} is a folder; name a file in it")
    meta = read_parquet_meta(path)
    found = {"symbol": meta.symbol, "source": meta.source, "bar": str(meta.bar)}
    if found != what:
        differs = ", ".join(f"{name} {found[name]!r} not {asked!r}" for name, asked in what.items() if found[name] != asked)
        raise InputError(f"only a file of the same download is extended, but {path} is another ({differs}); name another file")
    return pq.read_table(path).to_pandas().set_index("time")[list(COLUMNS)]


def _join(stored: pd.DataFrame, came: pd.DataFrame) -> pd.DataFrame:
    """Both in time order; where a bar came again, the later answer."""
    came = came.assign(quote_volume=came["volume"] * came["close"])
    frame = pd.concat([stored, came]) if len(stored) else came
    return frame[~frame.index.duplicated(keep="last")].sort_index()


def _tail(frame: pd.DataFrame) -> Bars:
    newest = frame.iloc[-OVERLAP_BARS:]
    rows = newest[list(VALUES)].itertuples(index=False, name=None)
    return dict(zip(_milliseconds(newest.index), rows, strict=True))


def _milliseconds(index: pd.Index) -> list[int]:
    return [int(opens) for opens in pd.DatetimeIndex(index).as_unit("ms").asi8]


def _utc(moment: pd.Timestamp) -> pd.Timestamp:
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
