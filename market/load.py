"""The candles that an experiment asks for."""

from common import InputError
from market.candles import Candles
from market.read import read_candles
from market.settings import MarketSettings
from market.simulation.markets import simulate


def load_candles(settings: MarketSettings) -> Candles:
    """The candles that the settings ask for: the file's, or simulated ones.

    Raises:
        InputError: several files, one that cannot be read, or a parameter that the simulated market does not have.
    """
    if settings.files:
        raise InputError(
            f"one series is needed here, but `market.files` names {len(settings.files)}; name one of them as `market.file`"
        )
    if settings.file is not None:
        return read_candles(settings.file, settings.repair)
    if "edge" in settings.params:
        raise InputError(
            f"the edge of a simulated market is `market.edge`, but `market.params` has it too: {settings.params}; drop it"
        )
    edge = {"edge": settings.edge} if settings.simulate == "bitcoin" else {}
    return simulate(settings.simulate, settings.bars, settings.seed, **edge, **settings.params)


def load_coins(settings: MarketSettings) -> list[Candles]:
    """The candles of each of `market.files`; the one series that the settings ask for where there are none.

    Raises:
        InputError: as `load_candles`.
    """
    single = [settings.model_copy(update={"file": file, "files": ()}) for file in settings.files]
    return [load_candles(one) for one in single or [settings]]
