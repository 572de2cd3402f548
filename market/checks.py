"""Judges a raw candle file: every broken rule with its count and its first rows. Nothing is mended here."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from common import option
from market.bar_grid import bar_name, grid_numbers, usual_bar
from market.candles import COLUMNS, CandleError
from market.clock_changes import beside_by_an_hour, hour_lacks, hours_twice
from market.raw_table import Raw

PRICES = ("open", "high", "low", "close")
JUMP_DEVIATIONS = 60.0
SHOWN_ROWS = 5
Severity = Literal["error", "warning"]
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Problem:
    """A broken rule: an `error` makes `read_candles` refuse the file, a `warning` does not.

    `rows` are rows of the raw table, in its order; `detail` tells what the first of them has; `remedy` is what to do.
    """

    rule: str
    severity: Severity
    rows: np.ndarray
    detail: str
    remedy: str
    count: int


@dataclass(frozen=True)
class Report:
    """All problems of a file, errors first; `bar` is the most frequent distance of two times."""

    raw: Raw
    bar: pd.Timedelta
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def where(self, row: int) -> str:
        """`line 17 (2019-07-04 01:00)`."""
        time = self.raw.time[row]
        shown = "" if np.isnat(time) else f" ({pd.Timestamp(time):%Y-%m-%d %H:%M})"
        return f"{self.raw.place} {self.raw.numbers[row]}{shown}"

    def in_a_line(self, problem: Problem) -> str:
        """The problem as an error message."""
        more = f" ({problem.count:,} such places)" if problem.count > 1 else ""
        remedy = f"; {problem.remedy}" if problem.remedy else ""
        return f"{problem.rule}, but {self.where(int(problem.rows[0]))} of {self.raw.path} {problem.detail}{more}{remedy}"

    def refuse(self) -> None:
        """Raise `CandleError` for the first error, if there is one."""
        if self.errors:
            raise CandleError(self.in_a_line(self.errors[0]))


def check(raw: Raw, jump_deviations: float = JUMP_DEVIATIONS) -> Report:
    """Judge a raw file by every rule."""
    checker = _Checker(raw)
    checker.unreadable_cells()
    if not checker.bar:
        if not checker.problems:
            raise CandleError(f"the bar length is the distance of two times, but {raw.path} has fewer than two; give more rows")
        return Report(raw, checker.bar, tuple(checker.problems))
    checker.times()
    checker.values()
    checker.volumes()
    checker.unfinished_bar()
    checker.jumps(jump_deviations)
    problems = sorted(checker.problems, key=lambda problem: problem.severity)
    return Report(raw, checker.bar, tuple(problems))


def swapped_rows(raw: Raw) -> np.ndarray:
    """bool (T,): rows whose quote volume is nearer to the base volume's place and the other way round.

    quote = base * price where both are in place; swapped, base = quote * price. With prices near 1 nothing can tell.
    """
    base, quote, price = (raw.frame[name].to_numpy() for name in ("volume", "quote_volume", "close"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, level = np.log(quote / base), np.log(price)
        return np.isfinite(ratio) & (np.abs(ratio + level) < np.abs(ratio - level)) & (np.abs(level) > 1.0)


def without_trades(raw: Raw) -> np.ndarray:
    """bool (T,): rows with no price at all, as Kaggle's minute files have for minutes without a trade."""
    return raw.frame[list(PRICES)].isna().all(axis=1).to_numpy() & ~np.isin(np.arange(len(raw)), list(raw.unreadable))


def unfinished(raw: Raw, order: np.ndarray) -> np.ndarray:
    """int64 (n,): the last rows that have moved without a trade, as bars do that were written down while they ran.

    A file without volumes has none.
    """
    frame = raw.frame.iloc[order]
    moved = ((frame["volume"] == 0) & (frame["open"] != frame["close"])).to_numpy() & ~raw.filled[order]
    if not raw.has_volumes or not moved[-1] or moved.all():
        return order[:0]
    return order[int(np.flatnonzero(~moved)[-1]) + 1 :]


def still_running(raw: Raw, order: np.ndarray, bar: pd.Timedelta) -> bool:
    """Whether the last bar ends after the file was written. A copy has another time, so this must not decide what is read."""
    if not raw.path.exists():
        return False
    last = raw.time[int(order[-1])]
    written = np.datetime64(raw.path.stat().st_mtime_ns, "ns")
    return bool(last <= written < last + np.timedelta64(bar.value, "ns"))


class _Checker:
    """Collects problems; `order` are the rows with a time, in time order."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        known = np.flatnonzero(~np.isnat(raw.time))
        self.order = known[np.argsort(raw.time[known], kind="stable")]
        self.bar = usual_bar(raw.time[self.order])  # 0: fewer than two times can be read

    @property
    def by_hand(self) -> str:
        return f"correct it, or drop this {self.raw.place}"

    @property
    def mended(self) -> str:
        return f"mend it with {option('market.repair', True)}"

    def add(self, rule: str, severity: Severity, rows: np.ndarray, detail: str, remedy: str) -> None:
        if len(rows):
            self.problems.append(Problem(rule, severity, rows[:SHOWN_ROWS], detail, remedy, len(rows)))

    def unreadable_cells(self) -> None:
        for kind, rule in (("time", "a time must be readable"), ("number", "a value must be a number")):
            cells = {row: cell for row, cell in self.raw.unreadable.items() if (cell[0] == "time") == (kind == "time")}
            if cells:
                first = min(cells)
                rows = np.array(sorted(cells), np.int64)
                self.add(rule, "error", rows, f"has {cells[first][1]!r} as {cells[first][0]}", self.by_hand)

    def times(self) -> None:
        times = self.raw.time[self.order]
        self._disorder()
        local = self._repeated(times)
        numbers, on_grid = grid_numbers(times, self.bar)
        detail, remedy = "opens beside it", self.by_hand
        if beside_by_an_hour(times, ~on_grid, self.bar):
            detail = "opens an hour beside it, as bars of local days do when clocks are changed"
            remedy = "take bars that begin at 0:00 UTC, or shorter ones and resample them"
        self.add(f"bars must open on a grid of {bar_name(self.bar)}", "error", self.order[~on_grid], detail, remedy)
        self._holes(times[on_grid], numbers[on_grid], self.order[on_grid], local)

    def _repeated(self, times: np.ndarray) -> bool:
        """Times that occur twice; whether they are local ones."""
        again = np.flatnonzero(times[1:] == times[:-1])
        if not len(again):
            return False
        rule = "each time must occur once"
        if self.raw.naive and hours_twice(times, again + 1):
            detail = "occurs twice, as an hour does when clocks are put back: these are local times"
            remedy = f"say where, such as {option('market.timezone', ZONE)}"
            self.add("times must be UTC, or say their zone", "error", self.order[again + 1], detail, remedy)
            return True
        values = (
            np.column_stack([self.raw.frame.to_numpy(), self.raw.extra.to_numpy()])
            if len(self.raw.extra)
            else self.raw.frame.to_numpy()
        )
        one, two = values[self.order[again]], values[self.order[again + 1]]
        equal = ((one == two) | (np.isnan(one) & np.isnan(two))).all(axis=1)
        self.add(rule, "error", self.order[again[equal] + 1], "repeats the bar before it", self.mended)
        differing = "has other values than the bar of the same time"
        self.add(rule, "error", self.order[again[~equal] + 1], differing, f"drop the {self.raw.place} of the two that is wrong")
        return False

    def _holes(self, times: np.ndarray, numbers: np.ndarray, rows: np.ndarray, local: bool) -> None:
        missing = np.maximum(np.diff(numbers) - 1, 0)
        holes = np.flatnonzero(missing)
        if local:
            holes = np.array([hole for hole in holes if not hour_lacks(times[hole], times[hole + 1], self.bar)], np.int64)
        if not len(holes):
            return
        first = holes[0]
        detail = f"is followed by {missing[first]:,} missing bars, until {pd.Timestamp(times[first + 1]):%Y-%m-%d %H:%M}"
        remedy = self.mended
        if self.raw.naive and hour_lacks(times[first], times[first + 1], self.bar):
            remedy += f", or, if clocks were put forward there, say where with {option('market.timezone', ZONE)}"
        self.add(f"each bar must open {bar_name(self.bar)} after the one before", "error", rows[holes], detail, remedy)

    def _disorder(self) -> None:
        steps = np.diff(self.raw.time.astype("datetime64[ns]").astype(np.int64)[~np.isnat(self.raw.time)])
        backwards = (steps < 0).sum() > (steps > 0).sum()
        wrong = np.flatnonzero(steps > 0 if backwards else steps < 0) + 1
        rows = np.flatnonzero(~np.isnat(self.raw.time))[wrong]
        way = "newest first" if backwards else "oldest first"
        self.add(f"rows should be in one order ({way} here)", "warning", rows, "breaks it", "reading sorts by time")

    def values(self) -> None:
        frame = self.raw.frame
        columns = {name: frame[name].to_numpy() for name in COLUMNS}
        bare = without_trades(self.raw)
        self.add(
            "a bar must have prices",
            "error",
            np.flatnonzero(bare),
            "has none",
            self.mended,
        )
        for name in (*PRICES, "volume"):
            value = columns[name]
            empty = ~np.isfinite(value) & ~bare
            empty[list(self.raw.unreadable)] = False
            self.add(f"`{name}` must be a finite number", "error", np.flatnonzero(empty), "has none", self.by_hand)
            if name != "volume":
                self._compare(f"`{name}` must be above 0", value <= 0, name)
        body = np.fmin(columns["open"], columns["close"]), np.fmax(columns["open"], columns["close"])
        self._compare("`low <= open, close <= high` must hold", (columns["low"] > body[0]) | (columns["high"] < body[1]), *PRICES)
        for name in ("volume", "quote_volume"):
            self._compare(f"`{name}` must be 0 or more", columns[name] < 0, name)

    def volumes(self) -> None:
        if not self.raw.has_volumes:
            return
        frame, swapped = self.raw.frame, swapped_rows(self.raw)
        self._compare("base volume * price must be near the quote volume", swapped, "volume", "quote_volume", remedy=self.mended)
        base, quote = frame["volume"].to_numpy(), frame["quote_volume"].to_numpy()
        low, high = frame["low"].to_numpy() * base / 2, frame["high"].to_numpy() * base * 2
        far = (base > 0) & ((quote < low) | (quote > high)) & ~swapped
        near = "base volume * price must be near the quote volume"
        self._compare(near, far, "volume", "quote_volume", "close")
        moved = ((frame["volume"] == 0) & (frame["open"] != frame["close"])).to_numpy() & ~self.raw.filled
        moved[unfinished(self.raw, self.order)] = False
        self._compare("a price should not move without a trade", moved, "open", "close", "volume", severity="warning")
        lacking = frame["quote_volume"].isna().to_numpy()
        partly = lacking & (not lacking.all()) & ~without_trades(self.raw)
        partly[list(self.raw.unreadable)] = False
        self.add("`quote_volume` must be a finite number", "error", np.flatnonzero(partly), "has none", self.by_hand)

    def unfinished_bar(self) -> None:
        last = unfinished(self.raw, self.order)
        if len(last):
            self.add("the last bar must be finished", "error", last, "has moved without a trade", self.mended)
        elif still_running(self.raw, self.order, self.bar):
            detail = "ends after the file was written"
            self.add("the last bar should be finished", "warning", self.order[-1:], detail, "drop it if it was still running")

    def jumps(self, deviations: float) -> None:
        """Moves of the close, and reaches of high and low beyond the body, far outside what is usual in this file."""
        sorted_already = len(self.order) == len(self.raw) and (self.order[1:] > self.order[:-1]).all()
        order = slice(None) if sorted_already else self.order
        opened, high, low, close = (self.raw.frame[name].to_numpy()[order] for name in PRICES)
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = np.abs(np.diff(np.log(close), prepend=np.log(close[:1])))
            farthest = np.fmax(high / np.fmax(opened, close), np.fmin(opened, close) / low)
            reach = np.fmax(moves, np.log(farthest))
        some = moves[np.isfinite(moves) & (moves > 0)]
        usual = np.median(some) * 1.4826 if len(some) else np.inf
        far = np.flatnonzero(reach > deviations * usual)
        if len(far):
            rule = f"moves should stay within {deviations:g} robust deviations"
            detail = f"jumps by {reach[far[0]] / usual:,.0f}"
            self.add(rule, "warning", self.order[far], detail, "look at it, it may be an error of the source")

    def _compare(
        self, rule: str, broken: np.ndarray, *shown: str, remedy: str = "", severity: Severity = "error",
    ) -> None:  # fmt: skip
        rows = np.flatnonzero(broken)
        if len(rows):
            bar = self.raw.frame.iloc[rows[0]]
            text = "has " + ", ".join(f"{name}={bar[name]:g}" for name in shown)
            self.add(rule, severity, rows, text, (remedy or self.by_hand) if severity == "error" else "")
