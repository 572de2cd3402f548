"""Names the columns of a candle file without a header by their values, where one reading alone fits."""

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pyarrow as pa

from market.bar_grid import usual_bar
from market.candles import CandleError
from market.number_cells import has_decimal_comma, number_cells
from market.times import are_even, is_clock, parse_times, with_clock

BINANCE = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
           "taker_buy_quote_volume", "ignore"]  # fmt: skip
LOOKED_AT = 5_000
"""rows, which are enough to tell columns apart"""
FEW = 0.01
"""share of rows that need not fit, and one row of ten or more: broken ones are refused later, by their line"""
LARGEST_GROUP = 9
"""columns of about the size of a price that are looked through"""
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
    comma = has_decimal_comma(columns)
    numbers = {k: number_cells(columns[k], comma)[0] for k in range(width) if k not in found}
    numbers = {k: values[order] for k, values in numbers.items() if k > min(found) or not _numbers_rows(values)}
    numbers = {k: values for k, values in numbers.items() if np.isfinite(values).mean() > 0.5}
    prices = _prices(path, {k: values for k, values in numbers.items() if _nearly_all(np.isfinite(values))})
    rest = {k: values for k, values in numbers.items() if k not in prices}
    found |= prices | _volumes(path, rest, {name: numbers[k] for k, name in prices.items()})
    said = ", ".join(f"{k + 1} {found[k].replace('_', ' ')}" for k in sorted(found))
    return [found.get(k, f"column {k + 1}") for k in range(width)], f"columns recognised by their values: {said}"


def _times(columns: list[pa.ChunkedArray]) -> dict[int, str]:
    """`time`, or `date` and `time` of the day right beside it; and a second time about a bar after the first as `close_time`."""
    found: dict[int, str] = {}
    first = np.zeros(0, "datetime64[ns]")
    for k, column in enumerate(columns):
        if found.get(k - 1) == "time" and is_clock(column) and _days_of_a_clock(columns[k - 1], column):
            found |= {k - 1: "date", k: "time"}
            continue
        times = parse_times(column).times
        if not _nearly_all(~np.isnat(times)) or not (pa.types.is_string(column.type) or are_even(times)):
            continue
        if not found:
            first, found[k] = times, "time"
        elif "close_time" not in found.values() and _a_bar_later(first, times):
            found[k] = "close_time"
    return found


def _numbers_rows(values: np.ndarray) -> bool:
    """Whether a column before the times counts the rows."""
    return bool(values[0] in (0, 1) and (np.diff(values) == 1).all())


def _days_of_a_clock(days: pa.ChunkedArray, clock: pa.ChunkedArray) -> bool:
    """Whether whole numbers behind a column of times are times of the day: the days repeat, or the clock always says the same."""
    if not pa.types.is_integer(clock.type):
        return True
    return len(days.unique()) < len(days) or len(clock.unique()) == 1


def _a_bar_later(first: np.ndarray, times: np.ndarray) -> bool:
    both = ~np.isnat(first) & ~np.isnat(times)
    apart, bar = (times[both] - first[both]).astype(np.int64), usual_bar(np.sort(first[both])).value
    return bool(((apart > 0) & (apart <= 2 * bar)).all())


def _nearly_all(fits: np.ndarray) -> bool:
    return bool((~fits).sum() <= max(FEW * len(fits), 1 if len(fits) >= 10 else 0))


def _parsed(columns: list[pa.ChunkedArray], found: dict[int, str]) -> np.ndarray:
    place = {name: k for k, name in found.items()}
    column = columns[place["time"]]
    return parse_times(with_clock(columns[place["date"]], column) if "date" in place else column).times


def _prices(path: Path, numbers: dict[int, np.ndarray]) -> dict[int, str]:
    """The places of high and low, then of open and close among what lies between them."""
    positive = {k: values for k, values in numbers.items() if _nearly_all(values > 0)}
    readings: set[tuple[int, int]] = set()
    for group in _alike(positive):
        for count in range(4, min(len(group), LARGEST_GROUP) + 1):
            subsets = (_high_and_low({k: positive[k] for k in places}) for places in combinations(group, count))
            readings |= {ends for ends in subsets if ends}
    if not readings:
        raise CandleError(f"{path} has no line of names, and no two of its columns are the highs and lows of others; {ADVICE}")
    if len(readings) > 1:
        one, two, *_ = sorted(readings)
        what, place = ("high", 0) if one[0] != two[0] else ("low", 1)
        raise CandleError(
            f"{path} has no line of names, and its columns {one[place] + 1} and {two[place] + 1} could both be the {what}; "
            f"{ADVICE}"
        )
    (high, low), *_ = readings
    between = {
        k: values for k, values in positive.items() if k not in (high, low) and _between(positive[low], values, positive[high])
    }
    opened, close = _open_and_close(path, between)
    return {opened: "open", high: "high", low: "low", close: "close"}


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
    top, bottom = np.nanmax(every, axis=0), np.nanmin(every, axis=0)
    highs = [k for k, values in numbers.items() if _nearly_all(values == top)]
    lows = [k for k, values in numbers.items() if _nearly_all(values == bottom)]
    return (highs[0], lows[0]) if len(highs) == len(lows) == 1 and highs != lows else None


def _between(low: np.ndarray, values: np.ndarray, high: np.ndarray) -> bool:
    return _nearly_all((low <= values) & (values <= high))


def _open_and_close(path: Path, inside: dict[int, np.ndarray]) -> tuple[int, int]:
    """Of columns in time order: the two of which one starts where the other ended a bar before."""
    if len(next(iter(inside.values()))) < 3:
        raise CandleError(f"{path} has no line of names, and 2 bars are too few to tell open and close; {ADVICE}")
    jumps = {
        (opened, close): float(np.nanmean(np.abs(np.log(inside[opened][1:] / inside[close][:-1]))))
        for opened, close in permutations(inside, 2)
    }
    (pair, least), (other, second) = sorted(jumps.items(), key=lambda item: item[1])[:2]
    if not least <= MUCH_NEARER * second or not second > 0:
        doubtful = (pair[0], other[0], "open") if pair[0] != other[0] else (pair[1], other[1], "close")
        raise CandleError(
            f"{path} has no line of names, and its columns {doubtful[0] + 1} and {doubtful[1] + 1} could both be the "
            f"{doubtful[2]}; {ADVICE}"
        )
    return pair


def _volumes(path: Path, rest: dict[int, np.ndarray], prices: dict[str, np.ndarray]) -> dict[int, str]:
    """Base and quote volume, or the one volume, among the columns that are left."""
    rest = {k: values for k, values in rest.items() if not (values < 0).any() and len(np.unique(values)) > 1}
    rest = {k: values for k, values in rest.items() if not _between(prices["low"], values, prices["high"])}  # a mean price
    for base, quote in permutations(rest, 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            price = rest[quote] / rest[base]
        traded = np.isfinite(price)
        if traded.any() and _between(prices["low"][traded] * 0.98, price[traded], prices["high"][traded] * 1.02):
            return {base: "volume", quote: "quote_volume"}
    if not rest:
        return {}
    first, *others = sorted(rest)
    counts = [k for k, values in rest.items() if (values[np.isfinite(values)] % 1 == 0).all()]
    if others and (first in counts or set(others) - set(counts)):  # trades are counted behind the volume, in whole numbers
        raise CandleError(
            f"{path} has no line of names, and its columns {first + 1} and {others[0] + 1} could both be the volume; {ADVICE}"
        )
    return {first: "volume"}
