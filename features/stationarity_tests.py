"""Is a series stationary? Two opposite tests, what they say together, and a picture of what differencing does."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import kpss

from common import needed_for, write_png
from features.fractional import filter_differences, warmup
from features.log_differences import log_differences
from market import Candles, bar_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNIFICANCE = 0.05
KPSS_RANGE = (0.01, 0.10)
"""p-values that the KPSS table has; beyond them it says only "less" or "more" """
ORDERS = tuple(step / 20 for step in range(20, 0, -1))  # 1, 0.95, ..., 0.05
TESTED_BARS = 100
"""fewest values that a test is worth running on"""
NO_NOISE = 1e-10
"""a regression that leaves less of the variance than this found a rule, and its t value is rounding"""
DATE_FORMATS = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%S.%f"]


class Stationarity(NamedTuple):
    """Statistic and p-value of both tests; NaN for a series without noise, a constant or a pure sine."""

    adf: float
    adf_p: float
    adf_lags: int
    kpss: float
    kpss_p: float

    @property
    def verdict(self) -> str:
        """What both say at the 5 % level: the ADF's null hypothesis is a unit root, that of KPSS is stationarity."""
        if np.isnan(self.adf):
            return "no noise"
        no_unit_root, not_stationary = self.adf_p < SIGNIFICANCE, self.kpss_p < SIGNIFICANCE
        if no_unit_root == not_stationary:
            return "tests disagree"
        return "stationary" if no_unit_root else "unit root"


def judge(values: np.ndarray) -> Stationarity:
    """Augmented Dickey-Fuller and KPSS tests of a finite float64 (n,), both around a constant.

    The ADF regression has Schwert's (1989) number of lags, `adf_lags`, instead of searching for the best one. KPSS chooses its
    own (Hobijn, Franses & Ooms, 1998); its p-value is known within `KPSS_RANGE` only. Both are those of statsmodels.
    """
    lags = schwert_lags(len(values))
    adf = adf_statistic(values, lags)
    if np.isnan(adf):
        return Stationarity(np.nan, np.nan, lags, np.nan, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a p-value off the table, which `p_in_words` tells, and of a later type of the result
        statistic, kpss_p, *_ = kpss(values, regression="c", nlags="auto")
    return Stationarity(adf, float(mackinnonp(adf)), lags, float(statistic), float(kpss_p))


def adf_statistic(values: np.ndarray, lags: int) -> float:
    """t value of the level in the regression of a change on a constant, the level before it and the `lags` changes before it.

    NaN where nothing random is left. `statsmodels.adfuller` gives the same number from a singular value decomposition, in 5 times
    the time, and in 50 times where other programs use the cores. Here the constant goes by taking the means away, and the rest
    stands in the last corner of a Cholesky factor: lagged changes first, then the level, then the change to explain.
    """
    changes = np.lib.stride_tricks.sliding_window_view(np.diff(values), lags + 1)
    table = np.column_stack([changes[:, :-1], values[lags:-1], changes[:, -1]])
    table -= table.mean(axis=0)
    size = np.sqrt((table**2).mean(axis=0))
    if not size.all():
        return float("nan")
    table /= size
    try:
        factor = np.linalg.cholesky(table.T @ table / len(table))
    except np.linalg.LinAlgError:
        return float("nan")
    if (np.diag(factor) ** 2 < NO_NOISE).any():
        return float("nan")
    freedom = len(table) - table.shape[1]
    return float(factor[-1, -2] / factor[-1, -1] * np.sqrt(freedom))


def schwert_lags(n: int) -> int:
    """Lags of an ADF regression on n values: 12 (n / 100)^(1/4) (Schwert, 1989), or as many as a short series allows."""
    return min(int(12 * (n / 100) ** 0.25), n // 2 - 2)


def smallest_order(differences: np.ndarray, p_value: float = SIGNIFICANCE, threshold: float = 1e-4) -> float | None:
    """The smallest order of fractional differencing from which on, in steps of 0.05, the ADF p-value is below `p_value`.

    Choose it on train alone. 0 if the level itself passes too, None if not even the log difference does. Orders below the
    threshold, or whose window leaves fewer than `TESTED_BARS` values, are not tried; None if that is all of them.

    Args:
        differences: float64 (n,), log differences of a column; the first one is not used.
        p_value: a smaller p-value rejects the unit root.
        threshold: of `fractional_differences`.
    """
    best = None
    for order in ORDERS:
        if order < threshold or len(differences) - warmup(order, threshold) < TESTED_BARS:
            continue
        values = filter_differences(differences[:, None], order, threshold)[:, 0]
        if not _passes(values[~np.isnan(values)], p_value):
            return best
        best = order
    return 0.0 if best and _passes(np.cumsum(differences[1:]), p_value) else best


def p_in_words(p: float, lowest: float = 1e-4, highest: float = 1.0) -> str:
    """`0.046`, or `< 0.0001` at or below the lowest that is told apart, or `> 0.10` at or above the highest."""
    if np.isnan(p):
        return "-"
    if p <= lowest:
        return f"< {lowest:g}"
    return f"> {highest:.2f}" if p >= highest else f"{p:.3f}"


def draw_stationarity(candles: Candles, path: Path) -> None:
    """The close, its difference and its log difference side by side, each with its ADF p-value, as PNG."""
    with needed_for("the picture"):
        from matplotlib.figure import Figure
    close = candles.frame["close"]
    panels = {
        "close": (close, "USD"),
        "difference": (close.diff().iloc[1:], "USD a bar"),
        "log difference": (100 * log_differences(candles)["d_log_close"].iloc[1:], "% a bar"),
    }
    figure = Figure(figsize=(18, 6), dpi=100, layout="constrained")
    title = f"{candles.symbol}, {len(candles):,} bars of {bar_name(candles.bar)}, {candles.source}"
    figure.suptitle(title, x=0.005, ha="left", fontsize=14, color="#555555")
    for axes, (name, (values, unit)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        _draw_panel(axes, name, values, unit)
    write_png(figure, path)


def _draw_panel(axes: "Axes", name: str, values: pd.Series, unit: str) -> None:
    from matplotlib import dates
    from matplotlib.ticker import StrMethodFormatter

    result = judge(values.to_numpy())
    p = p_in_words(result.adf_p)
    axes.plot(values.index, values, color="#1769aa", linewidth=0.6 if len(values) > 2_000 else 1.0)
    axes.set_title(f"{name}: ADF p {p if p[0] in '<-' else '= ' + p}, {result.verdict}", loc="left", fontsize=15)
    axes.set_ylabel(unit, fontsize=12)
    axes.tick_params(labelsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    locator = dates.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, formats=DATE_FORMATS, show_offset=False))


def _passes(values: np.ndarray, p_value: float) -> bool:
    """A series without noise has no unit root either."""
    statistic = adf_statistic(values, schwert_lags(len(values)))
    return bool(np.isnan(statistic) or mackinnonp(statistic) < p_value)
