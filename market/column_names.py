"""What a column of a candle file holds, by its name.

Names are compared in small letters, words apart: `quoteVolume`, `Quote_Volume` and `<QUOTE VOLUME>` are `quote volume`.
"""

import re
from collections.abc import Sequence

PRICES = ("open", "high", "low", "close")
TIME, CLOSE_TIME, CLOCK, WITHIN = "open time", "close time", "time of day", "time within the bar"
SYMBOL, BASE, QUOTE, VOLUME, TICKS, FILLED = "symbol", "base volume", "quote volume", "volume", "ticks", "filled"

ALIASES: dict[str, tuple[str, ...]] = {
    TIME: (
        "time", "timestamp", "date", "datetime", "date time", "open time", "opentime", "time open", "open timestamp",
        "candle time", "candle begin time", "time period start", "start time", "start", "starttime", "period start", "begin",
        "from", "ts", "mts", "t", "d", "unix", "unix timestamp", "unix time", "unixtime", "epoch", "timestamp ms",
        "time utc", "date utc", "datetime utc", "timestamp utc", "gmt time", "utc time", "utc", "local time", "time key",
        "trade date", "dt",
    ),
    CLOSE_TIME: (
        "close time", "closetime", "time close", "close timestamp", "time period end", "end time", "end", "period end",
        "candle end time",
    ),
    WITHIN: ("time high", "time low", "high time", "low time", "snapped at"),
    SYMBOL: (
        "symbol", "pair", "ticker", "tic", "coin", "asset", "asset id", "instrument", "instrument id", "inst id", "product id",
        "market", "currency pair", "crypto", "currency", "token", "slug", "name", "s",
    ),
    "open": ("open", "o", "open price", "price open", "opening price", "opening", "first"),
    "high": ("high", "h", "high price", "price high", "highest price", "highest", "max", "hi"),
    "low": ("low", "l", "low price", "price low", "lowest price", "lowest", "min", "lo"),
    "close": (
        "close", "c", "close price", "price close", "closing price", "close last", "closing", "last", "price", "last price",
        "adj close", "adjusted close",
    ),
    BASE: ("volumefrom", "volume from", "base volume", "volume base", "volume coin", "volume coins", "vol ccy", "coin volume",
           "base asset volume", "volume traded"),
    QUOTE: (
        "volumeto", "volume to", "quote volume", "volume quote", "quotevolume", "quote asset volume", "volume currency",
        "turnover", "vol ccy quote", "dollar volume", "volume notional",
    ),
    VOLUME: ("volume", "vol", "v", "real volume", "amount", "value"),
    TICKS: ("tick volume", "tickvol", "tick vol", "ticks", "tickcount", "tick count"),
    FILLED: ("filled",),
}  # fmt: skip
"""by what a column holds: its names, of which an earlier one beats a later one where a file has both"""
ROLES = {alias: role for role, aliases in ALIASES.items() for alias in aliases}
QUOTES = (
    "usd", "usdt", "usdc", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "aud", "cad", "chf", "try", "brl", "inr",
    "rub", "uah", "zar", "mxn", "sgd", "hkd", "nzd", "pln", "sek",
)  # fmt: skip
COINS = (
    "btc", "xbt", "eth", "ltc", "xrp", "bch", "sol", "ada", "doge", "dot", "link", "xlm", "xmr", "etc", "dash", "zec", "eos",
    "trx", "bnb", "avax", "shib", "matic", "atom", "uni", "near", "ton", "pepe",
)  # fmt: skip
PARTS = re.compile(r"[:_/. -]+")


def words_of(column: str) -> str:
    """`quoteVolume` -> `quote volume`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)
    return " ".join("".join(c if c.isalnum() else " " for c in apart.lower()).split())


def role_of(column: str) -> str | None:
    """What a column of that name holds; None for one that is no candle's. `Volume USD` is a quote volume, `Volume MA` is not."""
    words = words_of(column)
    if role := ROLES.get(words) or ROLES.get(words.replace(" ", "")):
        return role
    found = re.fullmatch("(?:volume|vol) (\\w+)|(\\w+) (?:volume|vol)", words)
    currency = (found.group(1) or found.group(2)) if found else ""
    return QUOTE if currency in QUOTES else BASE if currency in COINS else None


def roles_of(columns: Sequence[str]) -> dict[str, list[str]]:
    """What it holds -> the columns of such names, the best name first."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if role := role_of(column):
            found.setdefault(role, []).append(column)
    return {role: sorted(names, key=lambda name: _rank(role, name)) for role, names in found.items()}


def is_bare(name: str) -> bool:
    """Whether a column has no name but what a program gives to a nameless one, as pandas does to an index."""
    return not name.strip() or bool(
        re.fullmatch(r"(?:Unnamed: \d+(?:_level_\d+)?|index|level_\d|__index_level_\d+__)", name.strip())
    )


def of_coins(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns that each name a coin and what they hold, such as `BTC:open` or `Close_ETH-USD`: coin -> its column -> `open`.

    Only coins with all four prices count.
    """
    coins: dict[str, dict[str, str]] = {}
    for column in columns:
        parts = [
            part for part in re.split(r"[:|]|(?:', ')|[()']|_|(?<=[a-z]) (?=[A-Z])|(?<=[A-Z]) (?=[a-z])|\.|/", column) if part
        ]
        for k, field in ((len(parts) - 1, parts[-1]), (0, parts[0])) if len(parts) == 2 else ():
            role = role_of(field)
            if role in (*PRICES, BASE, QUOTE, VOLUME):
                coins.setdefault(parts[1 - k] if k <= 1 else parts[0], {})[column] = field
                break
    return {coin: fields for coin, fields in coins.items() if set(PRICES) <= {role_of(field) for field in fields.values()}}


def _rank(role: str, name: str) -> int:
    words, aliases = words_of(name), ALIASES[role]
    return aliases.index(words) if words in aliases else len(aliases)
