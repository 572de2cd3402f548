import numpy as np
import pytest
from scipy.stats import kurtosis

from market import InputError, simulate


def test_the_same_seed_gives_the_same_bytes():
    assert simulate("bitcoin", 500, seed=1).sha256 == simulate("bitcoin", 500, seed=1).sha256
    assert simulate("bitcoin", 500, seed=1).sha256 != simulate("bitcoin", 500, seed=2).sha256


def test_each_bar_opens_at_the_previous_close(candles):
    frame = candles.frame
    np.testing.assert_array_equal(frame["open"].iloc[1:], frame["close"].iloc[:-1])


def test_the_market_has_bitcoins_habits():
    """Heavy tails, clustered volatility, hardly any autocorrelation of returns; bounds around the real file's figures."""
    for seed in range(3):
        market = simulate("bitcoin", 17_583, seed=seed, edge=0.0)
        returns = np.diff(np.log(market.column("close")))
        size = np.abs(returns) - np.abs(returns).mean()
        assert 0.006 < returns.std() < 0.015  # real: 0.0100
        assert 4 < kurtosis(returns) < 60  # real: 15.6
        assert 0.15 < (size[1:] * size[:-1]).mean() / size.var() < 0.45  # real: 0.29
        assert abs((returns[1:] * returns[:-1]).mean() / returns.var()) < 0.06  # real: -0.04


def test_only_the_edge_reverts():
    """The planted component explains the next return when there is an edge; without one it does not exist."""
    market = simulate("bitcoin", 20_000, seed=3, edge=0.9)
    returns = np.diff(np.log(market.column("close")))
    assert np.corrcoef(market.state[:-1], returns)[0, 1] < -0.15
    assert not simulate("bitcoin", 2_000, seed=3, edge=0.0).state.any()


def test_busy_hours_and_quiet_weekends():
    volume = simulate("bitcoin", 20_000, seed=0).frame["volume"]
    assert volume[volume.index.hour == 15].mean() > 1.5 * volume[volume.index.hour == 3].mean()
    assert volume[volume.index.day_of_week < 5].mean() > 1.1 * volume[volume.index.day_of_week >= 5].mean()


def test_an_unknown_market_is_named():
    with pytest.raises(InputError, match="did you mean 'bitcoin'"):
        simulate("bitcion")
