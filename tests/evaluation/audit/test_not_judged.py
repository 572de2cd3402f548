"""What the leak audit refuses, or says that it can't judge, instead of calling it clean or a leak."""

import brokers
import numpy as np
import pandas as pd
import pytest
from leaks import CANDLES, CUTS, TRAIN_BARS, basic, returns
from peeking import Momentum
from rare_leaks import FrameEnv

from common import InputError
from evaluation.audit import AuditReport, leak_audit
from market import Candles

AHEAD = (CANDLES.frame.open.shift(-2) > CANDLES.frame.open.shift(-1)).to_numpy()


def audit(pipeline=basic, **options) -> AuditReport:
    return leak_audit(CANDLES, pipeline, train_bars=TRAIN_BARS, cuts=CUTS, **options)


# --- agents that play a list --------------------------------------------------------------------------------------------


class Replayed:
    """Actions that were made from this very file, played by the number of the step."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        step = 0 if state is None else state
        return 2 * int(AHEAD[step + 1]), step + 1


def test_an_agent_that_plays_a_list_is_not_called_clean():
    report = audit(env=brokers.Broker, agent=Replayed(), only=("causal agent",))
    assert report["causal agent"].verdict == "not judged"
    assert "the agent acts the same, step by step, on a wholly other market" in report.verdict
    assert report.passed


@pytest.mark.parametrize("agent", [Momentum(), lambda observation: 2], ids=["momentum", "always in the market"])
def test_an_agent_that_looks_or_that_holds_is_judged(agent):
    assert audit(env=brokers.Broker, agent=agent, only=("causal agent",))["causal agent"].verdict == "clean"


# --- where episodes begin -----------------------------------------------------------------------------------------------


class BeginsAnywhere(brokers.Broker):
    def begin(self) -> None:
        super().begin()
        self.bar += int(self.drawn(max(self.last - self.first - 40, 1)))

    def drawn(self, most: int) -> int:
        return int(self.np_random.integers(0, most))


class BeginsAnywhereByTheGlobalSeed(BeginsAnywhere):
    def drawn(self, most: int) -> int:
        return int(np.random.randint(0, most))  # noqa: NPY002


@pytest.mark.parametrize("env", [BeginsAnywhere, BeginsAnywhereByTheGlobalSeed])
def test_an_environment_of_rows_that_begins_at_a_random_bar_is_refused(env):
    with pytest.raises(InputError, match=r"begin at a random bar .* must begin at the first row") as refused:
        audit(env=env, only=("causal env",))
    assert "\n" not in str(refused.value)


class NoisyStart(brokers.Broker):
    """A little noise in each observation, by the seed: it begins at the first row all the same."""

    AHEAD = 0

    def seen(self):
        bar = min(self.bar + self.AHEAD, self.last)
        noise = self.np_random.normal(0, 1e-3)
        return np.array([*self.values[bar - self.first] + noise, self.coin > 0], np.float32)


class NoisyLookAhead(NoisyStart):
    AHEAD = 3


def test_an_environment_that_looks_ahead_at_its_first_row_is_a_leak_and_not_refused():
    assert audit(env=NoisyStart, only=("causal env",)).passed
    assert "observation[0] (move)" in [finding.column for finding in audit(env=NoisyLookAhead, only=("causal env",)).findings]


class RefusesOtherPrices(FrameEnv):
    def __init__(self, df: pd.DataFrame) -> None:
        if df.close.max() > 10 * CANDLES.frame.close.max():
            raise AssertionError("no such price")
        super().__init__(df)


@pytest.mark.parametrize("check", ["causal env", "next-bar fills"])
def test_an_environment_that_fails_on_other_candles_while_its_start_is_looked_for_is_a_finding(check):
    report = audit(env=lambda df: RefusesOtherPrices(df), only=(check,))
    assert [finding.column for finding in report[check].findings] == ["error"]
    assert "on other candles: the function that makes the environment raised AssertionError: no such price" in report.verdict


# --- columns that hold something of a file ------------------------------------------------------------------------------

OTHER = pd.Series(np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, len(CANDLES)))), CANDLES.index)
NEXT = returns(CANDLES).shift(-1).fillna(0.0)


def ratio(candles: Candles) -> pd.DataFrame:
    """The price in another coin, whose prices come from a file."""
    return basic(candles).assign(ratio=np.log(candles.frame.close / OTHER.reindex(candles.index).fillna(1.0).to_numpy()))


def blended(candles: Candles) -> pd.DataFrame:
    """Scores of a file that was made with the next return, beside the last one."""
    scores = NEXT.reindex(candles.index).fillna(0.0).to_numpy()
    return basic(candles).assign(score=scores + 0.1 * returns(candles))


def test_a_file_that_is_mixed_with_a_candle_column_is_not_called_clean():
    report = audit(ratio, only=("candles alone",))
    assert report["candles alone"].verdict == "not judged"
    assert "ratio knows the year" in report.verdict


def test_a_file_that_knows_the_next_bar_is_caught_though_it_is_mixed_with_a_candle_column():
    report = audit(blended, only=("causal features", "candles alone"))
    assert report["causal features"].verdict == "clean"
    assert [finding.column for finding in report["candles alone"].findings] == ["score"]
