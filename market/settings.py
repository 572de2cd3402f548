"""The settings of the candles: where they come from, and how they are split."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from common import Settings, unknown
from market.read_options import MAX_FILLED_BARS, DateOrder, TimeMeaning, VolumeUnit
from market.simulation.markets import MARKETS


class ExternalFile(Settings):
    """A file of values by time, such as a sentiment index, or of another exchange's candles."""

    file: Path
    """CSV, Parquet, Feather or JSON with a column of times"""
    delay: str = ""
    """how long after its time a value is published, such as 1h or 1d; empty for at once. A candle is known when it closes"""


class MarketSettings(Settings):
    """Where the candles come from: a file, several of them, or a simulated market when there is none."""

    file: Path | None = None
    """candle file to read; null simulates a market instead"""
    files: tuple[Path, ...] = ()
    """candle files of several coins, which one agent trades one by one; a validation is worth the mean over them"""
    repair: bool = False
    """drop a file's duplicate rows and fill its short gaps with flat bars, instead of refusing it"""
    max_fill: int = Field(MAX_FILLED_BARS, ge=0)
    """longest gap that `repair` fills, in bars"""
    symbol: str | None = None
    """which coin of a file of several, or `all`; or the name of the one in a file that names none"""
    volume: VolumeUnit | None = None
    """whether the file's volume is in coin (`base`) or in money (`quote`); null finds out"""
    timezone: str | None = None
    """of times without a zone, such as America/New_York; null takes them for UTC"""
    times: TimeMeaning | None = None
    """whether the file's times are those at which bars `open` or `close`; null finds out"""
    dates: DateOrder | None = None
    """`day_first` or `month_first`, where dates such as 03/04/2019 can be both; null finds out"""
    external: dict[str, ExternalFile] = Field(default_factory=dict)
    """series of other files, by the name of their extra column: {fear: fear.csv}, or {fear: {file: fear.csv, delay: 1d}}"""
    simulate: str = "bitcoin"
    """name of the simulated market: ou, regimes, hidden_regimes, sine, martingale or bitcoin"""
    bars: int = Field(20_000, ge=500)
    """length of the simulated market, in bars"""
    seed: int = Field(0, ge=0)
    """seed of the simulated market"""
    edge: float = Field(0.9, ge=0, le=1)
    """of the `bitcoin` market: share of its variance that is mean-reverting, so that it can be traded; 0 is no edge at all"""
    params: dict[str, float] = Field(default_factory=dict)
    """further parameters of the simulated market, by name, such as {reversion: 0.1} for ou; those left out keep their defaults"""

    @field_validator("external", mode="before")
    @classmethod
    def _files(cls, files: Any) -> Any:
        """A file alone stands for one without a delay."""
        if not isinstance(files, dict):
            return files
        return {name: {"file": given} if isinstance(given, str | Path) else given for name, given in files.items()}

    @model_validator(mode="before")
    @classmethod
    def _one_file_is_a_file(cls, given: Any) -> Any:
        """`files` by commas, as is easier on a command line; one of them is `file`."""
        if not isinstance(given, dict) or not given.get("files"):
            return given
        files = given["files"]
        files = [name.strip() for name in files.split(",") if name.strip()] if isinstance(files, str) else files
        if given.get("file") is not None:
            raise ValueError(f"candles come from `file` or from `files`, but got {given['file']} and {files}; drop one")
        single = isinstance(files, list | tuple) and len(files) == 1
        return {**given, "file": files[0], "files": ()} if single else {**given, "files": files}

    @field_validator("simulate")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MARKETS:
            raise ValueError(unknown("simulated market", name, MARKETS))
        return name


class SplitSettings(Settings):
    """How a series is cut, in time order, into train, validation and test; test is what the two others leave."""

    train: float = Field(0.6, gt=0, lt=1)
    """share of the bars that everything is fitted on"""
    validation: float = Field(0.2, gt=0, lt=1)
    """share of the bars that the search and early stopping are judged on"""
    purge_bars: int = Field(24, ge=0)
    """bars left out between two ranges; at least the longest forecast horizon"""

    @model_validator(mode="after")
    def _leaves_a_test_range(self) -> "SplitSettings":
        if self.train + self.validation >= 1:
            raise ValueError(
                f"`train + validation < 1` must hold so that a test range is left, "
                f"but got {self.train} + {self.validation}; lower one"
            )
        return self
