import numpy as np
import pytest
from helpers import make_candles

from common import InputError
from features.volatility import FLAT, realised_volatility, warmup
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=400, seed=11)
WINDOWS = (6, 24, 168)


def plain(closes: np.ndarray, window: int) -> np.ndarray:
    """ln of the root mean square, each window anew."""
    returns = np.diff(np.log(closes))
    rms = [np.sqrt(np.mean(returns[t - window : t] ** 2)) for t in range(window, len(closes))]
    return np.log(np.maximum(rms, FLAT))


def test_volatility_by_hand():
    """Returns of +10 %, -10 % and +20 % in logs."""
    closes = 100 * np.exp([0, 0.1, 0.0, 0.2])
    table = realised_volatility(make_candles(list(closes)), (1, 2))
    np.testing.assert_allclose(table["volatility_1"], np.log([np.nan, 0.1, 0.1, 0.2]), rtol=1e-9)
    np.testing.assert_allclose(table["volatility_2"], np.log([np.nan, np.nan, 0.1, np.sqrt(0.025)]), rtol=1e-9)


@pytest.mark.parametrize("window", [1, 2, 6, 24, 168, 399])
def test_a_sliding_window_equals_every_window_computed_anew(window):
    got = realised_volatility(CANDLES, (window,)).to_numpy()[:, 0]
    assert np.isnan(got[:window]).all()
    np.testing.assert_allclose(got[window:], plain(CANDLES.column("close"), window), rtol=1e-13)


def test_a_crash_leaves_nothing_behind():
    """After it, a market so still that any residue of the crash would be seen."""
    calm = 100 * np.exp(1e-4 * np.cumsum(np.where(np.arange(400) % 2, 1.0, -1.0)))
    crashed = np.where(np.arange(400) < 200, calm * 1e6, calm)
    got = realised_volatility(make_candles(list(crashed)), WINDOWS)
    for window in WINDOWS:
        column = got[f"volatility_{window}"].to_numpy()
        assert (column[200 : 200 + window] > 0).all()  # ln of 13.8 / sqrt(window) and more
        np.testing.assert_allclose(column[200 + window :], np.log(1e-4), atol=1e-10)
    flat = np.where(np.arange(400) < 200, 1e8, 100.0)
    after = realised_volatility(make_candles(list(flat)), (24,))["volatility_24"].to_numpy()[224:]
    assert (after == np.log(FLAT)).all()


def test_a_flat_market_has_the_lowest_volatility():
    table = realised_volatility(make_candles([100.0] * 400), WINDOWS)
    assert (table.iloc[168:] == np.log(FLAT)).all(axis=None)


def test_a_prefix_gives_the_first_rows_to_the_bit():
    whole = realised_volatility(CANDLES, WINDOWS).to_numpy()
    for n in range(1, len(CANDLES) + 1):
        assert realised_volatility(CANDLES[:n], WINDOWS).to_numpy().tobytes() == whole[:n].tobytes(), n


@pytest.mark.parametrize("start", [1, 5, 100, 211])
def test_the_start_of_the_data_does_not_show(start):
    whole = realised_volatility(CANDLES, WINDOWS).to_numpy()[start:]
    late = realised_volatility(CANDLES[start:], WINDOWS).to_numpy()
    known = ~np.isnan(late)
    np.testing.assert_allclose(late[known], whole[known], rtol=0, atol=1e-12)


def test_the_longest_window_alone_gives_the_same_last_row():
    whole = realised_volatility(CANDLES, WINDOWS).to_numpy()
    for end in range(warmup(WINDOWS) + 1, len(CANDLES) + 1, 7):
        alone = realised_volatility(CANDLES[end - warmup(WINDOWS) - 1 : end], WINDOWS).to_numpy()
        np.testing.assert_allclose(alone[-1], whole[end - 1], rtol=0, atol=1e-12)


def test_the_level_of_the_price_does_not_matter():
    frame = CANDLES.frame.copy()
    frame[["open", "high", "low", "close"]] *= 1000
    dearer = Candles(frame, CANDLES.bar, CANDLES.symbol, "1000 times the price")
    np.testing.assert_allclose(realised_volatility(dearer, WINDOWS), realised_volatility(CANDLES, WINDOWS), rtol=1e-9)


def test_the_warm_up_is_the_longest_window():
    table = realised_volatility(CANDLES, WINDOWS)
    assert list(table) == ["volatility_6", "volatility_24", "volatility_168"]
    assert [int(table[name].isna().sum()) for name in table] == list(WINDOWS)
    assert np.isfinite(table.iloc[warmup(WINDOWS) :]).all(axis=None)
    assert warmup(WINDOWS) == 168
    assert realised_volatility(CANDLES[:168], WINDOWS)["volatility_168"].isna().all()
    assert realised_volatility(CANDLES[:1], WINDOWS).isna().all(axis=None)


@pytest.mark.parametrize("windows", [(), (0,), (6, -1), (6, 6)])
def test_windows_that_are_none_get_one_line(windows):
    for function in (lambda: realised_volatility(CANDLES, windows), lambda: warmup(windows)):
        with pytest.raises(InputError, match="windows of 1 bar or more"):
            function()
