"""How good probabilities of a rise are on a range that they were not trained on, against the base rate, and how sure that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import rankdata

from evaluation.statistics.bootstrap import resampled_means
from features.forecasters import FittedForecaster, rises
from market import Part

CONFIDENCE = 0.95
DRAWS = 10_000
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
    """

    scores: dict[str, RiseScore]
    words: str
    base_rate: float
    came: float
    base_brier: float
    base_logloss: float
    windows: int

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
    skills, intervals, sures = _skills(errors, 10 * first.settings.future_bars, seed)
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
        )
        for place, (name, probability) in enumerate(told.items())
    }
    words = f"a close more than {first.settings.rise_bps:g} bps higher within {first.settings.future_bars} bars"
    base_logloss = _logloss(np.full(len(came), base), came)
    return RiseComparison(scores, words, base, float(came.mean()), float(errors[:, 0].mean()), base_logloss, len(came))


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


def read_rises(content: dict[str, Any] | None) -> RiseComparison | None:
    """What `dataclasses.asdict` made of one, after JSON."""
    if content is None:
        return None
    scores = {}
    for name, score in content["scores"].items():
        bins = tuple((float(p), float(share), int(count)) for p, share, count in score["calibration"])
        pairs = {key: (float(score[key][0]), float(score[key][1])) for key in ("interval", "sure")}
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


def _calibration(probability: np.ndarray, came: np.ndarray) -> tuple[Bin, ...]:
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return tuple((float(probability[part].mean()), float(came[part].mean()), len(part)) for part in parts)
