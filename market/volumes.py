"""Which column is the volume in coin and which the one in money: by their names, and by how they stand to the price."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from common import option
from market.candles import CandleError
from market.column_names import BASE, QUOTE, TICKS, VOLUME, words_of
from market.read_options import ReadOptions

FITS = 0.9
"""share of traded bars in which quote / base must lie between low and high, about"""
MARGIN = 0.02
MARKET_CAPS = ("market cap", "marketcap", "mkt cap", "market capitalization")
"""names of a column beside which a volume is in US dollars, as CoinMarketCap and CoinGecko write it"""
MOST_PER_DAY = 5e10
"""US dollars a day that no market of one coin turns over in the median: the largest one, of perpetual futures, is at a third"""
MOST_DOLLARS = 3e6
"""a price that no coin has in US dollars: there, the money is another one than it is said to be"""
CONTRACT = 3.0
"""how far a volume must be from coins to be one of contracts: by this factor, up or down"""
CONTRACTS_FIT = 0.95
"""share of traded bars in which that factor must be the same"""
FEWEST_TRADED = 10
"""traded bars from which on a factor that is the same in all of them is no chance"""
DOLLARS = {
    "USD": 1.0, "USDT": 1.0, "USDC": 1.0, "BUSD": 1.0, "TUSD": 1.0, "FDUSD": 1.0, "USDP": 1.0, "PYUSD": 1.0, "USDE": 1.0,
    "DAI": 1.0, "EUR": 1.1, "EURC": 1.1, "GBP": 1.3, "CHF": 1.1, "AUD": 0.7, "CAD": 0.75, "SGD": 0.75, "NZD": 0.65, "JPY": 0.007,
    "KRW": 0.0008, "INR": 0.012, "RUB": 0.012, "TRY": 0.03, "BRL": 0.2, "MXN": 0.05, "ZAR": 0.055, "UAH": 0.025, "SEK": 0.1,
    "NOK": 0.1, "DKK": 0.15, "HKD": 0.13, "PLN": 0.25, "CNY": 0.14, "CNH": 0.14, "VND": 4e-5, "IDR": 6e-5, "IDRT": 6e-5,
    "BIDR": 6e-5, "COP": 2.5e-4, "ARS": 0.003, "CLP": 0.001, "PEN": 0.27, "NGN": 0.001, "PHP": 0.018, "THB": 0.03, "TWD": 0.03,
    "MYR": 0.22, "CZK": 0.045, "HUF": 0.003, "RON": 0.22, "BGN": 0.55, "ILS": 0.28, "AED": 0.27, "SAR": 0.27, "KZT": 0.002,
    "GEL": 0.36, "PKR": 0.005, "BDT": 0.01, "EGP": 0.03, "KES": 0.008, "BTC": 5e4, "XBT": 5e4, "ETH": 2e3, "BNB": 500.0,
}  # fmt: skip
"""what money is worth, about: within a factor of 10, that is enough here; of money that is not here nothing is known"""
COIN_MONEYS = ("BTC", "XBT", "ETH", "BNB")
"""coins that others are priced in"""
MONEYS = tuple(money for money in DOLLARS if money not in COIN_MONEYS)
"""what a coin is priced in and is no coin itself: currencies, and coins that stand for one"""


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
    options: ReadOptions, columns: Sequence[str] = (),
) -> Volumes:  # fmt: skip
    """Decide.

    Args:
        roles: what holds what, by name.
        numbers: float64 (T,) of each column that may be a volume.
        prices: `low`, `high`, `close`.
        per_day: bars in a day.
        money: of the price, such as `USD`; empty if unknown.
        options: `volume` settles what one column is.
        columns: all of the file's: CoinMarketCap's, whose volume is in money, are known by them.

    Raises:
        CandleError: two columns could both be the volume, or one be in coin or in money, or it counts contracts.
    """
    roles = _by_the_money(roles, money)
    named = [name for role in (BASE, VOLUME, QUOTE) for name in roles.get(role, [])]
    alive = [name for name in named if np.nanmax(numbers[name], initial=0.0) > 0]
    ticks = roles.get(TICKS, [])
    if not alive:
        return _without_amounts(named, ticks, numbers)
    if pair := _pair(alive, roles, numbers, prices):
        return _of_pair(pair, alive, roles, numbers)
    alive = [name for name in alive if not _in_other_money(name, alive, roles, money)]
    if contracts := _contracts(alive, roles, numbers, prices):
        return _of_contracts(path, contracts, numbers, options)
    plain, base, quote = (([n for n in alive if n in roles.get(role, [])]) for role in (VOLUME, BASE, QUOTE))
    if len(plain) + len(base) > 1:
        names = [*base, *plain]
        raise CandleError(
            f"one column must be the volume, but {path} has {names}, and none of them is another one times the price; "
            "drop all but one"
        )
    if not quote and not base and options.volume is None and any(words_of(name) in MARKET_CAPS for name in columns):
        return _of_money(plain[0], "as beside a market capitalization")
    if not quote:
        return _of_one(path, [*base, *plain][0], bool(base), numbers, prices, per_day, money, options)
    if not (base or plain):
        return _of_money(quote[0], "by its name")
    return Volumes([*base, *plain][0], quote[0], "coin", {[*base, *plain][0]: "volume in coin", quote[0]: "volume in money"})


def _by_the_money(roles: dict[str, list[str]], money: str) -> dict[str, list[str]]:
    """`Volume BTC` is in money where the price is in BTC, and `Volume USDC` beside `Volume USDT` in coin where it is in USDT."""
    base, quote = roles.get(BASE, []), roles.get(QUOTE, [])
    in_money = [name for name in [*base, *quote] if money and money.lower() in words_of(name).split()]
    if not in_money:
        return roles
    others = [] if base or roles.get(VOLUME) else [name for name in quote if name not in in_money]
    in_coin = [name for name in others if set(words_of(name).upper().split()) & set(MONEYS)]
    return roles | {
        BASE: [name for name in [*base, *in_coin] if name not in in_money],
        QUOTE: [*in_money, *(name for name in quote if name not in [*in_money, *in_coin])],
    }


def _in_other_money(name: str, names: list[str], roles: dict[str, list[str]], money: str) -> bool:
    """Whether a column beside a volume says that it is in another money than the price: `Volume USD` where that is in won."""
    quotes = roles.get(QUOTE, [])
    said = set(words_of(name).upper().split()) & set(MONEYS)
    return money in MONEYS and name in quotes and bool(said) and money not in said and not set(names) <= set(quotes)


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


def _contracts(
    names: list[str], roles: dict[str, list[str]], numbers: dict[str, np.ndarray], prices: pd.DataFrame
) -> tuple[str, str, float] | None:  # fmt: skip
    """A column that counts contracts, the one in money, and how much coin a contract is: `money = coin * contracts * price`."""
    found = []
    for base, quote in permutations(names, 2):
        if base in roles.get(QUOTE, []) and quote in roles.get(BASE, []):
            continue
        traded = (numbers[base] > 0) & (numbers[quote] > 0) & (prices[["low", "high"]] > 0).all(axis=1).to_numpy()
        middle = prices[["low", "high"]].mean(axis=1).to_numpy()[traded]
        ratio = numbers[quote][traded] / numbers[base][traded]
        if len(ratio) < FEWEST_TRADED or np.std(np.log(ratio)) <= np.std(np.log(ratio / middle)):  # the price is not in it
            continue
        coins = ratio / middle
        coin = float(np.median(coins))
        ranges = np.log(prices["high"].to_numpy() / prices["low"].to_numpy())[traded]
        fits = np.abs(np.log(coins / coin)) <= ranges / 2 + MARGIN
        if fits.mean() >= CONTRACTS_FIT and abs(np.log(coin)) > np.log(CONTRACT):
            found.append((float(np.std(np.log(coins))), (base, quote, coin)))
    return min(found)[1] if found else None


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


def _of_contracts(
    path: Path, contracts: tuple[str, str, float], numbers: dict[str, np.ndarray], options: ReadOptions
) -> Volumes:  # fmt: skip
    """Of a volume in contracts only the column in money is of use, once the person has said that it is."""
    base, quote, coin = contracts
    if options.volume == "quote":
        found = _of_money(quote, "as was asked")
        found.read_as[base] = f"volume in contracts of {coin:.2g} coin, not used"
        return found
    if options.volume == "base":
        return Volumes(base, None, "coin (as was asked)", {base: "volume in coin (as was asked)", quote: "volume, not used"})
    row = int(np.flatnonzero((numbers[base] > 0) & (numbers[quote] > 0))[0])
    raise CandleError(
        f"a volume must be in coin or in money, but `{base}` of {path} is in contracts of about {coin:.2g} coin: `{quote}`, such "
        f"as {numbers[quote][row]:,.10g}, is {coin:.2g} times `{base}` ({numbers[base][row]:,.10g}) times the price; give "
        f"{option('market.volume', 'quote')}, so that coins are computed from `{quote}`, or "
        f"{option('market.volume', 'base')} if `{base}` is in coin"
    )


def _of_one(
    path: Path, name: str, in_coin: bool, numbers: dict[str, np.ndarray], prices: pd.DataFrame, per_day: float, money: str,
    options: ReadOptions,
) -> Volumes:  # fmt: skip
    """A single volume: in coin, unless its name, its size or the person says otherwise."""
    too_much = options.volume is None and not in_coin and _too_much(path, name, numbers[name], prices, per_day, money)
    if options.volume == "quote" or too_much:
        return _of_money(name, "as was asked" if options.volume else "as coins it would be more than any market trades")
    how = (
        "by its name" if in_coin else "as was asked" if options.volume else f"assumed; {option('market.volume', 'quote')} if not"
    )
    return Volumes(name, None, f"coin ({how})", {name: f"volume in coin ({how})"})


def _too_much(path: Path, name: str, volume: np.ndarray, prices: pd.DataFrame, per_day: float, money: str) -> bool:
    """Whether it would be, as coins, more than any market trades.

    Raises:
        CandleError: it would be if the money were US dollars, but nothing says what it is worth.
    """
    turnovers = volume * prices["close"].to_numpy()
    if not np.isfinite(turnovers).any():
        return False  # what cannot be read is refused elsewhere, by its line
    turnover = np.nanmedian(turnovers) * per_day
    worth = DOLLARS.get(money)
    if worth is not None and np.nanmedian(prices["close"]) * worth <= MOST_DOLLARS:
        return bool(turnover * worth > MOST_PER_DAY)
    if turnover <= MOST_PER_DAY:
        return False
    raise CandleError(
        f"a volume must be in coin or in money, but `{name}` of {path} may be either: as coins it would be worth {turnover:,.3g} "
        f"a day, and what {money or 'the money of its prices'} is worth is not known; give {option('market.volume', 'base')} or "
        f"{option('market.volume', 'quote')}"
    )


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
