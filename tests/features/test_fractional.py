import numpy as np
import pytest
from scipy.special import binom

from common import InputError
from features.fractional import _filter, filter_differences, fractional_differences, lookback, warmup, weights
from features.log_differences import HELD_BARS, log_differences
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=500, seed=11)
SETTINGS = [(0.05, 1e-3), (0.4, 1e-4), (0.4, 1e-3), (0.75, 1e-4), (1.0, 1e-4)]


def with_silence(candles: Candles) -> Candles:
    """A third of the bars without volume, among them a run longer than what is held."""
    quiet = np.random.default_rng(3).random(len(candles)) < 0.3
    quiet[100 : 100 + 2 * HELD_BARS] = True
    frame = candles.frame.copy()
    frame.loc[quiet, ["volume", "quote_volume"]] = 0.0
    return Candles(frame, candles.bar, candles.symbol, "with bars without trades")


@pytest.mark.parametrize(("order", "threshold"), SETTINGS)
def test_weights_are_the_binomial_series_down_to_the_threshold(order, threshold):
    k = np.arange(len(weights(order, threshold)) + 1)
    series = (-1.0) ** k * binom(order, k)
    np.testing.assert_allclose(weights(order, threshold)[:-1], series[:-2], rtol=1e-9)
    assert abs(series[-2]) >= threshold > abs(series[-1])


@pytest.mark.parametrize(("order", "threshold"), SETTINGS)
def test_the_oldest_weight_takes_what_was_cut_off(order, threshold):
    kept = weights(order, threshold)
    oldest = (-1.0) ** (len(kept) - 1) * binom(order, len(kept) - 1)
    left = kept[:-1].sum() + oldest  # of the level, if the series just ended
    assert kept.sum() == pytest.approx(0, abs=1e-14)
    assert kept[-1] == pytest.approx(oldest - left, abs=1e-12)


def test_the_level_that_a_plain_cut_leaves_is_what_the_documentation_says():
    kept = weights(0.4, 1e-4)
    assert len(kept) == 282
    assert kept[:-1].sum() == pytest.approx(0.0705, abs=1e-4)


@pytest.mark.parametrize(("order", "threshold"), SETTINGS)
def test_the_filter_equals_a_plain_double_loop_over_the_logs(order, threshold):
    got = fractional_differences(CANDLES, order, threshold).to_numpy()
    logs, kept = np.log(CANDLES.frame.to_numpy()), weights(order, threshold)
    first = warmup(order, threshold)
    expected = [sum(kept[k] * logs[t - k] for k in range(len(kept))) for t in range(first, len(CANDLES))]
    assert np.isnan(got[:first]).all()
    np.testing.assert_allclose(got[first:], expected, atol=1e-12)


def test_order_1_is_the_log_difference_to_the_bit():
    candles = with_silence(CANDLES)
    assert warmup(1.0) == 1
    assert fractional_differences(candles, 1.0).to_numpy().tobytes() == log_differences(candles).to_numpy().tobytes()


def test_no_level_enters_and_none_is_left():
    frame = CANDLES.frame.copy()
    frame[["open", "high", "low", "close", "quote_volume"]] *= 1024.0
    dearer = Candles(frame, CANDLES.bar, CANDLES.symbol, "1024 times the price")
    got, plain = fractional_differences(dearer, 0.4), fractional_differences(CANDLES, 0.4)
    np.testing.assert_allclose(got, plain, atol=1e-12)


def test_a_jump_is_forgotten_when_it_leaves_the_window():
    """Flat, a jump at bar 300, flat again: the answer is the running sum of the weights, then exactly 0."""
    differences = np.zeros((800, 1))
    differences[300] = 2.0
    got = filter_differences(differences, 0.4)[:, 0]
    np.testing.assert_allclose(got[300 : 300 + warmup(0.4)], 2 * np.cumsum(weights(0.4))[:-1], atol=1e-14)
    assert (got[300 + warmup(0.4) :] == 0).all()
    assert (got[warmup(0.4) : 300] == 0).all()


def test_a_short_silence_holds_the_volume_before_it():
    frame = CANDLES.frame.copy()
    frame.iloc[450:460, 4:] = 0.0
    silent = fractional_differences(Candles(frame, CANDLES.bar, "", "silent"), 0.4)
    frame.iloc[450:460, 4:] = frame.iloc[449, 4:].to_numpy()
    held = fractional_differences(Candles(frame, CANDLES.bar, "", "held"), 0.4)
    np.testing.assert_allclose(silent, held, atol=1e-14)


@pytest.mark.parametrize(("order", "threshold"), SETTINGS)
def test_a_prefix_gives_the_first_rows_to_the_bit(order, threshold):
    candles = with_silence(CANDLES)
    whole = fractional_differences(candles, order, threshold).to_numpy()
    for n in range(1, len(candles) + 1, 1 if order == 0.4 else 17):
        assert fractional_differences(candles[:n], order, threshold).to_numpy().tobytes() == whole[:n].tobytes(), n


@pytest.mark.slow
@pytest.mark.parametrize(("order", "threshold"), SETTINGS)
def test_the_lookback_alone_gives_the_same_last_row_to_the_bit(order, threshold):
    candles = with_silence(CANDLES)
    whole, back = fractional_differences(candles, order, threshold).to_numpy(), lookback(order, threshold)
    for end in range(back + 1, len(candles) + 1, 3):
        alone = fractional_differences(candles[end - back - 1 : end], order, threshold).to_numpy()
        assert alone[-1].tobytes() == whole[end - 1].tobytes(), end


def test_the_lookback_reaches_over_the_longest_silence_and_no_further():
    """The oldest difference in the window looks back over a silence of HELD_BARS - 1 bars."""
    oldest, frame = len(CANDLES) - warmup(0.4) - HELD_BARS, CANDLES.frame.copy()
    frame.iloc[oldest + 1 : oldest + HELD_BARS, 4:] = 0.0
    quiet = Candles(frame, CANDLES.bar, "", "quiet")
    assert lookback(0.4) == len(CANDLES) - 1 - oldest
    row, enough, short = (
        fractional_differences(c, 0.4)["frac_log_volume"].iloc[-1] for c in (quiet, quiet[oldest:], quiet[oldest + 1 :])
    )
    assert row == enough
    assert row != short


def test_the_compiled_filter_equals_the_plain_one():
    differences, running = log_differences(CANDLES[:60]).to_numpy(), np.cumsum(weights(0.4, 1e-2))[:-1]
    assert _filter(differences, running).tobytes() == _filter.py_func(differences, running).tobytes()


def test_the_columns_are_those_of_the_candles():
    table = fractional_differences(CANDLES, 0.4)
    assert list(table) == [f"frac_log_{name}" for name in CANDLES.frame]
    assert set(table.dtypes) == {np.dtype(np.float64)}
    assert table.index.equals(CANDLES.index)
    assert np.isfinite(table.iloc[warmup(0.4) :]).all(axis=None)


def test_candles_shorter_than_the_window_have_no_row():
    assert fractional_differences(CANDLES[: warmup(0.4)], 0.4).isna().all(axis=None)
    assert fractional_differences(CANDLES[: warmup(0.4) + 1], 0.4).iloc[-1].notna().all()


@pytest.mark.parametrize(
    ("order", "threshold", "rule"),
    [
        (0.0, 1e-4, "0 < order <= 1"),
        (-0.5, 1e-4, "0 < order <= 1"),
        (1.5, 1e-4, "0 < order <= 1"),
        (np.nan, 1e-4, "0 < order <= 1"),
        (0.4, 0.5, "threshold <= order"),
        (0.4, 0.0, "1e-06 <= threshold"),
        (0.4, np.nan, "threshold"),
    ],
)
def test_a_setting_out_of_range_gets_one_line(order, threshold, rule):
    with pytest.raises(InputError, match=rule) as error:
        fractional_differences(CANDLES, order, threshold)
    assert "\n" not in str(error.value)
