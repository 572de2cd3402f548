"""The settings of training and of the search."""

from pydantic import Field, model_validator

from market import Settings


class TrainSettings(Settings):
    """How long to train, and how often to look at the validation range."""

    steps: int = Field(262_144, ge=1)
    """environment steps; rounded up to whole rollouts"""
    validations: int = Field(12, ge=1)
    """times the agent plays the validation range during training; the best of them is kept"""
    patience: int = Field(0, ge=0)
    """end the training after this many looks at validation without a new best; 0 never does"""
    caution: float = Field(1.0, ge=0)
    """standard errors taken off a look's log growth before looks are compared: a lucky position shall not win against cash"""
    checkpoint_steps: int = Field(32_768, ge=1)
    """steps between two checkpoints, from which a killed training goes on; there is one after each validation as well"""
    seed: int = Field(0, ge=0)
    """seed of the weights, the episodes and the exploration"""


class SearchSettings(Settings):
    """How the hyperparameters are searched."""

    trials: int = Field(20, ge=1)
    """finished trials that the study shall hold; an existing study is taken up where it stands"""
    steps: int = Field(65_536, ge=1)
    """environment steps of a trial; rounded up to whole rollouts"""
    validations: int = Field(4, ge=1)
    """times a trial plays the validation range: its best is the trial's value, and the pruner sees each"""
    startup_trials: int = Field(5, ge=0)
    """trials drawn at random before TPE models them, and before the median pruner may stop one"""
    prune: bool = True
    """stop a trial whose validation figure stays below the median of the earlier ones"""
    seed: int = Field(0, ge=0)
    """seed of the search and of every trial's training; not a hyperparameter"""
    storage: str = "sqlite:///studies/coindojo.db"
    """Optuna storage that holds the studies"""

    @model_validator(mode="after")
    def _storage_is_sqlite(self) -> "SearchSettings":
        if not self.storage.removeprefix("sqlite:///").strip("/") or not self.storage.startswith("sqlite:///"):
            raise ValueError(f"`storage` must be a SQLite file such as sqlite:///studies/coindojo.db, but got {self.storage!r}")
        return self
