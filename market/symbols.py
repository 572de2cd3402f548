"""The coin of a file: from its columns, from what it says beside them, from its name, or from the person who reads it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from common import option
from market.candles import CandleError
from market.column_names import COINS, PRICES, QUOTES, SYMBOL, of_coins, role_of, roles_of, words_of
from market.file_table import FileTable
from market.volumes import COIN_MONEYS, MONEYS

UNNAMED = "unnamed coin"
"""the symbol of a file that names none"""
ALL = "all"
"""as `market.symbol`: every coin of the file"""
SHOWN = 8
KNOWN_COINS = {
    *(coin.upper() for coin in COINS),
    "1INCH", "AAVE", "ALGO", "APE", "APT", "AR", "ARB", "AXS", "BAT", "BCHSV", "BGB", "BONK", "BSV", "BTG", "CAKE",
    "CBBTC", "CBETH", "CHZ", "COMP", "CRO", "CRV", "CVX", "DCR", "DYDX", "EGLD", "ENA", "ENJ", "ENS", "FET", "FIL",
    "FLOKI", "FLR", "FTM", "FTT", "GALA", "GMX", "GRT", "HBAR", "HNT", "HYPE", "ICP", "IMX", "INJ", "IOTA", "JASMY",
    "JUP", "KAS", "KAVA", "KCS", "KSM", "LDO", "LEO", "LRC", "LUNA", "LUNC", "MANA", "MINA", "MKR", "MNT", "NEO", "NEXO",
    "OKB", "OM", "ONDO", "OP", "ORDI", "PAXG", "POL", "PYTH", "QNT", "QTUM", "RENDER", "RETH", "RNDR", "RSR", "RUNE",
    "SAND", "SEI", "SKY", "SNX", "STETH", "STX", "SUI", "SUSHI", "TAO", "THETA", "TIA", "TRB", "TRUMP", "TWT", "USTC",
    "VET", "WBTC", "WETH", "WIF", "WLD", "XAUT", "XDC", "XEC", "XEM", "XTZ", "YFI", "ZIL", "ZRX",
}  # fmt: skip
"""coins that are known as such in small letters, or without a sign between them and the money"""
STABLE = ("USDT", "USDC", "BUSD", "TUSD", "FDUSD", "USDP", "PYUSD", "USDE", "DAI", "EURC")
"""coins that stand for money, and are priced in other money themselves: `USDC/USDT`"""
ALWAYS_MONEY = tuple(money.upper() for money in QUOTES if money not in ("try", "inr", "rub", "cad", "dai"))
"""money that an unknown coin may stand before without a sign between; `COUNTRY` is no coin in lira"""
PACKED = re.compile("(?:1000|10000|1000000|1M)")
"""how many coins of a small price an exchange counts as one, before the coin's name: `1000SHIB`"""
KINDS = ("PERP", "PERPETUAL", "SWAP", "SPOT", "FUTURES", "FUTURE", "FUT", "MARGIN", "LINEAR", "INVERSE", "OPTION", "INDEX")
"""words for what is traded, which stand beside a symbol or behind it"""
EXCHANGES = (
    "BINANCE", "BINANCEUS", "BITFINEX", "BITFLYER", "BITGET", "BITHUMB", "BITMEX", "BITPANDA", "BITSO", "BITSTAMP", "BITTREX",
    "BITVAVO", "BYBIT", "CDD", "CEX", "CME", "COINBASE", "COINBASEPRO", "COINBASEEXCHANGE", "COINCHECK", "COINEX", "COINGECKO",
    "CRYPTOCOM", "DERIBIT", "DYDX", "EXMO", "FTX", "GATE", "GATEIO", "GDAX", "GEMINI", "HITBTC", "HTX", "HUOBI", "HYPERLIQUID",
    "INDODAX", "KRAKEN", "KUCOIN", "LBANK", "LUNO", "MEXC", "OKCOIN", "OKEX", "OKX", "PHEMEX", "POLONIEX", "UPBIT", "YAHOO",
)  # fmt: skip
MARKETS = (*KINDS, *EXCHANGES, "CRYPTO", "CRYPTOCURRENCY")
"""values of a column that say where or what is traded, and not which coin"""
NO_COINS = {
    *KINDS, *EXCHANGES, "ALL", "ASK", "BAR", "BARS", "BID", "CANDLE", "CANDLES", "CHART", "CLOSE", "COIN", "COINS", "CRYPTO",
    "CRYPTOCURRENCY", "DAILY", "DATA", "DATASET", "DAY", "DOWNLOAD", "EXPORT", "FILE", "FULL", "HIGH", "HIST", "HISTORICAL",
    "HISTORY", "HOUR", "HOURLY", "KLINE", "KLINES", "LAST", "LOW", "MARK", "MARKET", "MID", "MIN", "MINUTE", "MINUTES", "MONTH",
    "MONTHLY", "NEW", "OHLC", "OHLCV", "OLD", "OPEN", "ORDERBOOK", "PAIR", "PRICE", "PRICES", "QUOTES", "RAW", "SAMPLE", "TEST",
    "TICK", "TICKER", "TICKS", "TIME", "TRADE", "TRADES", "TRAIN", "USDM", "COINM", "UTC", "VOL", "VOLUME", "VOLUMES", "WEEK",
    "WEEKLY", "YEAR",
}  # fmt: skip
"""words in capitals that are no coins, in the names of files and in columns"""
BAR = re.compile(r"(?:\d+(?:S|SEC|M|MIN|T|H|HR|HOUR|D|DAY|W|WK|MO|MONTH|Y)?|[SMHDW]\d*|MN1?|\d*(?:DAILY|HOURLY|WEEKLY|MINUTE))")
SIDES = ("bid", "ask", "mid", "mark", "index", "last", "adj", "adjusted", "spot", "perp")
"""kinds of prices that may stand beside `open` in the name of a column, as a coin may"""


def one_coin(path: Path, table: FileTable, wanted: str | None) -> FileTable:
    """The rows and columns of one coin, and its symbol.

    Args:
        wanted: a symbol of the file's; or, where the file has none, what the coin is called.

    Raises:
        CandleError: the file holds several coins and none is named, or not this one; prices in several moneys; a row without a
            symbol.
    """
    table = _without_affix(path, table, wanted)
    if coins := _side_by_side(table):
        coin = _chosen(path, list(coins), wanted)
        others = {name for key, fields in coins.items() if key != coin for name in fields}
        kept = table.cells.drop_columns([name for name in table.columns if name in others])
        names = [coins[coin].get(name, name) for name in kept.column_names]
        return replace(table, cells=kept.rename_columns(names), symbol=coin)
    if name := _symbol_column(table):
        return _rows_of_one(path, table, name, wanted)
    if table.symbol:
        return replace(table, symbol=_chosen(path, [table.symbol], wanted))
    return replace(table, symbol=wanted or named_in(path) or UNNAMED)


def coins_of(table: FileTable) -> list[str]:
    """All symbols that a file tells apart; none if it is a file of one coin."""
    if coins := _side_by_side(table):
        return [] if _moneys_or_sides(coins) else list(coins)
    name = _symbol_column(table)
    found = list(_spellings(_texts(table, name))) if name else []
    return found if len(found) > 1 else []


def named_in(path: Path) -> str:
    """The symbol in a file's name, such as `BTC/USDT` of `Binance_BTCUSDT_1h.csv`; empty if there is none."""
    words = [word for word in re.split("[^A-Za-z0-9]+", path.name.split(".")[0]) if word]
    for word in words:
        if (pair := _joined_pair(word)) and (_is_known(pair[0]) or word.isupper()):
            return "/".join(pair)
    words = [word for word in words if not BAR.fullmatch(word.upper()) and word.upper() not in KINDS]
    pairs = list(pairwise(words))
    for coin, money in pairs:
        if (_is_known(coin) or coin.upper() in STABLE) and (money.upper() in MONEYS or _is_cross(coin, money)):
            return f"{coin}/{money}".upper()
    for money, coin in pairs:
        if money.upper() in MONEYS and _is_known(coin):  # as Upbit writes `KRW-BTC`
            return f"{coin}/{money}".upper()
    for coin, money in pairs:
        if f"{coin}{money}".isupper() and money in MONEYS and _may_be_coin(coin):
            return f"{coin}/{money}"
    return ""


def plain(symbol: str) -> str:
    """One spelling for `BTC/USD`, `btcusd` and `XBT-USD`."""
    return re.sub("[^A-Z0-9]", "", symbol.upper()).replace("XBT", "BTC")


def money_of(symbol: str) -> str:
    """`USDT` of `BTC/USDT` or `BTCUSDT`: what the coin is priced in; empty if nothing says so.

    >>> [money_of(symbol) for symbol in ("BTC/EUR", "KRW-BTC", "ETHBTC", "BTCUSDT_PERP", "WBTC")]
    ['EUR', 'KRW', 'BTC', 'USDT', '']
    """
    parts = [part for part in re.split("[^A-Z0-9]+", symbol.upper()) if part]
    parts = [part for part in parts if part not in (*KINDS, *EXCHANGES)] or parts
    if len(parts) >= 2:
        if parts[0] in MONEYS and parts[1] not in MONEYS:
            return parts[0]
        if parts[1] in (*MONEYS, *COIN_MONEYS):
            return parts[1].replace("XBT", "BTC")
    joined = next((pair for part in parts if (pair := _joined_pair(part))), ("", ""))
    return joined[1].replace("XBT", "BTC")


def file_name(symbol: str) -> str:
    """`BTC-USD` of `BTC/USD`: what a file can be called."""
    return re.sub("[^A-Za-z0-9._-]+", "-", symbol).strip("-.") or "coin"


def file_names(symbols: Iterable[str]) -> dict[str, str]:
    """A name for each symbol, no two of which are one file, also where capitals do not count: `BTC-USD`, `btc-usd-2`."""
    names: dict[str, str] = {}
    for symbol in symbols:
        name, count, taken = file_name(symbol), 1, {given.lower() for given in names.values()}
        while name.lower() in taken:
            count += 1
            name = f"{file_name(symbol)}-{count}"
        names[symbol] = name
    return names


def _without_affix(path: Path, table: FileTable, wanted: str | None) -> FileTable:
    """`open_usd` and `open_bid` name no coin: the prices under plain names, of the one money or kind that there is.

    Raises:
        CandleError: several moneys or kinds, and `wanted` names none of them.
    """
    coins = _side_by_side(table)
    if not _moneys_or_sides(coins):
        return table
    names = {affix: _without_brackets(affix) for affix in coins}
    money = money_of(wanted or "")
    fitting = [affix for affix, name in names.items() if name == money] or list(names)
    said = " and ".join(name.lower() if name.lower() in SIDES else name for name in names.values())
    if len(fitting) > 1:
        raise CandleError(
            f"candles have one price of each kind, but {path} has prices in {said}; drop the columns of all but one"
        )
    said = names[fitting[0]]
    others = {name for key, fields in coins.items() if key != fitting[0] for name in fields}
    kept = table.cells.drop_columns([name for name in table.columns if name in others])
    prices = {name: field for name, field in coins[fitting[0]].items() if role_of(field) in PRICES}
    cells = kept.rename_columns([prices.get(name, name) for name in kept.column_names])
    return replace(table, cells=cells, notes=(*table.notes, f"prices in {said}, by the names of their columns"))


def _side_by_side(table: FileTable) -> dict[str, dict[str, str]]:
    """The coins of a file whose columns each name one; none where there are columns of prices without one."""
    return {} if set(PRICES) <= roles_of(table.columns).keys() else of_coins(table.columns)


def _moneys_or_sides(affixes: Collection[str]) -> bool:
    """Whether none of these is a coin."""
    names = [_without_brackets(affix) for affix in affixes]
    return bool(names) and all(name in MONEYS or name.lower() in SIDES for name in names)


def _without_brackets(affix: str) -> str:
    return affix.strip("()[] ").upper()


def _symbol_column(table: FileTable) -> str | None:
    """The column that tells coins apart: not one that says in which money, on which exchange, or what kind of market."""
    roles = roles_of(table.columns)
    for name in roles.get(SYMBOL, []) if set(PRICES) <= roles.keys() else ():
        found = list(_spellings(_texts(table, name)))
        one_number = len(found) == 1 and found[0].isdigit()  # a number of the source's own is no name
        one_money = len(found) == 1 and _is_no_coin(name, found[0], MONEYS)
        if found and not one_number and not one_money and not all(_is_no_coin(name, word, MARKETS) for word in found):
            return name
    return None


def _is_no_coin(column: str, word: str, words: Iterable[str]) -> bool:
    """Whether it is one of these words; in capitals under the name of a coin it is a coin: `PERP`, `DYDX`, `USDC`."""
    named_a_coin = words_of(column) in ("symbol", "ticker", "tic", "coin", "asset", "token") and word.isupper()
    return word.upper() in words and not (named_a_coin and (words is MARKETS or word in STABLE))


def _texts(table: FileTable, name: str) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(table.cells.column(name).cast(pa.string()).fill_null(""))


def _spellings(cells: pa.ChunkedArray) -> dict[str, list[str]]:
    """Each coin by its first spelling: all of its spellings. Empty cells are none."""
    coins: dict[str, list[str]] = {}
    for text in pc.unique(cells).to_pylist():
        if text:
            coins.setdefault(plain(text) or text, []).append(text)
    return {spellings[0]: spellings for spellings in coins.values()}


def _rows_of_one(path: Path, table: FileTable, name: str, wanted: str | None) -> FileTable:
    cells = _texts(table, name)
    empty = np.flatnonzero(pc.equal(cells, "").to_numpy())
    if len(empty):
        raise CandleError(
            f"each bar must name its coin, but {table.place} {table.numbers[empty[0]]} of {path} has no `{name}` "
            f"({len(empty):,} such places); drop it, or write it there"
        )
    coins = _spellings(cells)
    coin = _chosen(path, list(coins), wanted)
    rows = pc.is_in(cells, value_set=pa.array(coins[coin]))
    notes = table.notes if len(coins[coin]) == 1 else (*table.notes, f"`{name}` is spelled {' and '.join(coins[coin][:SHOWN])}")
    return replace(table, cells=table.cells.filter(rows), numbers=table.numbers[np.asarray(rows)], symbol=coin, notes=notes)


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


def _joined_pair(word: str) -> tuple[str, str] | None:
    """`BTC` and `USDT` of `BTCUSDT`, `btcusdt` or `BTCUSDTPERP`; an unknown coin only before money that is often traded."""
    text = re.sub(f"(?<=.)(?:{'|'.join(KINDS)})$", "", word.upper())
    if text in KNOWN_COINS or text in MONEYS:
        return None
    pairs = [(text.removesuffix(money), money) for money in (*MONEYS, *COIN_MONEYS) if text.endswith(money)]
    pairs = sorted(pairs, key=lambda pair: len(pair[1]), reverse=True)
    known = [pair for pair in pairs if _is_known(pair[0]) or pair[0] in STABLE]
    unknown = [pair for pair in pairs if pair[1] in ALWAYS_MONEY and _may_be_coin(pair[0])]
    return next(iter([*known, *unknown]), None)


def _is_known(word: str) -> bool:
    """Whether it is a known coin: in any letters, also packed by thousands."""
    return PACKED.sub("", word.upper(), count=1) in KNOWN_COINS or word.upper() in KNOWN_COINS


def _may_be_coin(word: str) -> bool:
    """Whether it looks like a coin's sign: capitals and figures, and no other word or length of a bar."""
    letters = word.strip("0123456789")
    coin = re.fullmatch("[A-Z][A-Z0-9]{1,9}", PACKED.sub("", word, count=1))
    return bool(coin) and letters not in NO_COINS and word not in MONEYS and not BAR.fullmatch(word)


def _is_cross(coin: str, money: str) -> bool:
    """Whether a coin may be priced in this one: `ETH_BTC`, but in `BTC_ETH` either may be the money."""
    order = ("BTC", "XBT", "ETH", "BNB")
    one, two = coin.upper(), money.upper()
    return two in order and one not in STABLE and (one not in order or order.index(one) > order.index(two))
