"""What a column of a candle file holds, by its name.

Names are compared in small letters, words apart: `quoteVolume`, `Quote_Volume` and `<QUOTE VOLUME>` are `quote volume`.
"""

import re
from collections.abc import Iterator, Sequence

PRICES = ("open", "high", "low", "close")
TIME, CLOSE_TIME, CLOCK, WITHIN = "open time", "close time", "time of day", "time within the bar"
SYMBOL, BASE, QUOTE, VOLUME, TICKS, FILLED = "symbol", "base volume", "quote volume", "volume", "ticks", "filled"

ALIASES: dict[str, tuple[str, ...]] = {
    TIME: (
        "time", "timestamp", "date", "datetime", "date time", "open time", "opentime", "time open", "open timestamp",
        "candle time", "candle begin time", "time period start", "start time", "start", "starttime", "period start", "begin",
        "from", "ts", "mts", "t", "unix", "unix timestamp", "unix time", "unixtime", "epoch", "timestamp ms",
        "time utc", "date utc", "datetime utc", "timestamp utc", "gmt time", "utc time", "utc", "local time", "time key",
        "trade date", "dt", "date time utc", "window start", "bucket", "bar time", "open time utc", "started at",
        "unix ms", "timestamp s", "candle date time utc", "datum", "fecha", "data", "zeit", "observation date",
        "дата", "日期", "时间",
    ),
    CLOSE_TIME: (
        "close time", "closetime", "time close", "close timestamp", "time period end", "end time", "end", "period end",
        "candle end time",
    ),
    WITHIN: ("time high", "time low", "high time", "low time", "snapped at", "candle date time kst"),
    SYMBOL: (
        "symbol", "pair", "ticker", "tic", "coin", "asset", "asset id", "instrument", "instrument id", "inst id", "product id",
        "market", "currency pair", "crypto", "currency", "token", "slug", "name", "s",
    ),
    "open": ("open", "o", "open price", "price open", "opening price", "opening", "first", "eröffn", "eröffnung", "apertura",
             "ouv", "ouverture", "abertura", "otwarcie", "откр", "开盘"),
    "high": ("high", "h", "high price", "price high", "highest price", "highest", "max", "hi", "hoch", "máximo", "maximo",
             "plus haut", "máxima", "massimo", "najwyzszy", "najwyższy", "макс", "高", "最高"),
    "low": ("low", "l", "low price", "price low", "lowest price", "lowest", "min", "lo", "tief", "mínimo", "minimo",
             "plus bas", "mínima", "najnizszy", "najniższy", "мин", "低", "最低"),
    "close": (
        "close", "c", "close price", "price close", "closing price", "close last", "closing", "last", "price", "last price",
        "trade price", "zuletzt", "schlusskurs", "último", "ultimo", "dernier", "zamkniecie", "zamknięcie", "цена", "收盘",
        "adj close",
        "adjusted close",
    ),
    BASE: ("volumefrom", "volume from", "base volume", "volume base", "volume coin", "volume coins", "vol ccy", "coin volume",
           "base asset volume", "volume traded", "base vol", "vol base", "volume base ccy", "home notional",
           "candle acc trade volume"),
    QUOTE: (
        "volumeto", "volume to", "quote volume", "volume quote", "quotevolume", "quote asset volume", "volume currency",
        "turnover", "vol ccy quote", "dollar volume", "volume notional", "quote vol", "vol quote", "volume quote ccy",
        "foreign notional", "candle acc trade price",
    ),
    VOLUME: ("volume", "vol", "v", "real volume", "amount", "value", "total volume", "trade volume", "quantity",
             "wolumen", "volumen", "объём", "交易量"),
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


def words_of(column: str) -> str:
    """`quoteVolume` -> `quote volume`."""
    bare = re.sub(r"^\d+[a-z]?\. ", "", column)  # Alpha Vantage numbers its columns: `1. open`
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
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
    """What it holds -> the columns of such names, the best name first. A letter is a name where all prices have one."""
    found: dict[str, list[str]] = {}
    letters = {"o", "h", "l", "c"} <= set(columns) or {"O", "H", "L", "C"} <= set(columns)
    small = {"o", "h", "l", "c"} <= set(columns)
    period = "time period start" in map(words_of, columns)
    for column in columns:
        if len(column) == 1 and not (letters and column.islower() == small):
            continue
        if period and words_of(column) in ("time open", "time close"):  # CoinAPI's first and last trade of the bar
            found.setdefault(WITHIN, []).append(column)
        elif role := role_of(column):
            found.setdefault(role, []).append(column)
    return {role: sorted(names, key=lambda name: _rank(role, name)) for role, names in found.items()}


def is_bare(name: str) -> bool:
    """Whether a column has no name but what a program gives to a nameless one, as pandas does to an index."""
    return not name.strip() or bool(
        re.fullmatch(r"(?:Unnamed: \d+(?:_level_\d+)?|index|level_\d|__index_level_\d+__)", name.strip())
    )


def of_coins(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns that each name a coin and what they hold, such as `BTC:open`, `Close_ETH-USD` or `BTC Open`: coin -> its column ->
    `open`.

    Only coins with all four prices count.
    """
    coins: dict[str, dict[str, str]] = {}
    for column in columns:
        for coin, field in _coin_and_field(column):
            if role_of(field) in (*PRICES, BASE, QUOTE, VOLUME):
                coins.setdefault(coin, {})[column] = field
                break
    return {coin: fields for coin, fields in coins.items() if set(PRICES) <= {role_of(field) for field in fields.values()}}


def _coin_and_field(column: str) -> Iterator[tuple[str, str]]:
    """All ways to take a name apart, the coin behind or in front: at each mark, the longest field first."""
    plain = re.sub(r"^\('(.*)', '(.*)'\)$", r"\1:\2", column)
    for mark in (":", "|", "_", " ", ".", "/", "-"):
        places = [k for k, letter in enumerate(plain) if letter == mark]
        for place in places:
            yield plain[:place], plain[place + 1 :]
        for place in reversed(places):
            yield plain[place + 1 :], plain[:place]


def _rank(role: str, name: str) -> int:
    words, aliases = words_of(name), ALIASES[role]
    return aliases.index(words) if words in aliases else len(aliases)
