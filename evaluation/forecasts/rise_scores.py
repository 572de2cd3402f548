"""How good probabilities of a rise are on a range that they were not trained on, against the base rate, and how sure that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from rich.table import Table
from scipy.stats import rankdata

from common import cached
from evaluation.statistics.bootstrap import resampled_means
from features.forecasters import FittedForecaster, rises
from market import Part

CONFIDENCE = 0.95
DRAWS, AUC_DRAWS = 10_000, 2_000
BINS = 10
"""of the calibration curve, each with as many forecasts as the others"""
LEAST_PROBABILITY = 1e-6
"""in the logarithmic loss a probability counts as this at least, and as 1 less this at most: one sure error must not decide it"""

Bin = tuple[float, float, int]
Interval = tuple[float, float]


@dataclass(frozen=True)
class RiseScore:
    """One forecaster on one range.

    Args:
        brier: mean squared error of the probability (Brier 1950).
        skill: 1 - brier / that of the base rate, which is the share of rises in train: the share of its error that is gone.
        interval: 95 % of the skill, by the stationary bootstrap.
        sure: the interval that holds for all forecasters at once with 95 %, after Bonferroni.
        beyond_level: the same against the share that came in this very range, which nobody knew before: what is left of the skill
            without having the general level right.
        logloss: mean of -log of the probability of what came.
        auc: share of pairs of a rise and none whose probabilities are in the right order; None where only one of both came.
        share_above: mean probability less the share that came: above 0 it promises too much.
        calibration: (mean probability, share that came, windows) in bins of as many forecasts each.
        auc_interval: 95 % of the AUC, by the same bootstrap; None where there is no AUC, or as older versions wrote none.
        accuracy: share of windows that had a rise where it was told to be likelier than not, or had none where it was not.
        accuracy_interval: 95 % of it.
    """

    brier: float
    skill: float
    interval: tuple[float, float]
    sure: tuple[float, float]
    beyond_level: float
    logloss: float
    auc: float | None
    share_above: float
    calibration: tuple[Bin, ...]
    auc_interval: Interval | None = None
    accuracy: float | None = None
    accuracy_interval: Interval | None = None


@dataclass(frozen=True)
class RiseComparison:
    """Forecasters of a rise on the same windows.

    Args:
        scores: by the name to show.
        words: what is forecast, such as "a rise of more than 26 bps within 16 bars".
        base_rate: share of train's windows in which it came: the forecast that all are held against.
        came: the same share in this range.
        base_brier, base_logloss: of forecasting the base rate always.
        windows: how many.
        base_accuracy: of forecasting always what came more often in train.
    """

    scores: dict[str, RiseScore]
    words: str
    base_rate: float
    came: float
    base_brier: float
    base_logloss: float
    windows: int
    base_accuracy: float | None = None

    @property
    def in_words(self) -> str:
        """Who is shown to beat the base rate."""
        better = [f"{name} ({score.skill:+.1%})" for name, score in self.scores.items() if score.sure[0] > 0]
        worse = [f"{name} ({score.skill:+.1%})" for name, score in self.scores.items() if score.sure[1] < 0]
        undecided = [name for name in self.scores if name not in [words.split(" (")[0] for words in (*better, *worse)]]
        told = f"Better than the base rate of {self.base_rate:.1%}: {', '.join(better) or 'none'}"
        told += f"; worse: {', '.join(worse)}" if worse else ""
        told += f"; no difference is shown for {', '.join(undecided)}" if undecided else ""
        beyond = [f"{name} ({score.beyond_level:+.1%})" for name, score in self.scores.items() if score.beyond_level > 0]
        return (
            f"{told}. By squared error, sure to {CONFIDENCE:.0%} for all {len(self.scores)} at once. Against the share that "
            f"came in this range, {self.came:.1%}, which nobody knew before, there is skill in {', '.join(beyond) or 'none'}."
        )


def compare_rises(part: Part, ends: np.ndarray, forecasters: dict[str, FittedForecaster], seed: int = 0) -> RiseComparison | None:
    """Score those of the forecasters that give a probability, on the windows that end at the bars `ends`; None if there is none.

    Args:
        part: the range.
        ends: int64 (M,), last known bars of the windows, in the range's own bars.
        forecasters: by the name to show, all of one horizon and one rise.
    """
    told = {name: told[ends] for name, fitted in forecasters.items() if (told := fitted.probability(part.own)) is not None}
    if not told:
        return None
    first = next(forecasters[name] for name in told)
    came = rises(part.own.column("close"), ends, first.settings).astype(np.float64)
    base = float(first.estimates["share_rising"])
    errors = np.column_stack([(base - came) ** 2, *((probability - came) ** 2 for probability in told.values())])
    block = 10 * first.settings.future_bars
    skills, intervals, sures = _skills(errors, block, seed)
    right = np.column_stack([(probability > 0.5) == (came > 0.5) for probability in told.values()]).astype(np.float64)
    accuracies = _between(resampled_means(right, block, DRAWS, seed))
    scores = {
        name: RiseScore(
            brier=float(errors[:, place + 1].mean()),
            skill=skills[place],
            interval=intervals[place],
            sure=sures[place],
            beyond_level=float(1 - errors[:, place + 1].mean() / max(came.var(), 1e-12)),
            logloss=_logloss(probability, came),
            auc=_auc(probability, came),
            share_above=float(probability.mean() - came.mean()),
            calibration=_calibration(probability, came),
            auc_interval=_auc_interval(probability, came, block, seed),
            accuracy=float(right[:, place].mean()),
            accuracy_interval=accuracies[place],
        )
        for place, (name, probability) in enumerate(told.items())
    }
    words = f"a close more than {first.settings.rise_bps:g} bps higher within {first.settings.future_bars} bars"
    base_logloss = _logloss(np.full(len(came), base), came)
    base_accuracy = float(np.mean((base > 0.5) == (came > 0.5)))
    return RiseComparison(
        scores, words, base, float(came.mean()), float(errors[:, 0].mean()), base_logloss, len(came), base_accuracy
    )


def rise_table(comparison: RiseComparison, title: str) -> Table:
    """A row a forecaster, at most 80 characters wide."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("Brier", "skill", "95 %", "beyond", "logloss", "AUC", "too high"):
        table.add_column(heading, justify="right", no_wrap=True)
    above = f"{comparison.base_rate - comparison.came:+.1%}"
    table.add_row("base rate", f"{comparison.base_brier:.4f}", "", "", "", f"{comparison.base_logloss:.3f}", "", above)
    for name, score in comparison.scores.items():
        low, high = (f"{100 * bound:+.1f}" for bound in score.interval)
        skill, auc = (f"{score.skill:+.1%}", f"{low} to {high}"), "" if score.auc is None else f"{score.auc:.3f}"
        level = f"{score.beyond_level:+.1%}"
        table.add_row(name, f"{score.brier:.4f}", *skill, level, f"{score.logloss:.3f}", auc, f"{score.share_above:+.1%}")
    return table


def order_table(comparison: RiseComparison, title: str) -> Table | None:
    """A row a forecaster: AUC and accuracy with their intervals; None of a comparison that an older version wrote."""
    if comparison.base_accuracy is None:
        return None
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("AUC", "95 %", "accuracy", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("base rate", "0.500", "", f"{comparison.base_accuracy:.1%}", "")
    for name, score in comparison.scores.items():
        auc = ("", "")
        if score.auc is not None and score.auc_interval is not None:
            auc = f"{score.auc:.3f}", f"{score.auc_interval[0]:.3f} to {score.auc_interval[1]:.3f}"
        accuracy = ("", "")
        if score.accuracy is not None and score.accuracy_interval is not None:
            accuracy = f"{score.accuracy:.1%}", " to ".join(f"{100 * bound:.1f}" for bound in score.accuracy_interval)
        table.add_row(name, *auc, *accuracy)
    return table


def read_rises(content: dict[str, Any] | None) -> RiseComparison | None:
    """What `dataclasses.asdict` made of one, after JSON."""
    if content is None:
        return None
    scores = {}
    for name, score in content["scores"].items():
        bins = tuple((float(p), float(share), int(count)) for p, share, count in score["calibration"])
        given = [key for key in ("interval", "sure", "auc_interval", "accuracy_interval") if score.get(key) is not None]
        pairs = {key: (float(score[key][0]), float(score[key][1])) for key in given}
        scores[name] = RiseScore(**score | pairs | {"calibration": bins})
    return RiseComparison(**content | {"scores": scores})


def _skills(errors: np.ndarray, mean_block: float, seed: int) -> tuple[list[float], list[Interval], list[Interval]]:
    """Skills against the first column, their intervals, and those for all at once."""
    means = resampled_means(errors, mean_block, DRAWS, seed)
    drawn, tail = 1 - means[:, 1:] / means[:, [0]], (1 - CONFIDENCE) / 2
    observed = errors.mean(axis=0)
    bounds = [
        [(float(low), float(high)) for low, high in np.quantile(drawn, [share, 1 - share], axis=0).T]
        for share in (tail, tail / drawn.shape[1])
    ]
    return (1 - observed[1:] / observed[0]).tolist(), bounds[0], bounds[1]


def _logloss(probability: np.ndarray, came: np.ndarray) -> float:
    held = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return float(-np.log(np.where(came > 0.5, held, 1 - held)).mean())


def _auc(probability: np.ndarray, came: np.ndarray) -> float | None:
    ranks, rising = rankdata(probability), came > 0.5
    ones, zeros = int(rising.sum()), int((~rising).sum())
    return float((ranks[rising].sum() - ones * (ones + 1) / 2) / (ones * zeros)) if ones and zeros else None


def _auc_interval(probability: np.ndarray, came: np.ndarray, mean_block: float, seed: int) -> Interval | None:
    """95 % of the AUC by the stationary bootstrap, draws of rises alone or none left out; None where only one of both came."""
    if came.min() == came.max():
        return None
    order = np.argsort(probability, kind="stable")
    ties = np.unique(probability, return_inverse=True)[1][order]
    drawn = _resampled_aucs(order, ties, came > 0.5, 1 / mean_block, AUC_DRAWS, np.random.default_rng(seed))
    return _between(drawn[np.isfinite(drawn), None])[0]


@cached(njit)
def _resampled_aucs(
    order: np.ndarray, ties: np.ndarray, came: np.ndarray, jump: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """float64 (draws,): AUCs of resampled windows, in blocks of geometric length as `resampled_means` draws them.

    Args:
        order: int64 (n,), the windows by probability, the least first.
        ties: int64 (n,), in that order, the same number where the probability is the same.
        came: bool (n,).
    """
    rows, aucs = len(came), np.empty(draws)
    for draw in range(draws):
        counts, place = np.zeros(rows), -1
        for row in range(rows):
            begins = row == 0 or rng.random() < jump
            place = int(rng.random() * rows) if begins else (place + 1) % rows
            counts[place] += 1
        right, ones, zeros, first = 0.0, 0.0, 0.0, 0
        while first < rows:  # windows of one probability at a time
            after, tied_ones, tied_zeros = first, 0.0, 0.0
            while after < rows and ties[after] == ties[first]:
                if came[order[after]]:
                    tied_ones += counts[order[after]]
                else:
                    tied_zeros += counts[order[after]]
                after += 1
            right += tied_ones * (zeros + tied_zeros / 2)
            ones, zeros, first = ones + tied_ones, zeros + tied_zeros, after
        aucs[draw] = right / (ones * zeros) if ones > 0 and zeros > 0 else np.nan
    return aucs


def _between(drawn: np.ndarray) -> list[Interval]:
    """95 % of each column."""
    tail = (1 - CONFIDENCE) / 2
    return [(float(low), float(high)) for low, high in np.quantile(drawn, [tail, 1 - tail], axis=0).T]


def _calibration(probability: np.ndarray, came: np.ndarray) -> tuple[Bin, ...]:
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return tuple((float(probability[part].mean()), float(came[part].mean()), len(part)) for part in parts)
