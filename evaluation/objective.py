"""What a trial is worth: trained on the past, judged on the validation range by its net worth after costs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from agents import LearnedAgent, TrialSettings, suggest
from evaluation.episode import Episode
from evaluation.metrics import log_growth, metrics
from evaluation.settings import LOG_GROWTH, SearchSettings
from evaluation.training import Validation, train_agent
from features import FittedFeatures
from market import Split

LOWER_IS_BETTER = ("volatility", "drawdown_bars", "turnover", "trades", "fees_paid")
BLOCKS = 128
"""stretches of the validation range whose growths a trial keeps, for the probability of overfitting"""


def figure_of(episode: Episode, name: str) -> float:
    """The figure that trials are compared by: always finite. A ratio that is undefined, as of who never traded, counts as 0."""
    value = log_growth(episode) if name == LOG_GROWTH else metrics(episode)[name]
    return 0.0 if value is None else float(value)


def direction_of(objective: str) -> str:
    """Of an Optuna study."""
    return "minimize" if objective in LOWER_IS_BETTER else "maximize"


@dataclass
class _Job:
    """One training of a trial: a window of the validation range, a seed, and what has come out so far."""

    fold: int
    seed: int
    split: Split
    sign: float
    figure: float = -math.inf
    looks: list[Validation] = field(default_factory=list)
    curve: dict[str, float] = field(default_factory=dict)
    best: Episode | None = None
    seconds: float = 0.0

    def add(self, look: Validation, episode: Episode, figure: float) -> None:
        self.looks.append(look)
        self.curve[str(look.step)] = figure
        if self.best is None or self.sign * figure > self.sign * self.figure:
            self.figure, self.best = figure, episode

    def as_json(self) -> dict[str, Any]:
        own = self.split.validation.own.index
        return {
            "fold": self.fold, "seed": self.seed, "first": str(own[0]), "last": str(own[-1]), "figure": self.figure,
            "log_growth": log_growth(self.best) if self.best else None, "seconds": round(self.seconds, 2), "curve": self.curve,
        }  # fmt: skip


class Objective:
    """Trains a trial's agent on every window and seed, and gives the mean of their best figures on validation.

    Every training begins anew, its features fitted on its own train range. The test range is never touched. After each look the
    trial reports the mean so far, at the same steps for every trial, so that a pruner compares like with like.

    The trial keeps, as attributes: `settings`, `seeds`, `folds` (a dict for each training: window, seed, figure, log growth,
    seconds, learning curve), `seconds`, `sharpe` (of a bar, of its validation returns) and `growths` (the log growth of each of
    128 stretches of the validation range).

    Args:
        split: the data.
        base: the configured settings, from which the searched ones are varied.
        search: budget, windows, seeds, what is searched and by which figure it is judged.
        cache: folder where features are kept for the next trial; None keeps nothing.

    Raises:
        InputError: windows that are too short.
    """

    def __init__(self, split: Split, base: TrialSettings, search: SearchSettings, cache: Path | None = None) -> None:
        self.base, self.search, self.cache = base, search, cache
        self.folds = split.walk_forward(search.folds)

    @property
    def steps(self) -> int:
        """Environment steps of a whole trial, but for the rounding up to rollouts."""
        return self.search.steps * self.search.seeds * len(self.folds)

    def __call__(self, trial: optuna.Trial, on_progress: Callable[[int], None] = lambda step: None) -> float:
        """The trial's figure.

        Raises:
            TrainingDiverged: the weights of a training stopped being finite.
            InputError: settings that do not fit together or to the data.
            TrialPruned: the pruner has seen enough.
        """
        began = time.monotonic()
        settings = suggest(trial, self.base, self.search.searched)
        trial.set_user_attr("settings", settings.model_dump(mode="json"))
        seeds = range(self.search.seed, self.search.seed + self.search.seeds)
        trial.set_user_attr("seeds", list(seeds))
        sign = -1.0 if direction_of(self.search.objective) == "minimize" else 1.0
        jobs: list[_Job] = []
        for fold, part in enumerate(self.folds):
            for seed in seeds:
                jobs.append(_Job(fold, seed, part, sign))
                try:
                    self._train(trial, settings, jobs, on_progress)
                finally:  # what a pruned or failed trial has learnt is kept, too
                    trial.set_user_attr("folds", [job.as_json() for job in jobs if job.looks])
                    trial.set_user_attr("seconds", round(time.monotonic() - began, 2))
        for name, value in _returns_of([job.best for job in jobs if job.best], self.search.seeds).items():
            trial.set_user_attr(name, value)
        return float(np.mean([job.figure for job in jobs]))

    def _train(self, trial: optuna.Trial, settings: TrialSettings, jobs: list[_Job], on_progress: Callable[[int], None]) -> None:
        job, done, search = jobs[-1], len(jobs) - 1, self.search
        began, episodes = time.monotonic(), list[Episode]()

        def on_validation(look: Validation, _: LearnedAgent, __: FittedFeatures) -> None:
            job.add(look, episodes[-1], figure_of(episodes[-1], search.objective))
            job.seconds = time.monotonic() - began
            trial.report(float(np.mean([each.figure for each in jobs])), done * search.validations + look.mark)
            if trial.should_prune():
                raise optuna.TrialPruned

        train_agent(
            job.split, features=settings.features, env=settings.env, agent=settings.agent, steps=search.steps,
            validations=search.validations, seed=job.seed, cache=self.cache, on_validation=on_validation,
            on_episode=episodes.append, on_progress=lambda step: on_progress(done * search.steps + step),
        )  # fmt: skip


def _returns_of(episodes: list[Episode], seeds: int) -> dict[str, Any]:
    """Sharpe of a bar, and log growths of 128 stretches, of the windows' returns in a row, averaged over seeds."""
    growths = [np.diff(np.log(np.maximum(episode.table["net_worth"].to_numpy(), 1e-9))) for episode in episodes]
    for first in range(0, len(growths), seeds):  # a window's seeds; who ended in debt stays where he was
        bars = max(map(len, growths[first : first + seeds]))
        growths[first : first + seeds] = [np.pad(each, (0, bars - len(each))) for each in growths[first : first + seeds]]
    of_seed = [np.concatenate(growths[seed::seeds]) for seed in range(seeds)]
    returns = np.mean(of_seed, axis=0)
    spread = float(returns.std(ddof=1))
    blocks = [float(block.sum()) for block in np.array_split(returns, min(BLOCKS, len(returns)))]
    return {"sharpe": float(returns.mean() / spread) if spread > 1e-12 else 0.0, "growths": blocks}
