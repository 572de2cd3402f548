"""Strategies are made of all candles at once: those that use a later one are caught, the project's own and honest ones pass."""

import numpy as np
import pytest
from leaks import CANDLES, CUTS, TRAIN_BARS, Columns, basic

from agents import STRATEGIES, BuyAndHold, SignalStrategy, StrategySettings
from common import InputError
from envs import BUY, HOLD, SELL
from evaluation.audit import AuditReport, leak_audit


def audit(**strategies) -> AuditReport:
    return leak_audit(
        CANDLES, Columns(basic), train_bars=TRAIN_BARS, cuts=CUTS, strategies=strategies, only=("causal strategies",)
    )  # fmt: skip


def follows(signal):
    """Buys while the signal, (T,) of the candles, is positive, and sells while it is not."""
    return lambda candles: SignalStrategy(np.where(signal(candles) > 0, BUY, SELL).astype(np.int64))


def close(candles):
    return candles.frame["close"]


LEAKS = {
    "the next close": lambda c: close(c).shift(-1).ffill() - close(c),
    "a mean around the bar": lambda c: close(c) - close(c).rolling(5, center=True, min_periods=1).mean(),
    "the mean of all bars": lambda c: close(c) - close(c).mean(),
    "ranks among all bars": lambda c: close(c).rank(pct=True) - 0.5,
    "the day's close in the morning": lambda c: close(c).groupby(c.index.floor("D")).transform("last") - close(c),
    "filled backwards": lambda c: close(c).rolling(50).mean().bfill() - close(c),
    "the next bar, on Sundays alone": lambda c: np.where(c.index.day_of_week == 6, close(c).shift(-1).ffill() - close(c), -1.0),
}
HONEST = {
    "a mean of past bars": lambda c: close(c) - close(c).rolling(50).mean(),
    "the highest so far": lambda c: close(c) - close(c).cummax() * 0.95,
    "weekends": lambda c: np.where(c.index.day_of_week == 4, 1.0, -1.0),
    "yesterday's close": lambda c: close(c) - close(c).shift(24).fillna(0.0),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_strategy_that_knows_later_candles_is_caught(leak):
    report = audit(peeking=follows(LEAKS[leak]), honest=follows(HONEST["weekends"]))
    assert {finding.column for finding in report["causal strategies"].findings} == {"peeking"}
    assert not report.passed


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_strategy_passes(name):
    report = audit(**{name: follows(HONEST[name])})
    assert report.passed, report.verdict
    assert report["causal strategies"].cases > 50


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_strategies_of_the_backtest_pass(name):
    report = audit(**{name: lambda candles: STRATEGIES[name](candles, 0, StrategySettings())})
    assert report.passed, report.verdict


def test_one_that_decides_bar_by_bar_is_named_as_not_looked_at():
    class Waits:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.full(len(observation), 4 * HOLD), state

    report = audit(waits=lambda candles: Waits(), holds=lambda candles: BuyAndHold())
    assert report.passed
    assert "waits decides bar by bar" in report["causal strategies"].notes[0]


def test_one_that_fails_on_the_true_candles_is_refused_by_name():
    def broken(candles):
        raise KeyError("no such column")

    with pytest.raises(InputError, match="the strategy 'broken' raised KeyError"):
        audit(broken=broken)
