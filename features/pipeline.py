"""`FeaturePipeline.fit(train)` estimates; `FittedFeatures.transform(candles)` applies, causally and to the bit."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from features.indicators import INDICATORS, compute_indicators
from features.settings import FeatureSettings
from features.stationary import WARMUP, log_differences
from market import Candles, InputError, write_atomically


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Features of the bars that follow the warm-up.

    Args:
        values: float32 (T - warmup, F), read-only, finite, within [-bound, bound].
        names: the F columns.
        index: open times of the rows' bars; a row is known when its bar closes.
        warmup: number of bars in front that have no row.
        bound: the largest absolute value that can occur, in any later data too.
    """

    values: np.ndarray
    names: tuple[str, ...]
    index: pd.DatetimeIndex
    warmup: int
    bound: float

    def __len__(self) -> int:
        return len(self.values)

    def since(self, bar: int) -> "FeatureMatrix":
        """The rows from the given bar of the candles on (or from the end of the warm-up, if that is later)."""
        skip = max(bar - self.warmup, 0)
        return FeatureMatrix(self.values[skip:], self.names, self.index[skip:], self.warmup + skip, self.bound)


@dataclass(frozen=True)
class FeaturePipeline:
    """What to compute; nothing is estimated yet."""

    settings: FeatureSettings = field(default_factory=FeatureSettings)

    def fit(self, train: Candles) -> "FittedFeatures":
        """Estimate the scaler on the training candles alone.

        Raises:
            InputError: fewer than 100 bars are left after the warm-up.
        """
        table = _raw_columns(train, self.settings)
        warmup = warmup_bars(self.settings)
        rows = table.to_numpy()[warmup:]
        if len(rows) < 100:
            raise InputError(
                f"fitting needs 100 bars after a warm-up of {warmup}, but {train.source} has {len(train)}; give more candles"
            )
        center, scale = _estimate_scaler(rows, self.settings.scaler)
        return FittedFeatures(self.settings, tuple(table.columns), center, scale, train.sha256)


@dataclass(frozen=True, eq=False)
class FittedFeatures:
    """A frozen pipeline: settings, columns, float64 center (F,) and scale (F,), and the hash of what it was fitted on."""

    settings: FeatureSettings
    names: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    fitted_on_sha256: str

    def transform(self, candles: Candles) -> FeatureMatrix:
        """Features of the candles. Causal: `transform(candles[:n])` equals the first rows of `transform(candles)` to the bit.

        Raises:
            InputError: the candles are no longer than the warm-up.
        """
        warmup = warmup_bars(self.settings)
        if len(candles) <= warmup:
            raise InputError(
                f"features need more than {warmup} bars to warm up, but got {len(candles)}; put more candles in front"
            )
        rows = _raw_columns(candles, self.settings).to_numpy()[warmup:]
        clip = self.settings.clip
        values = np.clip((rows - self.center) / self.scale, -clip, clip).astype(np.float32, order="C")
        values.flags.writeable = False
        return FeatureMatrix(values, self.names, candles.index[warmup:], warmup, clip)

    def save(self, folder: Path) -> None:
        """Write `features.json` and `features.safetensors`."""
        about = {
            "settings": self.settings.model_dump(mode="json"),
            "names": self.names,
            "fitted_on_sha256": self.fitted_on_sha256,
        }
        tensors = dump_tensors({"center": self.center, "scale": self.scale})
        write_atomically(folder / "features.safetensors", tensors)
        write_atomically(folder / "features.json", json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "FittedFeatures":
        """Read what `save` wrote; runs no code from the files.

        Raises:
            InputError: a missing or damaged file.
        """
        try:
            about = json.loads((folder / "features.json").read_text())
            tensors = load_tensors((folder / "features.safetensors").read_bytes())
            settings = FeatureSettings.model_validate(about["settings"])
            return cls(settings, tuple(about["names"]), tensors["center"], tensors["scale"], about["fitted_on_sha256"])
        except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(f"cannot read the features in {folder}: {reason}; train again") from error


def warmup_bars(settings: FeatureSettings) -> int:
    """Bars in front that have no features: the longest warm-up of the chosen columns."""
    return max([WARMUP, *(INDICATORS[name].warmup for name in settings.indicators)])


def _raw_columns(candles: Candles, settings: FeatureSettings) -> pd.DataFrame:
    return pd.concat([log_differences(candles), compute_indicators(candles.frame, settings.indicators)], axis=1)


def _estimate_scaler(rows: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Center and scale of each column; a column that never moves gets scale 1."""
    spread = rows.std(axis=0)
    if kind == "standard":
        center, scale = rows.mean(axis=0), spread
    else:
        low, center, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        scale = (high - low) / 1.349  # the interquartile range of a normal distribution with deviation 1
        scale = np.where(scale > 0, scale, spread)
    return center, np.where(scale > 0, scale, 1.0)
