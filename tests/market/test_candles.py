import numpy as np
import pytest

from market import CandleError, Candles


def broken(candles, **changes):
    frame = candles.frame.copy()
    for column, (row, value) in changes.items():
        frame.iloc[row, frame.columns.get_loc(column)] = value
    return Candles(frame, candles.bar, candles.symbol, "a test")


def test_the_hash_names_the_content(candles):
    again = Candles(candles.frame.copy(), candles.bar, "other", "elsewhere")
    assert again.sha256 == candles.sha256
    assert candles[:-1].sha256 != candles.sha256
    assert broken(candles, volume=(3, 1.0)).sha256 != candles.sha256


def test_a_slice_is_candles(candles):
    assert candles[10:20].index.equals(candles.index[10:20])
    with pytest.raises(CandleError, match="steps of 1"):
        candles[::2]


def test_columns_are_read_only(candles):
    with pytest.raises(ValueError, match="read-only"):
        candles.column("close")[0] = 1.0


def test_bars_per_year(candles):
    assert candles.bars_per_year == pytest.approx(365.25 * 24)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("close", np.nan, "finite"),
        ("open", np.inf, "finite"),
        ("low", 0.0, "above 0"),
        ("high", 1.0, "low <= open, close <= high"),
        ("volume", -1.0, "0 or more"),
    ],
)
def test_a_broken_bar_is_named_with_its_time(candles, column, value, rule):
    with pytest.raises(CandleError) as error:
        broken(candles, **{column: (5, value)})
    assert rule in str(error.value)
    assert str(candles.index[5]) in str(error.value)
    assert "\n" not in str(error.value)


def test_gaps_duplicates_and_disorder_are_refused(candles):
    for rows in ([0, 1, 3, 4], [0, 1, 1, 2, 3], [1, 0, 2, 3]):
        with pytest.raises(CandleError, match="each bar must open"):
            Candles(candles.frame.iloc[rows], candles.bar, "", "a test")


def test_wrong_columns_types_and_time_zones_are_refused(candles):
    frame = candles.frame
    with pytest.raises(CandleError, match="columns"):
        Candles(frame.drop(columns="volume"), candles.bar, "", "a test")
    with pytest.raises(CandleError, match="float64"):
        Candles(frame.astype("float32"), candles.bar, "", "a test")
    with pytest.raises(CandleError, match="UTC"):
        Candles(frame.tz_localize(None), candles.bar, "", "a test")
    with pytest.raises(CandleError, match="at least one"):
        Candles(frame.iloc[:0], candles.bar, "", "a test")
