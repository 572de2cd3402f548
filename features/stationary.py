"""Log differences: what remains of a price or a volume when its level is taken away."""

import numpy as np
import pandas as pd

from market import Candles

WARMUP = 1


def log_differences(candles: Candles) -> pd.DataFrame:
    """`log(x_t / x_{t-1})` of the six columns, float64 (T, 6); the first row is NaN.

    A bar without trades has no volume to compare: its difference is 0, and the next bar is compared with the last one that
    traded. So no spike comes from a zero, and nothing is filled backwards.
    """
    logs = candles.frame.where(candles.frame > 0).apply(np.log)
    held = logs.ffill()  # only a volume can be missing here
    differences = held.diff().fillna(0.0)
    differences.iloc[:WARMUP] = np.nan
    return differences.add_prefix("d_log_")
