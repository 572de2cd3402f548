"""`read_candles`: any known candle file becomes candles that can be trusted, or one line that says what is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd

from market.candles import Candles
from market.checks import check
from market.layouts import read_raw
from market.raw_table import Raw
from market.repair import MAX_FILLED_BARS, Change, repair as mend


def read_candles(path: str | Path, repair: bool = False) -> Candles:
    """Read a candle file, sorted by real time, and check it.

    Args:
        path: CSV (CryptoDataDownload of any generation, Kaggle, Binance, plain), Parquet, or Poloniex JSON, each also gzipped;
            the layout is found by looking at the content. Times without a zone are UTC.
        repair: mend what the rules of `market.repair` can mend, and say so in `source`. Without it, such a file is refused.

    Returns:
        Candles whose `bar` is the most frequent distance of two rows. Where the file has no quote volume, it is volume * close,
        and `source` says so.

    Raises:
        FileNotFoundError: there is no such file.
        CandleError: an unknown layout, or the first broken rule: the value, the line and its time, and what to do.
    """
    candles, _ = read_and_repair(Path(path), MAX_FILLED_BARS) if repair else (to_candles(read_raw(Path(path)), []), [])
    return candles


def read_and_repair(path: Path, max_fill: int) -> tuple[Candles, list[Change]]:
    """The mended candles, and what was done to them."""
    raw, changes = mend(read_raw(path), max_fill)
    return to_candles(raw, changes), changes


def to_candles(raw: Raw, changes: list[Change]) -> Candles:
    """Candles of a raw file without errors."""
    report = check(raw)
    report.refuse()
    rising = (raw.time[1:] > raw.time[:-1]).all()
    order = slice(None) if rising else np.argsort(raw.time, kind="stable")
    frame = raw.frame.iloc[order].set_axis(pd.DatetimeIndex(raw.time[order], tz="UTC", name="time"))
    notes = [f"file {raw.path.name}" + (f" ({raw.source})" if raw.source else ""), *(str(change) for change in changes)]
    disorder = [problem for problem in report.problems if "in one order" in problem.rule]
    if disorder:
        notes.append(f"rows out of order, sorted by time: {disorder[0].count:,}")
    if frame["quote_volume"].isna().all():
        frame = frame.assign(quote_volume=frame["volume"] * frame["close"])
        notes.append("quote volume = volume * close")
    return Candles(frame, report.bar, raw.symbol, "; ".join(notes), raw.filled[order])
