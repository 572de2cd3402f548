"""Short trainings, and a listener made of functions."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents import AgentSettings, Checkpoint, CheckpointFolder, TrialSettings
from envs import EnvSettings
from evaluation import Episode
from features import AnyFeatures, FeatureSettings
from market import AnySplit
from training import Trained, TrainingListener, TrainSettings, Validation, train_agent

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=2, lstm_size=8)
FEATURES = FeatureSettings(indicators=("rsi", "ema_8"))
ENV = EnvSettings(episode_bars=100)
CACHE = Path(tempfile.mkdtemp(prefix="coindojo-tests-"))
"""features that a test of this process has fitted, to the bit; fitting costs more than most of these trainings"""
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)


class Listener(TrainingListener):
    """Calls the given functions."""

    def __init__(
        self,
        on_step: Callable[[int], Any] = lambda step: None,
        on_validation: Callable[[Validation, Any], Any] = lambda validation, agent: None,
        on_start: Callable[[int, tuple[Validation, ...], Checkpoint | None], Any] = lambda step, history, checkpoint: None,
    ) -> None:
        self._on_step, self._on_validation, self._on_start = on_step, on_validation, on_start

    def on_start(self, step: int, history: tuple[Validation, ...], checkpoint: Checkpoint | None) -> None:
        self._on_start(step, history, checkpoint)

    def on_step(self, step: int) -> None:
        self._on_step(step)

    def on_validation(self, validation: Validation, episodes: dict[str, Episode], agent: Any, features: AnyFeatures) -> None:
        self._on_validation(validation, agent)


def newest(folder: CheckpointFolder) -> Checkpoint:
    """The newest checkpoint, which must be there."""
    checkpoint = folder.newest()
    assert checkpoint
    return checkpoint


def train(
    parts: AnySplit,
    *,
    features: FeatureSettings = FEATURES,
    env: EnvSettings = ENV,
    agent: AgentSettings = SMALL,
    seed: int = 0,
    checkpoints: CheckpointFolder | None = None,
    tensorboard: Path | None = None,
    on_step: Callable[[int], Any] = lambda step: None,
    on_validation: Callable[[Validation, Any], Any] = lambda validation, agent: None,
    **settings: Any,
) -> Trained:
    """Two validations in 256 steps, compared without caution, unless `settings` of the training say otherwise."""
    return train_agent(
        parts,
        TrialSettings(features=features, env=env, agent=agent),
        TrainSettings(**{"steps": 256, "validations": 2, "caution": 0.0, **settings}),
        seed=seed,
        cache=CACHE,
        checkpoints=checkpoints,
        tensorboard=tensorboard,
        listener=Listener(on_step, on_validation),
    )
