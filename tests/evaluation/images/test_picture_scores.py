"""The scores of picture models against other ways to them."""

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from common import InputError
from evaluation.images import score_pictures, wilson_interval
from evaluation.images.picture_scores import confident_mistakes, scores_in_words, scores_table


def told(n_classes, seed=0, count=200):
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.ones(n_classes), count).round(2) + 1e-9  # some are equal
    probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities, draw.integers(0, n_classes, count)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_scores_are_those_of_scikit_learn(n_classes):
    probabilities, labels = told(n_classes)
    scores = score_pictures(probabilities, labels, [f"c{n}" for n in range(n_classes)], labels)
    assert (np.array(scores.confusion) == confusion_matrix(labels, probabilities.argmax(1))).all()
    assert scores.logloss == pytest.approx(log_loss(labels, probabilities))
    assert scores.accuracy == (probabilities.argmax(1) == labels).mean()
    assert scores.usual == f"c{np.bincount(labels).argmax()}"
    assert scores.usual_accuracy == np.bincount(labels).max() / len(labels)
    if n_classes == 2:
        assert scores.auc == pytest.approx(roc_auc_score(labels, probabilities[:, 1]))
    else:
        assert scores.auc is None


@pytest.mark.parametrize(("right", "total"), [(0, 10), (10, 10), (7, 10), (950, 1_000), (1, 1)])
def test_the_interval_is_that_of_statsmodels(right, total):
    assert wilson_interval(right, total) == pytest.approx(proportion_confint(right, total, method="wilson"), abs=1e-12)


def test_the_interval_holds_the_true_share_as_often_as_it_says():
    draw, share = np.random.default_rng(0), 0.9
    ends = np.array([wilson_interval(right, 80) for right in draw.binomial(80, share, 2_000)])
    assert 0.93 < ((ends[:, 0] <= share) & (share <= ends[:, 1])).mean() < 0.975


def test_a_sure_error_is_finite_and_one_class_alone_has_no_auc():
    scores = score_pictures(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0]), ("a", "b"), np.array([0, 1]))
    assert np.isfinite(scores.logloss)
    assert scores.auc is None
    with pytest.raises(InputError, match="there are none"):
        score_pictures(np.zeros((0, 2)), np.zeros(0, np.int64), ("a", "b"), np.array([0, 1]))


def test_the_most_confident_mistakes_come_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    assert confident_mistakes(probabilities, np.array([1, 0, 1, 0]), 9).tolist() == [1, 0]
    assert confident_mistakes(probabilities, np.array([1, 0, 1, 0]), 1).tolist() == [1]


def test_the_words_say_whether_looking_helps():
    labels = np.array([0] * 50 + [1] * 50)
    sure = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    train = np.array([0, 0, 1])
    assert "the model is better than that" in scores_in_words(score_pictures(sure, labels, ("a", "b"), train))[1]
    assert "the model is worse than that" in scores_in_words(score_pictures(1 - sure, labels, ("a", "b"), train))[1]
    blind = np.tile([0.6, 0.4], (100, 1))
    assert "is not shown to differ from that" in scores_in_words(score_pictures(blind, labels, ("a", "b"), train))[1]


def test_names_of_classes_are_printed_as_they_are():
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    probabilities, labels = told(2)
    console.print(scores_table(score_pictures(probabilities, labels, ("[red]x", "two\nlines"), labels), "[bold]\x1b[2J"))
    text = console.export_text()
    assert "[red]x" in text
    assert "two\\nlines" in text
    assert "[bold]" in text
    assert "\x1b[2J" not in text
