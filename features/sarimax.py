"""SARIMAX forecasts of the log return: their mean and interval for each of the next bars, from a model estimated on the past.

statsmodels takes a second to import, so the functions that need it import it.
"""

import functools
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import ndtri

from features.kalman import StateSpace, forecast_all
from features.settings import SarimaxSettings
from market import Candles

PERCENT = 100.0  # returns are modelled in per cent: numbers near 1 suit an optimiser

FLAT = 1e-5  # slope of the mean log likelihood that counts as its top, as for statsmodels' own search
LONG = 250_000
"""returns; of a longer series the first ones give the innovations algorithm its start. statsmodels' own start, a regression on
log(n)^2 lags, would hold a table of 9 GB twice for five million returns"""
INNOVATIONS, STATE_SPACE, WHITE_NOISE = 0, 1, 2
"""how the parameters were found"""


Estimates = dict[str, np.ndarray]


def warmup(settings: SarimaxSettings) -> int:
    """Bars in front without a forecast.

    The filter starts from the stationary distribution, so its forecasts are the best ones from the first bar on; only the lags
    and the differences must be filled. A walk-forward estimate needs its bars behind a mark.
    """
    (p, d, q), (sp, sd, sq, season) = settings.order, settings.seasonal_order
    lags = 1 + max(p + sp * season, q + sq * season) + 2 * (d + sd * season)
    return settings.fit_bars + settings.refit_bars + 1 if settings.refit_bars else max(lags, 10)


def memory(settings: SarimaxSettings) -> int:
    """Bars that a walk-forward forecast depends on by definition: the estimate's, and those since the last mark."""
    return settings.fit_bars + settings.refit_bars + 1 if settings.refit_bars else 1


def fit_sarimax(train: Candles, settings: SarimaxSettings) -> Estimates:
    """Estimate on the log returns of the training candles; nothing if the settings estimate as they go.

    The innovations algorithm starts, on more than `LONG` returns, from its own estimate on the first `LONG`; if there is none, it
    counts as not converged.

    The rule: maximum likelihood by the innovations algorithm (Brockwell & Davis, 2016, section 5.2); if that does not converge,
    by the state-space likelihood; if that does not either, or the returns never move, white noise with their mean and variance,
    whose forecast is the mean. `notes` says which.

    Returns:
        `params` float64 (statsmodels' order, of returns in per cent; mean and variance of white noise) and `method` int64 (1,).
    """
    if settings.refit_bars:
        return {}
    return _estimate(_returns(train).tobytes(), settings.order, settings.seasonal_order)


def notes(estimates: Estimates, settings: SarimaxSettings) -> list[str]:
    """What a person should know about the estimates."""
    model = f"SARIMAX {settings.order}" + (f" x {settings.seasonal_order}" if any(settings.seasonal_order) else "")
    method = int(estimates["method"][0]) if estimates else INNOVATIONS
    if method == WHITE_NOISE:
        return [f"{model} did not converge on train; its forecasts are those of white noise, the mean return"]
    if method == STATE_SPACE:
        return [f"{model} converged on train only by the state-space likelihood, not by the innovations algorithm"]
    return []


def forecasts(candles: Candles, settings: SarimaxSettings, estimates: Estimates) -> pd.DataFrame:
    """Forecasts at bar t of the log returns of bars t+1 ... t+forecast_len, known when bar t closes.

    One run of the Kalman filter with fixed parameters gives them all: Z T^h a_t|t.
    The interval's width hardly moves, for it depends on the parameters alone once the filter has settled.

    Returns:
        float64 (T, 3 * forecast_len), columns `sarimax_mean_1`, `sarimax_low_1`, `sarimax_high_1`, `sarimax_mean_2`, ...; NaN in
        the first `warmup` rows, finite after them.
    """
    rows = np.full((len(candles), 3 * settings.forecast_len), np.nan)
    returns = _returns(candles)
    if settings.refit_bars:
        for mark, following in _marks(candles, settings):
            first = mark - settings.fit_bars
            known = _estimate(returns[first : mark - 1].tobytes(), settings.order, settings.seasonal_order)
            rows[mark:following] = _forecast(returns[first : following - 1], settings, known)[mark - following :]
    else:
        rows[1:] = _forecast(returns, settings, estimates)
    rows[: warmup(settings)] = np.nan
    horizons = range(1, settings.forecast_len + 1)
    names = [f"sarimax_{what}_{horizon}" for horizon in horizons for what in ("mean", "low", "high")]
    return pd.DataFrame(rows, index=candles.index, columns=names, copy=False)


def _returns(candles: Candles) -> np.ndarray:
    """float64 (T - 1,), in per cent: entry t-1 is the return of bar t."""
    return PERCENT * np.diff(np.log(candles.column("close")))


def _marks(candles: Candles, settings: SarimaxSettings) -> list[tuple[int, int]]:
    """(first bar, bar after the last) of each stretch with the same estimate, that has `fit_bars` bars before it.

    They begin at whole multiples of `refit_bars` since 1970, or with the first bar after a gap there, so that they don't depend
    on where the candles start.
    """
    stretch = candles.index.as_unit("ns").asi8 // (candles.bar.value * settings.refit_bars)
    starts = 1 + np.flatnonzero(np.diff(stretch))
    return [(start, end) for start, end in pairwise([*starts.tolist(), len(candles)]) if start >= settings.fit_bars]


@functools.lru_cache(maxsize=256)
def _estimate(content: bytes, order: tuple[int, int, int], seasonal_order: tuple[int, int, int, int]) -> Estimates:
    """Parameters of the returns in the bytes, which are what the result is remembered by."""
    returns = np.frombuffer(content)
    method, params = WHITE_NOISE, np.array([returns.mean(), returns.var()])
    lags = sum(order) + sum(seasonal_order[:3])
    if lags and len(returns) > 3 * lags + 10 and returns.std() > 1e-9:
        found = _by_innovations(returns, order, seasonal_order)
        method, params = (INNOVATIONS, found) if found is not None else (method, params)
        if found is None and (found := _by_state_space(returns, order, seasonal_order)) is not None:
            method, params = STATE_SPACE, found
    params.flags.writeable = False
    return {"params": params, "method": np.array([method])}


def _by_innovations(returns: np.ndarray, order: tuple, seasonal_order: tuple) -> np.ndarray | None:
    from statsmodels.tsa.arima.estimators.innovations import innovations_mle

    start = None
    if len(returns) > LONG and (start := _by_innovations(returns[:LONG], order, seasonal_order)) is None:
        return None
    with warnings.catch_warnings(action="ignore"):  # start values that it replaces by itself
        try:
            found, details = innovations_mle(
                returns, order=order, seasonal_order=seasonal_order, demean=False, start_params=start
            )
        except (ValueError, np.linalg.LinAlgError):
            return None
    search = details.minimize_results
    settled = search.success or np.abs(search.jac).max() < FLAT * len(returns)
    return found.params if settled and found.is_valid and found.is_stationary and found.is_invertible else None


def _by_state_space(returns: np.ndarray, order: tuple, seasonal_order: tuple) -> np.ndarray | None:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    with warnings.catch_warnings(action="ignore"):  # what it would warn of is what is asked below
        try:
            model = SARIMAX(returns, order=order, seasonal_order=seasonal_order)
            result = model.fit(disp=0, cov_type="none", low_memory=True)  # of what it would keep of every return, nothing is read
        except (ValueError, np.linalg.LinAlgError):
            return None
    return np.asarray(result.params) if result.mle_retvals["converged"] and np.isfinite(result.params).all() else None


def _forecast(returns: np.ndarray, settings: SarimaxSettings, estimates: Estimates) -> np.ndarray:
    """(n,) returns in per cent -> (n, 3 * forecast_len) forecasts of log returns: row t knows the returns up to t."""
    params = estimates["params"]
    if int(estimates["method"][0]) == WHITE_NOISE:
        shape = (len(returns), settings.forecast_len)
        mean, deviation = np.full(shape, params[0]), np.full(shape, np.sqrt(params[1]))
    else:
        model = _state_space(tuple(params), settings.order, settings.seasonal_order)
        mean, deviation = forecast_all(model, returns, settings.forecast_len)
    reach = ndtri(0.5 + settings.confidence_interval / 2) * deviation
    stacked = np.stack([mean, mean - reach, mean + reach], axis=2)  # (n, horizon, what)
    return stacked.reshape(len(returns), 3 * settings.forecast_len) / PERCENT


def _state_space(params: tuple[float, ...], order: tuple, seasonal_order: tuple) -> StateSpace:
    """The matrices that statsmodels gives the model; they do not depend on the data, so a few zeros stand for it."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    lags = 1 + sum(order) + seasonal_order[3] * sum(seasonal_order[:3])
    with warnings.catch_warnings(action="ignore"):
        result = SARIMAX(np.zeros(lags + 10), order=order, seasonal_order=seasonal_order).filter(np.array(params))
    filtered = result.filter_results
    selection, noise = filtered.selection[:, :, 0], filtered.state_cov[:, :, 0]
    return StateSpace(
        filtered.design[0, :, 0], filtered.transition[:, :, 0], selection @ noise @ selection.T,
        filtered.initial_state, filtered.initial_state_cov,
    )  # fmt: skip
