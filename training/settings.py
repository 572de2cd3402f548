"""The settings of a training."""

from typing import Literal

from pydantic import Field

from agents import TrialSettings
from common import InputError, Settings
from envs import require_own_reward
from market import AnySplit


class TrainSettings(Settings):
    """How long to train, and how often the validation range is played."""

    steps: int = Field(262_144, ge=1)
    """environment steps; rounded up to whole rollouts"""
    validations: int = Field(12, ge=1)
    """times the agent plays the validation range during training; the best of them is kept, of several coins by their mean"""
    patience: int = Field(0, ge=0)
    """end the training after this many validations without a new best; 0 never does"""
    caution: float = Field(1.0, ge=0)
    """standard errors taken off the log growth of each validation before they are compared: luck shall not win against cash"""
    checkpoint_steps: int = Field(32_768, ge=1)
    """steps between two checkpoints, from which a killed training goes on; there is one after each validation as well"""
    seed: int = Field(0, ge=0)
    """seed of the weights, the episodes and the exploration"""
    range: Literal["train", "train+validation"] = "train"
    """bars that are trained on: train, or train+validation, when nothing is left to choose on and the last weights are kept"""

    def of(self, split: AnySplit) -> AnySplit:
        """The data as they are trained on."""
        return split if self.range == "train" else split.joined()

    @property
    def validations_made(self) -> int:
        """As `validations`; one, at the end, where validation is trained on too: its figures choose nothing there."""
        return self.validations if self.range == "train" else 1


def require_trainable(split: AnySplit, settings: TrialSettings) -> None:
    """Refuse what no training can be made of, before a run folder or a study is made.

    Raises:
        InputError: a plugin's reward that does not compile, an account that can't pay for one lot of a coin, or fewer
            environments than coins.
    """
    require_own_reward(settings.env.reward)
    for coin in split.coins:
        settings.env.require_affordable_lot(coin.train.candles)
        settings.env.require_volumes(coin.train.candles)
    envs, coins = settings.agent.n_envs, len(split.coins)
    if envs < coins and settings.env.dataset_sampling == "least_used":
        raise InputError(f"each coin needs an environment or more, but there are {envs} for {coins} coins; raise agent.n_envs")


def spread_in_words(split: AnySplit, settings: TrialSettings) -> str:
    """How many of the environments trade which coin; empty for one series."""
    symbols, envs = [coin.symbol for coin in split.coins], settings.agent.n_envs
    if len(symbols) == 1:
        return ""
    if settings.env.dataset_sampling == "length":
        return f"environments: {envs}, each episode on a coin that is drawn in proportion to its bars"
    counts = [len(range(place, envs, len(symbols))) for place in range(len(symbols))]
    return "environments: " + ", ".join(f"{count} on {symbol}" for symbol, count in zip(symbols, counts, strict=True))
