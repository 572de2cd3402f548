"""The candles that an experiment asks for."""

from common import InputError
from market.candles import Candles
from market.external import with_external
from market.read import read_candles
from market.settings import MarketSettings
from market.simulation.markets import simulate


def load_candles(settings: MarketSettings) -> Candles:
    """The candles that the settings ask for: the file's, or simulated ones.

    Raises:
        InputError: a file that cannot be read, or a parameter that the simulated market does not have.
    """
    if settings.file is not None:
        candles = read_candles(
            settings.file,
            settings.repair,
            symbol=settings.symbol,
            volume=settings.volume,
            timezone=settings.timezone,
            times=settings.times,
            dates=settings.dates,
            max_fill=settings.max_fill,
        )
        return with_external(candles, settings.external)
    if "edge" in settings.params:
        raise InputError(
            f"the edge of a simulated market is `market.edge`, but `market.params` has it too: {settings.params}; drop it"
        )
    edge = {"edge": settings.edge} if settings.simulate == "bitcoin" else {}
    simulated = simulate(settings.simulate, settings.bars, settings.seed, **edge, **settings.params)
    return with_external(simulated, settings.external)
