"""How fast features are computed: the default pipeline from nothing and from the cache, by family, the SARIMAX
forecasts against statsmodels, and how the time grows.

    python -m benchmarks.features [FILE]

17,583 simulated hourly bars (as many as the Coinbase file has), or the candles of FILE. The peer is `ta.add_all_ta_features`,
in the same run. Fresh processes include Python's start and all imports; "compiling" has an empty cache of numba besides.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import ta
from rich.console import Console
from rich.table import Table
from statsmodels.tsa.statespace.sarimax import SARIMAX

from features import FeaturePipeline, FeatureSettings, sarimax
from features.column_families import Family, families_of
from features.sarimax import SarimaxSettings
from market import Candles, read_candles, simulate

BARS = 17_583
TRAIN = 0.6
CHILD = """
import sys, time
from pathlib import Path
from benchmarks.features import default_run, load
candles = load(sys.argv[1])
begin = time.perf_counter()
default_run(candles, Path(sys.argv[2]))
print(time.perf_counter() - begin)
"""
GROWTH = """
import sys, tracemalloc
from benchmarks.features import best_of, grown
from features import FeaturePipeline
candles = grown(int(sys.argv[1]))
fitted = FeaturePipeline().fit(candles[:10_000])
seconds = best_of(3, lambda: fitted.transform(candles))
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


def default_run(candles: Candles, cache: Path | None = None) -> None:
    """Fit the default pipeline on the first 60 %, transform all."""
    FeaturePipeline(cache=cache).fit(candles[: round(TRAIN * len(candles))]).transform(candles)


def best_of(times: int, run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def child(code: str, *arguments: str, compiled: str | None = None) -> tuple[float, list[float]]:
    """Seconds of the whole process, and the numbers that it printed."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": compiled} if compiled else {})
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, [float(word) for word in done.stdout.split()]


def table_of(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def whole_runs(name: str, bars: int) -> Table:
    table = table_of(f"the default pipeline, fitted on 60 % of {bars:,} bars, all transformed", "", "seconds", "whole process")
    with tempfile.TemporaryDirectory() as folder:
        rows = (("from nothing, compiling", "cold"), ("from nothing", "warm"), ("second run, from the cache", "warm"))
        for number, (label, kind) in enumerate(rows):
            cache = f"{folder}/{min(number, 1)}"
            whole, (seconds,) = child(CHILD, name, cache, compiled=f"{folder}/numba" if kind == "cold" else None)
            table.add_row(label, f"{seconds:.3f}", f"{whole:.2f}")
    return table


def by_family(candles: Candles) -> Table:
    """Each family alone, warm; `ta` beside them."""
    settings = FeatureSettings(differencing="both")
    train = candles[: round(TRAIN * len(candles))]
    table = table_of(f"by family, {len(candles):,} bars", "family", "columns", "fit, s", "compute, s", "x ta")

    def all_of_ta() -> pd.DataFrame:
        return ta.add_all_ta_features(candles.frame.copy(), "open", "high", "low", "close", "volume")

    with warnings.catch_warnings(action="ignore"):  # its own
        peer, columns = best_of(2, all_of_ta), all_of_ta().shape[1] - candles.frame.shape[1]
    for name, family in families_of(settings).items():
        estimates = family.fit(train, settings)
        fit = best_of(2, partial(fitted_anew, family, train, settings))
        compute = best_of(3, partial(family.compute, candles, settings, estimates))
        width = family.compute(candles[: family.warmup(settings) + 10], settings, estimates).shape[1]
        faster = f"{peer / compute:.1f}" if name == "indicators" else ""
        table.add_row(name, str(width), f"{fit:.3f}", f"{compute:.3f}", faster)
    table.add_row("ta.add_all_ta_features", str(columns), "", f"{peer:.3f}", "1.0")
    return table


def fitted_anew(family: Family, train: Candles, settings: FeatureSettings) -> None:
    sarimax._estimate.cache_clear()
    family.fit(train, settings)


def sarimax_forecasts(candles: Candles, horizons: int = 10) -> Table:
    """Ten horizons at every bar in one run of our filter; statsmodels filters and estimates anew, timed at the last bar."""
    settings = SarimaxSettings(forecast_len=horizons)
    returns = sarimax.PERCENT * np.diff(np.log(candles.column("close")))
    estimates = sarimax.fit_sarimax(candles[: round(TRAIN * len(candles))], settings)

    def filtered_anew() -> None:
        SARIMAX(returns, order=settings.order).filter(estimates["params"]).get_forecast(horizons).conf_int()

    def estimated_anew() -> None:
        SARIMAX(returns, order=settings.order).fit(disp=0).get_forecast(horizons).conf_int()

    ours = best_of(5, lambda: sarimax.forecasts(candles, settings, estimates))
    title = f"SARIMAX{settings.order}, {len(candles):,} bars x {horizons} horizons, beyond the fit"
    table = table_of(title, "", "ms a bar", "all bars, s", "x ours")
    rows = {
        "one run of the filter": ours / len(candles),
        "statsmodels, filtered anew at each bar": best_of(3, filtered_anew),
        "statsmodels, estimated anew at each bar": best_of(2, estimated_anew),
    }
    for label, seconds in rows.items():
        table.add_row(label, f"{1e3 * seconds:,.3g}", f"{seconds * len(candles):,.3g}", f"{seconds * len(candles) / ours:,.0f}")
    return table


def growth() -> Table:
    table = table_of("growth: transform with the default pipeline, a process each", "bars", "seconds", "peak MB", "bars/s")
    found = {}
    for bars in (100_000, 1_000_000):
        found[bars] = child(GROWTH, str(bars))[1]
        seconds, memory = found[bars]
        table.add_row(f"{bars:,}", f"{seconds:.2f}", f"{memory:,.0f}", f"{bars / seconds:,.0f}")
    small, large = found.values()
    table.add_row("ratio", f"{large[0] / small[0]:.1f}", f"{large[1] / small[1]:.1f}", "")
    return table


def one_live_bar(candles: Candles) -> str:
    fitted = FeaturePipeline().fit(candles[: round(TRAIN * len(candles))])
    newest = candles[-fitted.lookback :]
    fitted.transform(newest)
    seconds = best_of(10, lambda: fitted.transform(newest))
    return f"the newest row from the last {fitted.lookback:,} bars (the look-back) alone: {1e3 * seconds:.0f} ms"


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    console, candles = Console(width=100), load(name)
    default_run(candles)
    console.print(whole_runs(name, len(candles)))
    console.print(by_family(candles))
    console.print(sarimax_forecasts(candles))
    console.print(growth())
    console.print(one_live_bar(candles))


if __name__ == "__main__":
    main()
