"""The leak audit catches what it must, by name, and accuses nobody else: features and what was fitted."""

import numpy as np
import pandas as pd
import pytest
from leaks import CANDLES, CUTS, LEAKS, TRAIN_BARS, Columns, Leak, Scaled, WholeSeries, basic, returns

from common import InputError
from envs import EnvSettings
from evaluation.audit import AuditReport, another_future, leak_audit
from evaluation.audit.futures import KINDS, REMOVED, busiest_bar, dense_cuts, whole_cuts
from features import INDICATORS, FeaturePipeline, FeatureSettings, Indicator
from features.forecasters import ForecastSettings, walk_forward_models
from features.settings import SarimaxSettings
from market import Candles, read_candles, simulate

FORECASTS = ForecastSettings(
    models="linear,cnn", past_bars=32, future_bars=4, conv_layers=4, first_fit_bars=400, refit_bars=200, ensemble=2, epochs=2,
    threads=1,
)  # fmt: skip


def audit(pipeline=None, **options) -> AuditReport:
    return leak_audit(CANDLES, pipeline, train_bars=TRAIN_BARS, cuts=CUTS, **options)


ALL_LEAKS = [pytest.param(leak, id=leak.name, marks=[pytest.mark.slow] if leak.slow else []) for leak in LEAKS]


@pytest.mark.parametrize("leak", ALL_LEAKS)
def test_each_of_the_leaks_is_caught(leak: Leak):
    report = audit(**leak.leaky, only=(leak.check,))
    assert not report.passed
    assert leak.column in [finding.column for finding in report[leak.check].findings], report.verdict
    assert report.verdict.startswith("LEAK: ")


@pytest.mark.parametrize("leak", ALL_LEAKS)
def test_the_honest_twin_of_each_leak_passes(leak: Leak):
    """The check that catches the leak; the next test makes all checks."""
    report = audit(**leak.honest, only=(leak.check,))
    assert report.passed, report.verdict
    assert report[leak.check].made


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_the_honest_twin_of_each_leak_passes_all_checks(leak: Leak):
    report = audit(**leak.honest)
    assert report.passed, report.verdict


def test_a_finding_names_the_first_column_and_bar():
    """The centred mean of 5 at the first row reads two bars ahead, and is cut off at the last bar that is left."""
    leak = next(leak for leak in LEAKS if leak.name == "centred rolling mean")
    finding = audit(**leak.leaky, only=("causal features",))["causal features"].findings[0]
    assert (finding.column, finding.bar, finding.time) == ("trend", 1, CANDLES.index[1])
    assert "trend at 2017-01-01 01:00 (bar 1): " in str(finding)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(FeatureSettings(), marks=pytest.mark.slow),
        FeatureSettings(indicators=("rsi", "ema_8"), volatility_bars=(6,)),
        pytest.param(
            FeatureSettings(differencing="both", fractional_threshold=1e-3, scaler="minmax", window=3), marks=pytest.mark.slow
        ),
        pytest.param(
            FeatureSettings(indicators=("rsi", "adx"), scaler="standard", sarimax=SarimaxSettings(refit_bars=200, fit_bars=150)),
            marks=pytest.mark.slow,
        ),
        pytest.param(FeatureSettings(indicators=("rsi",), forecasts=FORECASTS), marks=pytest.mark.slow),
    ],
    ids=["default", "a few columns", "both differences, stacked", "walk-forward SARIMAX", "forecasters"],
)
def test_the_features_of_this_project_pass(settings):
    report = leak_audit(simulate("bitcoin", bars=1_400, seed=2), FeaturePipeline(settings), cuts=2)
    assert report.passed, report.verdict


@pytest.mark.slow
def test_one_model_of_all_of_train_is_caught_in_the_whole_pipeline(monkeypatch):
    """The models are all there, but the newest one is used for every bar."""
    newest = lambda newest, first: [(int(newest[-1]), slice(first, len(newest)))]  # noqa: E731
    monkeypatch.setattr(walk_forward_models, "_stretches", newest)
    settings = FeatureSettings(indicators=("rsi",), forecasts=FORECASTS)
    report = leak_audit(simulate("bitcoin", bars=1_400, seed=2), FeaturePipeline(settings), cuts=1)
    assert "linear_path_end" in [finding.column for finding in report["out of fold"].findings]


@pytest.mark.slow
def test_the_default_features_pass_on_real_candles(coinbase_hourly):
    report = leak_audit(read_candles(coinbase_hourly, repair=True)[:6_000], cuts=2)
    assert report.passed, report.verdict
    assert (report.drift["1000 bars on"] == 0).all()


@pytest.mark.slow
def test_an_indicator_that_peeks_is_caught_in_the_whole_pipeline(monkeypatch):
    ahead = Indicator(lambda bars: bars.close.shift(-1) / bars.close - 1, warmup=0, neutral=0.0)
    monkeypatch.setitem(INDICATORS, "ahead", ahead)
    report = audit(FeaturePipeline(FeatureSettings(indicators=("rsi", "ahead"))))
    assert [finding.column for finding in report["causal features"].findings] == ["ahead"]
    assert report["fitted on train"].verdict == "clean"


@pytest.mark.slow
def test_the_whole_pipeline_fitted_on_everything_is_caught():
    """The scaler, the choice of indicators, SARIMAX: each of the things that are estimated shows."""
    few = FeatureSettings(indicators=("rsi", "stochastic", "williams_r", "ema_8", "ema_24"), keep_indicators=2)
    found = {finding.column.split("[")[0] for finding in audit(WholeSeries(FeaturePipeline(few)))["fitted on train"].findings}
    assert {"center", "scale", "sarimax/params"} <= found


# --- every check can fail ------------------------------------------------------------------------------------------------


def test_a_leak_of_a_single_hour_is_caught():
    """Wrong at one hour of the day only: between a few cuts of the whole series nobody would see it."""

    def peeks_at_five(candles: Candles) -> pd.DataFrame:
        ahead = returns(candles).shift(-1).where(candles.index.hour == 17, 0.0).fillna(0.0)
        return basic(candles).assign(five_pm=ahead)

    finding = audit(Columns(peeks_at_five), only=("causal features",))["causal features"].findings[0]
    assert finding.column == "five_pm"
    assert finding.time is not None
    assert finding.time.hour == 17


def test_a_leak_that_clipping_hides_at_the_known_price_is_caught():
    """The highest close of all, clipped where it is below the double of the current one: another market of that level is too."""

    def all_time_high(candles: Candles) -> pd.DataFrame:
        ratio = candles.frame.close.max() / candles.frame.close
        return basic(candles).assign(high=np.clip(ratio, 20.0, 50.0))

    report = audit(Columns(all_time_high), only=("causal features",))
    assert {finding.column for finding in report["causal features"].findings} == {"high"}


def test_a_row_beside_the_wrong_candle_is_caught():
    class Shifted(Scaled):
        def transform(self, candles):
            rows = super().transform(candles)
            return rows.set_axis(pd.DatetimeIndex(rows.index) - pd.Timedelta("1h"))

    class Fits(Columns):
        def fit(self, train):
            return Shifted(**vars(super().fit(train)))

    finding = audit(Fits(basic), env=EnvSettings(), only=("aligned rows", "causal env"))["aligned rows"].findings[0]
    assert (finding.column, finding.bar) == ("index", 1)


def test_a_missing_row_is_caught():
    class Short(Scaled):
        def transform(self, candles):
            rows = super().transform(candles)
            middle = len(rows) // 2
            return rows.drop(rows.index[middle : middle + 1])

    class Fits(Columns):
        def fit(self, train):
            return Short(**vars(super().fit(train)))

    finding = audit(Fits(basic), only=("aligned rows",))["aligned rows"].findings[0]
    assert (finding.column, finding.bar) == ("index", 2)  # it looks like a warm-up of two bars, until the labels are read


def test_a_column_that_depends_on_the_beginning_is_named_with_its_drift():
    report = audit(Columns(lambda candles: basic(candles).assign(obv=(returns(candles) * candles.frame.volume).cumsum())))
    assert report.passed, report.verdict  # another column live than in the backtest, and no leak
    assert [note.split()[0] for note in report["start dates"].notes] == ["obv"]
    assert report.drift["168 bars on"]["obv"] > 0.1
    assert np.nanmax(report.drift.drop("obv").to_numpy()) == 0
    assert report.drift["1000 bars on"].isna().all()  # of 640


def test_a_look_back_that_is_too_short_is_caught():
    class Live(Scaled):
        lookback = 12  # of a mean over 24

    class Fits(Columns):
        def fit(self, train):
            return Live(**vars(super().fit(train)))

    def slow(candles: Candles) -> pd.DataFrame:
        return basic(candles).assign(slow=returns(candles).rolling(24, min_periods=1).mean())

    finding = audit(Fits(slow), only=("look-back",))["look-back"].findings[0]
    assert finding.column == "slow"
    assert "the last 12 bars alone" in finding.detail


def test_a_column_that_is_looked_up_instead_of_computed_is_caught():
    """What was computed once, with whatever was known then, and is joined by time: no other candles can move it."""
    smooth = CANDLES.frame.close.rolling(5, center=True, min_periods=1).mean() / CANDLES.frame.close - 1

    def joined(candles: Candles) -> pd.DataFrame:
        return basic(candles).assign(trend=smooth.reindex(candles.index).fillna(0.0))

    report = audit(Columns(joined))
    assert report["causal features"].verdict == "clean"
    assert [finding.column for finding in report["candles alone"].findings] == ["trend"]


def test_the_clock_is_not_a_leak():
    def clock(candles: Candles) -> pd.DataFrame:
        return basic(candles).assign(hour=np.sin(candles.index.hour / 24), month=candles.index.month / 12)

    report = audit(Columns(clock))
    assert report.passed, report.verdict
    assert "no candle moves hour, month" in report["candles alone"].notes


def test_what_was_fitted_once_on_more_than_train_is_caught():
    """A file of fitted features says nothing of what it was fitted on; fitted again on train, it shows."""
    pipeline = Columns(basic)
    honest, leaky = pipeline.fit(CANDLES[:TRAIN_BARS]), pipeline.fit(CANDLES)
    only = ("fitted on train",)
    assert audit(pipeline, fitted=honest, only=only).passed
    assert "center[move]" in [finding.column for finding in audit(pipeline, fitted=leaky, only=only).findings]


def test_a_fit_that_returns_its_own_object_is_not_accused():
    class Itself(Columns):
        def fit(self, train):
            self.fitted = super().fit(train)
            return self

        def transform(self, candles):
            return self.fitted.transform(candles)

    report = audit(Itself(basic))
    assert report.passed, report.verdict


def test_a_transform_that_fails_on_another_future_is_a_finding_and_no_crash():
    def picky(candles: Candles) -> pd.DataFrame:
        if candles.frame.close.max() > 100 * candles.frame.close.iloc[0]:
            raise ValueError("too expensive")
        return basic(candles)

    report = audit(Columns(picky))
    assert "`transform` raised ValueError: too expensive, when the bars after" in report["causal features"].findings[0].detail
    assert report["fitted on train"].findings == ()
    assert report["candles alone"].findings[0].detail == "on other candles: `transform` raised ValueError: too expensive"


# --- other futures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_another_future_keeps_the_past_to_the_bit(kind):
    other = another_future(CANDLES, 500, kind, seed=0)
    pd.testing.assert_frame_equal(other.frame[:501], CANDLES.frame[:501], check_exact=True)
    assert len(other) == (501 if kind == REMOVED else len(CANDLES))
    assert not (other.frame[501:] == CANDLES.frame[501 : len(other)]).any().any()


def test_a_future_of_another_level_is_there():
    level = {kind: another_future(CANDLES, 500, kind, seed=0).frame.close.iloc[510] for kind in KINDS if kind != REMOVED}
    known = CANDLES.frame.close.iloc[500]
    assert 0.5 < level["another market"] / known < 2
    assert 500 < level["a thousandfold"] / known < 2_000
    assert 0.0005 < level["a thousandth"] / known < 0.002


def test_cuts_lie_where_leaks_show():
    whole = {cut.bar for cut in whole_cuts(CANDLES, 50, TRAIN_BARS, 8, seed=0)}
    assert {TRAIN_BARS - 1, len(CANDLES) - 2, busiest_bar(CANDLES, 50) - 1} <= whole
    assert len(whole) == 8
    dense = {cut.bar for cut in dense_cuts(CANDLES, 50, 2)}
    assert set(range(50, 90)) <= dense  # the first rows
    hours = {CANDLES.index[bar].hour for bar in dense}
    assert hours == set(range(24))


def test_the_same_seed_gives_the_same_audit():
    one, two = (audit(Columns(basic), seed=3, only=("causal features", "start dates")) for _ in range(2))
    assert [check.cases for check in one.checks] == [check.cases for check in two.checks]
    pd.testing.assert_frame_equal(one.drift, two.drift, check_exact=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cuts": 0}, "1 cut or more, but got 0"),
        ({"seed": -1}, "`seed >= 0`, but got -1"),
        ({"train_bars": 20}, "50 bars of train and 50 after it, but train is 20 of 640 bars"),
        ({"train_bars": 600}, "train is 600 of 640 bars"),
    ],
)
def test_an_audit_that_cannot_be_made_says_why(options, words):
    with pytest.raises(InputError, match=words):
        leak_audit(CANDLES, Columns(basic), **options)


def test_a_check_that_is_not_there_is_named():
    with pytest.raises(InputError, match="there is no check 'fills'; there are fitted on train, "):
        audit(Columns(basic))["fills"]
