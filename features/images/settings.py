"""The settings of the models that look at pictures."""

from typing import Literal

from pydantic import Field, field_validator

from common import InputError, Settings

NAMES = ("chart_cnn", "small_cnn", "vgg16")
"""the models; a test holds the registry to it"""
FILTERS = {"chart_cnn": 64, "small_cnn": 32, "vgg16": 64}
"""of the first convolution, as each model was published"""
DROPOUT = {"chart_cnn": (0.5,), "small_cnn": (0.25, 0.5), "vgg16": (0.5, 0.2)}
"""of each model's dropouts, first one first"""
RATES = {
    "adam": {"chart_cnn": 1e-5, "small_cnn": 1e-3, "vgg16": 1e-4},
    "sgd": {"chart_cnn": 1e-3, "small_cnn": 1e-2, "vgg16": 1e-3},
}
"""step sizes; that of chart_cnn with Adam is the paper's"""


class PictureModelSettings(Settings):
    """How a model of pictures is built and trained. Defaults are those of Jiang, Kelly & Xiu (2023) where they name one."""

    optimizer: Literal["adam", "sgd"] = "adam"
    """sgd has momentum"""
    learning_rate: float | None = Field(None, gt=0, le=10)
    """step size; by default the model's own: with adam 1e-5 for chart_cnn, 1e-3 for small_cnn and 1e-4 for vgg16, with sgd 1e-3,
    1e-2 and 1e-3"""
    momentum: float = Field(0.9, ge=0, lt=1)
    """of sgd: share of the last step that is taken once more"""
    decay: float = Field(0.0, ge=0)
    """weight decay: weight of half the squares of all weights, in the loss"""
    epochs: int = Field(50, ge=1)
    """passes over the pictures, at most"""
    patience: int = Field(2, ge=1)
    """epochs without a new best validation loss after which the training ends; without validation pictures it never ends early"""
    batch_size: int = Field(128, ge=1)
    """pictures of a step"""
    dropout: tuple[float, ...] | None = None
    """share of outputs that are dropped in training, at each place where the model drops some; by default 0.5 for chart_cnn,
    0.25,0.5 for small_cnn and 0.5,0.2 for vgg16"""
    filters: int | None = Field(None, ge=1, le=512)
    """of the first convolution, the later ones have them in proportion; by default 64, for small_cnn 32"""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """of the convolutions; auto is bfloat16 where the processor has instructions for it, else float32"""

    @field_validator("dropout", mode="before")
    @classmethod
    def _by_commas(cls, shares: object) -> object:
        """On a command line `0.25,0.5` is easier to write than a list."""
        if isinstance(shares, str):
            return [share.strip() for share in shares.split(",") if share.strip()]
        return (shares,) if isinstance(shares, int | float) else shares

    @field_validator("dropout")
    @classmethod
    def _are_shares(cls, shares: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shares is not None and not all(0 <= share < 1 for share in shares):
            raise ValueError(f"dropout is a share of 0 or more and below 1, but got {list(shares)}; 0.25,0.5 are two")
        return shares

    def rate_of(self, model: str) -> float:
        """Step size of that model."""
        return self.learning_rate if self.learning_rate is not None else RATES[self.optimizer][model]

    def filters_of(self, model: str) -> int:
        """Filters of that model's first convolution."""
        return self.filters if self.filters is not None else FILTERS[model]

    def dropout_of(self, model: str) -> tuple[float, ...]:
        """Shares of that model's dropouts.

        Raises:
            InputError: the setting has another number of shares than the model has places.
        """
        own = DROPOUT[model]
        if self.dropout is not None and len(self.dropout) != len(own):
            raise InputError(
                f"{model} drops outputs at {len(own)} places, but `dropout` gives {len(self.dropout)} shares; give {len(own)}, "
                f"such as {','.join(map(str, own))}"
            )
        return own if self.dropout is None else self.dropout


class PictureSettings(PictureModelSettings):
    """What one training needs beside the model: how pictures are varied, and what decides its random draws."""

    shear: float = Field(0.0, ge=0, le=1)
    """largest slope by which a picture is slanted in training: 0.2 moves the top row sideways by up to a tenth of the height,
    and the bottom row as far to the other side"""
    zoom: float = Field(0.0, ge=0, lt=1)
    """largest change of a picture's height and width in training, each for itself: 0.2 shows 0.8 to 1.2 times as much"""
    flip: bool = False
    """show half of the pictures as in a mirror in training"""
    seed: int = Field(0, ge=0)
    """of first weights, order of pictures, dropout and variations"""
    threads: int = Field(1, ge=1)
    """of torch, in training and forecasting. Another number may change the last bits"""

    @property
    def augments(self) -> bool:
        """Whether a picture looks different in each epoch."""
        return bool(self.shear or self.zoom or self.flip)
