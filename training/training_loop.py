"""Trains an agent on the train range and keeps what did best on the validation range. Never sees the test range."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat

from agents import Checkpoint, CheckpointFolder, LearnedAgent, TrialSettings, build_learner, reward_scaling
from common import InputError
from envs import BitcoinTradingVecEnv
from evaluation import Episode, play
from evaluation.statistics import growth_error, log_growth
from features import AnyFeatures, FeaturePipeline
from market import AnySplit
from training.settings import TrainSettings
from training.validation import Validation

LARGEST_REWARD = 10.0
"""a scaled reward is cut off here, so no return is larger than this / (1 - gamma)"""
BATCH = ("observations", "rewards", "values", "returns", "advantages")


class TrainingDiverged(InputError):
    """Weights or losses stopped being finite, or exploded; the message says when, in which batch, and what to lower."""


@dataclass(frozen=True)
class Trained:
    """The agent that did best on validation, the features it sees, and every validation."""

    agent: LearnedAgent
    features: AnyFeatures
    history: tuple[Validation, ...]
    stopped_early: bool = False

    @property
    def best(self) -> Validation:
        return next(validation for validation in reversed(self.history) if validation.best)


class TrainingListener:
    """What a training says while it runs. Every method does nothing; override those whose news you want."""

    def on_start(self, step: int, history: tuple[Validation, ...], checkpoint: Checkpoint | None) -> None:
        """Called once, before the first step.

        Args:
            step: environment steps that are already done; 0 for a new training.
            history: the validations that are already done.
            checkpoint: where the training goes on from; None for a new one.
        """

    def on_step(self, step: int) -> None:
        """Called after every step of the environments, with the number of steps done."""

    def on_validation(
        self, validation: Validation, episodes: dict[str, Episode], agent: LearnedAgent, features: AnyFeatures
    ) -> None:
        """Called after each validation; an exception raised here ends the training.

        Args:
            validation: its figures.
            episodes: what the agent did on the validation range of each coin, by symbol.
            agent: the agent as it is now; its weights change when the training goes on.
            features: what it sees.
        """


def train_agent(
    split: AnySplit,
    trial_settings: TrialSettings,
    train_settings: TrainSettings,
    *,
    seed: int,
    cache: Path | None = None,
    checkpoints: CheckpointFolder | None = None,
    tensorboard: Path | None = None,
    listener: TrainingListener | None = None,
) -> Trained:
    """Fit the features on the train range, train the agent there, and keep the weights that did best on validation.

    One agent is trained on all coins of a `CoinSplits`: the environments are spread evenly over them, env i on coin i modulo
    their number, unless `dataset_sampling` is "length". A validation plays each coin's range; its figure is the mean.

    Args:
        split: the candles, of one series or of several coins; with `train_settings.range` "train+validation" both are trained on.
            The test range stays locked.
        trial_settings: the features, the environment and the agent.
        train_settings: how long to train, and how validations are compared: see `TrainSettings`. Its `seed` is not used.
        seed: of the weights, the episodes and the exploration.
        cache: folder where features are kept for the next time; None keeps nothing.
        checkpoints: the training goes on, to the bit, from the newest one that it holds; new ones are written after each
            validation and every `checkpoint_steps`. None writes none.
        tensorboard: folder of the event files; None writes none.
        listener: is told of the start, of each step and of each validation.

    Raises:
        TrainingDiverged: weights or losses became NaN, infinite or impossibly large.
        CheckpointError: the checkpoints are of other data or settings, or all damaged.
    """
    listener, coins = listener or TrainingListener(), train_settings.of(split).coins
    held = checkpoints.newest() if checkpoints else None
    env, train_candles = trial_settings.env, [coin.train.candles for coin in coins]
    fitted = FeaturePipeline(trial_settings.features, cache).fit_coins(train_candles)
    rows, evenly = [fitted.transform(candles) for candles in train_candles], env.dataset_sampling == "least_used"
    train_env = BitcoinTradingVecEnv(train_candles, rows, env, n_envs=trial_settings.agent.n_envs, seed=seed, spread=evenly)
    model = build_learner(trial_settings.agent, train_env, seed)
    learner = LearnedAgent(model.policy, trial_settings.agent)
    unseen = {coin.symbol: fitted.transform(coin.validation.candles, since=coin.validation.start) for coin in coins}

    def validate() -> dict[str, Episode]:
        learner.reward_scaling = reward_scaling(model.get_vec_normalize_env())
        return {coin.symbol: play(coin.validation.candles, unseen[coin.symbol], env, learner) for coin in coins}

    def tell(validation: Validation, episodes: dict[str, Episode]) -> None:
        listener.on_validation(validation, episodes, learner, fitted)

    callback = _ValidationCallback(train_settings, validate, tell, listener.on_step, checkpoints)
    model.set_logger(_logger(tensorboard))
    if held:
        held.restore(model)
        callback.restore(held)
    listener.on_start(model.num_timesteps, tuple(callback.history), held)
    stopped_early = False
    try:
        model.learn(train_settings.steps - model.num_timesteps, callback=callback, reset_num_timesteps=held is None)
        callback.finish()
    except _StoppedEarly:
        stopped_early = True
    except ValueError as error:
        if "to satisfy the constraint" not in str(error):  # how torch's distributions refuse logits that are NaN
            raise
        raise callback.diverged("the policy's output must stay finite, but is not") from error
    model.logger.close()
    model.policy.load_state_dict(callback.best_weights)
    learner.reward_scaling = callback.best_scaling
    return Trained(learner, fitted, tuple(callback.history), stopped_early)


def _logger(tensorboard: Path | None) -> Logger:
    outputs: list[KVWriter] = [TensorBoardOutputFormat(str(tensorboard))] if tensorboard else []
    return Logger(folder=None, output_formats=outputs)


class _StoppedEarly(Exception):
    """As many validations as `patience` allows were no new best."""


class _ValidationCallback(BaseCallback):
    """Plays the validation range at even distances, between an update and the next rollout, and once more at the end."""

    model: Any

    def __init__(
        self,
        settings: TrainSettings,
        validate: Callable[[], dict[str, Episode]],
        on_validation: Callable[[Validation, dict[str, Episode]], None],
        on_step: Callable[[int], None],
        checkpoints: CheckpointFolder | None,
    ) -> None:
        super().__init__()
        self._settings = settings
        count = settings.validations_made
        self._marks = [settings.steps * (k + 1) / count for k in range(count)]
        self._validate = validate
        self._on_validation = on_validation
        self._tell_step = on_step
        self._checkpoints = checkpoints
        self._saved_at = 0
        self._batch: dict[str, np.ndarray] = {}
        self.history: list[Validation] = []
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_scaling: dict[str, float] | None = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """The validations already made, and the best weights so far."""
        self.history = [Validation(**figures) for figures in checkpoint.about["history"]]
        self.best_weights, self.best_scaling = checkpoint.tensors, checkpoint.about["best_scaling"]
        self._saved_at = checkpoint.step
        done = max((validation.mark for validation in self.history), default=0)
        self._marks = self._marks[done:]

    @property
    def best(self) -> Validation | None:
        return next((validation for validation in reversed(self.history) if validation.best), None)

    @property
    def out_of_patience(self) -> bool:
        patience = self._settings.patience
        return bool(patience and self.best and len(self.history) - self.history.index(self.best) > patience)

    def _on_step(self) -> bool:
        self._tell_step(self.num_timesteps)
        return True

    def _on_rollout_end(self) -> None:
        buffer = getattr(self.model, "rollout_buffer", None)
        self._batch = {name: getattr(buffer, name) for name in BATCH if hasattr(buffer, name)}

    def _on_rollout_start(self) -> None:  # the policy has just been updated with all steps so far
        self._check()
        validated = bool(self._marks) and self.num_timesteps >= self._marks[0]
        if validated:
            self._validate_now()
        due = validated or self.num_timesteps - self._saved_at >= self._settings.checkpoint_steps
        if due and self._checkpoints and self.num_timesteps > self._saved_at:
            self._save(self._checkpoints)
        if self.out_of_patience:
            raise _StoppedEarly

    def finish(self) -> None:
        """The last update is made after the last rollout, so the last validation comes here."""
        self._check()
        if self._marks:
            self._validate_now()

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

    def _validate_now(self) -> None:
        self._marks = [mark for mark in self._marks if mark > self.num_timesteps]
        episodes = self._validate()
        growths = {symbol: log_growth(episode) for symbol, episode in episodes.items()}
        figure, error, caution = float(np.mean(list(growths.values()))), error_of_mean(episodes), self._settings.caution
        best = self.best is None or figure - caution * error > self.best.log_growth - caution * self.best.standard_error
        if best:
            self.best_weights = copy.deepcopy(self.model.policy.state_dict())
            self.best_scaling = reward_scaling(self.model.get_vec_normalize_env())
        mark = self._settings.validations_made - len(self._marks)
        validation = Validation(self.num_timesteps, mark, figure, error, best, growths if len(growths) > 1 else {})
        self.history.append(validation)
        self.logger.record("validation/log_growth", figure)
        self.logger.dump(self.num_timesteps)
        self._on_validation(validation, episodes)

    def _save(self, checkpoints: CheckpointFolder) -> None:
        about: dict[str, Any] = {
            "history": [validation.as_json() for validation in self.history],
            "best_scaling": self.best_scaling,
        }
        checkpoints.save(self.model, self.best_weights, about, best=self.best.step if self.best else 0)
        self._saved_at = self.num_timesteps


def error_of_mean(episodes: dict[str, Episode]) -> float:
    """Standard error of the mean log growth over coins.

    The mean of their errors, as if the coins moved as one: that is the most it can be, and nearly what coins do.
    """
    return float(np.mean([growth_error(episode) for episode in episodes.values()]))


def _range_of(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}, mean {values.mean():.3g}"
