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
    spread = rows.std(axis=0)
    if kind == "standard":
        center, scale = rows.mean(axis=0), spread
    elif kind == "minmax":
        low, high = rows.min(axis=0), rows.max(axis=0)
        center, scale = (low + high) / 2, (high - low) / 2
    else:
        low, center, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        scale = (high - low) / NORMAL_INTERQUARTILE_RANGE
        scale = np.where(scale > 0, scale, spread)
    moves = rows.max(axis=0) > rows.min(axis=0)  # the deviation of equal numbers may be a rounding error above 0
    return np.where(moves, center, rows[0]), np.where(moves & (scale > 0), scale, 1.0)


def apply_scaler(rows: np.ndarray, center: np.ndarray, scale: np.ndarray, clip: float, out: np.ndarray) -> np.ndarray:
    """`(rows - center) / scale` cut off at +-clip, into `out`, float32 (R, F); block by block, so without a copy in between."""
    for first in range(0, len(rows), BLOCK):
        block = slice(first, first + BLOCK)
        np.clip((rows[block] - center) / scale, -clip, clip, out=out[block], casting="same_kind")
    return out
