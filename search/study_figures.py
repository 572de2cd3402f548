"""Figures of a study: what it found, what mattered, and who worked when."""

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from common import write_png
from search.errors import StudyError
from search.messages import judged_by
from search.study import axis_of

FEWEST = 2
"""completed trials that a figure needs"""
STRONG, MUTED, BEST, BAD = "#2962ff", "#b0b5c3", "#c29200", "#d3122e"
STATES = {TrialState.COMPLETE: STRONG, TrialState.PRUNED: MUTED, TrialState.FAIL: BAD}
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
Trials = list[FrozenTrial]


def draw_study(study: optuna.Study, folder: Path) -> list[Path]:
    """The figures of the study, as PNG files: history, importances, slices, parallel coordinates and who worked when.

    Raises:
        StudyError: fewer than 2 completed trials.
    """
    completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(completed) < FEWEST:
        raise StudyError(
            f"figures need at least {FEWEST} completed trials, but study {study.study_name} has {len(completed)}; search on"
        )
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in DRAWN.items():
        figure = draw(study, completed)
        paths.append(folder / f"{name}.png")
        write_png(figure, paths[-1], dpi=120)
        plt.close(figure)
    return paths


def importances(study: optuna.Study) -> dict[str, float]:
    """The share of each parameter in what makes the best tenth of the trials differ from the rest, by PED-ANOVA (Watanabe, Bansal
    and Hutter, 2023); empty while there are too few trials to tell."""
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings(action="ignore"):
        try:
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, RuntimeError, ZeroDivisionError):
            return {}
    return {name: share for name, share in found.items() if math.isfinite(share)}


def _history(study: optuna.Study, completed: Trials) -> Figure:
    """Every trial's figure, and the best so far."""
    figure, axes = _axes(study)
    better = max if study.direction == StudyDirection.MAXIMIZE else min
    best = list(itertools.accumulate((_value(trial) for trial in completed), better))
    pruned = [trial for trial in study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)) if trial.value is not None]
    axes.plot([trial.number for trial in pruned], [_value(trial) for trial in pruned], "x", color=MUTED, label="pruned")
    axes.plot([trial.number for trial in completed], [_value(trial) for trial in completed], "o", color=STRONG, label="completed")
    axes.step([trial.number for trial in completed], best, where="post", color=BEST, label="best so far")
    axes.set_xlabel("trial")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3, frameon=False)
    return figure


def _importances(study: optuna.Study, completed: Trials) -> Figure:
    shares = importances(study)
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.32 * max(len(shares), 1)), layout="constrained")
    names = list(shares)[::-1]
    bars = axes.barh(names, [shares[name] for name in names], color=STRONG)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel(f"importance for {axis_of(judged_by(study))}" if shares else "too few trials to tell what matters")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _slices(study: optuna.Study, completed: Trials) -> Figure:
    """The figure over each parameter; later trials are darker."""
    names = _parameters(completed)
    columns = min(5, len(names))
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3 * columns, 2.6 * rows), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, name in itertools.zip_longest(grid.flat, names):
        if name is None:
            axes.set_visible(False)
            continue
        own = [trial for trial in completed if name in trial.params]
        scale = _Scale(name, own)
        axes.scatter(
            [scale(trial) for trial in own], [_value(trial) for trial in own], c=[trial.number for trial in own], cmap="Blues",
            vmin=-len(completed), edgecolors=STRONG, linewidths=0.5, s=24,
        )  # fmt: skip
        axes.set_xticks(*scale.ticks)
        axes.set_xlabel(name)
        axes.margins(0.08)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel(axis_of(judged_by(study)), fontsize="medium")
    return figure


def _parallel(study: optuna.Study, completed: Trials) -> Figure:
    """A line for each trial through its parameters, colored by its figure: the better, the darker."""
    names = _parameters(completed)
    whole = [trial for trial in completed if all(name in trial.params for name in names)]
    scales = [_Scale(name, whole) for name in names]
    figure, axes = plt.subplots(figsize=(2.0 + 1.35 * len(names), 5), layout="constrained")
    worst_first = sorted(whole, key=_value, reverse=study.direction == StudyDirection.MINIMIZE)
    for rank, trial in enumerate(worst_first):
        share = (rank + 1) / len(worst_first)
        heights = [scale.height(scale(trial)) for scale in scales]
        axes.plot(range(len(names)), heights, color=plt.get_cmap("Blues")(0.15 + 0.85 * share), lw=0.8 + 1.4 * share**4)
    for place, scale in enumerate(scales):
        axes.axvline(place, color=MUTED, lw=0.8, zorder=0)
        for at, label in zip(*scale.ticks, strict=True):
            axes.text(place + 0.03, scale.height(at), label, fontsize="small", va="center", bbox=PAPER)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_xlim(-0.4, len(names) - 0.5)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{len(whole)} completed trials; the better their {axis_of(judged_by(study))}, the darker", fontsize="medium")
    return figure


def _timeline(study: optuna.Study, completed: Trials) -> Figure:
    """When each trial ran, in its worker's row."""
    spans = [
        (trial.datetime_start, trial.datetime_complete, trial.user_attrs.get("worker", ""), STATES[trial.state])
        for trial in study.get_trials(deepcopy=False)
        if trial.datetime_start and trial.datetime_complete
    ]
    first = min(began for began, *_ in spans)
    workers = list(dict.fromkeys(worker for *_, worker, _ in spans))
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.4 * len(workers)), layout="constrained")
    for began, ended, worker, color in spans:
        left, right = ((moment - first).total_seconds() / 60 for moment in (began, ended))
        axes.barh(workers.index(worker), right - left, left=left, color=color, edgecolor="white", height=0.7)
    axes.set_yticks(range(len(workers)), [f"worker {number}" for number in range(len(workers))])
    axes.set_xlabel("minutes since the first trial began")
    handles = [Patch(color=color, label=state.name.lower()) for state, color in STATES.items()]
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


DRAWN: dict[str, Callable[[optuna.Study, Trials], Figure]] = {
    "history": _history,
    "importances": _importances,
    "slices": _slices,
    "parallel_coordinates": _parallel,
    "timeline": _timeline,
}
"""by the names of their files"""


class _Scale:
    """A parameter as numbers: its logarithm where it is searched on one, its place in the list where it is a choice."""

    def __init__(self, name: str, trials: Trials) -> None:
        distribution = trials[0].distributions[name]
        self._name = name
        self._log = bool(getattr(distribution, "log", False))
        self._whole = isinstance(distribution, IntDistribution)
        self._choices = _ordered(distribution.choices) if isinstance(distribution, CategoricalDistribution) else []
        numbers = [self(trial) for trial in trials]
        self._low, self._high = (0.0, len(self._choices) - 1.0) if self._choices else (min(numbers), max(numbers))

    def __call__(self, trial: FrozenTrial) -> float:
        return self._number(trial.params[self._name])

    def height(self, number: float) -> float:
        """From 0 at the smallest value to 1 at the largest."""
        return (number - self._low) / (self._high - self._low) if self._high > self._low else 0.5

    @property
    def ticks(self) -> tuple[list[float], list[str]]:
        """Places and labels."""
        if self._choices:
            return [float(place) for place in range(len(self._choices))], [str(choice) for choice in self._choices]
        places = [self._low, (self._low + self._high) / 2, self._high]
        values = dict.fromkeys(10**place if self._log else place for place in places)
        shown = dict.fromkeys(round(value) if self._whole else value for value in values)
        return [self._number(value) for value in shown], [f"{value:.3g}" for value in shown]

    def _number(self, value: Any) -> float:
        if self._choices:
            return float(self._choices.index(value))
        return math.log10(value) if self._log else float(value)


def _ordered(choices: Sequence[Any]) -> list[Any]:
    return sorted(choices, key=lambda choice: (isinstance(choice, str), choice))


def _axes(study: optuna.Study) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    axes.set_ylabel(axis_of(judged_by(study)))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92")
    return figure, axes


def _parameters(trials: Trials) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _value(trial: FrozenTrial) -> float:
    return float(trial.value) if trial.value is not None else math.nan
