"""The settings of the features."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from common import Settings, own_names, unknown
from features import longer_bars
from features.extra_columns import form_of
from features.forecasters import ForecastSettings
from features.indicators import INDICATORS, made_of_volumes
from market import parse_bar


class SarimaxSettings(Settings):
    """A SARIMAX model of the log returns of the close, and what of its forecasts the agent sees."""

    forecast_len: int = Field(1, ge=0)
    """bars ahead that are forecast: three columns each, the mean and both ends of the interval; 0 leaves them out"""
    confidence_interval: float = Field(0.95, gt=0, lt=1)
    """probability that the interval holds the return, if the model is right"""
    order: tuple[int, int, int] = (1, 0, 1)
    """autoregressive lags, differences, moving-average lags"""
    seasonal_order: tuple[int, int, int, int] = (0, 0, 0, 0)
    """the same at multiples of a season, and the season's length in bars"""
    refit_bars: int = Field(0, ge=0)
    """estimate anew every so many bars, on the `fit_bars` before; 0 estimates once, on train"""
    fit_bars: int = Field(4_320, ge=100)
    """bars that a walk-forward estimate sees, all of them past"""

    @field_validator("order", "seasonal_order", mode="before")
    @classmethod
    def _by_commas(cls, lags: object) -> object:
        """On a command line `1,0,1` is easier to write than a list."""
        return lags.split(",") if isinstance(lags, str) else lags

    @model_validator(mode="after")
    def _is_a_model(self) -> "SarimaxSettings":
        (p, d, q), (sp, sd, sq, season) = self.order, self.seasonal_order
        if min(p, d, q, sp, sd, sq, season) < 0 or d + sd > 2:
            raise ValueError(f"lags are 0 or more and differences 2 at most, but got {self.order} and {self.seasonal_order}")
        if sp + sd + sq and (season < 2 or season <= max(p if sp else 0, q if sq else 0)):
            raise ValueError(
                f"a season must exceed the plain lags and 1 bar, but got {season} beside {self.order}; 24 is a day of hours"
            )
        if not sp + sd + sq and season:
            raise ValueError(f"a season of {season} bars needs a seasonal lag or difference, but got {self.seasonal_order}")
        return self


class FeatureSettings(Settings):
    """Which columns the agent sees, and how they are scaled."""

    differencing: Literal["log", "fractional", "both"] = "log"
    """how prices and volumes are made stationary: log differences, fractional differences of the logs, or both"""
    fractional_order: float = Field(0.4, gt=0, le=1)
    """order of the fractional differences: 1 is the log difference, towards 0 more of the past is kept"""
    fractional_threshold: float = Field(1e-4, ge=1e-6, lt=1)
    """weights of the fractional differences below this are cut off, which bounds their window"""
    indicators: tuple[str, ...] = Field(default_factory=lambda: tuple(INDICATORS))
    """technical indicators to choose from, by name"""
    keep_indicators: int = Field(40, ge=1)
    """indicators that remain: in each group those that correlate most with the rest are dropped, judged on train alone; those of
    plugins always remain, beside them"""
    sarimax: SarimaxSettings = SarimaxSettings()
    forecasts: ForecastSettings = ForecastSettings()
    extra: tuple[str, ...] = ()
    """columns beside the candles, by name, such as funding_rate or open_interest:log; `level` as they are, `diff` their change,
    `log` the change of their logarithm"""
    extra_delay_bars: int = Field(0, ge=0)
    """bars after which their values are known, beyond the close of their own bar"""
    timeframes: tuple[str, ...] = ()
    """longer bars whose columns are added, such as 4h,1d; each is known once it has closed. 1w begins on Monday, 1M is a month"""
    timeframe_columns: tuple[str, ...] = longer_bars.DEFAULT_COLUMNS
    """columns of each time frame: d_log_close and other log differences, any indicator, volatility_N over N bars of the frame"""
    volumes: bool = True
    """columns made of volumes; candles without volumes leave them out by themselves"""
    families: tuple[str, ...] = Field(default_factory=lambda: tuple(sorted(own_names("FAMILIES"))))
    """families of columns that plugins add, by name; by default all that are loaded"""
    calendar: bool = True
    """hour of the day and day of the week, as sine and cosine"""
    volatility_bars: tuple[int, ...] = (6, 24, 168)
    """windows of the realised volatility, in bars"""
    state: bool = False
    """the hidden state of a simulated market, which no real one shows: to prove a trainer where the best policy is known"""
    scaler: Literal["robust", "standard", "minmax"] = "robust"
    """robust: (x - median) / interquartile range; standard: (x - mean) / standard deviation; minmax: train becomes [-1, 1];
    estimated on train alone"""
    clip: float = Field(5.0, gt=0)
    """scaled values are cut off at plus and minus this, which also bounds the observation space"""
    window: int = Field(1, ge=1)
    """rows that each observation stacks, for agents without memory; 1 is the bar's own row alone"""

    @field_validator("indicators", "volatility_bars", "extra", "families", "timeframes", "timeframe_columns", mode="before")
    @classmethod
    def _by_commas(cls, names: object) -> object:
        """On a command line `rsi,adx` is easier to write than a list."""
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("indicators")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in INDICATORS:
                raise ValueError(unknown("indicator", name, INDICATORS))
        if len(set(names)) < len(names):
            raise ValueError(f"each indicator may be named once, but got {', '.join(names)}; drop the repeated one")
        return names

    @field_validator("families")
    @classmethod
    def _are_loaded(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in (known := own_names("FAMILIES")):
                raise ValueError(unknown("family of a plugin", name, sorted(known)))
        return tuple(sorted(set(names)))

    @field_validator("extra")
    @classmethod
    def _have_forms(cls, items: tuple[str, ...]) -> tuple[str, ...]:
        forms = [form_of(item) for item in items]
        if len(set(forms)) < len(forms):
            raise ValueError(
                f"each extra column may be named once in each form, but got {', '.join(items)}; drop the repeated one"
            )
        return items

    @field_validator("timeframes")
    @classmethod
    def _are_frames(cls, frames: tuple[str, ...]) -> tuple[str, ...]:
        """Each by the name that its columns end with: 240min is 4h."""
        names = tuple(longer_bars.frame_name(parse_bar(frame)) for frame in frames)
        if len(set(names)) < len(names):
            raise ValueError(f"each time frame may be named once, but got {', '.join(frames)}; drop the repeated one")
        return names

    @field_validator("timeframe_columns")
    @classmethod
    def _are_columns_of_frames(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            longer_bars.require_column(name)
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"a time frame needs a column, and each one once, but got {', '.join(names) or 'none'}; "
                "to have no time frames leave `timeframes` empty"
            )
        return names

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> "FeatureSettings":
        columns = {f"{name}_{frame}" for frame in self.timeframes for name in self.timeframe_columns}
        if taken := sorted(columns & set(self.indicators)):
            raise ValueError(f"`{taken[0]}` is a column of a time frame and an indicator; give the indicator another name")
        return self

    def without_volumes(self) -> "FeatureSettings":
        """The same without columns that are made of volumes."""
        indicators = tuple(name for name in self.indicators if not made_of_volumes(name))
        columns = longer_bars.without_volumes(self.timeframe_columns)
        bare = {"indicators": indicators, "timeframe_columns": columns, "forecasts": self.forecasts.without_volumes()}
        return self.model_copy(update={"volumes": False, **bare})

    @field_validator("volatility_bars")
    @classmethod
    def _increasing(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if min(windows, default=1) < 1 or list(windows) != sorted(set(windows)):
            raise ValueError(f"windows must be whole bars, 1 or more, in increasing order, but got {windows}")
        return windows
