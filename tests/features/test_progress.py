"""Who waits for features sees how far they are; a library call says nothing by itself."""

import time
from functools import partial

import pytest
from rich.console import Console

from features import FeaturePipeline, FeatureSettings, progress, progress_shown, progress_to
from features.progress import begun
from market import simulate

CANDLES = simulate("bitcoin", bars=900, seed=2)
SETTINGS = FeatureSettings(keep_indicators=20)


def test_every_stage_is_told_and_changes_nothing():
    told = []
    with progress_to(lambda *news: told.append(news)):
        fitted = FeaturePipeline(SETTINGS).fit(CANDLES[:600])
        matrix = fitted.transform(CANDLES)
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[-5:] == ["indicators", "correlations", "scales of columns", "look-back", "columns"]
    assert "estimating sarimax" in stages
    for stage in stages:
        counts = [(done, total) for name, done, total in told if name == stage]
        assert counts == sorted(counts)
        assert all(done <= total for done, total in counts)
    assert told[-1] == ("columns", len(fitted.names), len(fitted.names))
    told.clear()
    assert FeaturePipeline(SETTINGS).fit(CANDLES[:600]).transform(CANDLES).values.tobytes() == matrix.values.tobytes()
    assert not told


def wait_for(text, capsys):
    """Everything written to stderr until the text is there; output that came too late would end the test, not pass it."""
    written, deadline = "", time.monotonic() + 20
    while text not in written and time.monotonic() < deadline:
        time.sleep(0.01)
        written += capsys.readouterr().err
    return written


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_long_is_shown_on_stderr_with_its_stage(terminal, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    monkeypatch.setattr(progress, "Console", partial(Console, force_terminal=terminal))
    with progress_shown(), begun("fitting the features") as on_progress:
        assert "fitting the features" in wait_for("fitting the features", capsys)
        on_progress("indicators", 34, 93)
        assert "fitting the features: indicators 34 of 93" in wait_for("34 of 93", capsys)
        on_progress("correlations", 0, 0)
        assert "0 of 0" not in wait_for("correlations", capsys)


def test_what_is_quick_and_a_call_of_the_library_are_silent(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 60.0)
    with progress_shown():
        FeaturePipeline(SETTINGS).fit(CANDLES[:600])
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    FeaturePipeline(SETTINGS).fit(CANDLES[:600])
    assert capsys.readouterr() == ("", "")


def test_the_display_ends_with_an_error():
    with pytest.raises(ValueError, match="broken"), progress_shown(), begun("fitting the features"):
        raise ValueError("broken")
    assert begun("later").__enter__() is progress.quiet
