"""Trains an agent on the train range and keeps what did best on the validation range. Never sees the test range."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents import AgentSettings, LearnedAgent, build_ppo
from envs import BitcoinTradingVecEnv, EnvSettings
from evaluation.episode import play
from evaluation.metrics import log_growth
from features import FeaturePipeline, FeatureSettings, FittedFeatures
from market import InputError, Split


class TrainingDiverged(InputError):
    """The weights stopped being finite; the message says when, and what to lower."""


@dataclass(frozen=True)
class Validation:
    """One look at the validation range: log growth of the net worth there, after costs."""

    step: int
    mark: int  # 1, 2, ... `validations`: comparable between agents whose rollouts differ in length
    log_growth: float
    best: bool


@dataclass(frozen=True)
class Trained:
    """The agent that did best on validation, the features it sees, and every look that was taken."""

    agent: LearnedAgent
    features: FittedFeatures
    history: tuple[Validation, ...]

    @property
    def best(self) -> Validation:
        return max(self.history, key=lambda look: look.log_growth)


def train_agent(
    split: Split,
    *,
    features: FeatureSettings,
    env: EnvSettings,
    agent: AgentSettings,
    steps: int,
    validations: int,
    seed: int,
    cache: Path | None = None,
    on_validation: Callable[[Validation, LearnedAgent, FittedFeatures], None] = lambda look, agent, fitted: None,
    on_progress: Callable[[int], None] = lambda step: None,
) -> Trained:
    """Fit the features on train, train recurrent PPO there, look at validation `validations` times, keep the best weights.

    Args:
        cache: folder where features are kept for the next time; None keeps nothing.
        on_validation: called after each look; may raise to stop.
        on_progress: called with the number of steps done, after every step of the environments.

    Raises:
        TrainingDiverged: weights became NaN or infinite.
    """
    fitted = FeaturePipeline(features, cache).fit(split.train.candles)
    on_train = BitcoinTradingVecEnv(
        split.train.candles, fitted.transform(split.train.candles), env, n_envs=agent.n_envs, seed=seed
    )
    model = build_ppo(agent, on_train, seed)
    learner = LearnedAgent(model.policy, agent)
    unseen = fitted.transform(split.validation.candles).since(split.validation.start)

    def judge() -> float:
        return log_growth(play(split.validation.candles, unseen, env, learner))

    watch = _Watch(steps, validations, judge, lambda look: on_validation(look, learner, fitted), on_progress)
    try:
        model.learn(total_timesteps=steps, callback=watch)
    except ValueError as error:
        if "to satisfy the constraint" not in str(error):  # how torch's distributions refuse logits that are NaN
            raise
        raise TrainingDiverged(_diverged("the policy's output", model.num_timesteps)) from error
    watch.finish()
    model.policy.load_state_dict(watch.best_weights)
    return Trained(learner, fitted, tuple(watch.history))


def _diverged(what: str, step: int) -> str:
    return f"weights must stay finite, but {what} is not after {step:,} steps; lower agent.learning_rate or agent.max_grad_norm"


class _Watch(BaseCallback):
    """Looks at validation at even distances, between an update and the next rollout, and once more at the end."""

    def __init__(
        self,
        steps: int,
        validations: int,
        judge: Callable[[], float],
        on_validation: Callable[[Validation], None],
        on_progress: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._marks = [steps * (k + 1) / validations for k in range(validations)]
        self._validations = validations
        self._judge = judge
        self._on_validation = on_validation
        self._on_progress = on_progress
        self.history: list[Validation] = []
        self.best_weights: dict[str, torch.Tensor] = {}

    def _on_step(self) -> bool:
        self._on_progress(self.num_timesteps)
        return True

    def _on_rollout_start(self) -> None:  # the policy has just been updated with all steps so far
        if self._marks and self.num_timesteps >= self._marks[0]:
            self._look()

    def finish(self) -> None:
        """The last update is made after the last rollout, so the last look comes here."""
        if self._marks:
            self._look()

    def _look(self) -> None:
        self._marks = [mark for mark in self._marks if mark > self.num_timesteps]
        weights = self.model.policy.state_dict()
        for name, tensor in weights.items():
            if not torch.isfinite(tensor).all():
                raise TrainingDiverged(_diverged(name, self.num_timesteps))
        figure = self._judge()
        best = not self.history or figure > max(look.log_growth for look in self.history)
        if best:
            self.best_weights = copy.deepcopy(weights)
        look = Validation(self.num_timesteps, self._validations - len(self._marks), figure, best)
        self.history.append(look)
        self._on_validation(look)
