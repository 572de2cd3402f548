"""The forecaster that looks at charts: what it sees, what it learns from, that it finds a planted pattern and none in noise."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import make_candles
from pydantic import ValidationError

from common import InputError
from evaluation.forecasts.rise_scores import RiseScore, compare_rises
from features import FeaturePipeline, FeatureSettings
from features.epochs import Epoch, Watch
from features.forecasters import ForecastSettings, chart_forecasters, fit_forecaster, rises, windows_of
from features.images import ChartStyle, chart_pictures, draw_charts
from market import Candles, simulate

TINY = {"bars": 5, "filters": 2, "epochs": 2, "learning_rate": 1e-3, "precision": "float32"}
SETTINGS = ForecastSettings(past_bars=8, future_bars=2, rise_bps=0, threads=1, charts=TINY)
CANDLES = simulate("bitcoin", bars=400, seed=8)
TRAIN, STOP = CANDLES[:200], CANDLES[200:300]


def with_charts(settings: ForecastSettings, **changes: object) -> ForecastSettings:
    return settings.model_copy(update={"charts": settings.charts.model_copy(update=changes)})


def with_gap(candles: Candles, *bars: int) -> Candles:
    filled = np.zeros(len(candles), bool)
    filled[list(bars)] = True
    return Candles(candles.frame, candles.bar, candles.symbol, candles.source, filled)


@pytest.fixture
def seen(monkeypatch):
    """The sets of charts that a network is trained on, instead of training it."""
    given: list[Any] = []

    def stop(name, train, validation, settings, watch):
        given.extend([train, validation])
        raise KeyboardInterrupt

    monkeypatch.setattr(chart_forecasters, "fit_pictures", stop)

    def of(train, validation, settings, watch=None):
        given.clear()
        with pytest.raises(KeyboardInterrupt):
            fit_forecaster("chart_cnn", train, validation, settings, watch)
        return given

    return of


def test_it_learns_from_the_chart_of_each_bar_and_whether_the_price_rose_after_it(seen):
    for data, candles in zip(seen(TRAIN, STOP, SETTINGS), (TRAIN, STOP), strict=True):
        ends = np.arange(8, len(candles) - 2)  # with the averages, a chart of 5 bars looks back on 9
        assert data.ends.tolist() == ends.tolist()
        assert data.labels.tolist() == rises(candles.column("close"), ends, SETTINGS).tolist()
        assert data.read(np.arange(len(data)))[:, 0].tobytes() == draw_charts(candles, ends, ChartStyle(5)).tobytes()
        assert (data.classes, data.is_chart) == (("no rise", "rise"), True)


def test_the_settings_decide_what_a_chart_shows(seen):
    train, _ = seen(TRAIN, STOP, with_charts(SETTINGS, bars=20, average=False, volume=False))
    assert train.style == ChartStyle(20, average=False, volume=False)
    assert train.ends[0] == 19


def test_no_chart_reaches_across_a_gap(seen):
    """Neither its window nor the older bars of its averages, nor the bars that it is asked for."""
    train, _ = seen(with_gap(TRAIN, 50, 120), STOP, SETTINGS)
    expected = [end for end in range(8, 198) if not {50, 120} & set(range(end - 8, end + 3))]
    assert train.ends.tolist() == expected
    assert set(expected) <= set(windows_of(with_gap(TRAIN, 50, 120), SETTINGS).ends.tolist())


def test_the_charts_of_a_training_are_drawn_once_and_mapped(seen, tmp_path, monkeypatch):
    first = seen(TRAIN, STOP, SETTINGS, Watch(cache=tmp_path))
    assert len(list((tmp_path / "images").iterdir())) == 2
    read = [data.read(np.arange(len(data))).tobytes() for data in first]
    monkeypatch.setattr(chart_pictures, "draw_charts", lambda *given: pytest.fail("drawn once more"))
    again = seen(TRAIN, STOP, with_charts(SETTINGS, epochs=3), Watch(cache=tmp_path))
    assert [data.read(np.arange(len(data))).tobytes() for data in again] == read


def test_with_a_cache_or_without_the_weights_are_the_same(tmp_path):
    one, other = (fit_forecaster("chart_cnn", TRAIN, STOP, SETTINGS, Watch(cache=cache)) for cache in (None, tmp_path))
    assert one.forecast(CANDLES).tobytes() == other.forecast(CANDLES).tobytes()


def test_too_few_bars_for_a_chart_are_refused_in_one_line():
    with pytest.raises(
        InputError, match="a chart of 20 bars depends on 39 bars without a gap, but no window of 30 bars has as many"
    ):
        fit_forecaster("chart_cnn", CANDLES[:30], STOP, with_charts(SETTINGS, bars=20))


def test_candles_without_volumes_are_drawn_without_them_or_refused():
    frame = CANDLES.frame.assign(volume=0.0, quote_volume=0.0)
    bare = Candles(frame, CANDLES.bar, CANDLES.symbol, "bare.csv")
    with pytest.raises(InputError, match=r"bare.csv has no volumes, .*--features.forecasts.charts.volume false"):
        fit_forecaster("chart_cnn", bare[:200], bare[200:300], SETTINGS)
    without = FeatureSettings(forecasts=SETTINGS).without_volumes().forecasts
    assert not without.charts.volume
    told = fit_forecaster("chart_cnn", bare[:200], bare[200:300], without).probability(bare)
    assert told is not None
    assert np.isfinite(told[7:]).all()


def test_a_model_of_charts_needs_as_many_bars_as_its_charts_depend_on():
    given = {"models": "chart_cnn", "past_bars": 32, "future_bars": 2, "first_fit_bars": 300}
    with pytest.raises(ValidationError, match=r"`first_fit_bars` must be 305 or more for windows of 39 \+ 2 .*lower charts.bars"):
        ForecastSettings.model_validate(given)
    ForecastSettings.model_validate(given | {"charts": {"bars": 5}})
    ForecastSettings.model_validate(given | {"models": "fm"})


def test_a_training_tells_its_epochs():
    epochs: list[Epoch] = []
    fit_forecaster("chart_cnn", TRAIN, STOP, SETTINGS, Watch(epochs.append))
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert all(np.isfinite(epoch.validation_loss) for epoch in epochs)


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path):
    whole = fit_forecaster("chart_cnn", TRAIN, STOP, SETTINGS)

    def killed(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_forecaster("chart_cnn", TRAIN, STOP, SETTINGS, Watch(killed, tmp_path / "checkpoint", cache=tmp_path))
    resumed = fit_forecaster("chart_cnn", TRAIN, STOP, SETTINGS, Watch(checkpoint=tmp_path / "checkpoint"))
    assert resumed.forecast(CANDLES).tobytes() == whole.forecast(CANDLES).tobytes()


def test_columns_are_the_probability_the_end_of_the_path_and_the_members_spread():
    given = SETTINGS.model_copy(update={"models": ("chart_cnn",), "first_fit_bars": 160, "refit_bars": 100, "ensemble": 2})
    fitted = FeaturePipeline(FeatureSettings(indicators=("rsi",), forecasts=given)).fit(CANDLES)
    table = fitted.out_of_fold(CANDLES)
    assert list(table) == ["chart_cnn_probability", "chart_cnn_path_end", "chart_cnn_path_spread"]
    assert table["chart_cnn_probability"].between(0, 1).all()
    assert (table["chart_cnn_path_spread"] > 0).any()
    members: list[Any] = [
        fit_forecaster("chart_cnn", CANDLES[:128], CANDLES[128:160], given.model_copy(update={"seed": seed})) for seed in (0, 1)
    ]
    told = np.mean([member.probability(CANDLES) for member in members], axis=0)
    np.testing.assert_allclose(table["chart_cnn_probability"].to_numpy()[:100], told[160:260], atol=1e-6)


# --- what it finds ----------------------------------------------------------------------------------------------------------

LOOKING = ForecastSettings(
    past_bars=20, future_bars=1, rise_bps=0, threads=1,
    charts={"bars": 20, "filters": 4, "epochs": 12, "learning_rate": 3e-3, "precision": "float32"},
)  # fmt: skip


def planted(bars: int, seed: int, edge: float) -> Candles:
    """If the highest high of the last 20 bars is older than their lowest low, the price rises next, with probability
    (1 + edge) / 2; else it falls with that probability. The last bars alone do not say it: it is where top and bottom stand.
    """
    draw = np.random.default_rng(seed)
    opens, closes, highs, lows = (np.full(bars, 100.0) for _ in range(4))
    for bar in range(1, bars):
        window = slice(max(bar - 20, 0), bar)
        rises_next = 1 if np.argmax(highs[window]) < np.argmin(lows[window]) else -1
        sign = rises_next * (1 if draw.random() < (1 + edge) / 2 else -1)
        opens[bar] = closes[bar - 1]
        closes[bar] = opens[bar] * np.exp(sign * abs(draw.normal(0.004, 0.002)))
        highs[bar] = max(opens[bar], closes[bar]) * np.exp(abs(draw.normal(0, 0.002)))
        lows[bar] = min(opens[bar], closes[bar]) * np.exp(-abs(draw.normal(0, 0.002)))
    volume = draw.lognormal(0, 0.5, bars)
    return make_candles(list(closes), list(opens), volume, list(highs), list(lows))


def score_of(candles: Candles) -> RiseScore:
    """On bars after those that were learned from."""
    first, second = len(candles) // 2, len(candles) * 5 // 8
    fitted = fit_forecaster("chart_cnn", candles[:first], candles[first:second], LOOKING)
    part: Any = SimpleNamespace(own=candles[second:])
    ends = np.arange(LOOKING.charts.style.bars_back - 1, len(part.own) - 1)
    found = compare_rises(part, ends, {"chart_cnn": fitted})
    assert found is not None
    return found.scores["chart_cnn"]


@pytest.mark.slow
def test_a_planted_pattern_of_twenty_bars_is_found():
    """The best forecast has an AUC of about 0.8 and is right in 80 %."""
    score = score_of(planted(6_000, seed=0, edge=0.6))
    assert score.auc is not None
    assert score.auc_interval is not None
    assert score.auc_interval[0] > 0.65, score
    assert score.interval[0] > 0.05, score
    assert 0.7 < score.auc < 0.85, score


@pytest.mark.slow
def test_in_noise_no_pattern_is_found():
    score = score_of(planted(6_000, seed=1, edge=0.0))
    assert score.auc is not None
    assert score.auc_interval is not None
    assert score.auc_interval[0] < 0.5 < score.auc_interval[1], score
    assert abs(score.auc - 0.5) < 0.05, score
    assert score.sure[0] < 0.0, score
