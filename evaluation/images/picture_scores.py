"""How good the forecasts of a picture model are on pictures whose classes are known, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from rich.markup import escape
from rich.table import Table
from scipy.stats import norm, rankdata

from common import InputError, printable

CONFIDENCE = 0.95
LEAST_PROBABILITY = 1e-15
"""in the logarithmic loss a probability counts as this at least"""
Interval = tuple[float, float]


@dataclass(frozen=True)
class PictureScores:
    """One model on some pictures.

    Args:
        classes: their names, by number.
        confusion: of each class, how many pictures were taken for each class.
        logloss: mean of -log of the probability of the true class.
        auc: of two classes, the share of pairs of one picture each whose probabilities are in the right order; None of more
            classes, or where only one came.
        usual: the most frequent class of train, which one who sees no picture would name.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    logloss: float
    auc: float | None
    usual: str

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(map(sum, self.confusion))

    @property
    def right(self) -> int:
        """How many were taken for what they are."""
        return sum(row[label] for label, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of them."""
        return self.right / self.pictures

    @property
    def interval(self) -> Interval:
        """95 % of the accuracy, see `wilson_interval`."""
        return wilson_interval(self.right, self.pictures)

    @property
    def usual_accuracy(self) -> float:
        """What naming the usual class every time would have."""
        return sum(self.confusion[self.classes.index(self.usual)]) / self.pictures


def score_pictures(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], train_labels: np.ndarray
) -> PictureScores:
    """Hold forecasts against what the pictures are.

    Args:
        probabilities: float64 (N, n_classes).
        labels: int64 (N,).
        classes: names, by number.
        train_labels: int64, of the pictures that were learned from.

    Raises:
        InputError: there are no pictures.
    """
    if not len(labels):
        raise InputError("a model is judged by pictures, but there are none; give a folder that has some")
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(1)), 1)
    of_truth = np.clip(probabilities[np.arange(len(labels)), labels], LEAST_PROBABILITY, 1)
    usual = int(np.bincount(train_labels, minlength=len(classes)).argmax())
    return PictureScores(
        tuple(classes), tuple(tuple(row) for row in confusion.tolist()), float(-np.log(of_truth).mean()),
        _auc(probabilities[:, 1], labels) if len(classes) == 2 else None, classes[usual],
    )  # fmt: skip


def wilson_interval(right: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Where a share lies of which a sample has `right` of `total` (Wilson 1927); unlike the usual one never beyond 0 or 1.

    >>> [round(end, 4) for end in wilson_interval(95, 100)]
    [0.8882, 0.9785]
    """
    z = float(norm.ppf(0.5 + confidence / 2))
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def confident_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """int64: numbers of the pictures that were taken for something else, the surest first."""
    told = probabilities.argmax(1)
    wrong = np.flatnonzero(told != labels)
    return wrong[np.argsort(-probabilities[wrong, told[wrong]], kind="stable")][:most]


def scores_table(scores: PictureScores, title: str) -> Table:
    """A row a class, and one of all."""
    table = Table(title=escape(printable(title)), title_justify="left", title_style="")
    table.add_column("class")
    for heading in ("pictures", "right", "accuracy", "95 %"):
        table.add_column(heading, justify="right")
    for label, name in enumerate(scores.classes):
        row = scores.confusion[label]
        _add_row(table, escape(one_line_name(name)), row[label], sum(row))
    table.add_section()
    _add_row(table, "all", scores.right, scores.pictures)
    return table


def scores_in_words(scores: PictureScores) -> list[str]:
    """What the table does not say."""
    auc = "" if scores.auc is None else f", AUC {scores.auc:.4f}"
    low, high = scores.interval
    usual = (
        f"always naming {one_line_name(scores.usual)}, the most frequent class of train, is right in {scores.usual_accuracy:.1%}"
    )
    worth = (
        "better than"
        if low > scores.usual_accuracy
        else "worse than"
        if high < scores.usual_accuracy
        else "not shown to differ from"
    )
    return [f"logloss {scores.logloss:.4f}{auc}", f"{usual}; the model is {worth} that"]


def one_line_name(name: str) -> str:
    """A class as one line of a terminal can show it."""
    return printable(name).replace("\n", "\\n")


def _add_row(table: Table, name: str, right: int, total: int) -> None:
    if not total:
        table.add_row(name, "0", "", "", "")
        return
    low, high = wilson_interval(right, total)
    table.add_row(name, f"{total:,}", f"{right:,}", f"{right / total:.1%}", f"{low:.1%} to {high:.1%}")


def _auc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """The rank-sum form (Mann & Whitney 1947); equal scores count half."""
    ones = int(labels.sum())
    zeros = len(labels) - ones
    if not ones or not zeros:
        return None
    return float((rankdata(scores)[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
