"""Bars that a leak can hide at: silent ones, gaps, large moves, weekends, firsts of a month, and each column's rare values."""

import numpy as np
import pandas as pd

from evaluation.audit.compare import Rows
from evaluation.audit.futures import like
from market import Candles

USUAL = 0.5
"""a value that more than this part of a column has is its usual one; all others are rare"""


def rare_bars(candles: Candles, first: int, seed: int, each: int = 2) -> list[int]:
    """Bars of every rare kind, `each` of it, from `first` on: the largest of what has a size, random ones of the others."""
    open_, high, low, close, volume = (candles.column(name) for name in ("open", "high", "low", "close", "volume"))
    move = np.abs(np.log(close / open_))
    gap = np.abs(np.log(open_ / np.append(open_[0], close[:-1])))
    sizes = [
        move,
        gap,
        volume,
        -volume,
        np.log(high / low),
        np.log(np.minimum(open_, close) / low),
        np.log(high / np.maximum(open_, close)),
    ]
    chosen: list[int] = []
    for size in sizes:
        if np.ptp(size[first:]) > 0:
            chosen += (first + np.argsort(size[first:], kind="stable")[::-1][:each]).tolist()
    rng = np.random.default_rng([seed, len(candles)])
    for kind in _kinds(candles):
        bars = first + np.flatnonzero(kind[first:])
        if 0 < len(bars) < len(candles) - first:
            chosen += rng.choice(bars, min(each, len(bars)), replace=False).tolist()
    return list(dict.fromkeys(chosen))


def frame_ends(candles: Candles, first: int, seed: int) -> list[int]:
    """Last bars of hours, of a day of each weekday, of a month, a quarter and a year, from `first` on: a random one of each.

    There a longer bar closes. A column of longer bars that shows one too early knows what comes at no other bar.
    """
    opens, ends = candles.index, candles.ends
    months, next_months = (times.year * 12 + times.month for times in (opens, ends))
    day_end, month_end = np.asarray(opens.floor("D") != ends.floor("D")), np.asarray(months != next_months)
    kinds = [np.asarray(opens.floor("h") != ends.floor("h")), day_end]
    kinds += [day_end & np.asarray(opens.day_of_week == day) for day in range(7)]
    kinds += [month_end, month_end & np.asarray(ends.month % 3 == 1), month_end & np.asarray(ends.month == 1)]
    rng = np.random.default_rng([seed, len(candles), 3])
    chosen: list[int] = []
    for kind in kinds:
        bars = first + np.flatnonzero(kind[first:-1])
        if 0 < len(bars) < len(candles) - 1 - first:
            chosen.append(int(rng.choice(bars)))
    return sorted(set(chosen))


def unusual_values(rows: Rows, each: int = 4) -> list[int]:
    """Bars at which a column has anything but its usual value, if it has one; some of them, from all over the rows."""
    chosen: list[int] = []
    for column in rows.values.T:
        values, counts = np.unique(column, return_counts=True)
        if len(column) and counts.max() > USUAL * len(column):
            odd = np.flatnonzero(column != values[np.argmax(counts)])
            chosen += odd[np.linspace(0, len(odd) - 1, min(each, len(odd))).astype(int)].tolist() if len(odd) else []
    return [rows.first + k for k in dict.fromkeys(chosen)]


def extreme_values(rows: Rows) -> list[int]:
    """Bars at which a column has its lowest and its highest value."""
    lowest, highest = np.argmin(rows.values, axis=0), np.argmax(rows.values, axis=0)
    return [rows.first + int(k) for k in dict.fromkeys([*lowest.tolist(), *highest.tolist()])]


def random_market(candles: Candles, bars: int, seed: int) -> Candles:
    """Candles at these times that visit what few markets do: silent bars and hours, gaps, crashes, bars without a body or a wick.

    The times are those of the true candles around the turn of a month, so that what is joined by time finds its values.
    """
    bars = min(bars, len(candles))
    start = _around_a_month(candles.index, bars)
    rng = np.random.default_rng([seed, bars, 7])
    spread = 0.01 * rng.choice([0.2, 1.0, 5.0], bars, p=[0.3, 0.5, 0.2])
    move, gap = rng.normal(0, spread), rng.normal(0, spread / 2) * (rng.random(bars) < 0.5)
    gap += rng.choice([0.0, 0.15, -0.15], bars, p=[0.98, 0.01, 0.01])
    move *= rng.random(bars) > 0.05  # bars without a body
    silent = rng.random(bars) < 0.04
    silent[bars // 2 : bars // 2 + 12] = True
    move[silent] = gap[silent] = 0.0
    path = np.cumsum(move + gap)
    close = float(candles.column("close")[start]) * np.exp(path - np.linspace(0, path[-1], bars))
    opened = close * np.exp(-move)
    wick = rng.exponential(spread) * (rng.random(bars) > 0.1) * ~silent
    volume = np.where(silent, 0.0, rng.lognormal(0, 1.0, bars) * (float(np.median(candles.column("volume"))) or 1.0))
    volume *= rng.choice([1.0, 20.0], bars, p=[0.98, 0.02])
    columns = {
        "open": opened, "high": np.maximum(opened, close) * np.exp(wick),
        "low": np.minimum(opened, close) * np.exp(-wick * rng.random(bars)), "close": close,
        "volume": volume, "quote_volume": volume * close,
    }  # fmt: skip
    return like(candles, pd.DataFrame(columns, index=candles.index[start : start + bars]).rename_axis("time"), 0)


def _kinds(candles: Candles) -> list[np.ndarray]:
    """bool (T,) each: what a bar is by its time and its form."""
    index, frame = candles.index, candles.frame
    by_time = [np.asarray(index.day_of_week == day) for day in range(7)] + [np.asarray(index.hour == hour) for hour in (0, 23)]
    months = [np.asarray(index.day == 1), np.asarray(index.is_month_end), np.asarray(index.day_of_year == 1)]
    forms = [
        frame["volume"].to_numpy() == 0,
        (frame["close"] == frame["open"]).to_numpy(),
        (frame["close"] < frame["open"]).to_numpy(),
    ]
    return [*by_time, *months, *forms]


def _around_a_month(index: pd.DatetimeIndex, bars: int) -> int:
    """The first of that many bars in whose middle a month begins, if one does."""
    firsts = np.flatnonzero((index.day == 1) & (index.hour == 0))
    firsts = firsts[(firsts >= bars // 2) & (firsts <= len(index) - (bars - bars // 2))]
    return int(firsts[0]) - bars // 2 if len(firsts) else 0
