from typing import Any

import numpy as np
import pytest
import torch
from trainings import SMALL, newest, train

from agents import AgentSettings, BuyAndHold, CheckpointFolder, Flat
from envs import EnvSettings
from evaluation import play
from evaluation.oracles import OraclePolicy, best_policy
from evaluation.statistics import growth_error, log_growth
from features import FeatureSettings
from market import Candles, SimulatedCandles, simulate, split
from training import TrainingDiverged


def weights_of(agent):
    return b"".join(tensor.numpy().tobytes() for tensor in agent.policy.state_dict().values())


def weights(trained):
    return weights_of(trained.agent)


def test_the_same_seed_gives_the_same_weights_to_the_bit(parts):
    assert weights(train(parts)) == weights(train(parts))
    assert weights(train(parts)) != weights(train(parts, seed=1))


def test_the_test_range_changes_nothing(candles):
    parts = split(candles)
    frame = candles.frame.copy()
    frame.iloc[len(parts.validation.candles) :] *= 3.0
    other = split(Candles(frame, candles.bar, candles.symbol, "another test range"))
    assert other.data_sha256 != parts.data_sha256
    env = EnvSettings(episode_bars=20)  # dozens of episodes, each from a bar of its own
    one, two = (train(each, env=env, steps=640) for each in (parts, other))
    assert weights(one) == weights(two)
    assert one.history == two.history


def test_the_best_weights_on_validation_are_kept(parts):
    trained = train(parts, steps=640, validations=5)
    assert [validation.step for validation in trained.history] == [128, 256, 384, 512, 640]
    figures = [validation.log_growth for validation in trained.history]
    assert len(set(figures)) > 1
    assert trained.best.log_growth == max(figures)
    unseen = trained.features.transform(parts.validation.candles).since(parts.validation.start)
    replayed = play(parts.validation.candles, unseen, EnvSettings(episode_bars=100), trained.agent)
    assert log_growth(replayed) == trained.best.log_growth
    assert replayed.table.index[0] == parts.validation.own.index[0]


def test_validating_does_not_change_the_training(parts):
    """Weights after the last update are the same however often validation was played on the way."""

    def last_weights(validations):
        seen = []
        train(parts, validations=validations, on_validation=lambda _, agent: seen.append(weights_of(agent)))
        return seen[-1]

    assert last_weights(1) == last_weights(4)


def test_weights_that_are_no_numbers_stop_the_training_with_one_line(parts):
    with pytest.raises(TrainingDiverged, match=r"lower agent\.learning_rate") as error:
        train(parts, agent=SMALL.model_copy(update={"learning_rate": 1e20}))
    assert "\n" not in str(error.value)
    assert "after 64 steps (batch: observations" in str(error.value)
    assert "; rewards " in str(error.value)


def test_a_loss_that_no_reward_explains_stops_the_training(parts):
    """Finite still, but a value loss of this size says that the next one will not be."""
    agents: list[Any] = []

    def explode(step):
        if step == 160:
            with torch.no_grad():
                agents[0].policy.value_net.weight.mul_(1e5)

    with pytest.raises(
        TrainingDiverged, match=r"no rewards explain a value loss above 1,000,000, but it is [\d,]+ after 192 steps"
    ):
        train(parts, validations=2, on_step=explode, on_validation=lambda _, agent: agents.append(agent))


def test_a_training_that_diverges_keeps_its_last_good_checkpoint(parts, tmp_path):
    """A weight becomes NaN in the midst of a rollout: the error names the checkpoint before, and it can be gone on from."""
    folder, agents = CheckpointFolder(tmp_path, {}), list[Any]()

    def sabotage(step):
        if step == 160:
            with torch.no_grad():
                agents[0].policy.value_net.weight[0, 0] = float("nan")

    with pytest.raises(TrainingDiverged, match=r"must stay finite, but .* the last good checkpoint is of step 128; lower"):
        train(
            parts, steps=640, validations=5, checkpoints=folder, on_step=sabotage,
            on_validation=lambda _, agent: agents.append(agent),
        )  # fmt: skip
    assert newest(folder).step == 128
    resumed = train(parts, steps=640, validations=5, checkpoints=folder)
    assert weights(resumed) == weights(train(parts, steps=640, validations=5))


def test_patience_ends_a_training_that_no_longer_improves(parts):
    whole = train(parts, steps=1_280, validations=20)
    figures = [validation.log_growth for validation in whole.history]
    patience = 2
    wanted = next(k for k in range(len(figures)) if k - int(np.argmax(figures[: k + 1])) >= patience) + 1
    stopped = train(parts, steps=1_280, validations=20, patience=patience)
    assert wanted < 20
    assert stopped.stopped_early
    assert stopped.history == whole.history[:wanted]
    assert not whole.stopped_early
    assert stopped.best.log_growth == max(figures[:wanted])


def test_caution_prefers_cash_to_a_lucky_position(parts):
    """Validations are compared by their growth less so many standard errors; one in cash has no error."""
    free = EnvSettings(episode_bars=100, fee_bps=0)
    bold, careful = (train(parts, steps=1_280, validations=20, seed=2, env=free, caution=caution) for caution in (0.0, 2.0))
    assert [validation.log_growth for validation in bold.history] == [validation.log_growth for validation in careful.history]
    assert bold.best.log_growth == max(validation.log_growth for validation in bold.history)
    scores = [validation.log_growth - 2 * validation.standard_error for validation in careful.history]
    assert careful.best == careful.history[int(np.argmax(scores))]
    assert careful.best.step != bold.best.step


def test_the_standard_error_is_that_of_drawing_such_returns_again():
    """Over 300 martingales held to the end, growths spread by what each one's error says; idle cash has none."""
    growths, errors = [], []
    for seed in range(300):
        candles = simulate("martingale", 500, seed)
        episode = play(candles, np.zeros((500, 1), np.float32), EnvSettings(), BuyAndHold())
        growths.append(log_growth(episode))
        errors.append(growth_error(episode))
    assert np.mean(errors) == pytest.approx(np.std(growths), rel=0.1)
    assert growth_error(play(candles, np.zeros((500, 1), np.float32), EnvSettings(), Flat())) == 0.0


def test_tensorboard_gets_losses_and_validation(parts, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = train(parts, steps=640, validations=5, tensorboard=tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {"train/loss", "train/value_loss", "train/approx_kl", "validation/log_growth"} <= set(events.Tags()["scalars"])
    seen = [(event.step, event.value) for event in events.Scalars("validation/log_growth")]
    assert seen == [(validation.step, pytest.approx(validation.log_growth, abs=1e-6)) for validation in trained.history]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "reward", "share"), [("small", "profit", 0.3), ("whole", "sortino", 0.5), ("whole", "profit", 0.4)]
)
def test_the_agent_finds_the_planted_edge_and_none_in_noise(budget, reward, share):
    """On validation bars, with the default settings: half of what the oracle makes of the planted state with the demo's reward,
    two fifths with plain profit; without an edge, nothing beyond noise. 20 seconds of learning already find a third of it."""
    bars, steps, agent = 20_000, 196_608, AgentSettings()
    if budget == "small":
        bars, steps, agent = 8_000, 40_960, AgentSettings(n_envs=32, n_steps=64)
    env, edge, noise = EnvSettings(reward=reward), *(simulate("bitcoin", bars, seed=0, edge=edge) for edge in (0.9, 0.0))
    best_of, on_noise = (
        train(split(candles), env=env, agent=agent, features=FeatureSettings(), steps=steps, validations=6)
        for candles in (edge, noise)
    )
    own = split(edge).validation.own
    assert isinstance(own, SimulatedCandles)
    oracle = OraclePolicy(best_policy(own, env.cost_fraction).positions)
    best = log_growth(play(own, np.zeros((len(own), 1), np.float32), env, oracle))
    assert best_of.best.log_growth > share * best
    assert np.mean([validation.log_growth for validation in on_noise.history]) < 0.05 * best
