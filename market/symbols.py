"""The coin of a file: from its columns, from what it says beside them, from its name, or from the person who reads it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from common import option
from market.candles import CandleError
from market.column_names import COINS, PRICES, QUOTES, SYMBOL, of_coins, roles_of
from market.file_table import FileTable

UNNAMED = "unnamed coin"
"""the symbol of a file that names none"""
ALL = "all"
"""as `market.symbol`: every coin of the file"""
SHOWN = 8
IN_A_NAME = re.compile(
    rf"(?<![A-Za-z])(?:((?i:{'|'.join(COINS)}))[-_/]?((?i:{'|'.join(QUOTES)}))|([A-Z0-9]{{2,10}})[-_/]?({'|'.join(QUOTES).upper()}))(?![A-Za-z])"
)


def one_coin(path: Path, table: FileTable, wanted: str | None) -> FileTable:
    """The rows and columns of one coin, and its symbol.

    Args:
        wanted: a symbol of the file's; or, where the file has none, what the coin is called.

    Raises:
        CandleError: the file holds several coins and none is named, or not this one.
    """
    roles = roles_of(table.columns)
    if not set(PRICES) <= roles.keys() and (coins := of_coins(table.columns)):
        coin = _chosen(path, list(coins), wanted)
        others = {name for key, fields in coins.items() if key != coin for name in fields}
        kept = table.cells.drop_columns([name for name in table.columns if name in others])
        names = [coins[coin].get(name, name) for name in kept.column_names]
        return replace(table, cells=kept.rename_columns(names), symbol=coin)
    for name in roles.get(SYMBOL, []) if set(PRICES) <= roles.keys() else ():
        cells = table.cells.column(name).cast(pa.string()).fill_null("")
        found = [str(value) for value in pc.unique(cells).to_pylist()]
        if len(found) == 1 and (found[0].isdigit() or not found[0]):
            continue  # a number of the source's own is no name
        coin = _chosen(path, found, wanted)
        rows = pc.equal(cells, coin)
        return replace(table, cells=table.cells.filter(rows), numbers=table.numbers[np.asarray(rows)], symbol=coin)
    if table.symbol:
        return replace(table, symbol=_chosen(path, [table.symbol], wanted))
    return replace(table, symbol=wanted or named_in(path) or UNNAMED)


def coins_of(table: FileTable) -> list[str]:
    """All symbols that a file tells apart; none if it is a file of one coin."""
    roles = roles_of(table.columns)
    if not set(PRICES) <= roles.keys() and (coins := of_coins(table.columns)):
        return list(coins)
    for name in roles.get(SYMBOL, []):
        found = pc.unique(table.cells.column(name).cast(pa.string()).fill_null("")).to_pylist()
        if len(found) > 1:
            return [str(value) for value in found]
    return []


def named_in(path: Path) -> str:
    """The symbol in a file's name, such as `BTC/USDT` of `Binance_BTCUSDT_1h.csv`; empty if there is none."""
    found = IN_A_NAME.search(path.name.split(".")[0])
    if found is None:
        return ""
    coin, money = (found.group(1), found.group(2)) if found.group(1) else (found.group(3), found.group(4))
    return f"{coin}/{money}".upper()


def plain(symbol: str) -> str:
    """One spelling for `BTC/USD`, `btcusd` and `XBT-USD`."""
    return re.sub("[^A-Z0-9]", "", symbol.upper()).replace("XBT", "BTC")


def money_of(symbol: str) -> str:
    """`USDT` of `BTC/USDT` or `BTCUSDT`: what the coin is priced in; empty if nothing says so."""
    text = plain(symbol)
    fitting = [
        money.upper() for money in (*QUOTES, "btc", "eth", "bnb") if text.endswith(money.upper()) and text != money.upper()
    ]
    return max(fitting, key=len, default="")


def file_name(symbol: str) -> str:
    """`BTC-USD` of `BTC/USD`: what a file can be called."""
    return re.sub("[^A-Za-z0-9._-]+", "-", symbol).strip("-.") or "coin"


def _chosen(path: Path, found: list[str], wanted: str | None) -> str:
    shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    if wanted is None:
        if len(found) == 1:
            return found[0]
        advice = option("market.symbol", found[0])
        raise CandleError(f"candles are of one coin, but {path} holds {len(found)}: {shown}; choose one, such as with {advice}")
    fitting = [coin for coin in found if coin == wanted] or [coin for coin in found if plain(coin) == plain(wanted)]
    if not fitting:
        advice = option("market.symbol", found[0])
        raise CandleError(f"{path} does not hold {wanted!r} but {shown}; choose one of them, such as with {advice}")
    return fitting[0]
