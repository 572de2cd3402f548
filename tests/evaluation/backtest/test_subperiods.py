"""Months and windows: sums that a reader can do by hand."""

import numpy as np
import pandas as pd
import pytest

from evaluation import Episode
from evaluation.backtest import growths, monthly_returns, windows


def episode(worth, first="2020-01-30", freq="D"):
    index = pd.date_range(first, periods=len(worth), freq=freq, tz="UTC", name="time")
    columns = {"close": 100.0, "net_worth": np.array(worth, float), "position": 0.0, "fees": 0.0}
    return Episode(pd.DataFrame(columns, index=index), pd.DataFrame(columns=["time", "side", "coin", "price", "value"]), 365.25)


def test_a_months_return_is_that_of_its_bars():
    """30 and 31 January, three days of February: the start is no bar, and the last bar of January ends at 110."""
    one, other = episode([100, 110, 121, 99, 132]), episode([100, 100, 100, 100, 50])
    table = monthly_returns({"agent": one, "flat": other})
    assert list(table.index) == ["2020-01", "2020-02"]
    assert list(table.columns) == ["agent", "flat"]
    assert table["agent"].tolist() == pytest.approx([0.1, 0.2])
    assert table["flat"].tolist() == pytest.approx([0.0, -0.5])


def test_a_start_at_the_end_of_a_month_makes_no_month():
    assert list(monthly_returns({"agent": episode([100, 110], "2020-01-31")}).index) == ["2020-02"]


def test_months_multiply_to_the_whole_and_are_utc():
    worth = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 5_000)))
    table = monthly_returns({"agent": episode(worth, "2019-12-31 22:00", "h")})
    assert table.index[0] == "2019-12"  # the bar of 23:00 UTC
    assert (1 + table["agent"]).prod() == pytest.approx(worth[-1] / worth[0])


def test_after_a_debt_there_are_no_months():
    table = monthly_returns({"hold": episode([100] * 40), "agent": episode([100, 110, 121, -5])})
    assert table["agent"].iloc[1] == pytest.approx(-5 / 110 - 1)
    assert table["agent"].iloc[2:].isna().all()
    assert len(table) == 3


def test_windows_are_of_one_length_and_their_growths_add_up():
    rng = np.random.default_rng(1)
    episodes = {name: episode(100 * np.exp(np.cumsum(rng.normal(0, 0.01, 41)))) for name in ("agent", "buy and hold", "flat")}
    table = windows(episodes, 4)
    assert list(table.columns) == ["first", "last", "agent", "buy and hold"]
    index = episodes["agent"].table.index
    assert table["first"].tolist() == [index[1], index[11], index[21], index[31]]
    assert table["last"].tolist() == [index[10], index[20], index[30], index[40]]
    for name in ("agent", "buy and hold"):
        worth = episodes[name].table["net_worth"]
        assert table[name].sum() == pytest.approx(np.log(worth.iloc[-1] / worth.iloc[0]))
        assert table[name].iloc[1] == pytest.approx(np.log(worth.iloc[20] / worth.iloc[10]))


def test_a_debt_is_a_billionth_of_the_start_and_stays_so():
    table = growths({"agent": episode([100, 50, -5]), "buy and hold": episode([100] * 7)}, np.array([0, 1, 3, 6]))
    assert table["agent"].tolist() == pytest.approx([np.log(0.5), np.log(1e-9 / 0.5), 0.0])
    assert np.isfinite(table[["agent", "buy and hold"]]).all(axis=None)
