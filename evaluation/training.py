"""Trains an agent on the train range and keeps what did best on the validation range. Never sees the test range."""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat

from agents import AgentSettings, Checkpoint, CheckpointFolder, LearnedAgent, build_learner, reward_scaling
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation.episode import Episode, play
from evaluation.metrics import growth_error, log_growth
from features import FeaturePipeline, FeatureSettings, FittedFeatures
from market import InputError, Split

LARGEST_REWARD = 10.0
"""a scaled reward is cut off here, so no return is larger than this / (1 - gamma)"""
BATCH = ("observations", "rewards", "values", "returns", "advantages")


class TrainingDiverged(InputError):
    """Weights or losses stopped being finite, or exploded; the message says when, in which batch, and what to lower."""


@dataclass(frozen=True)
class Validation:
    """One look at the validation range: log growth of the net worth there, after costs."""

    step: int
    mark: int  # 1, 2, ... `validations`: comparable between agents whose rollouts differ in length
    log_growth: float
    standard_error: float
    best: bool  # so far, after `caution` standard errors were taken off


@dataclass(frozen=True)
class Trained:
    """The agent that did best on validation, the features it sees, and every look that was taken."""

    agent: LearnedAgent
    features: FittedFeatures
    history: tuple[Validation, ...]
    stopped_early: bool = False

    @property
    def best(self) -> Validation:
        return next(look for look in reversed(self.history) if look.best)


def train_agent(
    split: Split,
    *,
    features: FeatureSettings,
    env: EnvSettings,
    agent: AgentSettings,
    steps: int,
    validations: int,
    seed: int,
    patience: int = 0,
    caution: float = 0.0,
    cache: Path | None = None,
    checkpoints: CheckpointFolder | None = None,
    checkpoint_steps: int = 32_768,
    tensorboard: Path | None = None,
    on_start: Callable[[int, tuple[Validation, ...], Checkpoint | None], None] = lambda step, history, checkpoint: None,
    on_validation: Callable[[Validation, LearnedAgent, FittedFeatures], None] = lambda look, agent, fitted: None,
    on_episode: Callable[[Episode], None] = lambda episode: None,
    on_progress: Callable[[int], None] = lambda step: None,
) -> Trained:
    """Fit the features on train, train the agent there, look at validation `validations` times, keep the best weights.

    Args:
        patience: looks without a new best after which the training ends; 0 never ends it.
        caution: standard errors that are taken off the log growth of a look before looks are compared, so that a lucky position
            does not win against cash; 0 compares the growths themselves.
        cache: folder where features are kept for the next time; None keeps nothing.
        checkpoints: where to go on from, to the bit, if there is a checkpoint, and where to write more; None writes none.
        checkpoint_steps: steps between two checkpoints, beside one after each look.
        tensorboard: folder of the event files; None writes none.
        on_start: called once before the first step, with the steps already done, the looks already taken, and the checkpoint.
        on_episode: called with the episode of each look, before `on_validation`.
        on_validation: called after each look; may raise to stop.
        on_progress: called with the number of steps done, after every step of the environments.

    Raises:
        TrainingDiverged: weights or losses became NaN, infinite or impossibly large.
        CheckpointError: the checkpoints are of other data or settings, or all damaged.
    """
    held = checkpoints.newest() if checkpoints else None
    fitted = FeaturePipeline(features, cache).fit(split.train.candles)
    on_train = BitcoinTradingVecEnv(
        split.train.candles, fitted.transform(split.train.candles), env, n_envs=agent.n_envs, seed=seed
    )
    model = build_learner(agent, on_train, seed)
    learner = LearnedAgent(model.policy, agent)
    unseen = fitted.transform(split.validation.candles).since(split.validation.start)

    def judge() -> Episode:
        learner.reward_scaling = reward_scaling(model.get_vec_normalize_env())
        episode = play(split.validation.candles, unseen, env, learner)
        on_episode(episode)
        return episode

    watch = _Watch(
        steps, validations, judge, lambda look: on_validation(look, learner, fitted), on_progress, patience, caution,
        checkpoints, checkpoint_steps,
    )  # fmt: skip
    model.set_logger(_logger(tensorboard))
    if held:
        held.restore(model)
        watch.restore(held)
    on_start(model.num_timesteps, tuple(watch.history), held)
    stopped_early = False
    try:
        model.learn(steps - model.num_timesteps, callback=watch, reset_num_timesteps=held is None)
        watch.finish()
    except _StoppedEarly:
        stopped_early = True
    except ValueError as error:
        if "to satisfy the constraint" not in str(error):  # how torch's distributions refuse logits that are NaN
            raise
        raise watch.diverged("the policy's output must stay finite, but is not") from error
    model.logger.close()
    model.policy.load_state_dict(watch.best_weights)
    learner.reward_scaling = watch.best_scaling
    return Trained(learner, fitted, tuple(watch.history), stopped_early)


def _logger(tensorboard: Path | None) -> Logger:
    outputs: list[KVWriter] = [TensorBoardOutputFormat(str(tensorboard))] if tensorboard else []
    return Logger(folder=None, output_formats=outputs)


class _StoppedEarly(Exception):
    """Validation has not improved for as many looks as `patience` allows."""


class _Watch(BaseCallback):
    """Looks at validation at even distances, between an update and the next rollout, and once more at the end."""

    model: Any

    def __init__(
        self,
        steps: int,
        validations: int,
        judge: Callable[[], Episode],
        on_validation: Callable[[Validation], None],
        on_progress: Callable[[int], None],
        patience: int,
        caution: float,
        checkpoints: CheckpointFolder | None,
        checkpoint_steps: int,
    ) -> None:
        super().__init__()
        self._marks = [steps * (k + 1) / validations for k in range(validations)]
        self._validations = validations
        self._judge = judge
        self._on_validation = on_validation
        self._on_progress = on_progress
        self._patience = patience
        self._caution = caution
        self._checkpoints = checkpoints
        self._checkpoint_steps = checkpoint_steps
        self._saved_at = 0
        self._batch: dict[str, np.ndarray] = {}
        self.history: list[Validation] = []
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_scaling: dict[str, float] | None = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """The looks already taken, and the best weights so far."""
        self.history = [Validation(**look) for look in checkpoint.about["history"]]
        self.best_weights, self.best_scaling = checkpoint.tensors, checkpoint.about["best_scaling"]
        self._saved_at = checkpoint.step
        done = max((look.mark for look in self.history), default=0)
        self._marks = self._marks[done:]

    @property
    def best(self) -> Validation | None:
        return next((look for look in reversed(self.history) if look.best), None)

    @property
    def out_of_patience(self) -> bool:
        return bool(self._patience and self.best and len(self.history) - self.history.index(self.best) > self._patience)

    def _on_step(self) -> bool:
        self._on_progress(self.num_timesteps)
        return True

    def _on_rollout_end(self) -> None:
        buffer = getattr(self.model, "rollout_buffer", None)
        self._batch = {name: getattr(buffer, name) for name in BATCH if hasattr(buffer, name)}

    def _on_rollout_start(self) -> None:  # the policy has just been updated with all steps so far
        self._check()
        looked = bool(self._marks) and self.num_timesteps >= self._marks[0]
        if looked:
            self._look()
        due = looked or self.num_timesteps - self._saved_at >= self._checkpoint_steps
        if due and self._checkpoints and self.num_timesteps > self._saved_at:
            self._save(self._checkpoints)
        if self.out_of_patience:
            raise _StoppedEarly

    def finish(self) -> None:
        """The last update is made after the last rollout, so the last look comes here."""
        self._check()
        if self._marks:
            self._look()

    def diverged(self, what: str) -> TrainingDiverged:
        """The error that says when it happened, in which batch, and what to lower."""
        batch = "; ".join(f"{name} {_range_of(values)}" for name, values in self._batch.items())
        kept = f"; the last good checkpoint is of step {self._saved_at:,}" if self._checkpoints and self._saved_at else ""
        return TrainingDiverged(
            f"{what} after {self.num_timesteps:,} steps (batch: {batch or 'none yet'}){kept}; "
            "lower agent.learning_rate or agent.max_grad_norm"
        )

    def _check(self) -> None:
        """Losses as they were logged, then the weights themselves."""
        logged = self.model.logger.name_to_value
        for name, value in logged.items():
            if name.endswith("loss") and not math.isfinite(value):
                raise self.diverged(f"losses must stay finite, but {name} is {value}")
        largest = (2 * LARGEST_REWARD / (1 - self.model.gamma)) ** 2
        if logged.get("train/value_loss", 0.0) > largest:
            loss = logged["train/value_loss"]
            raise self.diverged(f"no rewards explain a value loss above {largest:,.0f}, but it is {loss:,.0f}")
        for name, tensor in self.model.policy.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise self.diverged(f"weights must stay finite, but {name} is not")

    def _look(self) -> None:
        self._marks = [mark for mark in self._marks if mark > self.num_timesteps]
        episode = self._judge()
        figure, error = log_growth(episode), growth_error(episode)
        best = (
            self.best is None or figure - self._caution * error > self.best.log_growth - self._caution * self.best.standard_error
        )
        if best:
            self.best_weights = copy.deepcopy(self.model.policy.state_dict())
            self.best_scaling = reward_scaling(self.model.get_vec_normalize_env())
        look = Validation(self.num_timesteps, self._validations - len(self._marks), figure, error, best)
        self.history.append(look)
        self.logger.record("validation/log_growth", figure)
        self.logger.dump(self.num_timesteps)
        self._on_validation(look)

    def _save(self, checkpoints: CheckpointFolder) -> None:
        about: dict[str, Any] = {"history": [asdict(look) for look in self.history], "best_scaling": self.best_scaling}
        checkpoints.save(self.model, self.best_weights, about, best=self.best.step if self.best else 0)
        self._saved_at = self.num_timesteps


def _range_of(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}, mean {values.mean():.3g}"
