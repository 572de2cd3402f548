"""How fast features are computed, against `ta` and statsmodels at their best in the same run, and how the time grows.

    python -m benchmarks.features [FILE]
    python -m benchmarks.features --keep
    python -m benchmarks.features --only large --keep         # five million bars alone: see `benchmarks.large_features`
    python -m benchmarks.features --only timeframes --keep    # a million bars with longer time frames

17,583 simulated hourly bars (as many as the Coinbase file has), or the candles of FILE, on one core. All is warm, compiled
and imported, but for the rows that say otherwise. `ta` runs on a RangeIndex, where it is right and fastest, once with all its
columns and once with `vectorized=True`, which leaves out its slow ones; ours are the same columns. statsmodels filters once,
and its filtered states give all horizons, as ours do. Those that are compared take turns. Seconds are those of the processor,
so that other work on the machine does not count.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import ta
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.stattools import adfuller

from benchmarks import parts
from benchmarks.env import one_core
from benchmarks.figures import keep
from benchmarks.large_features import large, longer_frames
from features import INDICATORS, FeaturePipeline, FeatureSettings, sarimax
from features.column_families import Family, families_of
from features.indicators import compute_indicators
from features.sarimax import SarimaxSettings
from features.stationarity_tests import schwert_lags
from market import Candles, read_candles, simulate

BARS = 17_583
TRAIN = 0.6
HORIZONS = 10
Figures = dict[str, float]
NOT_OF_TA = {"obv_change", "donchian_48_position", "atr", "volatility_ratio", "sma_168", "ema_8", "ema_24"}
"""our indicators that `ta.add_all_ta_features` does not make"""
LOOPS_OF_TA = {
    "money_flow", "nvi_change", "atr_10", "ulcer_index", "adx", "adx_positive", "adx_negative", "cci", "ichimoku_visual_a",
    "ichimoku_visual_b", "aroon_up", "aroon_down", "aroon", "psar_up_distance", "psar_down_distance", "psar_turns_up",
    "psar_turns_down", "kama",
}  # fmt: skip
"""those that it leaves out with `vectorized=True`"""
CHILD = f"""
import sys, time
from pathlib import Path
from features import FeaturePipeline
from market import read_candles, simulate
candles = read_candles(Path(sys.argv[1])) if sys.argv[1] else simulate("bitcoin", bars={BARS}, seed=0)
begin = time.process_time()
FeaturePipeline(cache=Path(sys.argv[2])).fit(candles[: round({TRAIN} * len(candles))]).transform(candles)
print(time.process_time() - begin)
"""
GROWTH = """
import sys, tracemalloc
from benchmarks.features import grown, processor_seconds
from features import FeaturePipeline
candles = grown(int(sys.argv[1]))
fitted = FeaturePipeline().fit(candles[:10_000])
seconds = processor_seconds(3, lambda: fitted.transform(candles))
tracemalloc.start()
fitted.transform(candles)
print(seconds, tracemalloc.get_traced_memory()[1] / 2**20)
"""


def load(name: str) -> Candles:
    """The candles of a file, or simulated ones for an empty name."""
    return read_candles(Path(name)) if name else simulate("bitcoin", bars=BARS, seed=0)


def grown(bars: int) -> Candles:
    """A random walk of any length, made in a moment."""
    rng = np.random.default_rng(0)
    close = 1e4 * np.exp(np.cumsum(rng.normal(0, 0.005, bars)))
    opened = np.concatenate([close[:1], close[:-1]])
    wick = np.exp(np.abs(rng.normal(0, 0.002, (2, bars))))
    volume = rng.exponential(100.0, bars)
    columns = {
        "open": opened, "high": np.maximum(opened, close) * wick[0], "low": np.minimum(opened, close) / wick[1],
        "close": close, "volume": volume, "quote_volume": volume * close,
    }  # fmt: skip
    index = pd.date_range("1900-01-01", periods=bars, freq="h", tz="UTC", name="time")
    return Candles(pd.DataFrame(columns, index=index), pd.Timedelta("1h"), "BTC/USD", "a random walk")


def best_of(times: int, run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    seconds = []
    for _ in range(times):
        begin = clock()
        run()
        seconds.append(clock() - begin)
    return min(seconds)


processor_seconds = partial(best_of, clock=time.process_time)


def best_in_turn(rounds: int, runs: Mapping[str, Callable[[], object]]) -> Figures:
    """Seconds of each, the best of several rounds: they take turns, so that a slow phase of the machine hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(processor_seconds(1, run))
    return {name: min(of_one) for name, of_one in seconds.items()}


def child(code: str, *arguments: str, compiled: str | None = None) -> tuple[float, list[float]]:
    """Seconds of the whole process, and the numbers that it printed."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": compiled} if compiled else {})
    begin = of_children()
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True)
    return of_children() - begin, [float(word) for word in done.stdout.split()]


def of_children() -> float:
    """Processor seconds of all processes that were begun here and have ended."""
    used = os.times()
    return used.children_user + used.children_system


def table_of(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def whole_runs(name: str, bars: int, figures: Figures) -> Table:
    """Fresh processes; "compiling" has an empty cache of numba besides."""
    table = table_of(f"the default pipeline, fitted on 60 % of {bars:,} bars, all transformed", "", "seconds", "whole process")
    with tempfile.TemporaryDirectory() as folder:
        rows = (("from nothing, compiling", "cold"), ("from nothing", "warm"), ("second run, from the cache", "cached"))
        for number, (label, kind) in enumerate(rows):
            cache = f"{folder}/{min(number, 1)}"
            whole, (seconds,) = child(CHILD, name, cache, compiled=f"{folder}/numba" if kind == "cold" else None)
            figures |= {f"{kind}_seconds": seconds, f"{kind}_process_seconds": whole}
            table.add_row(label, f"{seconds:.3f}", f"{whole:.2f}")
    return table


def by_family(candles: Candles, figures: Figures) -> Table:
    """Each family alone."""
    settings = FeatureSettings(differencing="both")
    train = candles[: round(TRAIN * len(candles))]
    table = table_of(f"by family, {len(candles):,} bars", "family", "columns", "fit, s", "compute, s")
    for name, family in families_of(settings).items():
        estimates = family.fit(train, settings)
        fit = processor_seconds(2, partial(fitted_again, family, train, settings))
        compute = processor_seconds(3, partial(family.compute, candles, settings, estimates))
        width = family.compute(candles[: family.warmup(settings) + 10], settings, estimates).shape[1]
        figures[f"{name}_seconds"] = compute
        if name == "sarimax":
            figures["sarimax_fit_seconds"] = fit
        table.add_row(name, str(width), f"{fit:.3f}", f"{compute:.4f}")
    return table


def fitted_again(family: Family, train: Candles, settings: FeatureSettings) -> None:
    sarimax._estimate.cache_clear()
    family.fit(train, settings)


def against_ta(candles: Candles, figures: Figures) -> Table:
    """The columns of `ta` that are not loops in Python, and all of them; both sides make the same ones."""
    bars = candles.frame.reset_index(drop=True)
    table = table_of(f"indicators, {len(candles):,} bars, RangeIndex", "columns", "number", "ta, s", "here, s", "times as fast")
    for label, kind, vectorized, left_out in (
        ("`ta` with vectorized=True", "vectorized", True, NOT_OF_TA | LOOPS_OF_TA),
        ("all of ta.add_all_ta_features", "all", False, NOT_OF_TA),
    ):
        names = tuple(name for name in INDICATORS if name not in left_out)
        peer = partial(columns_of_ta, bars, vectorized)
        assert peer().shape[1] == len(names) == compute_indicators(candles.frame, names).shape[1]
        best = best_in_turn(8, {"ta": peer, "here": partial(compute_indicators, candles.frame, names)})
        figures |= {f"ta_{kind}_seconds": best["ta"], f"indicators_{kind}_seconds": best["here"]}
        figures[f"ta_{kind}_times"] = best["ta"] / best["here"]
        table.add_row(label, str(len(names)), f"{best['ta']:.3f}", f"{best['here']:.4f}", f"{best['ta'] / best['here']:.2f}")
    return table


def columns_of_ta(bars: pd.DataFrame, vectorized: bool) -> pd.DataFrame:
    with warnings.catch_warnings(action="ignore"):  # its own
        made = ta.add_all_ta_features(bars.copy(), "open", "high", "low", "close", "volume", vectorized=vectorized)
    return made.iloc[:, bars.shape[1] :]


def sarimax_forecasts(candles: Candles, figures: Figures) -> Table:
    """Mean and interval of ten horizons at every bar; ours and statsmodels' single passes give the same numbers."""
    settings = SarimaxSettings(forecast_len=HORIZONS)
    estimates = sarimax.fit_sarimax(candles[: round(TRAIN * len(candles))], settings)
    runs: dict[str, Callable[[], pd.DataFrame]] = {
        "one run of our filter": partial(sarimax.forecasts, candles, settings, estimates),
        "statsmodels, `filter(params)`": partial(one_pass, candles, settings, estimates["params"]),
        "... without its results object": partial(one_pass, candles, settings, estimates["params"], fast=True),
    }
    ours, *theirs = (run().to_numpy() for run in runs.values())
    for other in theirs:
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-8)  # of returns of 0.01
    best = best_in_turn(15, runs)
    table = table_of(f"SARIMAX{settings.order}, {len(candles):,} bars x {HORIZONS} horizons, beyond the fit", "", "s", "x ours")
    for (label, seconds), kind in zip(best.items(), ("sarimax_pass", "statsmodels", "statsmodels_fast"), strict=True):
        figures[f"{kind}_seconds"] = seconds
        if kind != "sarimax_pass":
            figures[f"{kind}_times"] = seconds / best["one run of our filter"]
        table.add_row(label, f"{seconds:.4f}", f"{seconds / best['one run of our filter']:.1f}")
    difference = np.nanmax([np.abs(ours - other) for other in theirs])
    table.caption = f"the largest difference of a forecast of the log return, or of an end of its interval: {difference:.1e}"
    return table


def one_pass(candles: Candles, settings: SarimaxSettings, params: np.ndarray, fast: bool = False) -> pd.DataFrame:
    """What `sarimax.forecasts` gives, from statsmodels' filtered states: mean Z T^h a, variance Z T^h P T'^h Z' and the noise.

    Args:
        fast: leave out what statsmodels computes besides: its results object and its own forecasts of the next bar.
    """
    model = SARIMAX(sarimax.PERCENT * np.diff(np.log(candles.column("close"))), order=settings.order)
    model.ssm.memory_no_forecast = fast
    filtered = model.filter(params, return_ssm=True) if fast else model.filter(params).filter_results
    row, transition, selection = filtered.design[0, :, 0], filtered.transition[:, :, 0], filtered.selection[:, :, 0]
    noise, variance = selection @ filtered.state_cov[:, :, 0] @ selection.T, 0.0
    rows = np.full((len(candles), settings.forecast_len, 3), np.nan)
    for horizon in range(settings.forecast_len):
        variance += row @ noise @ row
        row = row @ transition
        mean = row @ filtered.filtered_state  # (n,)
        deviation = np.sqrt(np.tensordot(np.outer(row, row), filtered.filtered_state_cov, 2) + variance)
        reach = ndtri(0.5 + settings.confidence_interval / 2) * deviation
        rows[1:, horizon] = np.column_stack([mean, mean - reach, mean + reach]) / sarimax.PERCENT
    rows[: sarimax.warmup(settings)] = np.nan
    return pd.DataFrame(rows.reshape(len(candles), -1), index=candles.index)


def lag_search(candles: Candles, figures: Figures) -> str:
    """The augmented Dickey-Fuller test of the log close with Schwert's lags, and with the best number up to it by AIC."""
    values = np.log(candles.column("close"))
    lags = schwert_lags(len(values))
    best = best_in_turn(2, {rule: partial(adfuller, values, lags, autolag=rule, result_object=True) for rule in (None, "AIC")})  # type: ignore[misc]
    figures["adf_search_times"] = best["AIC"] / best[None]  # type: ignore[index]
    return f"statsmodels' ADF test of the log close: its search by AIC takes {figures['adf_search_times']:.1f} times as long"


def growth(figures: Figures) -> Table:
    table = table_of("growth: transform with the default pipeline, a process each", "bars", "seconds", "peak MB", "bars/s")
    found = {}
    for name, bars in (("hundred_thousand", 100_000), ("million", 1_000_000)):
        found[bars] = child(GROWTH, str(bars))[1]
        seconds, memory = found[bars]
        figures |= {f"{name}_seconds": seconds, f"{name}_mb": memory}
        table.add_row(f"{bars:,}", f"{seconds:.2f}", f"{memory:,.0f}", f"{bars / seconds:,.0f}")
    small, large = found.values()
    figures |= {"growth_seconds": large[0] / small[0], "growth_memory": large[1] / small[1]}
    table.add_row("ratio", f"{large[0] / small[0]:.1f}", f"{large[1] / small[1]:.1f}", "")
    return table


def one_live_bar(candles: Candles, figures: Figures) -> str:
    fitted = FeaturePipeline().fit(candles[: round(TRAIN * len(candles))])
    newest = candles[-fitted.lookback :]
    fitted.transform(newest)
    figures["newest_ms"] = 1e3 * processor_seconds(10, lambda: fitted.transform(newest))
    return f"the newest row from the last {fitted.lookback:,} bars (the look-back) alone: {figures['newest_ms']:.0f} ms"


def usual(console: Console, name: str, figures: Figures) -> None:
    """All but the millions of bars."""
    candles = load(name)
    for part in (
        partial(whole_runs, name, len(candles)), partial(by_family, candles), partial(against_ta, candles),
        partial(sarimax_forecasts, candles), growth, partial(one_live_bar, candles), partial(lag_search, candles),
    ):  # fmt: skip
        console.print(part(figures))


def main() -> None:
    parser = parts.parser_of(__doc__, ("usual", "large", "timeframes"))
    parser.add_argument("file", nargs="?", default="", help="candles; simulated ones by default")
    options, console, figures = parser.parse_args(), Console(width=110), Figures()
    if options.file and options.keep:
        parser.error("the figures that are kept are those of the simulated candles; leave out FILE or --keep")
    one_core()
    if options.only in (None, "usual"):
        usual(console, options.file, figures)
    if options.only in (None, "large") and not options.file:
        console.print(large(figures))
    if options.only in (None, "timeframes") and not options.file:
        console.print(longer_frames(figures))
    if options.keep:
        keep("features", parts.of("features") | figures)


if __name__ == "__main__":
    main()
