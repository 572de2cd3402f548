"""A run that is killed and gone on with ends where an uninterrupted one does, to the bit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainings import CACHE, ENV, FEATURES, SMALL, Listener, newest

from agents import CheckpointError, CheckpointFolder, TrialSettings, build_learner
from common import SealError, read_sealed, write_sealed
from configs import Experiment, load_experiment
from envs import BitcoinTradingVecEnv
from market import Candles, split
from training import TrainSettings, train_agent

ROOT = Path(__file__).parents[2]
SETTINGS = """
name: killed
market: {bars: 3000}
features: {indicators: [rsi, ema_8], calendar: false}
env: {episode_bars: 200}
agent: {n_envs: 8, n_steps: 32, n_minibatches: 2, n_epochs: 2, lstm_size: 16}
train: {steps: STEPS, validations: 6, checkpoint_steps: 512}
"""


def killed_and_whole(place: Path, steps: int, kills: int, longest: float) -> tuple[Path, Path, str]:
    """Two run folders of the same settings, one killed so many times, the other never; and the log of the kills."""
    (place / "killed.yaml").write_text(SETTINGS.replace("STEPS", str(steps)))
    command = [sys.executable, str(ROOT / "tests/support/killing.py"), "killed.yaml", str(kills), str(longest)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return place / "runs/killed-sortino-002", place / "runs/killed-sortino-001", run.stdout


def hold_the_same(one: Path, two: Path) -> None:
    for name in ("agent/agent.safetensors", "agent/features.safetensors", "training.json", "train.log"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    newest = [max((run / "checkpoints").glob("*.safetensors")) for run in (one, two)]
    assert newest[0].name == newest[1].name
    assert newest[0].read_bytes() == newest[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "steps"), [(4, 12_000), (20, 60_000)], ids=["4", "20"])
def test_kills_at_random_moments_change_nothing(kills, steps, tmp_path):
    killed, whole, log = killed_and_whole(tmp_path, steps=steps, kills=kills, longest=0.6)
    hold_the_same(killed, whole)
    assert log.count("kill ") == kills
    assert "newest checkpoint 0" not in log.splitlines()[3]
    assert len(set(re.findall(r"newest checkpoint ([\d,]+)", log))) > kills / 4  # the kills fell all over the run


class Stop(Exception):
    """Ends a training from within, as a kill would."""


def train(parts, folder=None, steps=640, stop_at=None, agent=SMALL, identity=None, on_start=lambda *_: None):
    checkpoints = CheckpointFolder(folder, identity or {"data": 1}) if folder else None

    def on_step(step):
        if stop_at is not None and step >= stop_at:
            raise Stop

    listener = Listener(on_step, on_start=on_start)
    settings = TrainSettings(steps=steps, validations=5, caution=0, checkpoint_steps=64)
    trial = TrialSettings(features=FEATURES, env=ENV, agent=agent)
    return train_agent(parts, trial, settings, seed=0, cache=CACHE, checkpoints=checkpoints, listener=listener)


def weights_of(trained):
    return b"".join(tensor.numpy().tobytes() for tensor in trained.agent.policy.state_dict().values())


KINDS = {
    "recurrent": SMALL,
    "falling rate, two layers": SMALL.model_copy(update={"learning_rate_schedule": "linear", "lstm_layers": 2}),
    "ppo": SMALL.model_copy(update={"algorithm": "ppo", "head_layers": (8,)}),
    "a2c": SMALL.model_copy(update={"algorithm": "a2c", "head_layers": (8,)}),
    "qr_dqn": SMALL.model_copy(update={"algorithm": "qr_dqn", "head_layers": (8,), "replay_steps": 200}),
}


@pytest.mark.parametrize("agent", KINDS.values(), ids=list(KINDS))
def test_every_algorithm_goes_on_to_the_bit(agent, parts, tmp_path):
    whole = train(parts, agent=agent)
    for moment in (100, 350, 639):
        with pytest.raises(Stop):
            train(parts, tmp_path, agent=agent, stop_at=moment)
        torch.manual_seed(moment)  # what a new process would have drawn
    begun = []
    resumed = train(parts, tmp_path, agent=agent, on_start=lambda step, history, _: begun.append((step, len(history))))
    assert begun[0][0] >= 512
    assert resumed.history == whole.history
    assert weights_of(resumed) == weights_of(whole)
    assert resumed.agent.reward_scaling == whole.agent.reward_scaling


def test_writing_checkpoints_changes_nothing(parts, tmp_path):
    assert weights_of(train(parts, tmp_path)) == weights_of(train(parts))


def test_the_last_three_checkpoints_and_the_best_are_kept(parts, tmp_path):
    trained = train(parts, tmp_path, steps=1_280)
    steps = sorted(int(path.stem) for path in tmp_path.iterdir())
    assert steps[-3:] == [1_088, 1_152, 1_216]
    before_the_end = [validation for validation in trained.history if validation.step < 1_280]
    assert steps[0] == max(before_the_end, key=lambda validation: validation.log_growth).step or steps[0] == 1_088
    assert len(steps) <= 4


OTHER_SETTINGS = {
    "split.purge_bars": 30, "features.clip": 3.0, "env.fee_bps": 11.0, "agent.gamma": 0.9, "train.caution": 2.0,
}  # fmt: skip


def test_a_checkpoint_of_other_data_or_settings_is_refused_with_the_difference(parts, candles, tmp_path):
    """By the identity that `train.py` gives it: of the candles one close is another, of each group of settings one."""
    experiment, frame = Experiment(), candles.frame.copy()
    identity = experiment.training_identity(parts.data_sha256)
    with pytest.raises(Stop):
        train(parts, tmp_path, stop_at=400, identity=identity)
    frame.iloc[700, frame.columns.get_loc("close")] = frame["low"].iloc[700]
    other = split(Candles(frame, candles.bar, candles.symbol, candles.source))
    with pytest.raises(CheckpointError, match=r"differs: data_sha256: \w+ -> \w+; restore them, or begin") as error:
        train(other, tmp_path, identity=experiment.training_identity(other.data_sha256))
    assert "\n" not in str(error.value)
    for name, value in OTHER_SETTINGS.items():
        changed = load_experiment(None, {name: value}).training_identity(parts.data_sha256)
        with pytest.raises(CheckpointError, match=rf"differs: {name}: [\d.]+ -> {value:.4g}; restore them, or begin"):
            train(parts, tmp_path, identity=changed)
    often = load_experiment(None, {"train.checkpoint_steps": 1}).training_identity(parts.data_sha256)
    assert weights_of(train(parts, tmp_path, identity=often)) == weights_of(train(parts))


def flipped(content):
    return content[:-50] + bytes([content[-50] ^ 1]) + content[-49:]


DAMAGES = {
    "cut off": lambda content: content[:-100], "a flipped bit": flipped, "empty": lambda content: b"",
    "no longer sealed": lambda content: content.replace(b"seal", b"sale"),
}  # fmt: skip


def test_the_newest_good_checkpoint_is_found_and_damaged_ones_are_named(parts, tmp_path):
    whole, folder = train(parts), CheckpointFolder(tmp_path, {"data": 1})
    with pytest.raises(Stop):
        train(parts, tmp_path, stop_at=600)
    new, second, third, *_ = sorted(tmp_path.iterdir(), reverse=True)
    good = {path: path.read_bytes() for path in (new, second)}
    for age, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (1e9 - age, 1e9 - age))  # a copied folder: the newest by its step was written first
    assert (newest(folder).step, newest(folder).skipped) == (int(new.stem), ())
    for name, damage in DAMAGES.items():
        new.write_bytes(damage(good[new]))
        assert newest(folder).step == int(second.stem), name
        assert [new.name in line for line in newest(folder).skipped] == [True], name
    second.write_bytes(flipped(good[second]))
    begun = []
    resumed = train(parts, tmp_path, on_start=lambda step, _, held: begun.append((step, held.skipped)))
    ((step, skipped),) = begun
    assert step == int(third.stem)
    assert [name in line for name, line in zip((new.name, second.name), skipped, strict=True)] == [True, True]
    assert weights_of(resumed) == weights_of(whole)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"none of the \d checkpoints can be read"):
        train(parts, tmp_path)


def test_a_write_that_fails_leaves_the_good_checkpoints(parts, tmp_path, monkeypatch):
    with pytest.raises(Stop):
        train(parts, tmp_path, stop_at=400)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="no space"):
            train(parts, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / ".000000000999.safetensors.left_by_a_kill").write_bytes(b"half")
    assert weights_of(train(parts, tmp_path)) == weights_of(train(parts))
    assert not list(tmp_path.glob(".*"))


def test_an_env_that_cannot_be_kept_is_refused_in_one_line(tmp_path):
    from agents import RecurrentPPO

    model = RecurrentPPO("MlpLstmPolicy", "CartPole-v1", n_steps=8, batch_size=8, n_epochs=1, device="cpu").learn(8)
    with pytest.raises(CheckpointError, match="needs an env with `snapshot` and `restore`, but got a DummyVecEnv"):
        CheckpointFolder(tmp_path, {}).save(model, {}, {}, best=0)
    assert not list(tmp_path.iterdir())


def test_a_measured_number_of_threads_is_kept_by_a_resumed_run(candles, matrix, tmp_path):
    settings = SMALL.model_copy(update={"threads": 2})
    model = build_learner(settings, BitcoinTradingVecEnv(candles, matrix, n_envs=4, seed=0), seed=0)
    assert torch.get_num_threads() == 2
    model.learn(64)
    folder = CheckpointFolder(tmp_path, {})
    folder.save(model, {}, {}, best=0)
    other = build_learner(settings.model_copy(update={"threads": 0}), BitcoinTradingVecEnv(candles, matrix, n_envs=4), seed=0)
    torch.set_num_threads(1)
    newest(folder).restore(other)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_a_sealed_file_of_another_kind_is_refused(tmp_path):
    write_sealed(tmp_path / "x", {"a": torch.ones(3)}, {"kind": "agent"})
    with pytest.raises(SealError, match="as a checkpoint: it holds a agent"):
        read_sealed(tmp_path / "x", "checkpoint")
    shutil.rmtree(tmp_path)
    with pytest.raises(SealError, match="there is no agent"):
        read_sealed(tmp_path / "x", "agent")
