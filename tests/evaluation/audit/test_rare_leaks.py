"""The leak audit catches leaks that hide, by name, and accuses none of their honest twins."""

import brokers
import patient_brokers
import pytest
from leaks import CANDLES, CUTS, TRAIN_BARS, Leak, basic
from rare_leaks import QUICK, RARE_LEAKS

from evaluation.audit import leak_audit
from market import simulate

SLOW = pytest.mark.slow
ALL = [pytest.param(leak, id=leak.name, marks=[] if leak.name in QUICK else [pytest.mark.slow]) for leak in RARE_LEAKS]
HONEST = [pytest.param(leak, id=leak.name) for leak in RARE_LEAKS if leak.name in QUICK and "env" not in leak.honest]
"""those of environments take longer, and are held against all checks below"""


@pytest.mark.parametrize("leak", ALL)
def test_each_hidden_leak_is_caught(leak: Leak):
    """By its own check, which is made alone."""
    report = leak_audit(CANDLES, train_bars=TRAIN_BARS, cuts=CUTS, only=(leak.check,), **leak.leaky)
    assert leak.column in [finding.column for finding in report[leak.check].findings], report.verdict


@pytest.mark.parametrize("leak", HONEST)
def test_the_honest_twin_of_each_hidden_leak_passes_that_check(leak: Leak):
    report = leak_audit(CANDLES, train_bars=TRAIN_BARS, cuts=CUTS, only=(leak.check,), **leak.honest)
    assert report.passed, report.verdict
    assert report[leak.check].made


@pytest.mark.parametrize(
    "env",
    [
        brokers.StopAtTheClose,
        pytest.param(brokers.TellsTheEntry, marks=SLOW),
        pytest.param(brokers.SlippageOfTheRange, marks=SLOW),
        pytest.param(brokers.AtTheClose, marks=SLOW),
        pytest.param(brokers.SizedAtTheClose, marks=SLOW),
        pytest.param(brokers.AtTheMiddle, marks=SLOW),
        pytest.param(brokers.AtTheMeanOfFour, marks=SLOW),
        pytest.param(brokers.AtTheMeanOfTrades, marks=SLOW),
        pytest.param(brokers.RollingSharpe, marks=SLOW),
        pytest.param(brokers.RollingSortino, marks=SLOW),
        pytest.param(brokers.SizedOrders, marks=SLOW),
        pytest.param(brokers.PartsSeen, marks=SLOW),
        pytest.param(patient_brokers.Shorts, marks=SLOW),
        pytest.param(patient_brokers.InverseContract, marks=SLOW),
        pytest.param(patient_brokers.SizedAtItsOwnMean, marks=SLOW),
        pytest.param(patient_brokers.SizedAtItsOwnMeanOfFour, marks=SLOW),
        pytest.param(patient_brokers.HeldFor30Bars, marks=SLOW),
        pytest.param(patient_brokers.HeldFor100Bars, marks=SLOW),
    ],
)
def test_honest_brokers_pass(env):
    """Stops at closes, an entry price that is told, fills at the close or a mean of the bar, ratios as rewards, small orders, a
    worth in coins, and rewards that are paid long after the order.
    """
    report = leak_audit(CANDLES, basic, train_bars=TRAIN_BARS, cuts=CUTS, only=("causal env", "next-bar fills"), env=env)
    assert report.passed, report.verdict


@pytest.mark.slow
@pytest.mark.parametrize("leak", RARE_LEAKS, ids=lambda leak: leak.name)
def test_the_honest_twin_of_each_hidden_leak_passes_all_checks(leak: Leak):
    report = leak_audit(CANDLES, train_bars=TRAIN_BARS, cuts=2, **leak.honest)
    assert report.passed, report.verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_orders_that_are_sized_by_the_close_of_their_bar_are_caught_on_other_markets(seed):
    candles = simulate("bitcoin", bars=640, seed=seed)
    for env, passes in ((patient_brokers.SizedByTheNextClose, False), (patient_brokers.Shorts, True)):
        report = leak_audit(candles, basic, train_bars=TRAIN_BARS, cuts=CUTS, only=("next-bar fills",), env=env)
        assert report.passed == passes, report.verdict


@pytest.mark.slow
def test_an_account_that_trades_once_a_week_is_caught_or_not_judged():
    for env, verdict in ((patient_brokers.OnFridaysAtAKnownPrice, "LEAK"), (brokers.OnFridays, "not judged")):
        report = leak_audit(CANDLES, basic, train_bars=TRAIN_BARS, cuts=CUTS, only=("next-bar fills",), env=env)
        assert report["next-bar fills"].verdict == verdict, report.verdict


@pytest.mark.slow
def test_a_reward_that_comes_later_than_anything_is_played_is_not_judged():
    report = leak_audit(
        CANDLES, basic, train_bars=TRAIN_BARS, cuts=CUTS, only=("next-bar fills",), env=patient_brokers.HeldFor100Bars
    )
    assert report["next-bar fills"].verdict == "not judged"
    assert "it was not paid within 64 steps" in report.verdict
