"""The leak audit takes other people's features, environments, agents and trainings as they are."""

import brokers
import gymnasium
import numpy as np
import pandas as pd
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from leaks import CANDLES, CUTS, TRAIN_BARS, basic
from rare_leaks import ForgetsTheMean, FrameEnv, frame_env
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from evaluation.audit import AuditReport, imported, leak_audit
from evaluation.audit.compare import estimated

ROWS = ("fitted on train", "aligned rows", "pure transform", "causal features", "candles alone", "start dates")


def audit(pipeline=basic, **options) -> AuditReport:
    return leak_audit(CANDLES, pipeline, train_bars=TRAIN_BARS, cuts=CUTS, **options)


def moves(df: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"move": np.log(df["close"]).diff().fillna(0.0)})


class OfFrames:
    """A class whose `transform` takes DataFrames, without a `fit`."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return moves(X)


class FitsItself:
    """As in scikit-learn: `fit` gives its own object, which has learned a scale."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "FitsItself":
        self.scale_ = float(moves(X).std().iloc[0])
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        return moves(X).to_numpy() / self.scale_


@pytest.mark.parametrize(
    "pipeline",
    [
        basic, moves, OfFrames(), OfFrames, FitsItself(),
        lambda x: moves(x).reset_index(drop=True),
        lambda frame: moves(frame)["move"],
        lambda anything: moves(anything.loc[:]),
    ],
    ids=["candles", "frame", "transform", "class", "fits itself", "RangeIndex", "series", "tried"],
)  # fmt: skip
def test_features_of_any_form_pass(pipeline):
    report = audit(pipeline, only=ROWS)
    assert report.passed, report.verdict


def test_a_frame_that_ignores_all_candles_is_a_finding_and_no_crash():
    report = audit(basic(CANDLES).iloc[1:].reset_index(drop=True), only=ROWS)
    assert [str(finding.column) for finding in report.findings] == ["all columns"]
    assert "hand over the function that makes it" in report.verdict


def test_a_pipeline_that_is_nothing_of_that_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"a pipeline has `fit` or `transform`, or is a function .* but this is a int"):
        audit(3)


PLAYED = ("causal env", "next-bar fills")


def as_vectorised(df: pd.DataFrame) -> DummyVecEnv:
    return DummyVecEnv([lambda: FrameEnv(df)])


class Remembered(FrameEnv):
    """Keeps what it was made of, so that it can be made again."""

    def __init__(self, df: pd.DataFrame) -> None:
        self.df = df
        super().__init__(df)


class TwoNumbers(brokers.Broker):
    """Actions of two numbers: whether to trade, and to which exposure."""

    def __init__(self, candles, matrix) -> None:
        super().__init__(candles, matrix)
        self.action_space = spaces.MultiDiscrete([2, 3])

    def order(self, action) -> None:
        if action[0]:
            super().order(action[1])


class TwoNumbersAtTheClose(TwoNumbers):
    def price(self, buys: bool, coin: float) -> float:
        return float(self.closes[self.bar])


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(as_vectorised, marks=pytest.mark.slow),
        pytest.param(Remembered(CANDLES.frame), marks=pytest.mark.slow),
        pytest.param(TwoNumbers, marks=pytest.mark.slow),
        pytest.param(BitcoinTradingEnv(CANDLES, np.zeros((640, 1), np.float32), EnvSettings()), marks=pytest.mark.slow),
    ],
    ids=["DummyVecEnv", "instance", "MultiDiscrete", "this project's instance"],
)
def test_environments_of_any_form_pass(env):
    report = audit(moves, env=env, only=PLAYED)
    assert report.passed, report.verdict
    assert report["next-bar fills"].cases > 50


def test_an_environment_of_several_numbers_is_judged():
    report = audit(env=TwoNumbersAtTheClose, only=("next-bar fills",))
    assert [finding.column for finding in report.findings] == ["net_worth"]


class OldStep(brokers.Broker):
    def step(self, action):
        observation, reward, ended, _, info = super().step(action)
        return observation, reward, ended, info


class OldReset(brokers.Broker):
    def reset(self):  # type: ignore[override]
        return super().reset()[0]


@pytest.mark.parametrize(("env", "words"), [(OldStep, "its `step` gives 4 values"), (OldReset, "its `reset` takes no `seed`")])
def test_the_old_api_is_refused_in_one_line(env, words):
    with pytest.raises(InputError, match=f"speaks the old gym API: {words}") as refused:
        audit(env=env, only=PLAYED)
    assert "\n" not in str(refused.value)


def test_an_instance_that_does_not_tell_what_it_was_made_of_is_refused():
    with pytest.raises(InputError, match="hand over the function of candles that makes it"):
        audit(env=FrameEnv(CANDLES.frame), only=PLAYED)


class Raises(brokers.Broker):
    def step(self, action):
        raise RuntimeError("no\nGPU")


def wants_capitals(df):
    return FrameEnv(df.assign(volume=df["Volume"]))


def divides(candles):
    raise ZeroDivisionError("by the spread")


def refuses_other_candles(candles):
    if candles.frame.close.max() > 10 * CANDLES.frame.close.max():
        raise AssertionError("no such price")
    return basic(candles)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pipeline": divides}, "`divides` raised ZeroDivisionError: by the spread, on the true candles"),
        ({"pipeline": lambda df: {"move": df.close}}, "`transform` gave a dict"),
        ({"env": Raises}, "the environment's `step` raised RuntimeError: no GPU, on the true candles"),
        ({"env": wants_capitals}, "the function that makes the environment raised KeyError: 'Volume'"),
        ({"env": brokers.Broker, "agent": lambda seen: seen["move"]}, "the agent's `predict` raised IndexError"),
        ({"env": brokers.Broker, "agent": 3}, "an agent has `predict`, or is a function, but this is a int"),
        ({"training": divides}, "the training raised TypeError"),
    ],
    ids=["pipeline", "rows", "step", "environment", "predict", "agent", "training"],
)
def test_what_a_part_raises_is_one_line_that_names_it(options, words):
    with pytest.raises(InputError, match=words) as refused:
        audit(**options)
    assert "\n" not in str(refused.value)
    assert "give more" not in str(refused.value)


def test_what_a_part_raises_on_other_candles_alone_is_a_finding():
    report = audit(refuses_other_candles, only=("candles alone",))
    assert "on other candles: `refuses_other_candles` raised AssertionError: no such price" in report.verdict


class AloneSeen:
    """`predict` takes the observation alone, and gives the action alone."""

    def predict(self, obs):
        return int(obs[0] > 0)


@pytest.mark.parametrize("agent", [AloneSeen(), lambda obs: int(obs[0] > 0)], ids=["predict", "function"])
def test_an_agent_of_the_observation_alone_plays(agent):
    report = audit(env=brokers.Broker, agent=agent, only=("causal agent",))
    assert report.passed, report.verdict
    assert report["causal agent"].cases


class ArraysAsRewards(brokers.PaidForTheNextBar):
    def step(self, action):
        seen, reward, *rest = super().step(action)
        return seen, np.array([reward]), *rest


class TwoRewards(brokers.PaidForTheNextBar):
    def step(self, action):
        seen, reward, *rest = super().step(action)
        return seen, np.array([reward, reward]), *rest


def test_a_reward_may_be_an_array_of_one_number():
    assert audit(env=ArraysAsRewards, only=("causal env",)).passed
    with pytest.raises(InputError, match="must give one number as reward"):
        audit(env=TwoRewards, only=("causal env",))


class NeverTrades(brokers.Broker):
    def order(self, action):
        pass


def test_where_no_action_makes_a_difference_nothing_is_called_clean():
    report = audit(env=NeverTrades, only=("next-bar fills",))
    assert report["next-bar fills"].verdict == "not judged"
    assert report.verdict.endswith("; next-bar fills: not judged: no action that was tried made a difference")
    assert report.passed


class CountsFromTheFirst(brokers.Broker):
    """A running mean of all that was ever shown, which a reset does not forget."""

    total, count = 0.0, 0

    def seen(self):
        shown = super().seen()
        self.total, self.count = self.total + float(shown[0]), self.count + 1
        return np.array([*shown, self.total / self.count], np.float32)


def test_running_statistics_do_not_go_from_one_episode_to_another():
    report = audit(env=CountsFromTheFirst, only=("causal env",))
    assert report.passed, report.verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    "env",
    [
        lambda df: NormalizeObservation(FrameEnv(df)),
        lambda df: NormalizeReward(FrameEnv(df)),
        lambda df: VecNormalize(DummyVecEnv([lambda: FrameEnv(df)])),
    ],
    ids=["NormalizeObservation", "NormalizeReward", "VecNormalize"],
)
def test_wrappers_with_running_statistics_pass(env):
    report = audit(moves, env=env, only=PLAYED)
    assert report.passed, report.verdict


def learner(candles, train_bars) -> PPO:
    env = FrameEnv(candles.frame.iloc[:train_bars])
    return PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(32)


def test_a_model_of_stable_baselines3_plays_and_is_trained():
    """Its clocks and folders are no weights."""
    torch.set_num_threads(1)
    model = learner(CANDLES, TRAIN_BARS)
    assert all(name.startswith("policy") for name in estimated(model))
    report = audit(env=frame_env, agent=model, training=learner, only=("causal agent", "frozen agent", "trained on train"))
    assert report.passed, report.verdict
    assert report["causal agent"].made


def test_a_training_that_is_not_seeded_is_named():
    def training(candles, train_bars):
        return {"weights": np.random.default_rng().normal(size=3), "started": str(np.random.default_rng().random())}

    report = audit(training=training, only=("trained on train",))
    assert [finding.column for finding in report.findings] == ["weights[0]"]
    assert "seed it" in report.findings[0].detail
    assert "started" in report["trained on train"].notes[0]


@pytest.mark.slow
def test_an_agent_without_its_training_is_reported():
    report = audit(env=brokers.Broker, agent=ForgetsTheMean())
    assert report.verdict.endswith("; not audited: trained on train")


def test_an_environment_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "my_env_of_a_test.py").write_text("def make(df):\n    return df\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert imported("my_env_of_a_test:make")(3) == 3
    for target, words in (("my_env_of_a_test", "needs `package.module:function`"), ("nowhere:make", "cannot be imported"),
                          ("my_env_of_a_test:build", "has no `build`")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            imported(target)


def test_an_environment_is_played_on_the_global_seeds_and_leaves_them():
    class Careless(brokers.Broker):
        """Draws its first exposure from the global generator."""

        def begin(self) -> None:
            super().begin()
            self.coin = float(np.random.rand())  # noqa: NPY002

    np.random.seed(5)  # noqa: NPY002
    wanted = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert audit(env=Careless, only=("causal env",)).passed
    assert np.random.rand() == wanted  # noqa: NPY002


def made_of(**arguments) -> FrameEnv:
    return FrameEnv(arguments["df"])


def test_gymnasium_makes_it_again_from_its_arguments():
    gymnasium.register("AuditTest-v0", entry_point=made_of)
    env = gymnasium.make("AuditTest-v0", df=CANDLES.frame)
    assert audit(env=env, only=("causal env",)).passed
