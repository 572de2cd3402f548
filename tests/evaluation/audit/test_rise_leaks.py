"""The leak audit of the probabilities of a rise: the project's own pass, and each way in which they could peek is caught."""

import numpy as np
import pytest

from evaluation import leak_audit
from evaluation.audit import AuditReport
from features import FeaturePipeline, FeatureSettings
from features.forecasters import ForecastSettings, candle_fields, rise_forecasters, walk_forward_models
from market import simulate

CANDLES = simulate("bitcoin", bars=1_400, seed=2)
FORECASTS = ForecastSettings(
    models=("fm",), first_fit_bars=400, refit_bars=200, ensemble=1, past_bars=32, future_bars=4, rise_bps=20, threads=1,
    fields=("hour", "signs_2", "range_24", "volatility_6"), interactions={"epochs": 2},
)  # fmt: skip


def audited() -> AuditReport:
    settings = FeatureSettings(indicators=("rsi",), volatility_bars=(6,), forecasts=FORECASTS)
    return leak_audit(CANDLES, FeaturePipeline(settings), cuts=1, only=("causal features", "fitted on train", "out of fold"))


def columns_of(report: AuditReport, check: str) -> set[str]:
    return {finding.column for finding in report[check].findings}


@pytest.mark.slow
def test_the_probabilities_of_a_rise_pass():
    report = audited()
    assert report.passed, report.verdict
    assert report["out of fold"].verdict == "clean"


@pytest.mark.slow
def test_a_model_that_was_trained_on_the_bars_it_is_asked_for_is_caught(monkeypatch):
    """The commonest leak of stacked forecasts: in-sample probabilities."""
    newest = lambda newest, first: [(int(newest[-1]), slice(first, len(newest)))]  # noqa: E731
    monkeypatch.setattr(walk_forward_models, "_stretches", newest)
    assert {"fm_probability", "fm_path_end"} <= columns_of(audited(), "out of fold")


@pytest.mark.slow
def test_labels_that_reach_beyond_the_mark_are_caught(monkeypatch):
    """No purge: the last label of a model is made of closes that its first forecast comes before."""
    train = walk_forward_models.fit_walk_forward
    whole = {}

    def remember(candles, settings):
        whole["train"] = candles
        return train(candles, settings)

    def unpurged(name, before):
        longer = whole["train"][: len(before) + 30]
        return longer, longer

    monkeypatch.setattr(walk_forward_models, "fit_and_stop", unpurged)
    monkeypatch.setattr("features.forecasters.fit_walk_forward", remember)
    assert "fm_probability" in columns_of(audited(), "out of fold")


@pytest.mark.slow
def test_bins_of_all_of_train_are_caught(monkeypatch):
    """The model is of the bars before, but its bins know how far prices will swing."""
    fit_edges, train = rise_forecasters.fit_edges, {}

    def remember(candles, settings):
        train["all"] = candles
        return fit(candles, settings)

    fit = walk_forward_models.fit_walk_forward
    monkeypatch.setattr("features.forecasters.fit_walk_forward", remember)
    monkeypatch.setattr(rise_forecasters, "fit_edges", lambda candles, names, bins: fit_edges(train["all"], names, bins))
    assert "fm_probability" in columns_of(audited(), "out of fold")


@pytest.mark.slow
def test_a_field_of_the_next_bar_is_caught(monkeypatch):
    honest = candle_fields._categories

    def peeking(candles, name):
        codes = honest(candles, name)
        return np.append(codes[1:], codes[-1:]) if name.startswith("signs_") else codes

    monkeypatch.setattr(candle_fields, "_categories", peeking)
    assert "fm_probability" in columns_of(audited(), "causal features")
