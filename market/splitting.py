"""Cuts a series in time order into train, validation and a test range that stays locked."""

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from common import InputError, option
from market.bar_grid import bar_name
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


def split(candles: Candles, settings: SplitSettings | None = None) -> Split:
    """Cut candles into train / validation / test with `purge_bars` left out between two ranges.

    Raises:
        InputError: a range would have fewer than 50 bars.
    """
    settings = settings or SplitSettings()
    total, purge = len(candles), settings.purge_bars
    train_end = round(total * settings.train)
    validation_end = round(total * (settings.train + settings.validation))
    starts = {"train": 0, "validation": train_end + purge, "test": validation_end + purge}
    ends = {"train": train_end, "validation": validation_end, "test": total}
    for name, start in starts.items():
        if ends[name] - start < MIN_PART_BARS:
            raise InputError(
                f"each range needs at least {MIN_PART_BARS} bars, but {name} would have {max(ends[name] - start, 0)} of {total} "
                f"({option('split.train', settings.train)}, {option('split.validation', settings.validation)}, "
                f"{option('split.purge_bars', purge)}); give more candles or other shares"
            )
    return Split(
        train=Part("train", candles[:train_end], 0),
        validation=Part("validation", candles[:validation_end], starts["validation"]),
        _candles=candles,
        _test_start=starts["test"],
    )


def _known_as(candles: Candles, start: int, stop: int) -> LedgerRange:
    first, end = candles.index[start], candles.index[stop - 1] + candles.bar
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
