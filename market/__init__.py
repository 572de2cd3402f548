"""Candles: read, check, simulate, split. Imports nothing of ours."""

from market.candles import CandleError, Candles, bar_name
from market.command_line import CommandParser, exit_code
from market.errors import InputError, unknown
from market.files import write_atomically
from market.folds import Fold, backtest_paths, combinatorial_purged, walk_forward
from market.parquet import write_parquet
from market.read import read_candles
from market.resample import resample
from market.settings import MarketSettings, Settings, SplitSettings, differences
from market.simulate import MARKETS, simulate
from market.simulated import SimulatedCandles
from market.split import LockedTestRange, Part, Split, split
from market.write import write_candles

__all__ = [
    "MARKETS", "CandleError", "Candles", "CommandParser", "Fold", "InputError", "LockedTestRange", "MarketSettings", "Part",
    "Settings", "SimulatedCandles", "Split", "SplitSettings", "backtest_paths", "bar_name", "combinatorial_purged",
    "differences", "exit_code", "load_candles", "read_candles", "resample", "simulate", "split", "unknown", "walk_forward",
    "write_atomically", "write_candles", "write_parquet",
]  # fmt: skip


def load_candles(settings: MarketSettings) -> Candles:
    """The candles that the settings ask for: the file's, or simulated ones."""
    if settings.file is not None:
        return read_candles(settings.file, settings.repair)
    params = {"edge": settings.edge} if settings.simulate == "bitcoin" else {}
    return simulate(settings.simulate, settings.bars, settings.seed, **params)
