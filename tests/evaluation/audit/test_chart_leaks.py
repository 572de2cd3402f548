"""The leak audit of forecasts from charts: the project's own pass, and charts that peek are caught."""

import numpy as np
import pytest

from evaluation import leak_audit
from evaluation.audit import AuditReport
from features import FeaturePipeline, FeatureSettings
from features.forecasters import ForecastSettings, walk_forward_models
from features.images import chart_pictures, draw_charts
from market import simulate

CANDLES = simulate("bitcoin", bars=800, seed=2)
FORECASTS = ForecastSettings(
    models=("chart_cnn",), first_fit_bars=250, refit_bars=150, ensemble=1, past_bars=16, future_bars=4, rise_bps=20, threads=1,
    charts={"bars": 5, "filters": 2, "epochs": 1, "learning_rate": 1e-2, "precision": "float32"},
)  # fmt: skip


def audited() -> AuditReport:
    settings = FeatureSettings(indicators=("rsi",), volatility_bars=(6,), forecasts=FORECASTS)
    return leak_audit(CANDLES, FeaturePipeline(settings), cuts=1, only=("causal features", "fitted on train", "out of fold"))


def columns_of(report: AuditReport, check: str) -> set[str]:
    return {finding.column for finding in report[check].findings}


@pytest.mark.slow
def test_forecasts_from_charts_pass():
    report = audited()
    assert report.passed, report.verdict
    assert report["out of fold"].verdict == "clean"


@pytest.mark.slow
def test_a_chart_that_shows_the_next_bar_is_caught(monkeypatch):
    def peeking(candles, ends, style):
        return draw_charts(candles, np.minimum(ends + 1, len(candles) - 1), style)

    monkeypatch.setattr(chart_pictures, "draw_charts", peeking)
    assert "chart_cnn_probability" in columns_of(audited(), "causal features")


@pytest.mark.slow
def test_a_chart_that_is_scaled_by_the_whole_file_is_caught(monkeypatch):
    """Its row of the close tells how far the price stands below the highest one that will ever come."""

    def scaled(candles, ends, style):
        low, high = candles.column("low").min(), candles.column("high").max()
        charts = draw_charts(candles, ends, style)
        level = (candles.column("close")[ends] - low) / (high - low)
        charts[np.arange(len(ends)), ((1 - level) * (style.height - 1)).astype(int)] = 255
        return charts

    monkeypatch.setattr(chart_pictures, "draw_charts", scaled)
    assert "chart_cnn_probability" in columns_of(audited(), "causal features")


@pytest.mark.slow
def test_a_network_that_was_trained_on_the_charts_it_is_asked_for_is_caught(monkeypatch):
    newest = lambda newest, first: [(int(newest[-1]), slice(first, len(newest)))]  # noqa: E731
    monkeypatch.setattr(walk_forward_models, "_stretches", newest)
    assert {"chart_cnn_probability", "chart_cnn_path_end"} <= columns_of(audited(), "out of fold")


@pytest.mark.slow
def test_labels_that_reach_beyond_the_mark_are_caught(monkeypatch):
    """No purge: the last label of a model is made of closes that its first forecast comes before."""
    fit, whole = walk_forward_models.fit_walk_forward, {}

    def remember(candles, settings):
        whole["train"] = candles
        return fit(candles, settings)

    def unpurged(name, before):
        longer = whole["train"][: len(before) + 30]
        return longer, longer

    monkeypatch.setattr(walk_forward_models, "fit_and_stop", unpurged)
    monkeypatch.setattr("features.forecasters.fit_walk_forward", remember)
    assert "chart_cnn_probability" in columns_of(audited(), "out of fold")
