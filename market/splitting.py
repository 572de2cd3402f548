"""Cuts a series in time order into train, validation and a test range that stays locked."""

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, Protocol

from common import InputError, option
from market.bar_grid import bar_ends, bar_name
from market.candles import Candles
from market.ledger_range import LedgerRange
from market.settings import SplitSettings
from market.simulation.simulated_candles import SimulatedCandles
from market.symbols import UNNAMED, plain

MIN_PART_BARS = 50


class LockedTestRange(PermissionError):
    """The test range was asked for without the ledger that counts its openings."""


class Ledger(Protocol):
    """What opens the test range: it writes down each opening before the bars are handed out."""

    def record(self, opened: LedgerRange, config_sha256: str, caller: str, at_least: int = 0) -> int | None: ...


@dataclass(frozen=True)
class Part:
    """One range of a split, with all bars before it: they warm features up, and nothing is fitted on them.

    `candles[start:]` are the range's own bars; nothing after the range is in `candles` at all.
    """

    name: str
    candles: Candles
    start: int

    def __len__(self) -> int:
        return len(self.candles) - self.start

    @property
    def own(self) -> Candles:
        """The range's own bars alone."""
        return self.candles[self.start :]


@dataclass(frozen=True)
class Split:
    """`train` and `validation` are open to everyone; the test range only to who signs the ledger (`open_test`)."""

    train: Part
    validation: Part
    _candles: Candles = field(repr=False)
    _test_start: int

    @property
    def test(self) -> Part:
        raise LockedTestRange("the test range opens through `split.open_test(ledger, ...)` only, which writes the opening down")

    @property
    def coins(self) -> tuple["Split", ...]:
        """Itself alone, as `CoinSplits` has one for each of its coins."""
        return (self,)

    @property
    def symbol(self) -> str:
        """Of the series, for example `BTC/USD`."""
        return self._candles.symbol

    @property
    def in_words(self) -> str:
        """Where the candles come from, and how many are open to everyone."""
        return f"data: {self._candles.source}; train {len(self.train):,} bars, validation {len(self.validation):,} bars"

    def walk_forward(self, windows: int) -> list["Split"]:
        """The validation range in so many windows of one length, each with all bars before it, but for the purge, to train on.

        The test range stays locked in each. One window is the split itself; the last one takes the bars that are left over.

        Raises:
            InputError: windows of fewer than 50 bars.
        """
        first, own = self.validation.start, len(self.validation)
        length, purge = own // windows, first - len(self.train.candles)
        if length < MIN_PART_BARS:
            raise InputError(
                f"each window needs at least {MIN_PART_BARS} bars, but {windows} windows of {own} bars of validation have "
                f"{length}; take fewer windows or more candles"
            )
        edges = [first + k * length for k in range(windows)] + [first + own]
        return [
            replace(
                self,
                train=Part("train", self._candles[: start - purge], 0),
                validation=Part("validation", self._candles[:end], start),
            )
            for start, end in pairwise(edges)
        ]

    def joined(self) -> "Split":
        """Train and validation as one train range, the purge between them included; its validation is then seen in training."""
        return replace(self, train=Part("train", self.validation.candles, 0))

    @property
    def data_sha256(self) -> str:
        """Hash of the whole series, the test range included."""
        return self._candles.sha256

    @property
    def validation_known_as(self) -> LedgerRange:
        """What the ledgers know the validation range by."""
        return _known_as(self._candles, self.validation.start, len(self.validation.candles))

    @property
    def test_known_as(self) -> LedgerRange:
        """What the ledgers know the test range by; no price of it."""
        return _known_as(self._candles, self._test_start, len(self._candles))

    def open_test(self, ledger: Ledger, config_sha256: str, caller: str, at_least: int = 0) -> Part:
        """Write the opening into the ledger, then hand out the test range.

        Args:
            at_least: see `OpeningLedger.record`.
        """
        ledger.record(self.test_known_as, config_sha256, caller, at_least)
        return Part("test", self._candles, self._test_start)


class Edges(NamedTuple):
    """Where the ranges begin and end, in bars from the first one, which may lie before the series."""

    train_end: int
    validation_start: int
    validation_end: int
    test_start: int


def split(candles: Candles, settings: SplitSettings | None = None) -> Split:
    """Cut candles into train / validation / test with `purge_bars` left out between two ranges.

    Raises:
        InputError: a range would have fewer than 50 bars.
    """
    settings = settings or SplitSettings()
    return cut(candles, edges_of(len(candles), settings), settings)


def edges_of(total: int, settings: SplitSettings) -> Edges:
    """Where a stretch of so many bars is cut."""
    train_end = round(total * settings.train)
    validation_end = round(total * (settings.train + settings.validation))
    return Edges(train_end, train_end + settings.purge_bars, validation_end, validation_end + settings.purge_bars)


def cut(candles: Candles, edges: Edges, settings: SplitSettings, named: str = "") -> Split:
    """Cut candles at these bars of their own, which lie before their first where they begin late.

    Args:
        settings: where the edges come from, for the message.
        named: ` of BTC/USD` where there are several coins.

    Raises:
        InputError: a range would have fewer than 50 bars.
    """
    total, purge = len(candles), settings.purge_bars
    train_end, validation_start, validation_end, test_start = (min(edge, total) for edge in edges)
    lengths = {"train": train_end, "validation": validation_end - validation_start, "test": total - test_start}
    for name, length in lengths.items():
        if length < MIN_PART_BARS:
            raise InputError(
                f"each range needs at least {MIN_PART_BARS} bars, but {name}{named} would have {max(length, 0)} of {total} "
                f"({option('split.train', settings.train)}, {option('split.validation', settings.validation)}, "
                f"{option('split.purge_bars', purge)}); give more candles or other shares"
                + (", or leave that coin out" if named else "")
            )
    return Split(
        train=Part("train", candles[:train_end], 0),
        validation=Part("validation", candles[:validation_end], validation_start),
        _candles=candles,
        _test_start=test_start,
    )


def _known_as(candles: Candles, start: int, stop: int) -> LedgerRange:
    first, end = candles.index[start], bar_ends(candles.index[stop - 1 : stop], candles.bar)[0]
    begins, ends = (time.to_pydatetime(warn=False).isoformat() for time in (first, end))
    return LedgerRange(_market_of(candles), bar_name(candles.bar), begins, ends, candles.sha256)


def _market_of(candles: Candles) -> str:
    """`BTC/USD`, `btcusd` and `XBT-USD` are one market; each simulated market is one of its own; empty where nothing names it."""
    symbol = "" if candles.symbol == UNNAMED else plain(candles.symbol)
    made = re.match(r"simulated \w+, seed \d+", candles.source)
    if not made and not isinstance(candles, SimulatedCandles):
        return symbol
    params = candles.params if isinstance(candles, SimulatedCandles) else {}
    said = made.group() if made else f"simulated {getattr(candles, 'name', '')}"
    return f"{symbol}, {said}" + "".join(f", {name} {value:g}" for name, value in sorted(params.items()))
