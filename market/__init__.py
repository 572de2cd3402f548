"""Candles: read, check, simulate, split. Imports nothing of ours."""

from market.candles import CandleError, Candles
from market.errors import InputError, unknown
from market.files import write_atomically
from market.read import read_candles
from market.settings import MarketSettings, Settings, SplitSettings
from market.simulate import MARKETS, SimulatedCandles, simulate
from market.split import LockedTestRange, Part, Split, split

__all__ = [
    "MARKETS", "CandleError", "Candles", "InputError", "LockedTestRange", "MarketSettings", "Part", "Settings",
    "SimulatedCandles", "Split", "SplitSettings", "load_candles", "read_candles", "simulate", "split", "unknown",
    "write_atomically",
]  # fmt: skip


def load_candles(settings: MarketSettings) -> Candles:
    """The candles that the settings ask for: the file's, or simulated ones."""
    if settings.file is not None:
        return read_candles(settings.file, settings.repair)
    return simulate(settings.simulate, settings.bars, settings.seed, edge=settings.edge)
