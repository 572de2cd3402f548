"""The ledger of finished trials: what was searched on which bars, whatever became of the study and its database."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from market.ledger_pair import LedgerPair, user_folder
from market.ledger_range import LedgerRange

TRIALS = "trials.jsonl"
"""the user's ledger of trials, in `user_folder()`"""


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that ran to its end or was pruned on its figure.

    Args:
        id: the same wherever its study is copied to.
        study: name of its study.
        number: within the study.
        validated: the bars that it was judged on.
    """

    id: str
    study: str
    number: int
    validated: LedgerRange


class TrialLedger:
    """Finished trials in two append-only files, the project's and the user's, which any processes may share.

    Args:
        path: the project's, usually `studies/trial_ledger.jsonl`; made by the first trial.
        user: the user's; None takes `trials.jsonl` in the folder of the user's opening ledger.
    """

    def __init__(self, path: Path, user: Path | None = None) -> None:
        self.path = path
        self._pair = LedgerPair(path, user or user_folder() / TRIALS)

    def record(self, trials: Sequence[FinishedTrial]) -> None:
        """Append a line for each; a trial that is written twice counts once.

        Raises:
            InputError: a last line that is no entry or breaks the chain.
            OSError: they could not be written to disk; the ledger is as it was before.
        """
        about = [{"id": trial.id, "study": trial.study, "trial": trial.number} for trial in trials]
        if trials:
            self._pair.add([said | trial.validated.as_json() for said, trial in zip(about, trials, strict=True)])

    def record_new(self, trials: Sequence[FinishedTrial]) -> None:
        """Append a line for each that neither ledger has; reads both.

        Raises:
            InputError: a line that is no entry or breaks the chain, named with its number.
            OSError: they could not be written to disk; the ledger is as it was before.
        """
        known = {entry["id"] for entry in self._pair.known().entries}
        self.record([trial for trial in trials if trial.id not in known])

    def ids(self, *ranges: LedgerRange) -> set[str] | None:
        """The trials that were judged on bars of any of these ranges; None if that is unknown (`why_unknown`).

        Raises:
            InputError: a line that is no entry or breaks the chain, named with its number.
        """
        known = self._pair.known()
        found = {str(entry["id"]) for entry in known.entries if any(one.is_seen_in(entry) for one in ranges)}
        return None if known.why_incomplete else found

    def why_unknown(self) -> str:
        """Why the number of trials is unknown, and what to do; empty if it is known."""
        return self._pair.known().why_incomplete
