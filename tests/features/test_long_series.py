"""A long series fits into memory, gives what it would give at once, and says how far it is."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features import FeaturePipeline, FeatureSettings, correlation
from features.column_families import columns_warmup, compute_columns
from features.correlation import centred_ranks, keep_least_correlated
from features.indicators import INDICATORS, compute_indicators
from features.lookback import measure_memory
from features.pipeline import choose_indicators
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=8_000, seed=2)
NO_FORECAST = FeatureSettings.model_validate({"sarimax": {"forecast_len": 0}})
FITTED = FeaturePipeline(NO_FORECAST).fit(CANDLES[:2_000])
ROW_BYTES = 4 * len(FITTED.names)
CHILD = """
import pandas as pd, sys
from benchmarks.market import minute_bars
from features import FeaturePipeline
from market import Candles
candles = Candles(minute_bars(int(sys.argv[1])), pd.Timedelta("1min"), "BTC/USD", "a random walk")
FeaturePipeline().fit(candles).transform(candles)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def bytes_a_bar(run: Callable[[Candles], object], bars: int) -> float:
    """How much the peak of a run grows with each bar, from `bars` of them to twice as many."""
    peaks = []
    for candles in (CANDLES[:bars], CANDLES[: 2 * bars]):
        run(candles)  # so that nothing is imported or compiled below
        tracemalloc.start()
        run(candles)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return (peaks[1] - peaks[0]) / bars


def test_a_transform_holds_little_more_than_its_matrix():
    assert bytes_a_bar(FITTED.transform, 4_000) < 2.2 * ROW_BYTES


def test_rows_that_nobody_asks_for_cost_no_memory():
    def newest(candles):
        return FITTED.transform(candles, since=len(candles) - 10)

    assert bytes_a_bar(newest, 4_000) < 1.2 * ROW_BYTES


def test_a_choice_of_indicators_holds_their_ranks_and_little_more(monkeypatch):
    """All indicators at once, as float64, would be twice as much as their ranks."""
    monkeypatch.setattr(correlation, "BLOCK", 500)  # as small beside the series as it is beside millions of bars
    ranks = 4 * len(INDICATORS)
    assert bytes_a_bar(lambda candles: choose_indicators([candles], NO_FORECAST), 3_000) < 2 * ranks


def test_the_look_back_of_columns_that_forget_is_measured_on_the_first_third():
    bars, asked = 1_000_000, []

    def columns(first, last):
        asked.append(last)
        return pd.DataFrame(np.zeros((last - first, 2)))

    assert measure_memory(columns, bars, np.ones(2)).tolist() == [1, 1]
    assert max(asked) < 0.4 * bars


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")
def test_five_million_bars_fit_into_8_gb():
    """As the peaks of two shorter series say, SARIMAX included."""
    bars = 300_000, 600_000
    peaks = [int(subprocess.check_output([sys.executable, "-c", CHILD, str(count)])) * 1024 for count in bars]
    each = (peaks[1] - peaks[0]) / (bars[1] - bars[0])
    assert peaks[1] + each * (5_000_000 - bars[1]) < 8e9


def test_a_few_columns_at_a_time_are_those_that_all_at_once_would_be():
    kept = FITTED.settings.model_copy(update={"indicators": FITTED.kept})
    table = compute_columns(CANDLES, kept, FITTED.estimates)
    together = compute_indicators(CANDLES.frame, FITTED.kept)
    pd.testing.assert_frame_equal(table[list(FITTED.kept)], together, rtol=0, atol=0)
    rows = (table.to_numpy()[FITTED.warmup :] - FITTED.center) / FITTED.scale
    expected = np.clip(rows, -5, 5).astype(np.float32)
    assert FITTED.transform(CANDLES).values.tobytes() == expected.tobytes()


def test_the_choice_from_ranks_is_that_from_the_whole_table():
    table = compute_indicators(CANDLES.frame, tuple(INDICATORS)).iloc[columns_warmup(NO_FORECAST) :]
    whole = keep_least_correlated(table, {name: INDICATORS[name].group for name in INDICATORS}, 40)
    choice = choose_indicators([CANDLES], NO_FORECAST)
    assert (choice.kept, choice.dropped) == (whole.kept, whole.dropped)
    expected = 2 * table.rank().to_numpy() - (len(table) + 1)  # of the same numbers, pandas' own
    assert (expected == np.stack([centred_ranks(table[name].to_numpy()) for name in table]).T).all()


@pytest.mark.parametrize("values", [[], [3.0], [1.0, 1.0, 1.0], [0.0, -0.0, 1e-300, -1e-300], [2.0, 1.0, 2.0, np.inf, -np.inf]])
def test_equal_values_share_their_mean_rank(values):
    expected = 2 * pd.Series(values, dtype=float).rank().to_numpy() - (len(values) + 1)
    assert centred_ranks(np.array(values, float)).tolist() == expected.tolist()


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("since", [0, 5, 700, 999])
def test_rows_since_a_bar_are_the_last_rows_of_all(window, since, tmp_path):
    settings = FeatureSettings.model_validate({"indicators": ("rsi", "roc"), "sarimax": {"forecast_len": 0}, "window": window})
    candles = CANDLES[:1_000]
    for cache in (None, tmp_path, tmp_path):  # computed, computed and kept, read
        fitted = FeaturePipeline(settings, cache).fit(candles[:600])
        part, whole = fitted.transform(candles, since=since), fitted.transform(candles).since(since)
        assert part.values.tobytes() == whole.values.tobytes()
        assert part.values.shape == whole.values.shape
        assert (part.names, part.warmup, part.bound) == (whole.names, whole.warmup, whole.bound)
        assert part.index.equals(whole.index)


def test_no_rows_at_all_are_refused():
    with pytest.raises(InputError, match="`since` must be one of the 1000 bars, but got 1000"):
        FITTED.transform(CANDLES[:1_000], since=1_000)
