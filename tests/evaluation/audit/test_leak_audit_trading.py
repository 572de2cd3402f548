"""The leak audit of environments, fills, agents and trainings: of this project, and of somebody else's."""

import numpy as np
import pytest
from leaks import CANDLES, CUTS, TRAIN_BARS, Columns, basic
from peeking import Drawing, Learning, Momentum, Planned, TwoSided

from agents import BuyAndHold, RsiDivergence, SmaCrossover
from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from evaluation.audit import AuditReport, leak_audit

COLUMNS = Columns(basic)


PLAYED = ("causal env", "next-bar fills", "causal agent", "frozen agent")
SLOW = pytest.mark.slow


def audit(env, only=PLAYED, **options) -> AuditReport:
    """Without the checks of features, which other tests make."""
    return leak_audit(CANDLES, COLUMNS, train_bars=TRAIN_BARS, cuts=CUTS, env=env, only=only, **options)


def found(report: AuditReport, check: str) -> list[str]:
    return [finding.column for finding in report[check].findings]


MARGIN = {"shorts": True, "max_leverage": 3.0}


@pytest.mark.parametrize(
    "settings",
    [
        EnvSettings(),
        pytest.param(EnvSettings(fill="next_close", reward="calmar", impact=1.0), marks=SLOW),
        pytest.param(
            EnvSettings(action_scheme="targets", targets=(-1.0, 0.0, 1.0), **MARGIN, stop_loss=0.01, take_profit=0.01), marks=SLOW
        ),
        pytest.param(EnvSettings(action_scheme="continuous", reward="differential_sharpe", **MARGIN), marks=SLOW),
        pytest.param(EnvSettings(fee_bps=100, min_trade=2_000, lot=1.0), marks=SLOW),
        pytest.param(EnvSettings(stop_loss=0.05, take_profit=0.1), marks=SLOW),
    ],
    ids=["default", "next close, impact", "targets with stops", "continuous", "dear, in lots", "stops"],
)
def test_the_environment_of_this_project_passes(settings):
    report = audit(settings)
    assert report.passed, report.verdict
    assert report["next-bar fills"].cases > 50


@pytest.mark.parametrize("scheme", ["targets", *(pytest.param(name, marks=SLOW) for name in ("orders", "continuous"))])
def test_a_fill_at_the_price_of_the_decision_is_caught_in_each_action_scheme(scheme):
    report = audit(EnvSettings(action_scheme=scheme, fill="same_close"), only=("next-bar fills",))
    assert {"fill_price", "net_worth"} <= set(found(report, "next-bar fills"))


@pytest.mark.parametrize(
    "agent",
    [
        BuyAndHold(),
        pytest.param(lambda candles, matrix: SmaCrossover(candles, matrix.warmup, 5, 20), marks=SLOW),
        pytest.param(lambda candles, matrix: RsiDivergence(candles, matrix.warmup), marks=SLOW),
    ],
    ids=["buy and hold", "SMA crossover", "RSI divergence"],
)
def test_the_strategies_of_this_project_pass(agent):
    report = audit(EnvSettings(), agent=agent, only=("causal agent", "frozen agent"))
    assert report.passed, report.verdict
    assert report["causal agent"].made
    assert report["frozen agent"].made


# --- somebody else's -----------------------------------------------------------------------------------------------------


def test_another_honest_environment_and_agent_pass():
    report = audit(TwoSided, agent=Momentum())
    assert report.passed, report.verdict


def test_an_observation_of_the_bar_that_is_not_closed_yet_is_caught():
    def seen(env, bar):
        return np.array([*env.values[bar - env.first], env.highs[min(bar + 1, env.last)]], np.float32)

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, seen=seen), only=("causal env",))
    assert found(report, "causal env") == ["observation[3]"]
    finding = report["causal env"].findings[0]
    assert finding.bar in {TRAIN_BARS - 1, len(CANDLES) - 2}  # the last bar that is known


def test_an_observation_of_the_next_row_is_named_by_its_column():
    def seen(env, bar):
        return env.values[min(bar + 1, len(env.values) - 1 + env.first) - env.first]

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, seen=seen), only=("causal env",))
    assert found(report, "causal env")[0] == "observation[0] (move)"


def test_a_reward_of_what_comes_later_is_caught():
    def paid(env, bar):
        return env.closes[min(bar + 5, env.last)] - env.opens[bar + 1]

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, paid=paid), only=("causal env",))
    assert "reward" in found(report, "causal env")


def test_a_fill_at_the_close_before_is_caught_by_the_reward_alone():
    def paid(env, bar):
        return env.closes[bar + 1] - env.closes[bar]

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, paid=paid))
    assert (report["causal env"].verdict, found(report, "next-bar fills")) == ("clean", ["reward"])


def test_a_buy_at_the_low_of_the_next_bar_is_caught():
    """No gap shows it: the low lies in the bar after the decision. Nobody knows it before it is over."""

    def paid(env, bar):
        return env.closes[bar + 1] - env.lows[bar + 1]

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, paid=paid), only=("next-bar fills",))
    assert found(report, "next-bar fills") == ["reward"]


def test_an_episode_whose_end_knows_the_future_is_caught():
    def bars(env):
        """Until the highest close of all: whoever holds on has been lucky."""
        return max(int(np.argmax(env.closes[env.first :])), 2)

    report = audit(lambda candles, matrix: TwoSided(candles, matrix, bars=bars), only=("causal env",))
    assert "end of the episode" in found(report, "causal env")


def test_an_environment_of_other_candles_is_caught():
    """It was made once, and ignores what it is given: whatever is replaced, nothing moves."""

    def env(candles, matrix):
        return TwoSided(CANDLES[: len(candles)], matrix)

    finding = audit(env, only=("causal env",))["causal env"].findings[0]
    assert finding.column == "reward"
    assert "not these candles" in finding.detail


def test_an_agent_that_has_read_the_future_is_caught():
    def agent(candles, matrix):
        move = np.diff(np.log(candles.column("close")))[matrix.warmup :]
        return Planned(np.append(move > 0, False).astype(int))  # buys before each rise

    report = audit(TwoSided, agent=agent)
    assert found(report, "causal agent") == ["action"]
    assert report["causal env"].verdict == "clean"


def test_an_agent_that_learns_while_it_is_judged_is_caught():
    assert "net.bias[0]" in found(audit(TwoSided, only=("frozen agent",), agent=Learning()), "frozen agent")


def test_an_agent_that_acts_otherwise_the_second_time_is_caught():
    assert "action" in found(audit(TwoSided, only=("frozen agent",), agent=Drawing()), "frozen agent")


def test_a_training_that_saw_the_test_range_is_caught():
    def honest(candles, train_bars):
        return {"weights": np.polyfit(np.arange(train_bars), candles.column("close")[:train_bars], 2)}

    def leaky(candles, train_bars):
        return {"weights": np.polyfit(np.arange(len(candles)), candles.column("close"), 2)}

    only = ("trained on train",)
    assert leak_audit(CANDLES, COLUMNS, training=honest, train_bars=TRAIN_BARS, cuts=CUTS, only=only).passed
    report = leak_audit(CANDLES, COLUMNS, training=leaky, train_bars=TRAIN_BARS, cuts=CUTS, only=only)
    assert found(report, "trained on train") == ["weights[0]"]
    assert report.verdict.startswith("LEAK: trained on train: weights[0]: trained ")


def test_an_agent_for_other_actions_is_refused():
    class Other(Momentum):
        action_space = BitcoinTradingEnv(CANDLES, np.zeros((640, 1), np.float32), EnvSettings()).action_space

    with pytest.raises(InputError, match=r"the agent plays Discrete\(12\), but the env has Discrete\(2\)"):
        audit(TwoSided, agent=Other())
