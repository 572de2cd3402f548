"""The settings of a search."""

from typing import Literal

from pydantic import Field, field_validator

from agents import DEFAULT_DIMENSIONS, DIMENSIONS
from common import Settings, unknown
from evaluation import statistics
from training import TrainSettings

LOG_GROWTH = "log_growth"
LOWER_IS_BETTER = ("volatility", "drawdown_bars", "turnover", "trades", "fees_paid")
REWARD = "reward"
STORAGES = ("sqlite:///", "postgresql+psycopg://")


class SearchSettings(Settings):
    """How the hyperparameters are searched."""

    trials: int = Field(20, ge=1)
    """finished trials that the study shall hold; an existing study is taken up where it stands"""
    steps: int = Field(65_536, ge=1)
    """environment steps of each training of a trial; rounded up to whole rollouts"""
    validations: int = Field(4, ge=1)
    """times a training plays the validation range: what `train.py` would keep counts, and the pruner sees each"""
    folds: int = Field(1, ge=1, le=50)
    """windows of the validation range, each judged after a training on all bars before it; a trial's figure is their mean"""
    seeds: int = Field(1, ge=1)
    """trainings of each window, seeds from `seed` on; a trial's figure is their mean"""
    objective: str = LOG_GROWTH
    """figure of the net worth on validation, after costs, that trials are judged by: log_growth, or a figure of the backtest; of
    several coins their mean"""
    dimensions: tuple[str, ...] = DEFAULT_DIMENSIONS
    """what is searched; `agents.DIMENSIONS` has them all"""
    any_reward: bool = False
    """search the reward, too (`--reward all`); the study is then NAME-all"""
    sampler: Literal["tpe", "random", "gp", "cmaes", "qmc"] = "tpe"
    """how trials are proposed: tpe, random, gp (Gaussian process), cmaes or qmc (Sobol's sequence)"""
    startup_trials: int = Field(5, ge=0)
    """trials drawn at random before the sampler models them, and before the median pruner may stop one"""
    pruner: Literal["median", "hyperband", "halving", "none"] = "median"
    """who stops a trial early by its validation figures: median, hyperband, halving (successive halving) or none"""
    seed: int = Field(0, ge=0)
    """seed of the search and of every trial's trainings; not a hyperparameter"""
    storage: str = "sqlite:///studies/coindojo.db"
    """Optuna storage of the studies: a SQLite file, or postgresql+psycopg://USER@HOST/DATABASE for many machines"""
    heartbeat_seconds: int = Field(20, ge=1)
    """a trial whose worker has been silent for 3 of these is taken for killed, and tried again"""
    retries: int = Field(3, ge=0)
    """times that a killed trial is tried again"""

    @field_validator("dimensions", mode="before")
    @classmethod
    def _by_commas(cls, names: object) -> object:
        """On a command line `gamma,n_steps` is easier to write than a list."""
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("dimensions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name == REWARD:
                raise ValueError("the reward is searched by `any_reward`, which also names the study; set it, and drop `reward`")
            if name not in DIMENSIONS:
                raise ValueError(unknown("dimension", name, DIMENSIONS))
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`dimensions` must name one or more, each once, but got {', '.join(names) or 'none'}")
        return names

    @field_validator("objective")
    @classmethod
    def _is_a_figure(cls, name: str) -> str:
        if name != LOG_GROWTH and name not in statistics.FIGURES:
            raise ValueError(unknown("figure", name, (LOG_GROWTH, *statistics.FIGURES)))
        return name

    @field_validator("storage")
    @classmethod
    def _is_a_database(cls, url: str) -> str:
        if not any(url.startswith(start) and url.removeprefix(start).strip("/") for start in STORAGES):
            raise ValueError(
                "`storage` must be a SQLite file such as sqlite:///studies/coindojo.db, or a database such as "
                f"postgresql+psycopg://USER@HOST/DATABASE, but got {url!r}"
            )
        return url

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Of the Optuna study: whether less of the objective is better, or more."""
        return "minimize" if self.objective in LOWER_IS_BETTER else "maximize"

    @property
    def validations_of_a_trial(self) -> int:
        """Of all its windows and seeds."""
        return self.validations * self.folds * self.seeds

    @property
    def searched(self) -> tuple[str, ...]:
        """All dimensions, the reward among them if any may be."""
        return (*self.dimensions, REWARD) if self.any_reward else self.dimensions

    def training(self, train: TrainSettings) -> TrainSettings:
        """How each training of a trial is run: as configured, but as long as the search says, and never on validation."""
        changes = {"steps": self.steps, "validations": self.validations, "range": "train"}
        return train.model_copy(update=changes)
