"""The settings of the features."""

from typing import Any, Literal

from pydantic import Field, field_validator

from features.indicators import INDICATORS
from market import Settings, unknown


class FeatureSettings(Settings):
    """Which columns the agent sees, and how they are scaled."""

    indicators: tuple[str, ...] = tuple(INDICATORS)
    """technical indicators to compute, by name; the six log differences are always there"""
    scaler: Literal["robust", "standard"] = "robust"
    """robust: (x - median) / interquartile range; standard: (x - mean) / standard deviation; estimated on train alone"""
    clip: float = Field(5.0, gt=0)
    """scaled values are cut off at plus and minus this, which also bounds the observation space"""

    @field_validator("indicators", mode="before")
    @classmethod
    def _by_commas(cls, names: Any) -> Any:
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
