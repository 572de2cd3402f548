from .markets import MARKETS as MARKETS, simulate as simulate
from .simulated_candles import (
    SimulatedCandles as SimulatedCandles,
    bars_around as bars_around,
    hourly_candles as hourly_candles,
    plain_volume as plain_volume,
)
