"""SARIMAX forecasts: equal to statsmodels' own, causal to the bit, and plain about a fit that fails."""

import warnings

import numpy as np
import pytest
from helpers import make_candles
from statsmodels.tools.sm_exceptions import ConvergenceWarning
from statsmodels.tsa.arima.estimators import innovations
from statsmodels.tsa.statespace.sarimax import SARIMAX

from common import InputError
from features import FeaturePipeline, FeatureSettings, sarimax
from features.sarimax import PERCENT, SarimaxSettings, fit_sarimax, forecasts, notes, warmup
from market import Candles, read_candles, simulate

CANDLES = simulate("bitcoin", bars=1_600, seed=5)
TRAIN = CANDLES[:1_000]
MODELS = [
    ((1, 0, 1), (0, 0, 0, 0)), ((1, 0, 0), (0, 0, 0, 0)), ((0, 0, 2), (0, 0, 0, 0)), ((3, 0, 2), (0, 0, 0, 0)),
    ((1, 1, 1), (0, 0, 0, 0)), ((1, 0, 1), (1, 0, 0, 12)), ((0, 0, 1), (0, 1, 1, 6)),
]  # fmt: skip


def settings_of(order=(1, 0, 1), seasonal_order=(0, 0, 0, 0), **more) -> SarimaxSettings:
    return SarimaxSettings(
        order=order, seasonal_order=seasonal_order, **({"forecast_len": 10, "confidence_interval": 0.9} | more)
    )


def refiltered(candles: Candles, settings: SarimaxSettings, params: np.ndarray, bar: int) -> np.ndarray:
    """What statsmodels forecasts at a bar from the candles up to it alone, as (10, 3)."""
    returns = PERCENT * np.diff(np.log(candles.column("close")[: bar + 1]))
    model = SARIMAX(returns, order=settings.order, seasonal_order=settings.seasonal_order)
    model.tolerance = 0  # else it stops updating the covariance early, and is off in the seventh digit itself
    forecast = model.filter(params).get_forecast(settings.forecast_len)
    ends = forecast.conf_int(alpha=1 - settings.confidence_interval)
    return np.column_stack([forecast.predicted_mean, ends]) / PERCENT


def require_equal_at(bars: np.ndarray, candles: Candles, settings: SarimaxSettings, estimates: dict[str, np.ndarray]) -> None:
    ours = forecasts(candles, settings, estimates).to_numpy().reshape(len(candles), -1, 3)
    for bar in bars:
        theirs = refiltered(candles, settings, estimates["params"], int(bar))
        np.testing.assert_allclose(ours[bar], theirs, rtol=0, atol=1e-8 / PERCENT)


@pytest.mark.parametrize(("order", "seasonal_order"), MODELS)
def test_every_horizon_equals_statsmodels_forecast_refiltered_at_the_bar(order, seasonal_order):
    settings = settings_of(order, seasonal_order)
    estimates = fit_sarimax(TRAIN, settings)
    bars = np.random.default_rng(0).integers(warmup(settings), len(CANDLES), 12)
    require_equal_at(bars, CANDLES, settings, estimates)


@pytest.mark.slow
def test_on_real_candles_too_at_200_random_bars(coinbase_hourly):
    candles, settings = read_candles(coinbase_hourly)[:6_000], settings_of()
    estimates = fit_sarimax(candles[:3_600], settings)
    require_equal_at(np.random.default_rng(1).integers(10, len(candles), 200), candles, settings, estimates)


@pytest.mark.parametrize(("order", "seasonal_order"), MODELS[:1] + MODELS[4:])
@pytest.mark.parametrize("refit_bars", [0, 150])
def test_a_prefix_gives_the_first_rows_to_the_bit(order, seasonal_order, refit_bars):
    settings = settings_of(order, seasonal_order, refit_bars=refit_bars, fit_bars=400)
    estimates = fit_sarimax(TRAIN, settings)
    whole = forecasts(CANDLES, settings, estimates).to_numpy()
    for n in (1, 2, 11, 401, 700, 899, 900, 901, 1_599):
        assert forecasts(CANDLES[:n], settings, estimates).to_numpy().tobytes() == whole[:n].tobytes()


def test_columns_are_the_mean_and_both_ends_of_each_horizon_and_are_finite_after_the_warm_up():
    settings = settings_of(forecast_len=2)
    rows = forecasts(CANDLES, settings, fit_sarimax(TRAIN, settings))
    assert list(rows) == [f"sarimax_{what}_{k}" for k in (1, 2) for what in ("mean", "low", "high")]
    assert rows.iloc[: warmup(settings)].isna().all(axis=None)
    assert np.isfinite(rows.iloc[warmup(settings) :]).all(axis=None)
    assert (rows.sarimax_low_1 <= rows.sarimax_mean_1)[warmup(settings) :].all()


def test_the_interval_holds_as_many_returns_as_it_says():
    """On returns that the model describes, over bars that it was not fitted on."""
    noise = np.random.default_rng(3).normal(0, 0.01, 4_000)
    close = 100 * np.exp(np.cumsum(noise[1:] + 0.5 * noise[:-1]))
    candles = make_candles(close)
    for level in (0.5, 0.9):
        settings = settings_of((0, 0, 1), forecast_len=1, confidence_interval=level)
        rows = forecasts(candles, settings, fit_sarimax(candles[:2_000], settings))[2_000:-1]
        following = np.diff(np.log(candles.column("close")))[2_000:]
        inside = (rows.sarimax_low_1 < following) & (following < rows.sarimax_high_1)
        assert inside.mean() == pytest.approx(level, abs=0.03)
        assert np.corrcoef(rows.sarimax_mean_1, following)[0, 1] > 0.35  # MA(1) with 0.5: sqrt(0.2) = 0.447


def test_the_estimate_recovers_a_known_model():
    noise = np.random.default_rng(4).normal(0, 0.01, 8_000)
    returns = np.zeros(8_000)
    for t in range(1, 8_000):
        returns[t] = 0.6 * returns[t - 1] + noise[t] - 0.2 * noise[t - 1]
    params = fit_sarimax(make_candles(100 * np.exp(np.cumsum(returns))), settings_of())["params"]
    np.testing.assert_allclose(params, [0.6, -0.2, 1.0], atol=0.05)  # of returns in per cent: variance 1


def test_the_likelihood_is_not_below_that_of_statsmodels_own_fit():
    returns = PERCENT * np.diff(np.log(TRAIN.column("close")))
    for order in ((1, 0, 1), (2, 0, 1)):
        model = SARIMAX(returns, order=order)
        with warnings.catch_warnings(action="ignore"):
            theirs = model.fit(disp=0).llf
        assert model.loglike(fit_sarimax(TRAIN, settings_of(order))["params"]) > theirs - 0.01


# --- walk forward -------------------------------------------------------------------------------------------------------


def test_walk_forward_equals_an_estimate_on_the_bars_before_each_mark():
    settings, once = settings_of(refit_bars=200, fit_bars=400), settings_of()
    rows = forecasts(CANDLES, settings, {}).to_numpy()
    number = CANDLES.index[0].value // CANDLES.bar.value
    mark = next(bar for bar in range(700, 900) if (number + bar) % 200 == 0)
    known = CANDLES[mark - 400 : mark]
    expected = forecasts(CANDLES[mark - 400 : mark + 200], once, fit_sarimax(known, once)).to_numpy()[400:]
    np.testing.assert_allclose(rows[mark : mark + 200], expected, rtol=0, atol=1e-12)


def test_walk_forward_does_not_depend_on_where_the_candles_begin():
    settings = settings_of(refit_bars=100, fit_bars=300)
    whole = forecasts(CANDLES, settings, {}).to_numpy()
    later = forecasts(CANDLES[137:], settings, {}).to_numpy()
    first = warmup(settings)
    assert later[first:].tobytes() == whole[137 + first :].tobytes()


def test_walk_forward_estimates_nothing_on_train():
    settings = settings_of(refit_bars=100, fit_bars=300)
    assert fit_sarimax(TRAIN, settings) == {}
    assert notes({}, settings) == []


def test_walk_forward_states_its_memory_in_the_look_back():
    settings = {"sarimax": {"refit_bars": 100, "fit_bars": 300}, "indicators": (), "volatility_bars": (6,)}
    fitted = FeaturePipeline(FeatureSettings.model_validate(settings)).fit(TRAIN)
    assert 401 <= fitted.lookback < 700
    whole = fitted.transform(CANDLES)
    for end in np.random.default_rng(2).integers(fitted.lookback, len(CANDLES), 20):
        alone = fitted.transform(CANDLES[end - fitted.lookback : end])
        np.testing.assert_allclose(alone.values[-1], whole.values[end - 1 - whole.warmup], rtol=0, atol=1e-6)


# --- when it fails ------------------------------------------------------------------------------------------------------


def test_a_market_that_never_moves_gets_white_noise_and_says_so():
    flat = make_candles(np.full(600, 100.0))
    estimates = fit_sarimax(flat, settings_of())
    assert "did not converge on train; its forecasts are those of white noise" in notes(estimates, settings_of())[0]
    rows = forecasts(flat, settings_of(), estimates).to_numpy()[10:]
    assert (rows == 0).all()


def test_a_search_that_does_not_converge_falls_back_to_the_state_space_likelihood(monkeypatch):
    sarimax._estimate.cache_clear()
    monkeypatch.setattr(sarimax, "_by_innovations", lambda *_: None)
    estimates = fit_sarimax(TRAIN, settings_of())
    assert "converged on train only by the state-space likelihood" in notes(estimates, settings_of())[0]
    sarimax._estimate.cache_clear()
    monkeypatch.undo()
    np.testing.assert_allclose(estimates["params"], fit_sarimax(TRAIN, settings_of())["params"], atol=0.02)


def test_if_neither_converges_the_forecast_is_the_mean_return(monkeypatch):
    """Both searches are stopped after one step, as if they had found no top."""
    sarimax._estimate.cache_clear()
    original, fit = innovations.innovations_mle, SARIMAX.fit
    monkeypatch.setattr(
        innovations,
        "innovations_mle",
        lambda *given, **named: original(*given, **named, minimize_kwargs={"options": {"maxiter": 1}}),
    )
    monkeypatch.setattr(SARIMAX, "fit", lambda self, **named: fit(self, **named, maxiter=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # the note says it, not a library's warning
        estimates = fit_sarimax(TRAIN, settings_of())
    sarimax._estimate.cache_clear()
    assert "its forecasts are those of white noise, the mean return" in notes(estimates, settings_of())[0]
    rows = forecasts(CANDLES, settings_of(), estimates)[10:]
    returns = np.diff(np.log(TRAIN.column("close")))
    np.testing.assert_allclose(rows.sarimax_mean_7, returns.mean(), rtol=1e-9)
    np.testing.assert_allclose(rows.sarimax_high_7, returns.mean() + 1.6448536 * returns.std(), rtol=1e-6)


def test_the_note_reaches_the_person(monkeypatch):
    sarimax._estimate.cache_clear()
    monkeypatch.setattr(sarimax, "_by_innovations", lambda *_: None)
    monkeypatch.setattr(sarimax, "_by_state_space", lambda *_: None)
    fitted = FeaturePipeline(FeatureSettings(indicators=())).fit(TRAIN)
    sarimax._estimate.cache_clear()
    assert "note: SARIMAX (1, 0, 1) did not converge on train" in fitted.in_words


@pytest.mark.parametrize("error", [ValueError("no"), np.linalg.LinAlgError("singular")])
def test_a_library_that_gives_up_does_not_end_the_run(monkeypatch, error):
    sarimax._estimate.cache_clear()

    def gives_up(*given, **named):
        raise error

    monkeypatch.setattr(innovations, "innovations_mle", gives_up)
    monkeypatch.setattr(SARIMAX, "fit", gives_up)
    assert "did not converge" in notes(fit_sarimax(TRAIN, settings_of()), settings_of())[0]
    sarimax._estimate.cache_clear()


# --- settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"forecast_len": -1}, "forecast_len"),
        ({"confidence_interval": 1.0}, "confidence_interval"),
        ({"order": (1, 3, 0)}, "differences 2 at most"),
        ({"order": (-1, 0, 0)}, "lags are 0 or more"),
        ({"order": (3, 0, 0), "seasonal_order": (1, 0, 0, 3)}, "a season must exceed the plain lags"),
        ({"seasonal_order": (1, 0, 0, 0)}, "a season must exceed"),
        ({"seasonal_order": (0, 0, 0, 24)}, "needs a seasonal lag"),
        ({"order": "1,0"}, "order"),
    ],
)
def test_settings_that_are_no_model_are_refused(change, says):
    with pytest.raises((ValueError, InputError), match=says):
        FeatureSettings.model_validate({"sarimax": change})


def test_lags_are_written_with_commas_on_a_command_line():
    settings = FeatureSettings.model_validate({"sarimax": {"order": "2,0,1", "seasonal_order": "1,0,0,24"}}).sarimax
    assert (settings.order, settings.seasonal_order) == ((2, 0, 1), (1, 0, 0, 24))


def test_no_columns_without_a_forecast_length():
    fitted = FeaturePipeline(FeatureSettings.model_validate({"sarimax": {"forecast_len": 0}})).fit(TRAIN)
    assert not [name for name in fitted.names if name.startswith("sarimax")]
    assert "sarimax" not in fitted.estimates


@pytest.mark.parametrize(("order", "seasonal_order"), [MODELS[0], MODELS[4], MODELS[5]])
def test_a_long_series_starts_from_its_first_returns_and_ends_at_the_same_estimate(order, seasonal_order, monkeypatch):
    """statsmodels' own start would need many times the series' memory."""
    settings, lengths = settings_of(order, seasonal_order), []
    whole = fit_sarimax(TRAIN, settings)
    original = innovations.hannan_rissanen

    def counting(endog, **options):
        lengths.append(len(endog))
        return original(endog, **options)

    monkeypatch.setattr(innovations, "hannan_rissanen", counting)
    monkeypatch.setattr(sarimax, "LONG", 500)
    sarimax._estimate.cache_clear()
    long = fit_sarimax(TRAIN, settings)
    assert max(lengths) <= 500
    assert long["method"].tolist() == whole["method"].tolist() == [sarimax.INNOVATIONS]
    np.testing.assert_allclose(long["params"], whole["params"], rtol=0, atol=2e-3)
    sarimax._estimate.cache_clear()
