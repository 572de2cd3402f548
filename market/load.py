"""The candles that an experiment asks for."""

from market.candles import Candles
from market.read import read_candles
from market.settings import MarketSettings
from market.simulation.markets import simulate


def load_candles(settings: MarketSettings) -> Candles:
    """The candles that the settings ask for: the file's, or simulated ones."""
    if settings.file is not None:
        return read_candles(settings.file, settings.repair)
    params = {"edge": settings.edge} if settings.simulate == "bitcoin" else {}
    return simulate(settings.simulate, settings.bars, settings.seed, **params)
