import numpy as np
import pytest
from helpers import examples, make_candles
from hypothesis import given, settings, strategies as st

from features.log_differences import HELD_BARS, SMALLEST_TRADE, WARMUP, log_differences
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=300, seed=11)


def with_silence(candles: Candles, share: float = 0.3, silent: float = 0.0) -> Candles:
    """Bars at random without volume, among them a run at the start, one longer than what is held, and the longest that is."""
    quiet = np.random.default_rng(3).random(len(candles)) < share
    quiet[:3] = quiet[100 : 100 + 2 * HELD_BARS] = quiet[200 : 200 + HELD_BARS - 1] = True
    quiet[[199, 200 + HELD_BARS - 1]] = False
    frame = candles.frame.copy()
    frame.loc[quiet, ["volume", "quote_volume"]] = silent
    return Candles(frame, candles.bar, candles.symbol, "with bars without trades")


def differences_of(volumes: list[float]) -> list[float]:
    candles = make_candles([100.0] * len(volumes), volume=np.array(volumes, float))
    return log_differences(candles)["d_log_volume"].tolist()


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([10, 20, 5], [np.nan, np.log(2), np.log(1 / 4)]),
        ([10, 0, 20], [np.nan, 0, np.log(2)]),
        ([10, 20, 0, 0, 40, 5], [np.nan, np.log(2), 0, 0, np.log(2), np.log(1 / 8)]),
        ([0, 0, 5, 10], [np.nan, 0, 0, np.log(2)]),
        ([10, 20, 0, 0], [np.nan, np.log(2), 0, 0]),
        ([0, 0, 0], [np.nan, 0, 0]),
        ([7], [np.nan]),
    ],
)
def test_a_volume_is_compared_with_the_last_one_that_traded(volumes, expected):
    np.testing.assert_allclose(differences_of(volumes), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("silent_bars", "expected"), [(HELD_BARS - 1, np.log(3)), (HELD_BARS, 0.0), (10 * HELD_BARS, 0.0)])
def test_a_long_silence_is_not_bridged(silent_bars, expected):
    got = differences_of([10.0, *[0.0] * silent_bars, 30.0, 60.0])
    np.testing.assert_allclose(got[1:], [*[0.0] * silent_bars, expected, np.log(2)], rtol=1e-12)


def test_each_volume_has_its_own_silence():
    frame = make_candles([100.0] * 3, volume=np.array([10.0, 20.0, 40.0])).frame.copy()
    frame.iloc[1, 5] = 0.0  # the quote volume alone
    table = log_differences(Candles(frame, CANDLES.bar, "", "by hand"))
    np.testing.assert_allclose(table["d_log_volume"].iloc[1:], [np.log(2), np.log(2)])
    np.testing.assert_allclose(table["d_log_quote_volume"].iloc[1:], [0.0, np.log(4)])


def test_what_stands_for_a_zero_counts_as_a_zero():
    zeros = log_differences(with_silence(CANDLES))
    for silent in (1e-10, 1e-12, 0.99 * SMALLEST_TRADE):
        assert log_differences(with_silence(CANDLES, silent=silent)).to_numpy().tobytes() == zeros.to_numpy().tobytes()
    assert differences_of([1.0, SMALLEST_TRADE])[1] == pytest.approx(np.log(SMALLEST_TRADE))  # a satoshi did trade


@settings(max_examples=examples(100), deadline=None)
@given(volumes=st.lists(st.one_of(st.just(0.0), st.just(1e-10), st.floats(0.5, 2)), min_size=2, max_size=60))
def test_no_spike_comes_from_a_bar_without_trades(volumes):
    assert np.abs(differences_of(volumes)[1:]).max() <= np.log(4) + 1e-12


def test_a_price_of_any_size_is_a_price():
    tiny = make_candles([1e-12, 2e-12, 1e-12])
    np.testing.assert_allclose(log_differences(tiny)["d_log_close"].iloc[1:], [np.log(2), -np.log(2)], rtol=1e-12)


def test_a_prefix_gives_the_first_rows_to_the_bit():
    candles = with_silence(CANDLES)
    whole = log_differences(candles).to_numpy()
    for n in range(1, len(candles) + 1):
        assert log_differences(candles[:n]).to_numpy().tobytes() == whole[:n].tobytes(), n


def test_a_row_needs_its_own_bar_and_the_held_ones_before_it():
    candles = with_silence(CANDLES)
    whole = log_differences(candles).to_numpy()
    for end in range(HELD_BARS + 1, len(candles) + 1):
        alone = log_differences(candles[end - HELD_BARS - 1 : end]).to_numpy()
        assert alone[-1].tobytes() == whole[end - 1].tobytes(), end
    end = 200 + HELD_BARS  # its last bar is the first to trade after the longest silence that is bridged
    assert log_differences(candles[end - HELD_BARS : end]).to_numpy()[-1, 4] != whole[end - 1, 4]  # a bar less is too few


def test_only_the_first_row_is_missing():
    table = log_differences(with_silence(CANDLES))
    assert table.iloc[:WARMUP].isna().all(axis=None)
    assert np.isfinite(table.iloc[WARMUP:]).all(axis=None)
    assert list(table) == [f"d_log_{name}" for name in CANDLES.frame]
    assert set(table.dtypes) == {np.dtype(np.float64)}
    assert table.index.equals(CANDLES.index)
