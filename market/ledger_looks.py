"""Every look at a test range: its openings, and the searches that chose on its bars under another split."""

from dataclasses import dataclass

from market.ledger_range import LedgerRange
from market.opening_ledger import OpeningLedger
from market.trial_ledger import TrialLedger


@dataclass(frozen=True)
class Looks:
    """How often a test range was looked at.

    Args:
        openings: None if unknown.
        trials: that were validated on bars of the range; None if unknown.
        why_unknown: why one of them is, and what to do; empty if neither is.
    """

    openings: int | None
    trials: int | None
    why_unknown: str

    @property
    def count(self) -> int | None:
        """What the verdict counts; None if unknown."""
        return None if self.openings is None or self.trials is None else self.openings + self.trials

    @property
    def in_words(self) -> tuple[str, ...]:
        """What a reader has to know of the count beside its number."""
        if self.count is None:
            return (f"How often this test range was opened is unknown: {self.why_unknown}.",)
        if not self.trials:
            return ()
        return (
            f"{self.trials:,} finished trials were validated on bars of this test range, under another split or on other bars; "
            "each counts as a look at it.",
        )


def looks_at(test_range: LedgerRange, openings: OpeningLedger, trials: TrialLedger) -> Looks:
    """What both ledgers know of a test range.

    Raises:
        InputError: a line that is no entry or breaks the chain, named with its number.
    """
    found = trials.ids(test_range)
    why = openings.why_unknown(test_range) or trials.why_unknown()
    return Looks(openings.openings(test_range), None if found is None else len(found), why)
