"""Longer bars out of shorter ones."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from common import unknown
from market.bar_grid import bar_name, grid_numbers, grid_times, months_of
from market.candles import CandleError, Candles

RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum"}
EXTRA_RULES = ("last", "sum", "mean")
ADDED_UP = {"volume", "volumes", "count", "counts", "trades", "amount", "amounts", "turnover", "liquidation", "liquidations"}
"""an extra column with one of these words in its name is added up over a longer bar; of others the last value counts"""
NEVER_ADDED_UP = {
    "ma", "sma", "ema", "wma", "avg", "average", "mean", "median", "std", "ratio", "rate", "pct", "percent", "index", "share",
    "per", "price", "interest", "rank", "score", "zscore", "log", "cum", "cumulative", "rolling", "change", "osc",
    "oscillator",
}  # fmt: skip
"""words that make a mean, a share or a level of an amount, such as `volume_ma`: the last value counts"""


def resample(candles: Candles, bar: pd.Timedelta, extra: Mapping[str, str] | None = None) -> Candles:
    """Candles of a longer bar, which opens on the grid that starts at 1970-01-01 00:00 UTC (weeks so open on a Thursday), or on
    the first of a calendar month.

    A first or last bar of which the candles hold only a part is left out, and `source` says so: its open, its extremes and its
    volume would be those of another span than its name says. A bar is `filled` if all of its parts are.

    Args:
        candles: the shorter bars.
        bar: length of the longer ones; `market.bar_grid.MONTH` for months.
        extra: by extra column `last`, `sum` or `mean`; those left out are added up if their name is that of an amount or a count,
            and `last` otherwise. Empty values are left out.

    Raises:
        CandleError: `bar` is no whole multiple of the candles' bar, no whole bar is in them, or no such rule or column.
    """
    _require_multiple(candles, bar)
    opens, parts = _opens_and_parts(candles, bar)
    count = pd.Series(1, index=opens).groupby(level=0).sum()
    whole = (count == parts.reindex(count.index)).to_numpy()
    kept = count.index[whole]
    if kept.empty:
        raise CandleError(
            f"{len(candles)} bars of {bar_name(candles.bar)} hold no whole bar of {bar_name(bar)}; give more candles"
        )
    frame = candles.frame.groupby(opens).agg(RULES).loc[kept]
    frame.index.name = "time"
    note = f"resampled from {bar_name(candles.bar)}"
    if len(kept) < len(count):
        note += f", {len(count) - len(kept)} partial at the ends left out"
    filled = None
    if candles.filled is not None:
        filled = pd.Series(candles.filled).groupby(np.asarray(opens)).all().to_numpy()[whole]
    more = None
    if candles.extra is not None:
        rules = extra_rules(candles, extra or {})
        more = candles.extra.groupby(opens).agg({name: _AGGREGATES[rule] for name, rule in rules.items()}).loc[kept]
        more.index.name = "time"
        note += ", " + ", ".join(f"{name}: {rule}" for name, rule in rules.items())
    return Candles(frame, bar, candles.symbol, f"{candles.source}; {note}", filled, more)


def extra_rules(candles: Candles, given: Mapping[str, str]) -> dict[str, str]:
    """The rule for each extra column.

    Raises:
        CandleError: a rule or a column that does not exist.
    """
    columns = [] if candles.extra is None else [str(name) for name in candles.extra.columns]
    for name, rule in given.items():
        if name not in columns:
            raise CandleError(unknown("extra column", name, columns or ["none in this file"]))
        if rule not in EXTRA_RULES:
            raise CandleError(unknown("rule for an extra column", rule, EXTRA_RULES))
    usual = {name: "sum" if _is_amount(name) else "last" for name in columns}
    return {name: given.get(name, usual[name]) for name in columns}


def _is_amount(column: str) -> bool:
    """Whether a column's name is that of an amount of its bar. `volume_24h` is no such amount: it overlaps the bars before."""
    words = {re.sub(r"(?<=[a-z])\d+$", "", word) for word in column.lower().split("_")}  # `ma20` is a `ma`
    over_a_span = any(re.fullmatch(r"\d+(?:s|m|min|h|d|w)", word) for word in words)
    return bool(words & ADDED_UP) and not words & NEVER_ADDED_UP and not over_a_span


_AGGREGATES: dict[str, Any] = {"last": "last", "mean": "mean", "sum": lambda values: values.sum(min_count=1)}


def _require_multiple(candles: Candles, bar: pd.Timedelta) -> None:
    longer, shorter = months_of(bar), months_of(candles.bar)
    if longer and (shorter == 0 or longer % shorter == 0):
        return
    parts = bar / candles.bar
    if shorter or parts < 1 or parts != int(parts):
        fewer = max(int(parts), 1)
        longer_bar = "1month, 3month or 12month" if shorter else bar_name(candles.bar * (fewer + 1))
        raise CandleError(
            f"a bar must be a whole multiple of {bar_name(candles.bar)}, the bar of {candles.source}, but got {bar_name(bar)}; "
            f"take {bar_name(candles.bar * fewer)} or {longer_bar}"
        )


def _opens_and_parts(candles: Candles, bar: pd.Timedelta) -> tuple[pd.DatetimeIndex, "pd.Series[float]"]:
    """The open time of the longer bar that each bar lies in; and how many bars each longer one must have."""
    if not months_of(bar):
        opens = candles.index.floor(bar)
        return opens, pd.Series(bar / candles.bar, index=opens.unique())
    times = candles.index.tz_localize(None).to_numpy()
    numbers, _ = grid_numbers(times, bar)
    edges = grid_times(times[0], int(numbers[-1] - numbers[0]) + 2, bar)
    opens = pd.DatetimeIndex(edges[numbers - numbers[0]], tz="UTC", name="time")
    unit = months_of(bar) // months_of(candles.bar) if months_of(candles.bar) else np.diff(edges) / candles.bar.to_numpy()
    return opens, pd.Series(unit, index=pd.DatetimeIndex(edges[:-1], tz="UTC"))
