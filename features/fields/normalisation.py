"""Statistics of each feature's values in train, by which they are brought to one scale."""

import numpy as np

from features.fields.numbering_kernel import measure
from features.fields.rows import FieldRows


class FeatureStatistics:
    """Number, mean, squared deviations, least and largest value of each feature so far."""

    def __init__(self) -> None:
        self._arrays = [np.zeros(0, np.int64), *(np.zeros(0) for _ in range(4))]

    def add(self, rows: FieldRows, n_features: int) -> None:
        """Add rows whose features are below `n_features`."""
        more = n_features - len(self._arrays[0])
        fills = (0, 0.0, 0.0, np.inf, -np.inf)
        self._arrays = [
            np.concatenate([array, np.full(more, fill, array.dtype)]) for array, fill in zip(self._arrays, fills, strict=True)
        ]
        measure(rows.features, rows.values, *self._arrays)

    def shift_and_scale(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """float64 (D,) each: (value - shift) * scale has the range 0..1, or mean 0 and deviation 1; one value alone stays."""
        counts, means, squares, lows, highs = self._arrays
        shift, width = (lows, highs - lows) if method == "minmax" else (means, np.sqrt(squares / counts))
        varies = highs > lows
        return np.where(varies, shift, 0.0), np.where(varies, 1 / np.where(varies, width, 1.0), 1.0)
