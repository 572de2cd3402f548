"""The settings of the forecasters."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from common import Settings, own_names, unknown
from features.forecasters.candle_fields import made_of_volume, require_field
from features.images import ChartStyle
from features.images.settings import PictureModelSettings
from features.interactions.settings import MODELS, InteractionModelSettings

PRICES = ("open", "high", "low", "close")
VOLUMES = ("volume", "quote_volume")
PATHS = ("last_value", "lag", "linear", "sarimax", "cnn", "lstm", "gru")
"""those that forecast the next closes"""
FIELD_MODELS = MODELS
"""those that forecast the probability of a rise, from fields"""
CHART_MODELS = ("chart_cnn",)
"""those that forecast the probability of a rise, from charts"""
RISES = (*FIELD_MODELS, *CHART_MODELS)
OF_FIELDS, OF_CHARTS = ("fields", "field_bins", "interactions"), ("charts",)
OF_RISES = ("rise_bps", *OF_FIELDS, *OF_CHARTS)
"""settings of those that forecast a rise, which decide nothing of the others"""
NAMES = (*PATHS, *RISES)
"""the forecasters, simplest first; a test holds the registry to it"""
FIELDS = (
    "hour", "weekday", "regime", "range_24", "range_168", "signs_3", "d_log_close", "d_log_volume", "volatility_6", "stochastic",
    "bollinger_position",
)  # fmt: skip
"""of windows that end, so that a forecast depends on no older bar"""


class RiseModelSettings(InteractionModelSettings):
    """As for click logs, but in batches that suit thousands of bars instead of millions of clicks."""

    batch_size: int = Field(128, ge=1)
    """rows of a step of Adam"""


class ChartModelSettings(PictureModelSettings):
    """What a chart shows, and how its network is trained: with fewer filters and larger steps than on millions of stocks."""

    bars: Literal[5, 20, 60] = 20
    """bars of a chart: 5, 20 or 60, three pixels each"""
    average: bool = True
    """draw the moving average of as many closes as the chart has bars"""
    volume: bool = True
    """draw volumes below the prices"""
    learning_rate: float | None = Field(1e-3, gt=0, le=10)
    """step size; the paper's 1e-5 is for millions of charts"""
    filters: int | None = Field(16, ge=1, le=512)
    """of the first convolution, each later one has twice as many as the one before; the paper has 64"""

    @property
    def style(self) -> ChartStyle:
        return ChartStyle(self.bars, self.average, self.volume)


class ForecastSettings(Settings):
    """Supervised forecasts of the next closes: what the models see, how they are built and trained, which the agent is shown."""

    models: tuple[str, ...] = ()
    """forecasters whose walk-forward forecasts become columns: none, or any of last_value, lag, linear, sarimax, cnn, lstm,
    gru, and lr, fm, ffm, wide_deep, dcn, dcn_v2, deepfm, xdeepfm and chart_cnn, which give the probability of a rise"""
    first_fit_bars: int = Field(2_880, ge=100)
    """bars of train that the first model of a column is trained on; they get no row"""
    refit_bars: int = Field(2_880, ge=50)
    """bars of train after which the models of a column are trained anew, each time on all bars before"""
    ensemble: int = Field(3, ge=1)
    """models of a column that differ in their seed alone: the column is their mean, and their spread is one more"""
    past_bars: int = Field(256, ge=2)
    """bars that a model looks back on"""
    future_bars: int = Field(16, ge=1)
    """bars ahead that it forecasts, each of them"""
    inputs: tuple[str, ...] = ("close",)
    """columns of the candles that it sees"""
    windows: Literal["sliding", "disjoint"] = "sliding"
    """sliding: a window ends at every bar of train; disjoint: the windows share no bar"""
    target: Literal["log_return", "price"] = "log_return"
    """log_return: prices are seen, and forecast, relative to the last close; price: as they are, scaled by the range of train"""
    conv_layers: Literal[2, 3, 4] = 2
    """convolutions of cnn"""
    units: int = Field(50, ge=1)
    """hidden units of lstm and gru"""
    activation: Literal["relu", "leaky_relu"] = "leaky_relu"
    """of the output of cnn, lstm and gru; its zero stands at the lowest target of train"""
    dropout: float = Field(0.2, ge=0, lt=1)
    """share of hidden outputs that are dropped in training"""
    l1: float = Field(0.0, ge=0)
    """weight of the sum of absolute values in the loss"""
    l2: float = Field(0.0, ge=0)
    """weight of the sum of squares in the loss"""
    regularize: Literal["kernel", "bias", "recurrent", "activity"] = "kernel"
    """what l1 and l2 are applied to, in the hidden layers: input weights, biases, recurrent weights, or outputs"""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Adam's step size"""
    batch_size: int = Field(128, ge=1)
    """windows of an update"""
    epochs: int = Field(40, ge=1)
    """passes over the windows, at most"""
    patience: int = Field(6, ge=1)
    """epochs without a new best validation loss after which the training ends"""
    rise_bps: float = Field(26.0, ge=0)
    """lr, fm and the others of interactions, and chart_cnn, forecast that the close exceeds this bar's by more than so many basis
    points within future_bars; a purchase and a sale cost as many by default"""
    fields: tuple[str, ...] = FIELDS
    """what models of interactions see: hour, weekday, regime, range_N, signs_N, volatility_N, log differences such as
    d_log_close, any indicator"""
    field_bins: int = Field(8, ge=2, le=256)
    """bins that a field without categories is cut into, quantiles of the training bars"""
    interactions: RiseModelSettings = RiseModelSettings()
    charts: ChartModelSettings = ChartModelSettings()
    seed: int = Field(0, ge=0)
    """of weights, order and dropout; the k-th model of an ensemble has seed + k"""
    threads: int = Field(2, ge=1)
    """of torch, in training and forecasting; another number may change the last bits"""

    @field_validator("models", "inputs", "fields", mode="before")
    @classmethod
    def _by_commas(cls, names: object) -> object:
        """On a command line `cnn,lstm` is easier to write than a list."""
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("models")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in (known := (*NAMES, *sorted(own_names("FORECASTERS")))):
                raise ValueError(unknown("forecaster", name, known))
        return _each_once("forecaster", names)

    @field_validator("inputs")
    @classmethod
    def _are_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PRICES + VOLUMES:
                raise ValueError(unknown("column of the candles", name, PRICES + VOLUMES))
        if not names:
            raise ValueError("a forecaster needs an input, but got none; `close` is the usual one")
        return _each_once("input", names)

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            require_field(name)
        if not names:
            raise ValueError("a model of interactions needs a field, but got none; hour,regime are two")
        return _each_once("field", names)

    @model_validator(mode="after")
    def _leaves_windows(self) -> "ForecastSettings":
        if self.models and self.first_fit_bars < self.least_bars:
            longest = "past_bars" if self.width == self.past_bars + self.future_bars else "charts.bars"
            raise ValueError(
                f"`first_fit_bars` must be {self.least_bars} or more for windows of {self.width - self.future_bars} + "
                f"{self.future_bars} bars, but got {self.first_fit_bars}; raise it, or lower {longest}"
            )
        return self

    def without_volumes(self) -> "ForecastSettings":
        """The same without fields that are made of volumes, and with charts of prices alone."""
        fields = tuple(name for name in self.fields if not made_of_volume(name))
        return self.model_copy(update={"fields": fields, "charts": self.charts.model_copy(update={"volume": False})})

    @property
    def width(self) -> int:
        """Bars of a window, past and future; a chart may look back on more than `past_bars`."""
        charts = self.charts.style.bars_back if set(self.models) & set(CHART_MODELS) else 0
        return max(self.past_bars, charts) + self.future_bars

    @property
    def least_bars(self) -> int:
        """Bars that a walk-forward model needs: the last fifth, for early stopping, must hold a few windows."""
        return 5 * (self.width + 20)


def _each_once(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"each {kind} may be named once, but got {', '.join(names)}; drop the repeated one")
    return names
