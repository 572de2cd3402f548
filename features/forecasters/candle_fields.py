"""Candles as rows of fields: a bar's hour, weekday, volatility regime, place in its range, last signs, and columns cut into bins.

What is estimated is where the bins end, from train alone. A field that is not known yet, in its warm-up, is absent from the row.
"""

import re
from itertools import pairwise

import numpy as np
import pandas as pd

from common import InputError, unknown
from features import log_differences, volatility
from features.calendar_columns import MONDAY, WEEK
from features.fields.in_memory import RowsInMemory
from features.fields.rows import FieldRows
from features.indicators import INDICATORS, compute_indicators, made_of_volumes
from market import Candles

HOUR = 3_600 * 10**9
DIFFERENCES = tuple(f"d_log_{name}" for name in ("open", "high", "low", "close", "volume", "quote_volume"))
WINDOWED = re.compile(r"(volatility|range|signs)_([1-9]\d{0,4})")
REGIME = "regime"
REGIME_BARS = 168
REGIMES = ("calm", "usual", "wild")
MAX_SIGNS = 6
"""bars whose signs are one field: 3 ** 6 = 729 features"""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SIGNS = "-0+"
EMPTY = -1
"""the bin of a field that is not known yet"""
Edges = dict[str, np.ndarray]


def require_field(name: str) -> None:
    """Raise `ValueError` if candles have no field of that name."""
    found = WINDOWED.fullmatch(name)
    if found and found[1] == "signs" and int(found[2]) > MAX_SIGNS:
        raise ValueError(f"`signs_N` is for N from 1 to {MAX_SIGNS}, since each bar triples the features, but got {name}")
    if not found and name not in ("hour", "weekday", REGIME, *DIFFERENCES, *INDICATORS):
        near = ["hour", "weekday", REGIME, "range_24", "signs_3", "volatility_24", *DIFFERENCES, *INDICATORS]
        raise ValueError(f"{unknown('field', name, near)}; N of range_N, signs_N and volatility_N is a number of bars")


def made_of_volume(name: str) -> bool:
    """Whether candles without volumes lack the field."""
    return name in DIFFERENCES[4:] or (name in INDICATORS and made_of_volumes(name))


def require_volumes(candles: Candles, names: tuple[str, ...]) -> None:
    """Raise `InputError` if a field is made of volumes and the candles have none."""
    rest = [name for name in names if not made_of_volume(name)]
    if len(rest) < len(names) and not candles.has_volumes:
        lacking = next(name for name in names if made_of_volume(name))
        raise InputError(
            f"{candles.source} has no volumes, but the field `{lacking}` is made of them; leave such fields out: "
            f"--features.forecasts.fields {','.join(rest)}"
        )


def fit_edges(train: Candles, names: tuple[str, ...], bins: int) -> Edges:
    """Where the bins end, by field: float64 (at most bins - 1,), quantiles of train; none for fields that have categories.

    A column with few values, such as one that is 0 or 1, has fewer bins.

    Raises:
        InputError: a field made of volumes, of candles that have none.
    """
    require_volumes(train, names)
    edges = {}
    for name, column in _columns(train, names).items():
        inner = np.linspace(0, 1, (len(REGIMES) if name == REGIME else bins) + 1)[1:-1]
        known = column[np.isfinite(column)]
        edges[str(name)] = np.unique(np.quantile(known, inner)) if len(known) else np.zeros(0)
    return edges


def field_rows(candles: Candles, ends: np.ndarray, labels: np.ndarray, names: tuple[str, ...], edges: Edges) -> RowsInMemory:
    """A row for each of the bars `ends` (n,), with what is known when it closes.

    Args:
        candles: T bars.
        ends: int64 (n,), numbers of bars.
        labels: float32 (n,).
        names: F fields.
        edges: as `fit_edges` found them on train.
    """
    cut = _cut(candles, names, edges)[ends]  # (n, F)
    sizes = [len(_names_of(name, edges)) for name in names]
    firsts = np.cumsum([0, *sizes[:-1]])
    known = cut != EMPTY
    starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))]).astype(np.int64)
    features = (cut + firsts)[known].astype(np.int32)
    fields = np.broadcast_to(np.arange(len(names), dtype=np.uint16), cut.shape)[known]
    rows = FieldRows(labels.astype(np.float32), starts, features, fields, np.ones(len(features), np.float32))
    return RowsInMemory(rows, names, sum(sizes), [feature for name in names for feature in _names_of(name, edges)])


def count_features(names: tuple[str, ...], edges: Edges) -> int:
    """D, features of all these fields together."""
    return sum(len(_names_of(name, edges)) for name in names)


def field_memory(name: str) -> int:
    """Bars up to its own that the field depends on; of an indicator that never forgets, what comes before them is left out."""
    if name in INDICATORS:
        return 2 * INDICATORS[name].warmup + 1
    if name in DIFFERENCES:
        return log_differences.HELD_BARS + 1
    found = WINDOWED.fullmatch(name)
    return REGIME_BARS + 1 if name == REGIME else int(found[2]) + 1 if found else 1


def _cut(candles: Candles, names: tuple[str, ...], edges: Edges) -> np.ndarray:
    """int64 (T, F): the number of each bar's feature within its field, or `EMPTY`."""
    columns = _columns(candles, names)
    cut = np.full((len(candles), len(names)), EMPTY)
    for place, name in enumerate(names):
        if name in columns:
            values = columns[name].to_numpy()
            known = np.isfinite(values)
            cut[known, place] = np.searchsorted(edges[name], values[known], side="right")
        else:
            cut[:, place] = _categories(candles, name)
    return cut


def _columns(candles: Candles, names: tuple[str, ...]) -> pd.DataFrame:
    """float64 (T, ...): the fields that are cut into bins."""
    indicators = tuple(name for name in names if name in INDICATORS)
    parts = [compute_indicators(candles.frame, indicators)]
    if any(name in DIFFERENCES for name in names):
        differences = log_differences.log_differences(candles)
        parts.append(differences[[name for name in names if name in DIFFERENCES]])
    for name in names:
        found = WINDOWED.fullmatch(name)
        if name == REGIME or (found and found[1] == "volatility"):
            bars = REGIME_BARS if name == REGIME else int(found[2]) if found else 0
            parts.append(volatility.realised_volatility(candles, (bars,)).set_axis([name], axis=1))
        elif found and found[1] == "range":
            parts.append(_place_in_range(candles, int(found[2])).to_frame(name))
    return pd.concat(parts, axis=1)


def _place_in_range(candles: Candles, bars: int) -> pd.Series:
    """Where the close lies between the lowest low, 0, and the highest high, 1, of the last bars; 0.5 where these are one."""
    frame = candles.frame
    low, high = frame["low"].rolling(bars).min(), frame["high"].rolling(bars).max()
    width = high - low
    return ((frame["close"] - low) / width.where(width > 0)).where(width > 0, 0.5).where(width.notna())


def _categories(candles: Candles, name: str) -> np.ndarray:
    """int64 (T,): hours 0 to 23 and weekdays 0, Monday, to 6 of the bar's open, UTC; the last signs as a number in base 3."""
    times = candles.index.as_unit("ns").asi8
    if name == "hour":
        return times // HOUR % 24
    if name == "weekday":
        return (times - MONDAY) % WEEK // (24 * HOUR)
    bars = int(name.removeprefix("signs_"))
    signs = np.sign(np.diff(candles.column("close"))).astype(np.int64) + 1
    codes = np.full(len(candles), EMPTY)
    if len(signs) >= bars:  # the oldest sign first
        codes[bars:] = np.lib.stride_tricks.sliding_window_view(signs, bars) @ 3 ** np.arange(bars - 1, -1, -1)
    return codes


def _names_of(name: str, edges: Edges) -> list[str]:
    """What each feature of a field is called."""
    if name in edges:
        words = list(REGIMES) if name == REGIME and len(edges[name]) == len(REGIMES) - 1 else _bin_words(edges[name])
        return [f"{name}={word}" for word in words]
    if name.startswith("signs_"):
        bars = int(name.removeprefix("signs_"))
        return [f"{name}={''.join(SIGNS[code // 3**k % 3] for k in range(bars - 1, -1, -1))}" for code in range(3**bars)]
    words = list(WEEKDAYS) if name == "weekday" else [f"{hour:02}" for hour in range(24)]
    return [f"{name}={word}" for word in words]


def _bin_words(edges: np.ndarray) -> list[str]:
    if not len(edges):
        return ["any"]
    between = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.3g}", *between, f"from {edges[-1]:.3g}"]
