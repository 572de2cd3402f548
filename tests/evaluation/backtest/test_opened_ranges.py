"""Several coins that are played at once are several looks: whoever shows the best of them has looked at all."""

import numpy as np
import pytest
from helpers import against_the_price, episodes_of, make_coin

from agents import Flat
from evaluation import TrainedRun, judge
from evaluation.backtest import OpenedRange, open_ranges
from evaluation.statistics.verdict import level_of
from features import FeaturePipeline, FeatureSettings
from market import OpeningLedger, TrialLedger, split_coins

COINS = [make_coin("BTC/USD", 600), make_coin("ETH/USD", 550, seed=1, late=50), make_coin("SOL/USD", 600, seed=2)]
SETTINGS = FeatureSettings.model_validate({"indicators": (), "volatility_bars": (6,), "sarimax": {"forecast_len": 0}})


@pytest.fixture
def ledgers(tmp_path):
    return (
        OpeningLedger(tmp_path / "openings.jsonl", tmp_path / "user-openings.jsonl"),
        TrialLedger(tmp_path / "trials.jsonl", tmp_path / "user-trials.jsonl"),
    )


def run(tmp_path, **coins) -> TrainedRun:
    features = FeaturePipeline(SETTINGS).fit_coins([coin.train.candles for coin in split_coins(COINS).coins])
    return TrainedRun(tmp_path, {"agent": Flat()}, features, {}, 7, None, None, coins=coins)


def opened(coins, trained, ledgers) -> list[OpenedRange]:
    return open_ranges(split_coins(coins), trained, ledgers[0], ledgers[1], "config", "a test")


def test_each_coin_counts_the_looks_at_all(tmp_path, ledgers):
    trained = run(tmp_path)
    first = opened(COINS, trained, ledgers)
    assert [(each.openings, each.other_looks) for each in first] == [(1, 2)] * 3
    opened(COINS[:1], trained, ledgers)  # alone, once more
    again = opened(COINS, trained, ledgers)
    assert [(each.openings, each.other_looks) for each in again] == [(3, 4), (2, 5), (2, 5)]
    assert "3 coins were played at once (BTC/USD, ETH/USD, SOL/USD)" in again[0].in_words[0]
    assert "looks at all of their test ranges (7)." in again[0].in_words[0]
    assert len((tmp_path / "openings.jsonl").read_text().splitlines()) == 7


def test_one_series_counts_its_own_alone(tmp_path, ledgers):
    (one,) = opened(COINS[:1], run(tmp_path), ledgers)
    assert (one.openings, one.other_looks, one.in_words) == (1, 0, ())
    assert one.as_json() == {
        "test_range_openings": 1,
        "test_range_looks": 1,
        "test_range_openings_written": 1,
        "trials_searched": 7,
    }


def test_if_the_looks_at_one_coin_are_unknown_no_verdict_counts_them_as_none(tmp_path, ledgers):
    """The run knows of an opening of ETH/USD that no ledger has."""
    known = {"trials": 7, "sharpe_spread": None, "overfitting": None}
    trained = run(tmp_path, **{"BTC/USD": known | {"openings_before": 0}, "ETH/USD": known | {"openings_before": 1}})
    found = opened(COINS, trained, ledgers)
    assert [(each.openings, each.other_looks) for each in found] == [(None, 0)] * 3
    assert all("test ranges (an unknown number)." in each.in_words[0] for each in found)
    assert [len(each.in_words) for each in found] == [1, 2, 1]  # whose count it is, is said once
    assert [each.written for each in found] == [1, 2, 1]


def test_what_is_known_of_a_coin_comes_from_the_run(tmp_path):
    trained = run(tmp_path, **{"ETH/USD": {"trials": 3, "sharpe_spread": 0.1, "overfitting": 0.2, "openings_before": 4}})
    assert (trained.of_coin("ETH/USD").trials, trained.of_coin("ETH/USD").openings_before) == (3, 4)
    assert trained.of_coin("BTC/USD").trials == 7


def test_other_looks_lower_the_level_as_openings_do():
    """So that of five coins without skill one is shown as an edge in 5 % of runs, and not one of them in 5 %."""
    moves = np.random.default_rng(3).normal(0, 0.01, 600)
    agent, hold = episodes_of(against_the_price(moves), moves)
    verdicts = [judge(agent, hold, trials=0, openings=1, other_looks=other) for other in (0, 4)]
    assert [verdict.evidence.level for verdict in verdicts] == [level_of(1), level_of(5)]
    assert [("other_looks" in verdict.as_json()) for verdict in verdicts] == [False, True]
    p_value = verdicts[0].evidence.p_value
    assert verdicts[1].evidence.p_value == p_value
    known = judge(agent, hold, trials=0, openings=1, other_looks=10_000)
    assert known.verdict == "no evidence of an edge"
    if known.rule == "luck does as well too often":
        assert "With 1 opening of the test range and 10,000 looks at those of the other coins" in known.reasons[0]


def test_the_validations_of_a_run_say_on_which_range_and_coins_they_were_made(tmp_path, ledgers):
    (one,) = opened(COINS[:1], run(tmp_path), ledgers)
    index = split_coins(COINS[:1]).coins[0].validation.own.index
    assert one.trained.validated == f"BTC/USD, validation range {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}"
    for each in opened(COINS, run(tmp_path), ledgers):
        assert each.trained.validated.startswith("mean over BTC/USD, ETH/USD, SOL/USD, validation range 2017-")
