"""What the leak audit takes: anything that has these methods, whoever made it."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd

from features import FeatureMatrix
from market import Candles


class Fitted(Protocol):
    """What `fit` returns; a `lookback` and an `out_of_fold(candles)` beside it are audited too."""

    def transform(self, candles: Candles) -> FeatureMatrix | pd.DataFrame | np.ndarray: ...


class Pipeline(Protocol):
    """`fit(train)` gets the train bars; a `fit(candles, train_bars)` gets all."""

    @property
    def fit(self) -> Callable[..., Any]: ...
