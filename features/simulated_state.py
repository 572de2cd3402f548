"""The state behind a simulated market, as a column. Off by default: no agent that trades for real ever sees such a thing."""

import pandas as pd

from common import InputError
from market import Candles, SimulatedCandles


def hidden_state(candles: Candles) -> pd.DataFrame:
    """`state`, float64 (T, 1): what the market's own docstring calls its state, when each bar closes.

    Raises:
        InputError: candles that were not simulated.
    """
    if not isinstance(candles, SimulatedCandles):
        raise InputError(f"`features.state` needs a simulated market, but the candles are {candles.source}; set it to false")
    return pd.DataFrame({"state": candles.state}, index=candles.index)
