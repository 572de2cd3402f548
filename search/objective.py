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
from evaluation import Episode, floored
from evaluation.statistics import log_growth, metrics
from features import AnyFeatures
from market import AnySplit
from search.attributes import keep_in_trial
from search.settings import LOG_GROWTH, SearchSettings
from training import TrainingListener, TrainSettings, Validation, require_trainable, train_agent

BLOCKS = 128
"""stretches of the validation range whose growths a trial keeps, for the probability of overfitting"""


def figure_of(episode: Episode, name: str) -> float:
    """The figure that trials are compared by: always finite. A ratio that is undefined, as of who never traded, counts as 0."""
    value = log_growth(episode) if name == LOG_GROWTH else metrics(episode)[name]
    return 0.0 if value is None else float(value)


@dataclass
class _Training:
    """One training of a trial: a window of the validation range, a seed, and what has come out so far."""

    fold: int
    seed: int
    split: AnySplit
    figure: float = math.nan
    curve: dict[str, float] = field(default_factory=dict)
    kept: Validation | None = None
    episodes: dict[str, Episode] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, validation: Validation, episodes: dict[str, Episode], figure: float) -> None:
        """The figure is that of the agent that the training keeps, as `train.py` would keep it."""
        self.curve[str(validation.step)] = figure
        if validation.best:
            self.figure, self.kept, self.episodes = figure, validation, episodes

    def as_json(self) -> dict[str, Any]:
        own = [coin.validation.own.index for coin in self.split.coins]
        first, last = min(index[0] for index in own), max(index[-1] for index in own)
        return {
            "fold": self.fold, "seed": self.seed, "first": str(first), "last": str(last), "figure": self.figure,
            "log_growth": self.kept.log_growth if self.kept else None, "kept_step": self.kept.step if self.kept else None,
            "seconds": round(self.seconds, 2), "curve": self.curve,
        }  # fmt: skip


class Objective:
    """Trains a trial's agent on every window and seed, and gives the mean of their figures on validation.

    Every training starts from scratch, its features fitted on its own train range. The test range is never touched. Each keeps
    the validation that `train.py` would keep, by log growth less `train.caution` standard errors, and its figure is that
    validation's. After each validation the trial reports the mean so far, at the same steps for every trial, so that a pruner
    compares like with like.

    The trial keeps `settings`, `folds` (a dict for each training: window, seed, figure, log growth, the step that was kept,
    seconds, learning curve) and `returns` on validation (`sharpe`, of a bar, and `growths`, the log growth of each of 128
    stretches). Its user attributes, for people, are `log_growth` (the mean over the trainings), `sharpe_of_a_bar` and `seconds`.

    Args:
        split: the data.
        base: the configured settings, from which the searched ones are varied.
        train: how a training compares its validations (`caution`, `patience`); the search says how long it is.
        search: budget, windows, seeds, what is searched and by which figure it is judged.
        cache: folder where features are kept for the next trial; None keeps nothing.

    Raises:
        InputError: windows that are too short, or an account that cannot pay for one lot.
    """

    def __init__(
        self, split: AnySplit, base: TrialSettings, train: TrainSettings, search: SearchSettings, cache: Path | None = None
    ) -> None:
        require_trainable(split, base)  # before a study is made, and not once a trial
        self.base, self.train, self.search, self.cache = base, search.training(train), search, cache
        self.folds: list[AnySplit] = [*split.walk_forward(search.folds)]

    @property
    def steps(self) -> int:
        """Environment steps of a whole trial, but for the rounding up to rollouts."""
        return self.search.steps * self.search.seeds * len(self.folds)

    def __call__(self, trial: optuna.Trial, on_step: Callable[[int], None] = lambda step: None) -> float:
        """The trial's figure.

        Args:
            on_step: called with the number of environment steps that the trial has made.

        Raises:
            TrainingDiverged: the weights of a training stopped being finite.
            InputError: settings that do not fit together or to the data.
            TrialPruned: the pruner has seen enough.
        """
        start = time.monotonic()
        settings = suggest(trial, self.base, self.search.searched)
        keep_in_trial(trial, "settings", settings.model_dump(mode="json"))
        seeds = range(self.search.seed, self.search.seed + self.search.seeds)
        trainings: list[_Training] = []
        for fold, part in enumerate(self.folds):
            for seed in seeds:
                trainings.append(_Training(fold, seed, part))
                listener = _TrialListener(trial, trainings, self.search, on_step)
                try:
                    train_agent(part, settings, self.train, seed=seed, cache=self.cache, listener=listener)
                finally:  # what a pruned or failed trial has learnt is kept, too
                    _keep(trial, [training.as_json() for training in trainings if training.kept])
                    trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
        episodes = [episode for training in trainings for episode in training.episodes.values()]
        returns = _returns_of(episodes, len(episodes) // len(self.folds))
        keep_in_trial(trial, "returns", returns)
        trial.set_user_attr("sharpe_of_a_bar", round(returns["sharpe"], 4))
        return float(np.mean([training.figure for training in trainings]))


def _keep(trial: optuna.Trial, folds: list[dict[str, Any]]) -> None:
    """What the trainings so far came to."""
    keep_in_trial(trial, "folds", folds)
    if folds:
        trial.set_user_attr("log_growth", round(float(np.mean([fold["log_growth"] for fold in folds])), 4))


class _TrialListener(TrainingListener):
    """Reports the validations of the trial's newest training to the pruner."""

    def __init__(
        self, trial: optuna.Trial, trainings: list[_Training], search: SearchSettings, on_step: Callable[[int], None]
    ) -> None:
        self._trial, self._trainings, self._search, self._on_step = trial, trainings, search, on_step
        self._before = len(trainings) - 1  # trainings of this trial that are done
        self._start = time.monotonic()

    def on_step(self, step: int) -> None:
        self._on_step(self._before * self._search.steps + step)

    def on_validation(
        self, validation: Validation, episodes: dict[str, Episode], agent: LearnedAgent, features: AnyFeatures
    ) -> None:
        training = self._trainings[-1]
        figures = [figure_of(episode, self._search.objective) for episode in episodes.values()]
        training.add(validation, episodes, float(np.mean(figures)))
        training.seconds = time.monotonic() - self._start
        mean = float(np.mean([each.figure for each in self._trainings]))
        self._trial.report(mean, self._before * self._search.validations + validation.mark)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def _returns_of(episodes: list[Episode], each: int) -> dict[str, Any]:
    """Sharpe of a bar, and log growths of 128 stretches, of the windows' returns in a row, averaged over seeds and coins.

    Args:
        episodes: window by window.
        each: how many of them a window has: seeds times coins.
    """
    returns = np.concatenate([_mean_growths(episodes[first : first + each]) for first in range(0, len(episodes), each)])
    spread = float(returns.std(ddof=1))
    blocks = [float(block.sum()) for block in np.array_split(returns, min(BLOCKS, len(returns)))]
    return {"sharpe": float(returns.mean() / spread) if spread > 1e-12 else 0.0, "growths": blocks}


def _mean_growths(episodes: list[Episode]) -> np.ndarray:
    """Log growth of each bar, float64 (T,), averaged; who ended in debt, or whose candles end, stays where he was."""
    growths = [np.diff(np.log(floored(episode.table["net_worth"].to_numpy()))) for episode in episodes]
    bars = max(map(len, growths))
    mean: np.ndarray = np.mean([np.pad(each, (0, bars - len(each))) for each in growths], axis=0)
    return mean
