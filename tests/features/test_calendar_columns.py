import numpy as np
import pandas as pd
import pytest

from features.calendar_columns import calendar_columns
from market import simulate

INDEX = simulate("bitcoin", bars=400, seed=11).index


def at(*times: str) -> np.ndarray:
    return calendar_columns(pd.DatetimeIndex(times, tz="UTC")).to_numpy()


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2019-07-01 00:00", (0, 1, 0, 1)),  # a Monday, midnight
        ("2019-07-04 12:00", (0, -1, 0, -1)),  # Thursday noon: half of both
        ("2019-07-02 18:00", (-1, 0, 1, 0)),  # Tuesday 18:00: a quarter of the week
        ("2019-07-01 06:00", (1, 0, np.sin(np.pi / 14), np.cos(np.pi / 14))),
        ("2019-07-01 01:30", (np.sin(np.pi / 8), np.cos(np.pi / 8), np.sin(np.pi / 56), np.cos(np.pi / 56))),
        ("1969-12-29 00:00", (0, 1, 0, 1)),  # a Monday before the epoch
    ],
)
def test_angles_by_hand(time, expected):
    np.testing.assert_allclose(at(time)[0], expected, atol=1e-12)


def test_every_hour_is_as_far_from_the_next_as_any_other():
    """No jump at midnight nor from Sunday to Monday."""
    hours = calendar_columns(pd.date_range("2019-07-01", periods=169, freq="h", tz="UTC")).to_numpy()
    steps = np.diff(hours, axis=0)
    np.testing.assert_allclose(np.hypot(steps[:, 0], steps[:, 1]), 2 * np.sin(np.pi / 24), rtol=1e-9)
    np.testing.assert_allclose(np.hypot(steps[:, 2], steps[:, 3]), 2 * np.sin(np.pi / 168), rtol=1e-9)
    assert len(np.unique(hours.round(9), axis=0)) == 168


def test_the_time_of_the_fill_is_the_same_columns_turned():
    now, fill = calendar_columns(INDEX).to_numpy(), calendar_columns(INDEX + pd.Timedelta("1h")).to_numpy()
    for column, angle in ((0, 2 * np.pi / 24), (2, 2 * np.pi / 168)):
        sine, cosine = now[:, column], now[:, column + 1]
        np.testing.assert_allclose(fill[:, column], sine * np.cos(angle) + cosine * np.sin(angle), atol=1e-12)
        np.testing.assert_allclose(fill[:, column + 1], cosine * np.cos(angle) - sine * np.sin(angle), atol=1e-12)


def test_a_row_depends_on_its_own_time_alone_to_the_bit():
    whole = calendar_columns(INDEX).to_numpy()
    for n in range(1, len(INDEX) + 1):
        assert calendar_columns(INDEX[:n]).to_numpy().tobytes() == whole[:n].tobytes(), n
        assert calendar_columns(INDEX[n - 1 :]).to_numpy().tobytes() == whole[n - 1 :].tobytes(), n


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_resolution_of_the_index_does_not_matter(unit):
    assert calendar_columns(INDEX.as_unit(unit)).to_numpy().tobytes() == calendar_columns(INDEX).to_numpy().tobytes()


def test_daily_bars_have_a_constant_hour_and_seven_days():
    table = calendar_columns(pd.date_range("2019-07-01", periods=70, freq="D", tz="UTC"))
    assert (table["hour_sin"] == 0).all()
    assert (table["hour_cos"] == 1).all()
    assert len(table[["weekday_sin", "weekday_cos"]].round(9).drop_duplicates()) == 7


def test_the_columns_are_named_and_bounded():
    table = calendar_columns(INDEX)
    assert list(table) == ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]
    assert set(table.dtypes) == {np.dtype(np.float64)}
    assert table.index.equals(INDEX)
    assert table.abs().to_numpy().max() <= 1
