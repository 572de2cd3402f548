"""The test ranges of a backtest, opened through the ledgers, and how many looks the verdict on each has to count."""

from dataclasses import dataclass, replace
from typing import Any

from evaluation.backtest.trained_run import WRITTEN, TrainedRun
from market import AnySplit, Looks, OpeningLedger, Part, Split, TrialLedger, looks_at


@dataclass(frozen=True)
class OpenedRange:
    """The test range of one coin, or of the only series.

    Args:
        parts: the split that it belongs to.
        test: the range.
        trained: what the run says of this coin.
        looks: what the ledgers know of the range, this opening included.
        written: openings that were written down, however many the ledgers have lost since.
        other_looks: at the ranges of the other coins: who reads the best of several has looked at all of them.
        known: whether the looks at all ranges are known; if not, nobody knows how much luck was looked for.
        coins: symbols of all that are played.
    """

    parts: Split
    test: Part
    trained: TrainedRun
    looks: Looks
    written: int
    other_looks: int = 0
    known: bool = True
    coins: tuple[str, ...] = ()

    @property
    def openings(self) -> int | None:
        """What the verdict counts of this range itself; None where the looks at all ranges are not known."""
        return self.looks.count if self.known else None

    @property
    def in_words(self) -> tuple[str, ...]:
        """What a reader has to know of the count beside its number."""
        if len(self.coins) == 1:
            return self.looks.in_words
        total = f"{(self.openings or 0) + self.other_looks:,}" if self.known else "an unknown number"
        told = (
            f"{len(self.coins)} coins were played at once ({', '.join(self.coins)}). Whoever reads the best of them has looked "
            f"at all, so each coin's verdict counts the looks at all of their test ranges ({total}). The learning curve is the "
            "mean over the coins."
        )
        return (told, *self.looks.in_words)

    def as_json(self) -> dict[str, Any]:
        """Its counts, for `metrics.json`."""
        openings = {"test_range_openings": self.looks.openings, "test_range_looks": self.looks.count, WRITTEN: self.written}
        return openings | {"trials_searched": self.trained.trials}


def open_ranges(
    parts: AnySplit, trained: TrainedRun, ledger: OpeningLedger, trials: TrialLedger, config_sha256: str, caller: str
) -> list[OpenedRange]:
    """Open the test range of every coin before one of them is played, so that each verdict can count the looks at all.

    Args:
        parts: of one series, or of several coins.
        trained: the run that is played.
        ledger: writes each opening down before the bars are handed out.
        trials: knows the searches that chose on the bars of a range.
        config_sha256: of the settings that they are opened with.
        caller: script and run folder.

    Raises:
        InputError: a ledger whose chain is broken.
    """
    opened = [_open(coin, trained.of_coin(coin.symbol), ledger, trials, config_sha256, caller) for coin in parts.coins]
    counts = [each.looks.count for each in opened]
    known = [count for count in counts if count is not None]
    symbols, all_known = tuple(coin.symbol for coin in parts.coins), len(known) == len(counts)
    others = [sum(known) - (each.looks.count or 0) if all_known else 0 for each in opened]
    on = validated_in_words(parts)
    return [
        replace(each, other_looks=other, known=all_known, coins=symbols, trained=replace(each.trained, validated=on))
        for each, other in zip(opened, others, strict=True)
    ]


def validated_in_words(parts: AnySplit) -> str:
    """What a validation of a training is made on: the symbol and the range; of several coins all, whose mean it is."""
    symbols, ranges = [coin.symbol for coin in parts.coins], [coin.validation.own.index for coin in parts.coins]
    mean = "mean over " if len(symbols) > 1 else ""
    first, last = min(index[0] for index in ranges), max(index[-1] for index in ranges)
    return f"{mean}{', '.join(symbols)}, validation range {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _open(
    coin: Split, trained: TrainedRun, ledger: OpeningLedger, trials: TrialLedger, config_sha256: str, caller: str
) -> OpenedRange:
    test = coin.open_test(ledger, config_sha256, caller, trained.openings_before)
    looks = looks_at(coin.test_known_as, ledger, trials)
    written = max(trained.openings_before + 1, ledger.written(coin.test_known_as))
    return OpenedRange(coin, test, trained, looks, written)
