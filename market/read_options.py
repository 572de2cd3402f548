"""What a person says of a candle file that the file does not say itself."""

from dataclasses import dataclass
from typing import Literal, get_args

from common import InputError, unknown

MAX_FILLED_BARS = 24
VolumeUnit = Literal["base", "quote"]
TimeMeaning = Literal["open", "close"]
DateOrder = Literal["day_first", "month_first"]


@dataclass(frozen=True)
class ReadOptions:
    """Each None leaves it to the file.

    Args:
        symbol: which coin of a file of several, or the name of the one in a file that names none.
        volume: whether the column `volume` is in coin (`base`) or in the money of the price (`quote`).
        timezone: of times without a zone, such as `America/New_York`; they are UTC otherwise.
        times: whether a bar's time is that at which it opens or that at which it closes.
        dates: what `03/04/2019` is: `day_first` or `month_first`.
    """

    symbol: str | None = None
    volume: VolumeUnit | None = None
    timezone: str | None = None
    times: TimeMeaning | None = None
    dates: DateOrder | None = None

    def __post_init__(self) -> None:
        for name, choices in (("volume", VolumeUnit), ("times", TimeMeaning), ("dates", DateOrder)):
            given = getattr(self, name)
            if given is not None and given not in get_args(choices):
                raise InputError(unknown(f"value of `{name}`", given, get_args(choices)))


NOTHING_SAID = ReadOptions()
