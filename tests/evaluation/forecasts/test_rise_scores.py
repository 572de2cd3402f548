"""Probabilities of a rise against the base rate: each figure by another library, and what is said of luck."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import make_candles
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from evaluation.forecasts import rise_scores
from evaluation.forecasts.rise_scores import RiseComparison, compare_rises, order_table, read_rises, rise_table
from features.forecasters import ForecastSettings, rises

SETTINGS = ForecastSettings(future_bars=1, rise_bps=0)
BARS = 2_001
DRAW = np.random.default_rng(0)
CANDLES = make_candles(list(100 * np.exp(np.cumsum(DRAW.normal(0, 0.01, BARS)))))
ENDS = np.arange(BARS - 1)
CAME = rises(CANDLES.column("close"), ENDS, SETTINGS)


@dataclass
class Told:
    """Stands for a fitted forecaster that says this."""

    values: np.ndarray | None
    base: float = 0.4

    @property
    def settings(self) -> ForecastSettings:
        return SETTINGS

    @property
    def estimates(self) -> dict[str, Any]:
        return {"share_rising": np.array(self.base)}

    def probability(self, candles: object) -> np.ndarray | None:
        return None if self.values is None else np.append(self.values, 0.5)


def compared(**told: Any) -> RiseComparison:
    forecasters: Any = {name: Told(values) for name, values in told.items()}
    part: Any = SimpleNamespace(own=CANDLES)
    found = compare_rises(part, ENDS, forecasters)
    assert found is not None
    return found


SHARP = np.where(CAME > 0, 0.7, 0.35) + DRAW.uniform(-0.2, 0.2, BARS - 1)
NOISE = DRAW.uniform(0.2, 0.8, BARS - 1)


def test_every_figure_is_that_of_scikit_learn():
    found = compared(sharp=SHARP)
    score = found.scores["sharp"]
    assert score.brier == pytest.approx(brier_score_loss(CAME, SHARP))
    assert score.auc == pytest.approx(roc_auc_score(CAME, SHARP))
    assert score.logloss == pytest.approx(log_loss(CAME, SHARP))
    assert found.base_brier == pytest.approx(brier_score_loss(CAME, np.full(BARS - 1, 0.4)))
    assert score.skill == pytest.approx(1 - score.brier / found.base_brier)
    assert score.beyond_level == pytest.approx(1 - score.brier / CAME.astype(float).var())
    assert score.share_above == pytest.approx(SHARP.mean() - CAME.mean())
    assert (found.windows, found.base_rate, found.came) == (BARS - 1, 0.4, pytest.approx(CAME.mean()))


def test_accuracy_and_auc_have_intervals_and_are_held_against_what_came_more_often():
    found = compared(sharp=SHARP, noise=NOISE)
    assert found.base_accuracy == pytest.approx(1 - CAME.mean())  # the base rate of 0.4 says that it does not come
    for name, told in (("sharp", SHARP), ("noise", NOISE)):
        score = found.scores[name]
        assert score.accuracy == pytest.approx(accuracy_score(CAME, told > 0.5))
        for figure, interval in ((score.auc, score.auc_interval), (score.accuracy, score.accuracy_interval)):
            assert figure is not None
            assert interval is not None
            assert interval[0] < figure < interval[1]
            assert 0.02 < interval[1] - interval[0] < 0.08
    assert found.scores["noise"].auc_interval[0] < 0.5 < found.scores["noise"].auc_interval[1]  # type: ignore[index]


@pytest.mark.parametrize("decimals", [1, 9])
def test_resampled_aucs_are_those_of_the_resampled_windows(decimals):
    """By scikit-learn, of the same draws of the generator, with ties and without."""
    told, came, jump = NOISE[:60].round(decimals), CAME[:60] > 0, 0.2
    ties = np.unique(told, return_inverse=True)[1]
    order = np.argsort(told, kind="stable")
    found = rise_scores._resampled_aucs(order, ties[order], came, jump, 20, np.random.default_rng(3))
    draw = np.random.default_rng(3)
    for auc in found:
        rows: list[int] = []
        for row in range(60):
            begins = row == 0 or draw.random() < jump
            rows.append(int(draw.random() * 60) if begins else (rows[-1] + 1) % 60)
        assert auc == pytest.approx(roc_auc_score(came[rows], told[rows]))


def test_the_second_table_fits_80_columns_and_an_older_comparison_has_none():
    from dataclasses import replace

    from rich.console import Console

    console, found = Console(width=200, record=True, file=open("/dev/null", "w")), compared(wide_deep=SHARP, noise=NOISE)  # noqa: SIM115
    console.print(order_table(found, "validation range"))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line.split("  ")[0] for line in lines[2:]] == ["base rate", "wide_deep", "noise"]
    assert order_table(replace(found, base_accuracy=None), "validation range") is None


def test_bins_hold_as_many_forecasts_each_in_order():
    bins = compared(sharp=SHARP).scores["sharp"].calibration
    assert [count for *_, count in bins] == [200] * 10
    lowest = np.argsort(SHARP)[:200]
    assert bins[0][:2] == (pytest.approx(SHARP[lowest].mean()), pytest.approx(CAME[lowest].mean()))
    assert [told for told, *_ in bins] == sorted(told for told, *_ in bins)


def test_words_name_who_is_better_who_is_worse_and_who_has_only_the_level():
    level = np.full(BARS - 1, CAME.mean())
    words = compared(sharp=SHARP, noise=NOISE, base=np.full(BARS - 1, 0.4), level=level).in_words
    assert words.startswith("Better than the base rate of 40.0%: sharp (+")
    assert "worse: noise (-" in words
    assert "no difference is shown for base" in words
    assert words.endswith("there is skill in sharp (" + words.rpartition("sharp (")[2])
    assert "level (+" not in words.partition("Against")[2]


def test_the_base_rate_has_no_skill_and_only_one_kind_of_outcome_no_auc():
    score = compared(base=np.full(BARS - 1, 0.4)).scores["base"]
    assert (score.skill, score.interval) == (0.0, (0.0, 0.0))
    never: Any = {"base": Told(np.full(BARS - 1, 0.4))}
    falling = SimpleNamespace(own=make_candles(list(np.linspace(200, 100, BARS))))
    found = compare_rises(falling, ENDS, never)  # type: ignore[arg-type]
    assert found is not None
    assert found.scores["base"].auc is None
    assert found.came == 0


def test_forecasters_of_paths_alone_have_no_such_table():
    part: Any = SimpleNamespace(own=CANDLES)
    paths: Any = {"last value": Told(None)}
    assert compare_rises(part, ENDS, paths) is None


def test_it_is_read_as_it_was_written():
    import json
    from dataclasses import asdict

    found = compared(sharp=SHARP, noise=NOISE)
    assert read_rises(json.loads(json.dumps(asdict(found)))) == found
    assert read_rises(None) is None


def test_the_table_fits_80_columns():
    from rich.console import Console

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(rise_table(compared(wide_deep=SHARP, noise=NOISE), "validation range"))
    assert max(len(line.rstrip()) for line in console.export_text().splitlines()) <= 80


def test_noise_is_rarely_called_better_than_the_base_rate():
    """Of 40 markets, each with forecasts that know nothing but vary a little: at most 3 may be said to be better."""
    called = 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        candles = make_candles(list(100 * np.exp(np.cumsum(draw.normal(0, 0.01, 601)))))
        came = rises(candles.column("close"), np.arange(600), SETTINGS)
        told: Any = {"noise": Told(np.append(came.mean() + draw.normal(0, 0.01, 600), 0.5)[:600], float(came.mean()))}
        part: Any = SimpleNamespace(own=candles)
        found = compare_rises(part, np.arange(600), told)
        assert found is not None
        called += found.scores["noise"].sure[0] > 0
    assert called <= 3
