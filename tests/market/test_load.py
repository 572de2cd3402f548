import numpy as np
import pytest

from common import InputError
from configs import load_experiment
from market import MarketSettings, load_candles, simulate


def test_the_parameters_of_a_simulated_market_come_from_yaml(tmp_path):
    (tmp_path / "mine.yaml").write_text("market: {simulate: ou, bars: 500, seed: 3, params: {reversion: 0.2, volatility: 0.02}}")
    candles = load_candles(load_experiment(tmp_path / "mine.yaml").market)
    same = simulate("ou", 500, 3, reversion=0.2, volatility=0.02)
    np.testing.assert_array_equal(candles.column("close"), same.column("close"))
    assert not np.array_equal(candles.column("close"), simulate("ou", 500, 3).column("close"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"simulate": "ou", "params": {"reversions": 0.2}}, "did you mean 'reversion'"),
        ({"params": {"edge": 0.2}}, "is `market.edge`, but `market.params` has it too"),
    ],
)
def test_a_parameter_that_the_market_does_not_have_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        load_candles(MarketSettings(**settings))
