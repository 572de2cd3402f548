"""How much choosing among finished trials may have flattered the one that was chosen, and the ledger that counts them."""

from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from evaluation.statistics import probability_of_overfitting
from market import AnySplit, LedgerRange, Split, TrialLedger
from search.attributes import keep_in_study, kept_in_trial
from search.study import FINISHED, VALIDATED, as_finished, trials_on, validated_on

FEWEST = 4
"""trials of which a spread or a probability can be estimated"""


def searched_before(storage: str, validated: LedgerRange, ledger: TrialLedger) -> dict[str, Any]:
    """What was searched on these bars so far, in all studies: what the verdict needs to know of it, as JSON values.

    Trials of the storage that the ledger lacks are written into it.

    Args:
        storage: of the studies that are there.
        validated: the validation range that is chosen on.
        ledger: knows the trials of studies that were deleted or lie elsewhere, and of files that have grown since.

    Returns:
        `trials`: how many finished, None if that is unknown. `sharpe_spread`: standard deviation of their Sharpe ratios of a bar
        on validation. `overfitting`: probability that the trial that is best on one half of the validation range is below the
        median on the other, over all trials that played all of it (`probability_of_overfitting`). Both are of the trials in the
        storage that were judged on the very same bars; None where there are too few.
    """
    found = trials_on(storage, validated)
    ledger.record_new([trial for trial, _ in found])
    known = ledger.ids(validated)
    same = [trial for finished, trial in found if finished.validated == validated]
    spread = _spread_of([returns for trial in same if (returns := returns_of(trial))])
    return {"trials": None if known is None else len(known), **spread}


def searched_before_on(storage: str, split: AnySplit, ledger: TrialLedger) -> dict[str, Any]:
    """`searched_before` of a split; of several coins each coin's under `coins` by symbol, and the largest number of trials."""
    found = {coin.symbol: searched_before(storage, coin.validation_known_as, ledger) for coin in split.coins}
    if isinstance(split, Split):
        return found[split.symbol]
    counts = [each["trials"] for each in found.values()]
    return {"trials": None if None in counts else max(counts), "coins": found}


def note_bars(study: optuna.Study, *validated: LedgerRange) -> None:
    """Say in the study which bars its trials are judged on, a range a coin."""
    if not validated_on(study):
        bars = [each.as_json() for each in validated]
        keep_in_study(study, VALIDATED, bars[0] if len(bars) == 1 else bars)


def write_down(study: optuna.Study, ledger: TrialLedger) -> None:
    """Write the finished trials of a study that the ledger lacks into it; its bars must have been noted."""
    bars = validated_on(study)
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    ledger.record_new([each for trial in trials for each in as_finished(trial, study, bars)])


def write_down_trial(trial: FrozenTrial, study: optuna.Study, ledger: TrialLedger) -> None:
    """Write a trial that has just ended into the ledger, if it finished; takes no longer in a long ledger."""
    if trial.state in FINISHED:
        ledger.record(as_finished(trial, study, validated_on(study)))


def returns_of(trial: FrozenTrial) -> dict[str, Any] | None:
    """`sharpe` (of a bar) and `growths` (of each stretch) on validation; None if the trial has not played all of it."""
    returns: dict[str, Any] | None = kept_in_trial(trial, "returns")
    return returns or (trial.user_attrs if "growths" in trial.user_attrs else None)  # as older versions kept them


def _spread_of(played: list[dict[str, Any]]) -> dict[str, float | None]:
    if len(played) < FEWEST:
        return {"sharpe_spread": None, "overfitting": None}
    length = max(len(attributes["growths"]) for attributes in played)
    growths = np.array([attributes["growths"] for attributes in played if len(attributes["growths"]) == length]).T  # (T, N)
    different = growths.shape[1] >= FEWEST and np.ptp(growths, axis=1).any()
    return {
        "sharpe_spread": float(np.std([attributes["sharpe"] for attributes in played], ddof=1)),
        "overfitting": probability_of_overfitting(growths) if different else None,
    }
