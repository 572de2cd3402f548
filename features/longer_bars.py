"""Columns of longer bars beside those of the candles' own: hourly rows that also show the last 4-hour and the last daily bar.

A longer bar is known when it has closed, at the close of the last bar that it is made of. A forming one is never shown, and a
first one of which the candles hold only a part is left out. Days begin at 00:00 UTC, weeks on Monday, months on their first day.
"""

import re
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from common import InputError, unknown
from features import log_differences, volatility
from features.calendar_columns import MONDAY, WEEK
from features.indicators import INDICATORS, compute_indicators, made_of_volumes
from features.lookback import measure_memory
from features.progress import OnProgress
from market import Candles, bar_name, months_of, parse_bar

DAY = pd.Timedelta("1D")
LONGEST_DAYS = {1: 31, 3: 92, 12: 366}
"""days of the longest month, quarter and year: by months"""
DIFFERENCES = tuple(f"d_log_{name}" for name in ("open", "high", "low", "close", "volume", "quote_volume"))
VOLUME_DIFFERENCES = DIFFERENCES[4:]
VOLATILITY = re.compile(r"volatility_([1-9]\d{0,5})")
DEFAULT_COLUMNS = (
    "d_log_close", "d_log_high", "d_log_low", "d_log_volume", "sma_12", "stochastic", "bollinger_width", "volatility_6",
)  # fmt: skip
"""windows of 20 bars at most, since each bar of a window is a whole longer bar: 20 days of hourly bars are 480 of these"""


class LongerBars(NamedTuple):
    """The whole longer bars that lie in some candles, None if there is none.

    `closed` is int64 (T,): how many of them have closed when each of the T shorter bars closes.
    """

    candles: Candles | None
    closed: np.ndarray


def frame_name(frame: pd.Timedelta) -> str:
    """`4h`, `1d`, `1w`, `1month`: what ends the names of a frame's columns."""
    weeks = 0 if months_of(frame) else frame / pd.Timedelta(WEEK, "ns")
    return f"{int(weeks)}w" if weeks >= 1 and weeks == int(weeks) else bar_name(frame)


def require_column(name: str) -> None:
    """Raise `ValueError` if no longer bar has a column of that name."""
    if name not in INDICATORS and name not in DIFFERENCES and not VOLATILITY.fullmatch(name):
        raise ValueError(
            f"{unknown('column of a time frame', name, [*DIFFERENCES, 'volatility_6', *INDICATORS])}; "
            "log differences, indicators and volatility_N over N bars of the frame can be had"
        )


def without_volumes(names: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are not made of volumes."""
    return tuple(name for name in names if name not in VOLUME_DIFFERENCES and not (name in INDICATORS and made_of_volumes(name)))


def warmup(frames: tuple[str, ...], names: tuple[str, ...], bar: pd.Timedelta) -> int:
    """Bars in front without a value in every column, wherever in a longer bar the candles begin.

    Args:
        frames: such as `4h` and `1d`.
        names: columns of each.
        bar: length of the shorter bars.

    Raises:
        InputError: a frame that is not made of several whole bars of that length.
    """
    longest = max(map(_column_warmup, names), default=0)
    return max((_bars_for(longest + 1, parse_bar(frame), bar) - 1 for frame in frames), default=0)


def longest_wait(frames: tuple[str, ...], names: tuple[str, ...], bar: pd.Timedelta) -> str:
    """Which column makes the warm-up as long as it is, in words."""
    frame = max(frames, key=lambda frame: most_parts(parse_bar(frame), bar))
    name = max(names, key=_column_warmup)
    return f"`{name}` of the time frame {frame} takes {_column_warmup(name) + 1} whole bars of {frame}"


def timeframe_columns(candles: Candles, frames: tuple[str, ...], names: tuple[str, ...]) -> pd.DataFrame:
    """float64 (T, len(frames) * len(names)), `rsi_4h` and so on: at each bar the value of the last longer bar that has closed.

    Args:
        candles: T bars.
        frames: such as `4h` and `1d`.
        names: columns of each: log differences, indicators, `volatility_N`.

    Raises:
        InputError: a frame that is not made of several whole bars.
    """
    table = np.full((len(frames), len(names), len(candles)), np.nan)
    for rows, frame in zip(table, frames, strict=True):
        longer, closed = whole_bars(candles, parse_bar(frame))
        if longer is not None:
            first = int(np.searchsorted(closed, 1))
            values = np.ascontiguousarray(_columns(longer, names).to_numpy().T)
            np.take(values, closed[first:] - 1, axis=1, out=rows[:, first:], mode="clip")
    columns = [f"{name}_{frame}" for frame in frames for name in names]
    return pd.DataFrame(table.reshape(len(columns), len(candles)).T, index=candles.index, columns=columns, copy=False)


def measure_memories(
    train: Candles, frames: tuple[str, ...], names: tuple[str, ...], scales: dict[str, float], on_progress: OnProgress
) -> dict[str, int]:
    """How many bars of train each column depends on, measured on the longer bars, which are few.

    Args:
        train: the bars that the features are fitted on.
        frames, names: as in `timeframe_columns`.
        scales: of each column, what a difference is measured by.
        on_progress: is told of each start of the measurement.

    Returns:
        By column, the bars that hold the needed longer ones wherever the first of them begins; all of train where the start of
        the data still shows at its end.
    """
    memories = {}
    for frame in frames:
        longer, _ = whole_bars(train, parse_bar(frame))
        assert longer is not None  # else train is shorter than the warm-up
        columns = [f"{name}_{frame}" for name in names]
        scale = np.array([scales[column] for column in columns])
        held = measure_memory(partial(_part, longer, names), len(longer), scale, on_progress)
        for column, name, bars in zip(columns, names, held.tolist(), strict=True):
            by_definition = log_differences.HELD_BARS + 1 if name in VOLUME_DIFFERENCES else 1
            endless = bars >= len(longer)
            needed = _bars_for(max(bars, by_definition), longer.bar, train.bar)
            memories[column] = len(train) if endless else min(needed, len(train))
    return memories


def whole_bars(candles: Candles, frame: pd.Timedelta) -> LongerBars:
    """Put the candles together to the whole longer bars that lie in them.

    Raises:
        InputError: a frame that is not made of several whole bars.
    """
    most_parts(frame, candles.bar)
    numbers = _numbers(candles.index, frame)
    starts = np.append(0, np.flatnonzero(np.diff(numbers)) + 1)
    stops = np.append(starts[1:], len(numbers))
    whole = stops - starts == _parts(numbers[starts], frame, candles.bar)
    starts, stops = starts[whole], stops[whole]
    ended = np.zeros(len(numbers), np.int64)
    ended[stops - 1] = 1
    if not len(starts):
        return LongerBars(None, ended)
    opens = candles.index[starts]
    if months_of(frame):
        opens = pd.DatetimeIndex(_month_opens(numbers[starts], frame), tz="UTC")
    last, column = stops[-1], candles.column
    merged = {
        "open": column("open")[starts],
        "high": np.maximum.reduceat(column("high")[:last], starts),
        "low": np.minimum.reduceat(column("low")[:last], starts),
        "close": column("close")[stops - 1],
        "volume": np.add.reduceat(column("volume")[:last], starts),
        "quote_volume": np.add.reduceat(column("quote_volume")[:last], starts),
    }
    bars = pd.DataFrame(merged, index=opens.rename("time"))
    source = f"{candles.source}; bars of {frame_name(frame)}"
    return LongerBars(Candles(bars, frame, candles.symbol, source), np.cumsum(ended))


def most_parts(frame: pd.Timedelta, bar: pd.Timedelta) -> int:
    """How many bars a longer bar is made of; the longest month, quarter or year.

    Raises:
        InputError: the frame is not longer than the bar, or no whole number of bars.
    """
    months, own_months = months_of(frame), months_of(bar)
    if own_months:
        whole = months > own_months and months % own_months == 0
        parts = months // own_months
    elif months:
        whole = DAY % bar == pd.Timedelta(0)
        parts = int(LONGEST_DAYS[months] * (DAY / bar)) if whole else 0
    else:
        whole = frame > bar and frame % bar == pd.Timedelta(0)
        parts = int(frame / bar)
    if not whole:
        raise InputError(
            f"a time frame must be longer than the bar and a whole multiple of it, but `features.timeframes` has "
            f"{frame_name(frame)} on bars of {bar_name(bar)}; {_instead(frame, bar)}"
        )
    return parts


def _instead(frame: pd.Timedelta, bar: pd.Timedelta) -> str:
    if months_of(bar):
        return "take 3month or 12month, or leave it out" if months_of(bar) < 12 else "leave it out, or give shorter bars"
    if months_of(frame):
        return "months are whole only of bars that divide a day; take a multiple of the bar, or resample the candles"
    multiple = max(int(frame / bar) + 1, 2)
    return f"take {frame_name(bar * multiple)}, or leave it out"


def _bars_for(longer: int, frame: pd.Timedelta, bar: pd.Timedelta) -> int:
    """Bars whose last one, wherever it lies, has so many whole longer bars behind it: these, and nearly one more."""
    return (longer + 1) * most_parts(frame, bar) - 1


def _column_warmup(name: str) -> int:
    """Longer bars in front that have no value in this column."""
    if name in INDICATORS:
        return INDICATORS[name].warmup
    window = VOLATILITY.fullmatch(name)
    return volatility.warmup((int(window[1]),)) if window else log_differences.WARMUP


def _columns(longer: Candles, names: tuple[str, ...]) -> pd.DataFrame:
    """float64 (H, len(names)) of the longer bars themselves."""
    indicators = tuple(name for name in names if name in INDICATORS)
    parts = [compute_indicators(longer.frame, indicators)]
    if any(name in DIFFERENCES for name in names):
        parts.append(log_differences.log_differences(longer))
    windows = tuple(int(found[1]) for name in names if name not in INDICATORS and (found := VOLATILITY.fullmatch(name)))
    if windows:
        parts.append(volatility.realised_volatility(longer, windows))
    return pd.concat(parts, axis=1)[list(names)]


def _part(longer: Candles, names: tuple[str, ...], first: int, last: int) -> pd.DataFrame:
    return _columns(longer[first:last], names)


def _numbers(index: pd.DatetimeIndex, frame: pd.Timedelta) -> np.ndarray:
    """int64 (T,): the number of the longer bar in which each bar opens."""
    if months := months_of(frame):
        return np.asarray(index.tz_localize(None).to_numpy().astype("datetime64[M]").astype(np.int64) // months)
    first = MONDAY if frame.value % WEEK == 0 else 0
    return np.asarray((index.as_unit("ns").asi8 - first) // frame.value)


def _parts(numbers: np.ndarray, frame: pd.Timedelta, bar: pd.Timedelta) -> np.ndarray | int:
    """How many bars make each of these longer bars."""
    if not months_of(frame) or months_of(bar):
        return most_parts(frame, bar)
    return np.asarray((_month_opens(numbers + 1, frame) - _month_opens(numbers, frame)) // bar.to_timedelta64())


def _month_opens(numbers: np.ndarray, frame: pd.Timedelta) -> np.ndarray:
    return (numbers * months_of(frame)).astype("datetime64[M]").astype("datetime64[ns]")
