"""Realised volatility over the last bars, at several windows, in logs."""

import numpy as np
import pandas as pd

from common import InputError
from market import Candles

FLAT = 1e-5
"""lowest volatility a bar: a tenth of a basis point, far below any cost, stands for a market that doesn't move"""


def realised_volatility(candles: Candles, windows: tuple[int, ...]) -> pd.DataFrame:
    """`ln sqrt(mean(r^2))` over the last w log returns r of the close, float64 (T, len(windows)), `volatility_6` and so on.

    Realised volatility (Andersen & Bollerslev, 1998) is skewed far to the right; its logarithm is near normal (Andersen,
    Bollerslev, Diebold & Labys, 2003), so a scaler that clips still tells the wild hours apart. A volatility below `FLAT` counts
    as `FLAT`. Each column's first w rows are NaN, no other value is; a row depends on the last w + 1 closes alone, and nothing
    older leaves a trace.

    Raises:
        InputError: no window, one below 1 bar, or the same twice.
    """
    _check(windows)
    squares = np.diff(np.log(candles.column("close"))) ** 2
    columns = {}
    for window in windows:
        volatility = np.sqrt(_trailing_sums(squares, window) / window)
        known = np.log(np.maximum(volatility, FLAT))
        columns[f"volatility_{window}"] = np.concatenate([np.full(len(candles) - len(known), np.nan), known])
    return pd.DataFrame(columns, index=candles.index)


def warmup(windows: tuple[int, ...]) -> int:
    """Bars in front without a row in every column: the longest window, for w returns need w + 1 closes."""
    _check(windows)
    return max(windows)


def _check(windows: tuple[int, ...]) -> None:
    if not windows or min(windows) < 1 or len(set(windows)) < len(windows):
        raise InputError(f"volatility needs windows of 1 bar or more, each one once, but got {windows}")


def _trailing_sums(values: np.ndarray, window: int) -> np.ndarray:
    """Sums of `window` neighbours, (n,) -> (max(n - window + 1, 0),), in time linear in n whatever the window.

    The series is cut into blocks of `window`. A sum is the end of one block plus the beginning of the next (van Herk, 1992; Gil &
    Werman, 1993): nothing is ever subtracted, so nothing of an old value can stay behind, and only whole blocks are summed from
    their end, so no sum sees a later value.
    """
    if len(values) < window:
        return np.empty(0)
    blocks = np.zeros((-(-len(values) // window), window))
    blocks.ravel()[: len(values)] = values
    beginnings = np.cumsum(blocks, axis=1).ravel()
    ends = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    first = np.arange(len(values) - window + 1)
    return np.where(first % window == 0, 0.0, ends[first]) + beginnings[first + window - 1]
