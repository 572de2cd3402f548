"""`FeatureMatrix`: what the agent sees, one row a bar."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Features of the bars that follow the warm-up.

    Args:
        values: float32 (T - warmup, F), read-only, finite, within [-bound, bound].
        names: the F columns.
        index: open times of the rows' bars; a row is known when its bar closes.
        warmup: number of bars in front that have no row.
        bound: the largest absolute value that can occur, in any later data too.
    """

    values: np.ndarray
    names: tuple[str, ...]
    index: pd.DatetimeIndex
    warmup: int
    bound: float

    def __len__(self) -> int:
        return len(self.values)

    def since(self, bar: int) -> "FeatureMatrix":
        """The rows from the given bar of the candles on (or from the end of the warm-up, if that is later)."""
        skip = max(bar - self.warmup, 0)
        return FeatureMatrix(self.values[skip:], self.names, self.index[skip:], self.warmup + skip, self.bound)


def stack_rows(values: np.ndarray, names: tuple[str, ...], window: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each row with the `window - 1` rows before it, oldest first, so that an agent without memory sees the recent past.

    Args:
        values: float32 (R, F).

    Returns:
        values float32 (R - window + 1, window * F), and the columns' names: `rsi[-2] ... rsi[-1] ... rsi`.
    """
    if window == 1:
        return values, names
    rows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)  # (R - window + 1, F, window)
    stacked = np.ascontiguousarray(rows.transpose(0, 2, 1)).reshape(len(rows), -1)
    ages = range(window - 1, -1, -1)
    return stacked, tuple(f"{name}[-{age}]" if age else name for age in ages for name in names)
