"""Names the columns of a candle file without a header by their values, where one reading alone fits."""

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pyarrow as pa

from market.candles import CandleError
from market.number_cells import number_cells
from market.times import is_clock, parse_times, with_clock

BINANCE = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
           "taker_buy_quote_volume", "ignore"]  # fmt: skip
LOOKED_AT = 5_000
"""rows, which are enough to tell columns apart"""
NEARLY_ALL = 0.99
"""share of rows that must fit: a few may be broken, and are then refused by their line"""
SAME_SIZE = 0.5
"""mean distance of two prices of a bar at most, in logarithms"""
MUCH_NEARER = 0.8
"""how far bars may open from the close before them, in terms of the next best reading"""
ADVICE = "write a line of names above the first one, such as time,open,high,low,close,volume"


def named_by_values(path: Path, cells: pa.Table) -> tuple[list[str], str]:
    """A name for each column, and how they were recognised, in words.

    High and low are the columns between which two others always lie, and the open is where the bar before closed. A volume is
    what is left: one number, or two of which one is the other times the price; whole numbers beside them count trades.

    Raises:
        CandleError: no reading fits, or two do.
    """
    width = cells.num_columns
    columns = [cells.column(k).slice(0, LOOKED_AT) for k in range(width)]
    found = _times(columns)
    if not found:
        raise CandleError(f"{path} has no line of names, and none of its {width} columns holds times; {ADVICE}")
    if width in (11, 12) and {0: "time", 6: "close_time"}.items() <= found.items():
        return BINANCE[:width], "columns recognised as Binance's, by their number and places"
    order = np.argsort(_parsed(columns, found), kind="stable")
    numbers = {k: number_cells(columns[k], False)[0][order] for k in range(width) if k not in found}
    numbers = {k: values for k, values in numbers.items() if np.isfinite(values).mean() >= NEARLY_ALL}
    prices = _prices(path, numbers)
    rest = {k: values for k, values in numbers.items() if k not in prices}
    found |= prices | _volumes(path, rest, {name: numbers[k] for k, name in prices.items()})
    said = ", ".join(f"{k + 1} {found[k].replace('_', ' ')}" for k in sorted(found))
    return [found.get(k, f"column {k + 1}") for k in range(width)], f"columns recognised by their values: {said}"


def _times(columns: list[pa.ChunkedArray]) -> dict[int, str]:
    """`time`, or `date` and `time` of the day beside it; and a second time later than the first as `close_time`."""
    found: dict[int, str] = {}
    first = np.zeros(0)
    for k, column in enumerate(columns):
        if is_clock(column):
            found |= {k: "time"} | {place: "date" for place, name in found.items() if name == "time"} if found else {}
            continue
        times = parse_times(column).times
        same_number = len(np.unique(times)) == 1 < len(times) and not pa.types.is_string(column.type)
        if (~np.isnat(times)).mean() < NEARLY_ALL or same_number:
            continue
        if not found:
            first, found[k] = times, "time"
        elif (times[~np.isnat(times)] > first[~np.isnat(times)]).all() and "close_time" not in found.values():
            found[k] = "close_time"
    return found


def _parsed(columns: list[pa.ChunkedArray], found: dict[int, str]) -> np.ndarray:
    place = {name: k for k, name in found.items()}
    column = columns[place["time"]]
    return parse_times(with_clock(columns[place["date"]], column) if "date" in place else column).times


def _prices(path: Path, numbers: dict[int, np.ndarray]) -> dict[int, str]:
    """The places of high and low, then of open and close among what lies between them."""
    positive = {k: values for k, values in numbers.items() if (values > 0).mean() >= NEARLY_ALL}
    for group in _alike(positive):
        for count in range(len(group), 3, -1):
            for places in combinations(group, count):
                if ends := _high_and_low({k: positive[k] for k in places}):
                    high, low = ends
                    opened, close = _open_and_close(path, {k: positive[k] for k in places if k not in ends})
                    return {opened: "open", high: "high", low: "low", close: "close"}
    raise CandleError(f"{path} has no line of names, and no two of its columns are the highs and lows of others; {ADVICE}")


def _alike(numbers: dict[int, np.ndarray]) -> list[list[int]]:
    """Groups of four columns or more of about one size, the largest first."""
    groups = []
    for reference in numbers.values():
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = {k: np.nanmedian(np.abs(np.log(values / reference))) for k, values in numbers.items()}
        groups.append([k for k in numbers if apart[k] < SAME_SIZE])
    return sorted({tuple(group): group for group in groups if len(group) >= 4}.values(), key=len, reverse=True)


def _high_and_low(numbers: dict[int, np.ndarray]) -> tuple[int, int] | None:
    """The two columns between which all others lie, if there are two."""
    every = np.array(list(numbers.values()))
    top, bottom = every.max(axis=0), every.min(axis=0)
    highs = [k for k, values in numbers.items() if (values == top).mean() >= NEARLY_ALL]
    lows = [k for k, values in numbers.items() if (values == bottom).mean() >= NEARLY_ALL]
    return (highs[0], lows[0]) if len(highs) == len(lows) == 1 and highs != lows else None


def _between(low: np.ndarray, values: np.ndarray, high: np.ndarray) -> bool:
    return bool(((low <= values) & (values <= high)).mean() >= NEARLY_ALL)


def _open_and_close(path: Path, inside: dict[int, np.ndarray]) -> tuple[int, int]:
    """Of columns in time order: the two of which one starts where the other ended a bar before."""
    jumps = {
        (opened, close): float(np.nanmean(np.abs(np.log(inside[opened][1:] / inside[close][:-1]))))
        for opened, close in permutations(inside, 2)
    }
    (pair, least), (other, second) = sorted(jumps.items(), key=lambda item: item[1])[:2]
    if not least <= MUCH_NEARER * second or not second > 0:
        raise CandleError(
            f"{path} has no line of names, and its columns {pair[0] + 1} and {other[0] + 1} could both be the open; {ADVICE}"
        )
    return pair


def _volumes(path: Path, rest: dict[int, np.ndarray], prices: dict[str, np.ndarray]) -> dict[int, str]:
    """Base and quote volume, or the one volume, among the columns that are left."""
    rest = {k: values for k, values in rest.items() if (values >= 0).mean() >= NEARLY_ALL and len(np.unique(values)) > 1}
    rest = {k: values for k, values in rest.items() if not _between(prices["low"], values, prices["high"])}  # a mean price
    for base, quote in permutations(rest, 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            price = rest[quote] / rest[base]
        traded = np.isfinite(price)
        if traded.any() and _between(prices["low"][traded] * 0.98, price[traded], prices["high"][traded] * 1.02):
            return {base: "volume", quote: "quote_volume"}
    whole = {k for k, values in rest.items() if (values == np.floor(values)).all()}
    chosen = sorted(rest.keys() - whole) or sorted(whole)
    if len(chosen) > 1:
        shown = " and ".join(str(k + 1) for k in chosen[:2])
        raise CandleError(f"{path} has no line of names, and its columns {shown} could both be the volume; {ADVICE}")
    return {chosen[0]: "volume"} if chosen else {}
