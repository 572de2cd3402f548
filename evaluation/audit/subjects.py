"""What the leak audit takes: anything that has these methods, whoever made it."""

from typing import Protocol

import numpy as np
import pandas as pd

from features import FeatureMatrix
from market import Candles


class Fitted(Protocol):
    """What `fit` returns; a `lookback` and an `out_of_fold(candles)` beside it are audited too."""

    def transform(self, candles: Candles) -> FeatureMatrix | pd.DataFrame | np.ndarray: ...
