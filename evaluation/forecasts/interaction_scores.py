"""How good models of interactions are on rows that they were not trained on, and between which of them a difference is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numba import njit
from rich.table import Table

from common import InputError, cached

DRAWS = 1_000
"""resampled sets of rows; the 95 % of the largest of many differences is then known to about 3 % of itself"""
DRAWS_AT_A_TIME = 20
"""between two calls of `on_part`"""
CONFIDENCE = 0.95
CLIP = 1e-15
"""probabilities are taken as at least that, and at most 1 - that, so that one row adds 34.5 to the sum of losses at most"""
INTERVAL = "interval"
FEW_ROWS = 50
"""of one label, below which the words warn that the intervals are rough"""
Interval = tuple[float, float]


class Measure(NamedTuple):
    """One way to judge forecasts: its name for people, whether more of it is better, whether it has the unit of the labels."""

    heading: str
    higher_is_better: bool
    in_units: bool

    def figure(self, value: float | None) -> str:
        """Four digits behind the point; four in all where the unit may be any; `-` for what is not defined."""
        if value is None:
            return "-"
        return f"{value:.4f}" if not self.in_units else f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"

    def interval(self, bounds: Interval) -> str:
        return f"{self.figure(bounds[0])} to {self.figure(bounds[1])}"


MEASURES = {
    "auc": Measure("AUC", True, False),
    "logloss": Measure("logloss", False, False),
    "rmse": Measure("RMSE", False, True),
    "mae": Measure("MAE", False, True),
}


@dataclass(frozen=True)
class InteractionScore:
    """One model on the rows.

    Args:
        measures: by name of `MEASURES`: `auc` (None where all labels are alike) and `logloss`, or `rmse` and `mae`.
        interval: 95 % of the measure that the comparison is about, by the bootstrap over rows.
    """

    measures: dict[str, float | None]
    interval: Interval


@dataclass(frozen=True)
class PairDifference:
    """How much better one model is than another one, by the measure of the comparison.

    Args:
        better: the model with the better figure.
        worse: the other one.
        difference: of the figures, 0 or more, whichever way the measure points.
        interval: 95 % for all pairs at once.
    """

    better: str
    worse: str
    difference: float
    interval: Interval

    @property
    def shown(self) -> bool:
        return self.interval[0] > 0


@dataclass(frozen=True)
class InteractionComparison:
    """Models on the same rows.

    Args:
        rows: how many.
        ones: rows with the label 1; None where labels are any numbers.
        measure: what the intervals and pairs are about: `auc`, `logloss` if all labels are alike, or `rmse`.
        scores: by model, the best one first.
        pairs: every two models.
    """

    rows: int
    ones: int | None
    measure: str
    scores: dict[str, InteractionScore]
    pairs: tuple[PairDifference, ...]

    @property
    def unbeaten(self) -> list[str]:
        """The models that no other one is shown to be better than."""
        beaten = {pair.worse for pair in self.pairs if pair.shown}
        return [name for name in self.scores if name not in beaten]

    @property
    def in_words(self) -> list[str]:
        """A sentence for each model that is shown to be better than others, and for each that nothing is shown about."""
        lines = [*self._about_rows]
        if not self.pairs:
            return lines
        told = [line for name in self.scores if (line := self._better(name))]
        equal = [line for name in self.scores if (line := self._undecided(name))]
        at_once = f" for all {len(self.pairs)} pairs at once" if len(self.pairs) > 1 else ""
        heading = MEASURES[self.measure].heading
        return [*lines, f"By {heading}, with intervals sure to {CONFIDENCE:.0%}{at_once}:", *told, *equal]

    @property
    def _about_rows(self) -> list[str]:
        lines = []
        if self.ones in (0, self.rows):
            lines.append(f"AUC is not defined here, for all {self.rows:,} labels are {int(self.ones > 0)}.")
        elif self.ones is not None and (fewest := min(self.ones, self.rows - self.ones)) < FEW_ROWS:
            label = int(self.ones == fewest)
            lines.append(f"Only {fewest} of the labels are {label}: the intervals are rough, and more rows would mend that.")
        return lines

    def _better(self, name: str) -> str:
        over = [f"{pair.worse} ({self._difference(pair)})" for pair in self.pairs if pair.better == name and pair.shown]
        return f"{name} is better than {listed(over)}." if over else ""

    def _undecided(self, name: str) -> str:
        equal = [pair.worse for pair in self.pairs if pair.better == name and not pair.shown]
        return f"No difference is shown between {name} and {listed(equal, 'or')}." if equal else ""

    def _difference(self, pair: PairDifference) -> str:
        measure = MEASURES[self.measure]
        return f"by {measure.figure(pair.difference)}, {measure.interval(pair.interval)}"


def compare_interactions(
    labels: np.ndarray,
    forecasts: Mapping[str, np.ndarray],
    loss: str = "logloss",
    seed: int = 0,
    draws: int = DRAWS,
    on_part: Callable[[int, int], None] = lambda done, total: None,
) -> InteractionComparison:
    """Score models on the same rows, and resample the rows for the intervals.

    Every draw takes as many rows as there are, with replacement, the same ones for all models. The interval of a difference
    is its value -+ c standard errors, where c is the 95 % quantile, over the draws, of the largest distance of any pair, in its
    own standard errors: so all intervals hold at once. Draws in which all labels are alike have no AUC and are left out.
    Source: Romano & Wolf (2005), "Exact and Approximate Stepdown Methods for Multiple Hypothesis Testing", single step.

    Args:
        labels: (n,), 0 or 1 with `logloss`, any numbers with `squared`.
        forecasts: by model (n,): probabilities with `logloss`.
        loss: `logloss` or `squared`.
        seed: of the draws.
        draws: how many.
        on_part: called with the draws that are done, and how many there are.

    Raises:
        InputError: no rows.

    >>> labels = np.array([0, 1] * 100)
    >>> compared = compare_interactions(labels, {"knows": 0.2 + 0.6 * labels, "guesses": np.linspace(0.1, 0.9, 200)})
    >>> compared.in_words[-1][:34]
    'knows is better than guesses (by 0'
    """
    if not len(labels):
        raise InputError("models are compared on rows, but there are none; give a file that holds some")
    labels = np.asarray(labels, np.float64)
    stacked = np.stack([np.asarray(forecast, np.float64) for forecast in forecasts.values()])  # (m, n)
    measures = [_measures(labels, forecast, loss) for forecast in stacked]
    measure = next(name for name, value in measures[0].items() if value is not None)
    observed = np.array([of_model[measure] for of_model in measures])
    drawn = _drawn(measure, labels, stacked, seed, draws, on_part)  # (draws, m)
    sign = 1.0 if MEASURES[measure].higher_is_better else -1.0
    best_first = np.argsort(-sign * observed, kind="stable")
    names = [list(forecasts)[place] for place in best_first]
    bounds = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0).T
    scores = {
        name: InteractionScore(measures[place], (float(bounds[place, 0]), float(bounds[place, 1])))
        for name, place in zip(names, best_first, strict=True)
    }
    pairs = _pairs(names, sign * observed[best_first], sign * drawn[:, best_first])
    return InteractionComparison(len(labels), int(labels.sum()) if loss == "logloss" else None, measure, scores, pairs)


def auc(labels: np.ndarray, forecasts: np.ndarray) -> float | None:
    """The share of pairs of a 1 and a 0 in which the 1 has the higher forecast, where equal forecasts count half.

    Args:
        labels: (n,), 0 or 1.
        forecasts: (n,), whatever ranks the rows.

    Returns:
        None if all labels are alike: there is no such pair.

    >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    positive = np.asarray(labels) > 0
    order, last = _ranked(np.asarray(forecasts)[None])
    value = _weighted_auc(order[0], last[0], positive, np.ones(len(positive), np.uint16))
    return None if np.isnan(value) else float(value)


def logloss(labels: np.ndarray, forecasts: np.ndarray) -> float:
    """Mean of -log(probability of the label), probabilities clipped to `CLIP`."""
    return float(_log_losses(labels, forecasts).mean())


def interactions_table(comparison: InteractionComparison, title: str, learned: Mapping[str, tuple[int, int, float]]) -> Table:
    """A row a model, at most 80 characters wide.

    Args:
        title: above it.
        learned: by model the epoch that was kept, the epochs that it was trained for, and the seconds of all.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("algorithm", no_wrap=True)
    names = list(next(iter(comparison.scores.values())).measures)
    names.insert(names.index(comparison.measure) + 1, INTERVAL)
    headings = ["95 %" if name == INTERVAL else MEASURES[name].heading for name in names]
    for heading in (*headings, "seconds", "epoch"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, score in comparison.scores.items():
        interval = MEASURES[comparison.measure].interval(score.interval)
        figures = [interval if column == INTERVAL else MEASURES[column].figure(score.measures[column]) for column in names]
        kept, epochs, seconds = learned[name]
        table.add_row(name, *figures, f"{seconds:.1f}", f"{kept} of {epochs}")
    return table


def listed(names: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _measures(labels: np.ndarray, forecasts: np.ndarray, loss: str) -> dict[str, float | None]:
    if loss == "logloss":
        return {"auc": auc(labels, forecasts), "logloss": logloss(labels, forecasts)}
    errors = forecasts - labels
    return {"rmse": float(np.sqrt((errors**2).mean())), "mae": float(np.abs(errors).mean())}


def _log_losses(labels: np.ndarray, forecasts: np.ndarray) -> np.ndarray:
    clipped = np.clip(np.asarray(forecasts, np.float64), CLIP, 1 - CLIP)
    return -np.where(np.asarray(labels) > 0, np.log(clipped), np.log1p(-clipped))


def _drawn(
    measure: str, labels: np.ndarray, stacked: np.ndarray, seed: int, draws: int, on_part: Callable[[int, int], None]
) -> np.ndarray:
    """float64 (draws, m): the measure of each model in each draw, draws without an AUC left out."""
    generator, parts = np.random.default_rng(seed), []
    order, last = _ranked(stacked) if measure == "auc" else (np.empty((0, 0), np.int64),) * 2
    losses = _log_losses(labels, stacked) if measure == "logloss" else (stacked - labels) ** 2
    for first in range(0, draws, DRAWS_AT_A_TIME):
        count = min(DRAWS_AT_A_TIME, draws - first)
        if measure == "auc":
            parts.append(_aucs(order, last, labels > 0, count, generator))
        else:
            parts.append(_means(losses, count, generator))
        on_part(first + count, draws)
    drawn = np.concatenate(parts)
    drawn = drawn[~np.isnan(drawn[:, 0])]
    return np.sqrt(drawn) if measure == "rmse" else drawn


def _pairs(names: list[str], observed: np.ndarray, drawn: np.ndarray) -> tuple[PairDifference, ...]:
    """Every two models, the better one of each first; more is better here."""
    places = list(combinations(range(len(names)), 2))
    if not places:
        return ()
    left, right = (list(side) for side in zip(*places, strict=True))
    differences = observed[left] - observed[right]
    distances = drawn[:, left] - drawn[:, right] - differences
    errors = np.sqrt((distances**2).mean(axis=0))
    largest = np.abs(np.divide(distances, errors, out=np.zeros_like(distances), where=errors > 0)).max(axis=1)
    reach = np.quantile(largest, CONFIDENCE) * errors
    return tuple(
        PairDifference(names[one], names[other], float(difference), (float(difference - wide), float(difference + wide)))
        for one, other, difference, wide in zip(left, right, differences, reach, strict=True)
    )


def _ranked(stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows by rising forecast, int32 (m, n); and bool (m, n), whether the next one in that order has another forecast."""
    order = np.argsort(stacked, axis=1, kind="stable")
    ranked = np.take_along_axis(stacked, order, axis=1)
    last = np.ones(order.shape, bool)
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    return order.astype(np.int32), last


@cached(njit, error_model="numpy")
def _weighted_auc(order: np.ndarray, last: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> float:
    """The AUC of rows that count so many times; NaN if all labels are alike. O(n), and exact, for pairs are counted in halves."""
    below, ones, tied_zeros, tied_ones, halves = 0, 0, 0, 0, 0
    for place in range(len(order)):
        row = order[place]
        count = np.int64(counts[row])
        as_one = count * positive[row]
        tied_ones += as_one
        tied_zeros += count - as_one
        if last[place]:
            halves += tied_ones * (2 * below + tied_zeros)
            below += tied_zeros
            ones += tied_ones
            tied_zeros, tied_ones = 0, 0
    return halves / (2.0 * ones * below) if ones * below > 0 else np.nan


@cached(njit, error_model="numpy")
def _aucs(order: np.ndarray, last: np.ndarray, positive: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    models, n = order.shape
    drawn = np.empty((draws, models))
    for draw in range(draws):
        counts = _drawn_rows(n, rng)
        for model in range(models):
            drawn[draw, model] = _weighted_auc(order[model], last[model], positive, counts)
    return drawn


@cached(njit, error_model="numpy")
def _means(losses: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    models, n = losses.shape
    drawn = np.empty((draws, models))
    for draw in range(draws):
        counts = _drawn_rows(n, rng)
        for model in range(models):
            total = 0.0
            for row in range(n):
                total += counts[row] * losses[model, row]
            drawn[draw, model] = total / n
    return drawn


@cached(njit)
def _drawn_rows(n: int, rng: np.random.Generator) -> np.ndarray:
    """How often each row is drawn; a row is drawn 65,536 times with no chance worth the name."""
    counts = np.zeros(n, np.uint16)
    for _ in range(n):
        counts[rng.integers(0, n)] += 1
    return counts
