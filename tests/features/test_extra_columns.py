"""Columns beside the candles become features that are known when they are said to be, and that the audit holds to that."""

import numpy as np
import pandas as pd
import pytest

from common import InputError
from evaluation import leak_audit
from features import FeaturePipeline, FeatureSettings
from market import Candles, simulate

BARS = 500
PLAIN = simulate("bitcoin", BARS, seed=1)
RNG = np.random.default_rng(0)
FUNDING = np.where(np.arange(BARS) % 8 == 0, 1e-4 * RNG.normal(size=BARS), np.nan)
INTEREST = 80_000 * np.exp(np.cumsum(RNG.normal(0, 0.01, BARS)))


def with_extra(**columns):
    frame = PLAIN.frame.assign(**columns)
    return Candles.from_frame(frame, symbol="BTC/USD")


CANDLES = with_extra(funding_rate=FUNDING, open_interest=INTEREST)


def settings(**given):
    return FeatureSettings(
        indicators=(), sarimax={"forecast_len": 0}, volatility_bars=(), calendar=False, scaler="standard", clip=99, **given
    )


def columns_of(candles, **given):
    """Unscaled columns by name, and the first bar that has them."""
    fitted = FeaturePipeline(settings(**given)).fit(candles)
    matrix = fitted.transform(candles)
    return pd.DataFrame(matrix.values * fitted.scale + fitted.center, columns=fitted.names), matrix.warmup


def test_each_form_of_an_extra_column_is_what_it_says():
    table, first = columns_of(CANDLES, extra="funding_rate,open_interest,open_interest:diff,open_interest:log")
    np.testing.assert_allclose(table["extra_open_interest"], INTEREST[first:], rtol=1e-6)
    np.testing.assert_allclose(table["extra_open_interest_diff"], np.diff(INTEREST)[first - 1 :], rtol=1e-3, atol=1)
    np.testing.assert_allclose(table["extra_open_interest_log"], np.diff(np.log(INTEREST))[first - 1 :], rtol=1e-3, atol=1e-7)
    held = pd.Series(FUNDING).ffill().to_numpy()[first:]
    np.testing.assert_allclose(table["extra_funding_rate"], held, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_a_value_is_known_its_delay_after_the_close_of_its_bar(delay):
    table, first = columns_of(CANDLES, extra="open_interest", extra_delay_bars=delay)
    np.testing.assert_allclose(table["extra_open_interest"], INTEREST[first - delay : BARS - delay], rtol=1e-6)


def test_changing_extra_values_changes_nothing_before_them():
    pipeline = FeaturePipeline(settings(extra="funding_rate,open_interest:log"))
    fitted = pipeline.fit(CANDLES[:300])
    changed = with_extra(
        funding_rate=np.where(np.arange(BARS) > 400, 9.0, FUNDING), open_interest=np.where(np.arange(BARS) > 400, 1.0, INTEREST)
    )
    one, two = (fitted.transform(candles).values[: 401 - fitted.warmup] for candles in (CANDLES, changed))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(fitted.transform(CANDLES[:400]).values, fitted.transform(CANDLES).values[: 400 - fitted.warmup])


def test_before_the_first_value_stands_the_median_of_train():
    late = with_extra(open_interest=np.where(np.arange(BARS) < 100, np.nan, INTEREST))
    table, first = columns_of(late, extra="open_interest")
    np.testing.assert_allclose(table["extra_open_interest"].iloc[: 100 - first], np.median(INTEREST[100:]), rtol=1e-5)
    for form in ("diff", "log"):  # from nothing to a first value is no change
        table, first = columns_of(late, extra=f"open_interest:{form}")
        changes = table[f"extra_open_interest_{form}"]
        size = np.abs(changes.iloc[101 - first :]).max()
        assert np.abs(changes.iloc[: 101 - first]).max() < 1e-3 * size


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("funding", "did you mean 'funding_rate'"),
        ("funding_rate:log", r"above 0, but `funding_rate` .*ask for funding_rate:diff"),
        ("empty", "needs a value on train, but `empty`"),
    ],
)
def test_an_extra_column_that_cannot_be_used_is_one_line(extra, message):
    candles = with_extra(funding_rate=FUNDING, empty=np.where(np.arange(BARS) > 400, np.arange(BARS), np.nan))
    with pytest.raises(InputError, match=message):
        FeaturePipeline(settings(extra=extra)).fit(candles[:300])
    with pytest.raises(InputError, match="no extra column"):
        FeaturePipeline(settings(extra=extra)).fit(PLAIN)


@pytest.mark.parametrize("extra", ["funding_rate:lag", "funding_rate,funding_rate"])
def test_a_form_that_does_not_exist_is_refused(extra):
    with pytest.raises(ValueError, match=r"form of an extra column|named once"):
        settings(extra=extra)


def test_the_audit_finds_an_extra_column_that_knows_the_next_bar():
    moves = PLAIN.frame["close"].pct_change().to_numpy()
    early = with_extra(signal=np.append(moves[1:], 0.0))
    known = with_extra(signal=moves)
    only = ("causal features", "known in time")
    pipeline = FeaturePipeline(settings(extra="signal"))
    assert not leak_audit(early, pipeline, cuts=1, only=only).passed
    assert leak_audit(known, pipeline, cuts=1, only=only).passed
    assert leak_audit(early, FeaturePipeline(settings()), cuts=1, only=only).passed  # it is there, and nobody uses it


def test_candles_without_volumes_leave_out_what_is_made_of_them():
    bare = Candles.from_frame(PLAIN.frame[["open", "high", "low", "close"]])
    chosen = FeatureSettings(indicators="rsi,obv_change,pvo", sarimax={"forecast_len": 0})
    fitted = FeaturePipeline(chosen).fit(bare)
    assert [name for name in fitted.names if "volume" in name or name in ("obv_change", "pvo")] == []
    assert "has no volumes" in fitted.notes[0]
    assert {"d_log_close", "rsi"} <= set(fitted.names)
    assert "d_log_volume" in FeaturePipeline(chosen).fit(PLAIN).names
