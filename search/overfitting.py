"""How much choosing among a study's trials may have flattered the one that was chosen."""

from typing import Any

import numpy as np

from evaluation.statistics import probability_of_overfitting
from search.study import trials_on

FEWEST = 4
"""trials of which a spread or a probability can be estimated"""


def searched_before(storage: str, data_sha256: str) -> dict[str, Any]:
    """What was searched on these data so far, in all studies: what the verdict needs to know of it, as JSON values.

    Returns:
        `trials`: how many finished. `sharpe_spread`: standard deviation of their Sharpe ratios of a bar on validation.
        `overfitting`: probability that the trial that is best on one half of the validation range is below the median on the
        other, over all trials that played all of it (`probability_of_overfitting`). None where there are too few trials.
    """
    trials = trials_on(storage, data_sha256)
    return {"trials": len(trials), **_spread_of([trial.user_attrs for trial in trials if "growths" in trial.user_attrs])}


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
