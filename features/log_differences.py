"""Log differences: what remains of a price or a volume when its level is taken away."""

import numpy as np
import pandas as pd

from market import Candles

WARMUP = 1
HELD_BARS = 24
"""how far back a bar looks for the last one that traded; with it, the memory of a row is finite"""
SMALLEST_TRADE = 1e-8
"""a volume below a satoshi, the smallest amount there is, stands for no trade: some sources write 1e-10 instead of 0"""


def log_differences(candles: Candles, volumes: bool = True) -> pd.DataFrame:
    """`log(x_t / x_s)` of the six columns, or of the four prices without `volumes`: float64 (T, 6), `d_log_open` and so on; the
    first row is NaN, no other value is.

    For a price s is the bar before. For a volume it is the last bar that traded, if that is at most `HELD_BARS` back. The
    difference is 0 where there is nothing to compare: on a bar without a trade, and on the first trade after a longer silence.
    So a zero makes no spike, nothing is filled backwards, and a row depends on its own bar and the `HELD_BARS` before it alone.
    """
    columns = {f"d_log_{name}": _log_difference(candles.column(name)) for name in candles.frame.columns[:4]}
    if volumes:
        columns |= {f"d_log_{name}": _volume_difference(candles.column(name)) for name in candles.frame.columns[4:]}
    return pd.DataFrame(columns, index=candles.index)


def _log_difference(prices: np.ndarray) -> np.ndarray:
    return np.diff(np.log(prices), prepend=np.nan)


def _volume_difference(volume: np.ndarray) -> np.ndarray:
    bars = np.arange(len(volume))
    traded = volume >= SMALLEST_TRADE
    logs = np.log(np.where(traded, volume, 1.0))
    last = np.maximum.accumulate(np.where(traded, bars, -1))[:-1]  # for each bar but the first: the last trade before it
    comparable = traded[1:] & (last >= 0) & (bars[1:] - last <= HELD_BARS)
    return np.concatenate([[np.nan], np.where(comparable, logs[1:] - logs[last], 0.0)])
