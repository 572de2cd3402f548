"""Who proposes the trials of a study, and who stops them early, by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.settings import SearchSettings

SAMPLERS: dict[str, Callable[[SearchSettings, int], BaseSampler]] = {
    # The constant liar counts the trials that run elsewhere as bad ones, so that workers do not all try the same place.
    "tpe": lambda search, seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.startup_trials, constant_liar=True),
    "random": lambda search, seed: optuna.samplers.RandomSampler(seed=seed),
    "gp": lambda search, seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=search.startup_trials),
    "cmaes": lambda search, seed: optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=search.startup_trials),
    # One sequence for all trials: the study counts how much of it has been used.
    "qmc": lambda search, _: optuna.samplers.QMCSampler(seed=search.seed, scramble=True, warn_independent_sampling=False),
}
"""of the settings and a seed that no other trial has"""
PRUNERS: dict[str, Callable[[SearchSettings], optuna.pruners.BasePruner]] = {
    "median": lambda search: optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials),
    "hyperband": lambda search: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=search.validations_of_a_trial),
    "halving": lambda search: optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
    "none": lambda search: optuna.pruners.NopPruner(),
}


class SeededByTrial(BaseSampler):
    """The named sampler, made anew for each trial with a seed of the trial's number.

    So no two workers draw the same numbers, wherever they are; a search that is taken up again goes on as if it had never
    stopped; and that of one worker is the same each time. All that samplers remember, they read from the study.
    """

    def __init__(self, search: SearchSettings) -> None:
        self._search = search
        self._sampler: BaseSampler = SAMPLERS[search.sampler](search, search.seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        seed = int(np.random.SeedSequence((self._search.seed, trial.number)).generate_state(1)[0])
        self._sampler = SAMPLERS[self._search.sampler](self._search, seed)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._sampler.after_trial(study, trial, state, values)
