"""Longer bars out of shorter ones."""

import re

import numpy as np
import pandas as pd

from market.candles import CandleError, Candles, bar_name

RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum"}


def resample(candles: Candles, bar: pd.Timedelta) -> Candles:
    """Candles of a longer bar, which opens on the grid that starts at 1970-01-01 00:00 UTC (weeks so open on a Thursday).

    A first or last bar of which the candles hold only a part is left out, and `source` says so: its open, its extremes and its
    volume would be those of another span than its name says. A bar is `filled` if all of its parts are.

    Raises:
        CandleError: `bar` is no whole multiple of the candles' bar, or no whole bar is in them.
    """
    parts = bar / candles.bar
    if parts < 1 or parts != int(parts):
        fewer = max(int(parts), 1)
        raise CandleError(
            f"a bar must be a whole multiple of {bar_name(candles.bar)}, the bar of {candles.source}, but got {bar_name(bar)}; "
            f"take {bar_name(candles.bar * fewer)} or {bar_name(candles.bar * (fewer + 1))}"
        )
    opens = candles.index.floor(bar)
    count = pd.Series(1, index=opens).groupby(level=0).sum()
    whole = count.index[count == int(parts)]
    if whole.empty:
        raise CandleError(
            f"{len(candles)} bars of {bar_name(candles.bar)} hold no whole bar of {bar_name(bar)}; give more candles"
        )
    frame = candles.frame.groupby(opens).agg(RULES).loc[whole]
    frame.index.name = "time"
    note = f"resampled from {bar_name(candles.bar)}"
    if len(whole) < len(count):
        note += f", {len(count) - len(whole)} partial at the ends left out"
    filled = None
    if candles.filled is not None:
        filled = pd.Series(candles.filled).groupby(np.asarray(opens)).all().to_numpy()[(count == int(parts)).to_numpy()]
    return Candles(frame, bar, candles.symbol, f"{candles.source}; {note}", filled)


def parse_bar(text: str) -> pd.Timedelta:
    """`15min`, `4h`, `1d` as a length of time; `15m` is fifteen minutes, as exchanges write it.

    Raises:
        CandleError: the text is no positive length.
    """
    try:
        bar = pd.Timedelta(re.sub("m$", "min", re.sub("d$", "D", text)))
    except ValueError:
        bar = pd.Timedelta(0)
    if not bar > pd.Timedelta(0):
        raise CandleError(f"a bar must be a length of time such as 15min, 1h or 1d, but got {text!r}")
    return bar
