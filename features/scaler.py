"""Scalers: a center and a scale for each column, estimated on train alone."""

import numpy as np

BLOCK = 4_096  # rows
NORMAL_INTERQUARTILE_RANGE = 1.3489795003921634  # of the normal distribution with deviation 1


def estimate_scaler(rows: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Center and scale so that `(x - center) / scale` is about 1 in size on train.

    Args:
        rows: float64 (R, F), finite.
        kind: `standard`: mean and standard deviation. `robust`: median and interquartile range, the latter over that of a normal
            distribution; a column that rests at one value most of the time has none, and takes its standard deviation.
            `minmax`: the middle and half of the range, so that train becomes [-1, 1].

    Returns:
        float64 (F,) and (F,); a column that never moves gets scale 1, so that it becomes 0.
    """
    pairs = [_of_column(np.ascontiguousarray(column), kind) for column in rows.T]
    center, scale = np.array(pairs, np.float64).reshape(-1, 2).T
    return center, scale


def _of_column(values: np.ndarray, kind: str) -> tuple[float, float]:
    """Center and scale of one column (R,); several at a time would hold copies of all."""
    lowest, highest = values.min(), values.max()
    if not highest > lowest:  # the deviation of equal numbers may be a rounding error above 0
        return values[0], 1.0
    if kind == "standard":
        center, scale = values.mean(), values.std()
    elif kind == "minmax":
        center, scale = (lowest + highest) / 2, (highest - lowest) / 2
    else:
        low, center, high = np.quantile(values, [0.25, 0.5, 0.75])
        scale = (high - low) / NORMAL_INTERQUARTILE_RANGE
        scale = scale if scale > 0 else values.std()
    return center, scale if scale > 0 else 1.0


def apply_scaler(rows: np.ndarray, center: np.ndarray, scale: np.ndarray, clip: float, out: np.ndarray) -> np.ndarray:
    """`(rows - center) / scale` cut off at +-clip, into `out`, float32 (R, F); block by block, so without a copy in between."""
    for first in range(0, len(rows), BLOCK):
        block = slice(first, first + BLOCK)
        np.clip((rows[block] - center) / scale, -clip, clip, out=out[block], casting="same_kind")
    return out
