"""Mends what can be mended by rule, and says what it did, bar by bar."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from common import option
from market.bar_grid import grid_numbers, grid_times
from market.candles import COLUMNS, CandleError
from market.checks import check, swapped_rows, unfinished, without_trades
from market.raw_table import Raw
from market.read_options import MAX_FILLED_BARS


@dataclass(frozen=True)
class Change:
    """One rule applied: what was done, in words, and each bar that it was done to (datetime64[ns])."""

    done: str
    times: np.ndarray

    def __str__(self) -> str:
        return f"{self.done}: {len(self.times):,}"


def repair(raw: Raw, max_fill: int = MAX_FILLED_BARS) -> tuple[Raw, list[Change]]:
    """Apply the rules, in this order: sort by time; put swapped volumes back; drop rows equal to the one before; drop unfinished
    last bars; drop rows without prices; fill gaps of up to `max_fill` bars with flat bars of zero volume.

    A filled bar stands at the last close before it, so it uses nothing later, and is flagged in `filled`; its extra columns are
    empty. What no rule mends (an unreadable cell, two different bars of one time, an impossible price) is left as it is, for the
    check to refuse.

    Raises:
        CandleError: a gap longer than `max_fill`.
    """
    if np.isnat(raw.time).any():
        return raw, []
    changes: list[Change] = []
    bar = check(raw).bar
    steps = np.diff(raw.time.astype(np.int64))
    order = np.argsort(raw.time, kind="stable")
    if (steps > 0).any() and (steps < 0).any():
        backwards = (steps < 0).sum() > (steps > 0).sum()
        changes.append(Change("rows out of order, sorted by time", raw.time[1:][steps > 0 if backwards else steps < 0]))
    raw = _take(raw, order)

    swapped = swapped_rows(raw)
    if swapped.any():
        frame = raw.frame.copy()
        frame.loc[swapped, ["volume", "quote_volume"]] = frame.loc[swapped, ["quote_volume", "volume"]].to_numpy()
        raw = replace(raw, frame=frame)
        changes.append(Change("swapped volumes put back", raw.time[swapped]))

    values = np.column_stack([raw.frame.to_numpy(), raw.extra.to_numpy()]) if len(raw.extra.columns) else raw.frame.to_numpy()
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    twice = np.concatenate([[False], (raw.time[1:] == raw.time[:-1]) & same.all(axis=1)])
    raw = _drop(raw, twice, "repeated rows dropped", changes)

    last = np.zeros(len(raw), bool)
    last[unfinished(raw, np.arange(len(raw)))] = True
    raw = _drop(raw, last, "unfinished last bars dropped", changes)
    raw = _drop(raw, without_trades(raw), "rows without prices dropped", changes)
    return _fill(raw, bar, max_fill, changes), changes


def _fill(raw: Raw, bar: pd.Timedelta, max_fill: int, changes: list[Change]) -> Raw:
    row, on_grid = grid_numbers(raw.time, bar)
    distance = np.diff(row)
    if not len(distance) or (distance <= 0).any() or not on_grid.all() or (distance == 1).all():
        return raw  # no gap, or something that no rule mends
    longest = int(distance.argmax())
    if distance[longest] - 1 > max_fill:
        raise CandleError(
            f"gaps of up to {max_fill} bars are filled, but {raw.path} has {distance[longest] - 1:,} bars missing "
            f"after {pd.Timestamp(raw.time[longest]):%Y-%m-%d %H:%M}; cut the file there, or allow more with "
            f"{option('market.max_fill', int(distance[longest]) - 1)}"
        )
    row = row - row[0]
    whole = np.zeros(int(row[-1]) + 1, bool)
    whole[row] = True
    before = np.cumsum(whole) - 1  # the last row of the file at or before each bar of the grid
    frame = raw.frame.iloc[before].reset_index(drop=True)
    for name in ("open", "high", "low"):
        frame.loc[~whole, name] = frame.loc[~whole, "close"]
    has_quote = raw.frame["quote_volume"].notna().any()
    frame.loc[~whole, ["volume", "quote_volume"]] = [0.0, 0.0 if has_quote else np.nan]
    extra = raw.extra.iloc[before].reset_index(drop=True)
    extra[~whole] = np.nan
    time = grid_times(raw.time[0], len(whole), bar)
    changes.append(Change("missing bars filled flat", time[~whole]))
    filled = raw.filled[before] | ~whole
    return replace(
        raw, frame=frame[list(COLUMNS)], time=time, numbers=raw.numbers[before], filled=filled, extra=extra, unreadable={}
    )


def _drop(raw: Raw, rows: np.ndarray, done: str, changes: list[Change]) -> Raw:
    if not rows.any():
        return raw
    changes.append(Change(done, raw.time[rows]))
    return _take(raw, np.flatnonzero(~rows))


def _take(raw: Raw, rows: np.ndarray) -> Raw:
    """The given rows, in the given order."""
    if len(rows) == len(raw) and (rows[:-1] < rows[1:]).all():
        return raw
    place = {int(old): new for new, old in enumerate(rows)} if raw.unreadable else {}
    return replace(
        raw,
        frame=raw.frame.iloc[rows].reset_index(drop=True),
        time=raw.time[rows],
        numbers=raw.numbers[rows],
        extra=raw.extra.iloc[rows].reset_index(drop=True),
        filled=raw.filled[rows],
        unreadable={place[row]: cell for row, cell in raw.unreadable.items() if row in place},
    )
