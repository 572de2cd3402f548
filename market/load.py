"""The candles that an experiment asks for."""

from common import InputError
from market.candles import Candles
from market.external import with_external
from market.layouts import read_table
from market.read import read_candles
from market.settings import MarketSettings
from market.simulation.markets import simulate
from market.symbols import ALL, coins_of


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


def load_coins(settings: MarketSettings) -> list[Candles]:
    """The candles of each of `market.files`; the one series that the settings ask for where there are none.

    With `symbol` all, those of all coins that the one file holds.

    Raises:
        InputError: as `load_candles`.
    """
    if settings.symbol == ALL and settings.file is not None:
        coins: list[str | None] = [*coins_of(read_table(settings.file))]
        return [load_candles(settings.model_copy(update={"symbol": coin})) for coin in coins or [None]]
    single = [settings.model_copy(update={"file": file, "files": ()}) for file in settings.files]
    return [load_candles(one) for one in single or [settings]]
