"""The settings of a training."""

from typing import Literal

from pydantic import Field

from common import Settings
from market import Split


class TrainSettings(Settings):
    """How long to train, and how often the validation range is played."""

    steps: int = Field(262_144, ge=1)
    """environment steps; rounded up to whole rollouts"""
    validations: int = Field(12, ge=1)
    """times the agent plays the validation range during training; the best of them is kept"""
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

    def of(self, split: Split) -> Split:
        """The data as they are trained on."""
        return split if self.range == "train" else split.joined()

    @property
    def validations_made(self) -> int:
        """As `validations`; one, at the end, where validation is trained on too: its figures choose nothing there."""
        return self.validations if self.range == "train" else 1
