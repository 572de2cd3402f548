"""The base of every settings class, the settings of this room, and what differs between two dumps of settings."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from market.errors import unknown
from market.simulate import MARKETS


class Settings(BaseModel):
    """A frozen, validated group of settings; an unknown name is an error, the attribute's docstring is its help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )


class MarketSettings(Settings):
    """Where the candles come from: a file, or a simulated market when there is none."""

    file: Path | None = None
    """candle file to read; null simulates a market instead"""
    repair: bool = False
    """drop a file's duplicate rows and fill its short gaps with flat bars, instead of refusing it"""
    simulate: str = "bitcoin"
    """name of the simulated market: ou, regimes, hidden_regimes, sine, martingale or bitcoin"""
    bars: int = Field(20_000, ge=500)
    """length of the simulated market, in bars"""
    seed: int = Field(0, ge=0)
    """seed of the simulated market"""
    edge: float = Field(0.9, ge=0, le=1)
    """of the `bitcoin` market: share of its variance that is mean-reverting, so that it can be traded; 0 is no edge at all"""

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


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested JSON dicts, as `name: old -> new`."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{name}.")
        elif json.dumps(before) != json.dumps(after):
            found.append(f"{prefix}{name}: {_in_words(before, after)}")
    return found


def _in_words(before: Any, after: Any) -> str:
    """Numbers in four digits, if these tell them apart."""
    short = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in (before, after)]
    return " -> ".join(short if short[0] != short[1] else (repr(before), repr(after)))
