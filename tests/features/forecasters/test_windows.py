"""Windows of past and future rows, against a sampler of plain loops; and the files that they are saved in."""

import os

import h5py
import numpy as np
import pytest
from hypothesis import given, strategies as st

from common import InputError
from features.forecasters import ForecastSettings, sample_windows, save_windows, windows as windows_module, windows_of
from market import Candles, simulate, split

CANDLES = simulate("bitcoin", bars=600, seed=3)


def by_loops(values, past, future, sliding, broken):
    """Lists of (past rows, future rows), as one would write it down."""
    found, first = [], 0
    while first + past + future <= len(values):
        rows = range(first, first + past + future)
        hole = next((row for row in rows if broken is not None and broken[row]), None)
        if hole is not None:
            first = hole + 1 if not sliding else first + 1
            continue
        found.append((values[first : first + past], values[first + past : first + past + future]))
        first += 1 if sliding else past + future
    return found


HOLES = st.sets(st.integers(0, 59), max_size=4)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 5), st.integers(1, 3), st.booleans(), HOLES)
def test_windows_are_those_of_a_plain_loop(rows, past, future, columns, sliding, holes):
    values = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    broken = np.isin(np.arange(rows), list(holes))
    expected = by_loops(values, past, future, sliding, broken)
    if not expected:
        with pytest.raises(InputError, match=f"a window needs {past} \\+ {future} rows without a gap"):
            sample_windows(values, past, future, sliding, broken)
        return
    windows = sample_windows(values, past, future, sliding, broken)
    assert len(windows) == len(expected)
    np.testing.assert_array_equal(windows.past(), [one for one, _ in expected])
    np.testing.assert_array_equal(
        windows.future(), np.array([two for _, two in expected]).reshape(len(expected), future, columns)
    )
    some = np.arange(len(windows))[::-2]
    np.testing.assert_array_equal(windows.past(some), windows.past()[some])
    np.testing.assert_array_equal(windows.future(slice(1, 4)), windows.future()[1:4])


@pytest.mark.parametrize("sliding", [True, False])
def test_windows_are_views_without_copies_that_nobody_can_write_to(sliding):
    values = np.random.default_rng(0).normal(size=(500, 2))
    windows = sample_windows(values, 20, 5, sliding)
    for rows in (windows.past(), windows.future(), windows.past(slice(3, 9))):
        assert np.shares_memory(rows, values)
        assert not rows.flags.writeable
    np.testing.assert_array_equal(windows.past(slice(3, 9))[0], values[windows.ends[3] - 19 : windows.ends[3] + 1])


def test_no_window_reaches_into_another_range():
    parts = split(CANDLES)
    settings = ForecastSettings(past_bars=20, future_bars=6)
    for part in (parts.train, parts.validation):
        windows = windows_of(part.own, settings)
        assert windows.ends[0] == 19
        assert windows.ends[-1] + 6 == len(part) - 1
        assert len(windows) == len(part) - 25


def test_no_window_holds_a_bar_that_a_repair_filled_in():
    filled = np.zeros(600, bool)
    filled[[100, 101, 300]] = True
    repaired = Candles(CANDLES.frame, CANDLES.bar, CANDLES.symbol, CANDLES.source, filled)
    settings = ForecastSettings(past_bars=20, future_bars=6)
    windows = windows_of(repaired, settings)
    for end in windows.ends:
        assert not filled[end - 19 : end + 7].any()
    assert len(windows) == 600 - 25 - (2 + 25) - (1 + 25)
    assert len(windows_of(repaired, settings, future=False)) == 600 - 19, "a forecast is asked for at every bar"


def test_disjoint_windows_share_no_row_and_begin_anew_after_a_gap():
    broken = np.zeros(40, bool)
    broken[17] = True
    windows = sample_windows(np.arange(40.0)[:, None], 4, 2, sliding=False, broken=broken)
    assert (windows.ends - 3).tolist() == [0, 6, 18, 24, 30]


@pytest.mark.parametrize("sliding", [True, False])
def test_too_short_a_series_and_one_without_a_whole_stretch_are_refused_in_one_line(sliding):
    broken = np.zeros(30, bool)
    broken[[7, 16, 24]] = True
    for rows, mask, longest in ((8, None, 8), (1, None, 1), (30, broken, 8), (30, np.ones(30, bool), 0)):
        with pytest.raises(InputError, match=f"longest stretch of {rows} rows has {longest}; give more rows") as refused:
            sample_windows(np.zeros((rows, 1)), 6, 3, sliding, mask)
        assert "\n" not in str(refused.value)
    assert len(sample_windows(np.zeros((9, 1)), 6, 3, sliding)) == 1


def test_disjoint_windows_of_candles_begin_anew_after_a_bar_that_a_repair_filled_in():
    filled = np.zeros(600, bool)
    filled[100:103] = True
    repaired = Candles(CANDLES.frame, CANDLES.bar, CANDLES.symbol, CANDLES.source, filled)
    firsts = windows_of(repaired, ForecastSettings(past_bars=20, future_bars=6, windows="disjoint")).ends - 19
    assert firsts.tolist() == [0, 26, 52, *range(103, 600 - 25, 26)]


def test_lengths_must_be_possible():
    for past, future in ((0, 1), (1, -1)):
        with pytest.raises(InputError, match="`past_bars >= 1` and `future_bars >= 0` must hold"):
            sample_windows(np.zeros((9, 1)), past, future)


@pytest.mark.parametrize("sliding", [True, False])
@pytest.mark.parametrize("block", [1_024, 100, 7])
def test_a_saved_file_holds_the_windows_and_their_times(sliding, block, tmp_path, monkeypatch):
    """However many of them are written at a time, the last block being smaller; with a gap, so that no step fits them all."""
    monkeypatch.setattr(windows_module, "BLOCK", block)
    values = np.column_stack([CANDLES.column("close"), CANDLES.column("volume")])
    windows = sample_windows(values, 10, 3, sliding, np.arange(600) == 333)
    save_windows(tmp_path / "deep" / "windows.h5", CANDLES, windows, ("close", "volume"))
    seconds = CANDLES.index.as_unit("s").asi8
    with h5py.File(tmp_path / "deep" / "windows.h5") as file:
        assert set(file) == {"inputs", "outputs", "input_times", "output_times"}
        assert (file["inputs"].dtype, file["output_times"].dtype) == (np.float64, np.int64)
        np.testing.assert_array_equal(file["inputs"], windows.past())
        np.testing.assert_array_equal(file["outputs"], windows.future())
        np.testing.assert_array_equal(file["input_times"], seconds[windows.ends[:, None] + np.arange(-9, 1)])
        np.testing.assert_array_equal(file["output_times"], seconds[windows.ends[:, None] + np.arange(1, 4)])
        assert list(file.attrs["columns"]) == ["close", "volume"]


FAILING = {
    "while it begins": (h5py.File, "create_dataset", 0), "in the middle": (h5py.Dataset, "__setitem__", 6),
    "at the end": (os, "replace", 0),
}  # fmt: skip


@pytest.mark.parametrize("moment", FAILING)
def test_a_write_that_fails_leaves_the_older_file(moment, tmp_path, monkeypatch):
    windows = sample_windows(CANDLES.column("close")[:, None], 10, 3)
    path = tmp_path / "windows.h5"
    save_windows(path, CANDLES, windows, ("close",))
    before = path.read_bytes()
    where, what, spared = FAILING[moment]
    original, calls = getattr(where, what), []

    def full(*given, **named):
        calls.append(given)
        if len(calls) > spared:
            raise OSError("no space left on device")
        return original(*given, **named)

    monkeypatch.setattr(windows_module, "BLOCK", 100)
    with monkeypatch.context() as patched:
        patched.setattr(where, what, full)
        with pytest.raises(OSError, match="no space left"):
            save_windows(path, CANDLES, windows, ("close",))
    assert len(calls) == spared + 1
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["windows.h5"]
    save_windows(path, CANDLES, sample_windows(CANDLES.column("open")[:, None], 10, 3), ("open",))
    assert path.read_bytes() != before, "and the next write replaces it"
