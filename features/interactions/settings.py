"""The settings of the models of interactions."""

from typing import Literal

from pydantic import Field, field_validator

from common import Settings

MODELS = ("lr", "fm", "ffm", "wide_deep", "dcn", "dcn_v2", "deepfm", "xdeepfm")
"""the models, simplest first; a test holds the registry to it"""
KERNELS = ("lr", "fm", "ffm")
"""those that a compiled kernel trains a row at a time; the others are networks, trained by Adam in batches"""


class InteractionModelSettings(Settings):
    """How a model of interactions is built and trained. Names and defaults of the kernels are those of xLearn."""

    k: int | None = Field(None, ge=1, le=256)
    """numbers that describe a feature (its embedding); by default 4 for fm and ffm, 16 for the networks"""
    optimizer: Literal["adagrad", "sgd", "ftrl"] = "adagrad"
    """of lr, fm and ffm; the networks have Adam"""
    learning_rate: float | None = Field(None, gt=0, le=10)
    """step size; by default 0.2 for lr, fm and ffm, 0.001 for the networks"""
    embedding_rate: float = Field(1.0, gt=0, le=100)
    """the networks' step size of embeddings and linear weights, in multiples of learning_rate. 3 ranks rows better in a long
    training whose epoch is chosen by the AUC; in a short one that the loss ends it makes probabilities worse"""
    l2: float = Field(2e-5, ge=0)
    """weight of half the squares of the weights that a row uses, in its loss; ftrl has its own"""
    ftrl_alpha: float = Field(0.3, gt=0)
    """step size of ftrl"""
    ftrl_beta: float = Field(1.0, ge=0)
    """what keeps the first steps of ftrl small"""
    ftrl_l1: float = Field(1e-5, ge=0)
    """weight of the absolute values of the weights, with ftrl: those that matter little become 0"""
    ftrl_l2: float = Field(2e-5, ge=0)
    """weight of the squares of the weights, with ftrl"""
    epochs: int = Field(15, ge=1)
    """passes over the rows, at most"""
    patience: int = Field(2, ge=1)
    """epochs without a new best validation loss after which the training ends; without validation rows it never ends early"""
    stop_by: Literal["loss", "auc"] = "loss"
    """what of the validation rows chooses the epoch: loss for probabilities that mean what they say, auc for the order alone"""
    normalize_rows: bool = True
    """divide the values of a row by their length, as libffm and xLearn do; the networks see them as they are"""
    linear: bool = True
    """of fm and ffm: a constant and a weight for each feature beside the pairs, as xLearn has them; libffm has neither"""
    init_scale: float = Field(0.66, gt=0)
    """the first embeddings of fm and ffm are drawn from 0 to init_scale / sqrt(k)"""
    batch_size: int = Field(1_024, ge=1)
    """rows of a step of Adam"""
    hidden_layers: tuple[int, ...] = (128, 64)
    """widths of the networks' hidden layers"""
    cross_layers: int = Field(3, ge=1)
    """crosses of dcn and dcn_v2"""
    cin_layers: tuple[int, ...] = (64, 64)
    """feature maps of each layer of xdeepfm's compressed interaction network; half of each goes on to the next layer"""
    dropout: float = Field(0.0, ge=0, lt=1)
    """share of hidden outputs that are dropped in training"""

    @field_validator("hidden_layers", "cin_layers", mode="before")
    @classmethod
    def _by_commas(cls, widths: object) -> object:
        """On a command line `128,64` is easier to write than a list."""
        if isinstance(widths, str):
            return [width.strip() for width in widths.split(",") if width.strip()]
        return (widths,) if isinstance(widths, int) else widths

    @field_validator("hidden_layers", "cin_layers")
    @classmethod
    def _are_widths(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not widths or min(widths) < 1:
            raise ValueError(f"layers are one width or more, each of 1 or more, but got {list(widths)}; 128,64 are two layers")
        return widths

    def k_of(self, model: str) -> int:
        """Numbers of an embedding of that model."""
        return self.k if self.k is not None else 4 if model in KERNELS else 16

    def rate_of(self, model: str) -> float:
        """Step size of that model."""
        return self.learning_rate if self.learning_rate is not None else 0.2 if model in KERNELS else 1e-3


class InteractionSettings(InteractionModelSettings):
    """What one training needs beside the model: the loss, and what decides its random draws."""

    loss: Literal["logloss", "squared"] = "logloss"
    """logloss: labels are 0 or 1 and a forecast is a probability; squared: labels and forecasts are any numbers"""
    seed: int = Field(0, ge=0)
    """of first weights, order of rows and dropout"""
    threads: int = Field(1, ge=1)
    """of torch, in training and forecasting; a second one brings these small networks little, and on a busy machine costs much.
    Another number may change the last bits"""
