"""Which column is the volume in coin and which the one in money: by their names, and by how they stand to the price."""

from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from common import option
from market.candles import CandleError
from market.column_names import BASE, QUOTE, TICKS, VOLUME
from market.read_options import ReadOptions

FITS = 0.9
"""share of traded bars in which quote / base must lie between low and high, about"""
MARGIN = 0.02
MOST_PER_DAY = 5e10
"""US dollars a day that no market of one coin turns over in the median: the largest one, of perpetual futures, is at a third"""
DOLLARS = {
    "JPY": 0.007, "KRW": 0.0008, "INR": 0.012, "RUB": 0.012, "TRY": 0.03, "BRL": 0.2, "MXN": 0.05, "ZAR": 0.055, "UAH": 0.025,
    "SEK": 0.1, "HKD": 0.13, "PLN": 0.25, "BTC": 5e4, "XBT": 5e4, "ETH": 2e3, "BNB": 500.0,
}  # fmt: skip
"""what other money is worth, about; within a factor of 10, that is enough here"""


@dataclass
class Volumes:
    """What was found.

    Args:
        base, quote: names of the columns, None if there is none.
        unit: of the column `volume`, in words, for people.
        read_as: by the file's column, what it was read as.
        used: all columns that need not be kept beside these two.
    """

    base: str | None = None
    quote: str | None = None
    unit: str = ""
    read_as: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_volumes(
    path: Path, roles: dict[str, list[str]], numbers: dict[str, np.ndarray], prices: pd.DataFrame, per_day: float, money: str,
    options: ReadOptions,
) -> Volumes:  # fmt: skip
    """Decide.

    Args:
        roles: what holds what, by name.
        numbers: float64 (T,) of each column that may be a volume.
        prices: `low`, `high`, `close`.
        per_day: bars in a day.
        money: of the price, such as `USD`; empty if unknown.
        options: `volume` settles what one column is.

    Raises:
        CandleError: two columns could both be the volume.
    """
    named = [name for role in (BASE, VOLUME, QUOTE) for name in roles.get(role, [])]
    alive = [name for name in named if np.nanmax(numbers[name], initial=0.0) > 0]
    ticks = roles.get(TICKS, [])
    if not alive:
        return _without_amounts(named, ticks, numbers)
    if pair := _pair(alive, roles, numbers, prices):
        return _of_pair(pair, alive, roles, numbers)
    plain, base, quote = (([n for n in alive if n in roles.get(role, [])]) for role in (VOLUME, BASE, QUOTE))
    if len(plain) + len(base) > 1:
        names = [*base, *plain]
        raise CandleError(
            f"one column must be the volume, but {path} has {names}, and none of them is another one times the price; "
            "drop all but one"
        )
    if not quote:
        return _of_one([*base, *plain][0], bool(base), numbers, prices, per_day, money, options)
    if not (base or plain):
        return _of_money(quote[0], "by its name")
    return Volumes([*base, *plain][0], quote[0], "coin", {[*base, *plain][0]: "volume in coin", quote[0]: "volume in money"})


def _pair(
    names: list[str], roles: dict[str, list[str]], numbers: dict[str, np.ndarray], prices: pd.DataFrame
) -> tuple[str, str] | None:  # fmt: skip
    """Base and quote, of which one is the other times the price. Names decide where several pairs fit, as with futures whose
    contracts are worth a coin each."""
    fitting = [pair for pair in permutations(names, 2) if _are_pair(numbers[pair[0]], numbers[pair[1]], prices)]
    by_name = [pair for pair in fitting if pair[0] not in roles.get(QUOTE, []) and pair[1] not in roles.get(BASE, [])]
    ranked = sorted(
        by_name or fitting, key=lambda pair: (pair[0] not in roles.get(BASE, []), pair[1] not in roles.get(QUOTE, []))
    )
    return ranked[0] if ranked and len(names) > 1 and not _near_one(prices) else None


def _are_pair(base: np.ndarray, quote: np.ndarray, prices: pd.DataFrame) -> bool:
    with np.errstate(divide="ignore", invalid="ignore"):
        price = quote / base
    traded = np.isfinite(price) & (base > 0)
    low, high = prices["low"].to_numpy() * (1 - MARGIN), prices["high"].to_numpy() * (1 + MARGIN)
    return bool(traded.any() and ((low <= price) & (price <= high))[traded].mean() >= FITS)


def _near_one(prices: pd.DataFrame) -> bool:
    """Whether the price is so near to 1 that money and coin are the same number."""
    return bool(abs(np.log(np.nanmedian(prices["close"]))) < 2 * MARGIN)


def _of_pair(pair: tuple[str, str], names: list[str], roles: dict[str, list[str]], numbers: dict[str, np.ndarray]) -> Volumes:
    base, quote = pair
    found = Volumes(base, quote, "coin", {base: "volume in coin", quote: "volume in money"})
    for role, name, said in ((QUOTE, base, "coin"), (BASE, quote, "money"), (VOLUME, quote, "money")):
        if name in roles.get(role, []):
            found.notes.append(f"`{name}` is in {said}, by its size against the price")
    same = [name for name in names if name not in pair and any(np.array_equal(numbers[name], numbers[one]) for one in pair)]
    found.read_as |= dict.fromkeys(same, "the same as another volume")
    return found


def _of_one(
    name: str, in_coin: bool, numbers: dict[str, np.ndarray], prices: pd.DataFrame, per_day: float, money: str,
    options: ReadOptions,
) -> Volumes:  # fmt: skip
    """A single volume: in coin, unless its name, its size or the person says otherwise."""
    if options.volume == "quote" or (options.volume is None and not in_coin and _too_much(numbers[name], prices, per_day, money)):
        return _of_money(name, "as was asked" if options.volume else "as coins it would be more than any market trades")
    how = (
        "by its name" if in_coin else "as was asked" if options.volume else f"assumed; {option('market.volume', 'quote')} if not"
    )
    return Volumes(name, None, f"coin ({how})", {name: f"volume in coin ({how})"})


def _too_much(volume: np.ndarray, prices: pd.DataFrame, per_day: float, money: str) -> bool:
    turnover = np.nanmedian(volume * prices["close"].to_numpy()) * per_day
    return bool(turnover * DOLLARS.get(money, 1.0) > MOST_PER_DAY)


def _of_money(name: str, why: str) -> Volumes:
    note = "volume in coin = volume in money / the bar's mean price"
    return Volumes(None, name, "coin, computed from money", {name: f"volume in money ({why})"}, [note])


def _without_amounts(named: list[str], ticks: list[str], numbers: dict[str, np.ndarray]) -> Volumes:
    """Ticks in place of amounts, or no volume at all."""
    found = Volumes(read_as=dict.fromkeys(named, "volume, 0 throughout, not used"))
    counted = [name for name in ticks if np.nanmax(numbers[name], initial=0.0) > 0]
    if counted:
        found.base, found.unit = counted[0], "ticks: price changes counted, no amounts of coin"
        found.read_as[counted[0]] = "volume in ticks"
        found.notes.append("volume in ticks, not in coin: limits and costs that depend on it mean nothing")
    return found
