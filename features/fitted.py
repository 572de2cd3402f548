"""`FittedFeatures.transform(candles)` applies what was estimated, causally and to the bit; its files run no code when read."""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load as load_tensors, save as dump_tensors

from common import InputError, PluginError, atomic_file, hash_of, one_line, write_atomically
from features import cache as feature_cache, forecasters
from features.column_families import Estimates, columns_warmup, compute_tables, families_of, warmup_bars
from features.lookback import lookback_in_words
from features.matrix import FeatureMatrix, stack_rows
from features.own_code import Code, require_loaded
from features.progress import OnProgress, begun
from features.scaler import apply_scaler
from features.settings import FeatureSettings
from market import Candles, as_candles, bar_name

FORMAT = 2
FAMILY = "family/"
SEAL = "sha256"
"""in `features.json`: the hash of all else that it says, the hash of the tensors included"""
"""in front of the names of what a family estimated"""


@dataclass(frozen=True, eq=False)
class FittedFeatures:
    """A frozen pipeline.

    Args:
        settings: what was asked for.
        names: the F columns that remain.
        center, scale: float64 (F,), of the scaler.
        estimates: what each family of columns estimated, by its name.
        memory: int64 (F,), bars that each column's newest value depends on, as measured on train.
        bar: length of the bars that it was fitted on.
        fitted_on_sha256: hash of the candles that it was fitted on.
        notes: what a person should know, such as a fit that did not converge.
        cache: folder where transforms are kept, or None.
        code: by the name of what a plugin has added: the plugin, and the hash of the code that it was fitted with.
    """

    settings: FeatureSettings
    names: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    estimates: dict[str, Estimates]
    memory: np.ndarray
    bar: pd.Timedelta
    fitted_on_sha256: str
    notes: tuple[str, ...] = ()
    cache: Path | None = None
    code: Mapping[str, Code] = field(default_factory=dict)

    @property
    def kept(self) -> tuple[str, ...]:
        """The indicators that remain."""
        return tuple(name for name in self.settings.indicators if name in self.names)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The indicators that correlated too much with others of their group."""
        return tuple(name for name in self.settings.indicators if name not in self.names)

    @property
    def warmup(self) -> int:
        """Bars in front of a series that get no row."""
        return warmup_bars(self._kept_settings, self.bar)

    @property
    def lookback(self) -> int:
        """Bars whose `transform` gives the newest row as the whole series would, to 1e-6: what live trading keeps at hand."""
        by_definition = max(family.memory(self.settings) for family in families_of(self.settings).values())
        warmed_up = columns_warmup(self._kept_settings, self.bar) + 1
        return max(int(self.memory.max()), by_definition, warmed_up) + self.settings.window - 1

    @property
    def columns_in_words(self) -> str:
        """How many columns there are."""
        stacked = f", {self.settings.window} rows stacked" if self.settings.window > 1 else ""
        dropped = f" ({len(self.dropped)} correlated indicators dropped)" if self.dropped else ""
        frames = self.settings.timeframes
        longer = sum(name.endswith(tuple(f"_{frame}" for frame in frames)) for name in self.names) if frames else 0
        of_frames = f", {longer} of them of {' and '.join(frames)} bars" if longer else ""
        return f"features: {len(self.names)} columns{dropped}{of_frames}{stacked}"

    @property
    def in_words(self) -> str:
        """How many columns there are, and the notes, a line each."""
        first = f"{self.columns_in_words}, {lookback_in_words(self.lookback)}"
        return "\n".join([first, *(f"  note: {note}" for note in self.notes)])

    @property
    def estimated(self) -> dict[str, np.ndarray]:
        """Everything that came from train, by name: what an audit compares."""
        families = {f"{name}/{key}": array for name, held in self.estimates.items() for key, array in held.items()}
        own = {"names": np.array(self.names), "center": self.center, "scale": self.scale, "memory": self.memory}
        return own | dict(sorted(families.items()))

    def transform(self, candles: Candles | pd.DataFrame, since: int = 0) -> FeatureMatrix:
        """Features of the candles. Causal: `transform(candles[:n])` equals the first rows of `transform(candles)` to the bit.

        Args:
            candles: bars of the length that was fitted on.
            since: the first bar that needs a row; those before it are computed, but no memory is spent on their rows.

        Raises:
            InputError: bars of another length, no more candles than the warm-up or `since`, or a column that is not finite.
        """
        candles = as_candles(candles)
        require_loaded(self.code)
        if candles.bar != self.bar:
            raise InputError(
                f"features fitted on bars of {bar_name(self.bar)} mean something else on bars of {bar_name(candles.bar)} "
                f"({candles.source}); resample the candles, or fit anew"
            )
        if len(candles) <= self.warmup:
            raise InputError(
                f"features need more than {self.warmup} bars to warm up, but got {len(candles)}; put more candles in front"
            )
        if since >= len(candles):
            raise InputError(f"`since` must be one of the {len(candles)} bars, but got {since}; give an earlier one")
        skipped = max(since - self.warmup, 0)
        kind = f"transform without {skipped} rows"
        key = feature_cache.key_of(kind, self.settings, candles, self.estimated) if self.cache else None
        with begun("computing the features") as on_progress:
            values = feature_cache.remembered(
                self.cache, key, lambda: self._values(candles, skipped, on_progress), _save_values, _load_values
            )
        values, names = stack_rows(values, self.names, self.settings.window)
        values.flags.writeable = False
        first = self.warmup + skipped
        return FeatureMatrix(values, names, candles.index[first:], first, self.settings.clip)

    def save(self, folder: Path) -> None:
        """Write `features.json` and `features.safetensors`."""
        _save_fitted(self, folder)

    @classmethod
    def load(cls, folder: Path, cache: Path | None = None) -> "FittedFeatures":
        """Read what `save` wrote; runs no code from the files.

        Raises:
            InputError: a missing or damaged file.
        """
        return cls(**_load_fitted(folder), cache=cache)

    def out_of_fold(self, candles: Candles) -> pd.DataFrame:
        """The walk-forward forecasts, unscaled: each row by models that were trained on bars that had ended before it.

        Returns:
            float64 (T - first_fit_bars, ...), a row a bar after the first models' own; see `features.forecasters.walk_forward`.
            Without columns if the settings name no forecaster.

        Raises:
            InputError: the candles begin too early for the oldest models.
        """
        if not self.settings.forecasts.models:
            return pd.DataFrame(index=candles.index)
        settings = self.settings.forecasts
        return forecasters.walk_forward(candles, settings, self.estimates["forecasts"]).iloc[settings.first_fit_bars :]

    @property
    def _kept_settings(self) -> FeatureSettings:
        """The settings that compute the columns that remain, and no others."""
        return self.settings.model_copy(update={"indicators": self.kept})

    def _values(self, candles: Candles, skipped: int, on_progress: OnProgress) -> np.ndarray:
        """A few columns at a time, so that of a long series no more than that is held as float64.

        Args:
            candles: T bars.
            skipped: rows after the warm-up that are left out.
            on_progress: is told how many columns are done.
        """
        first = columns_warmup(self._kept_settings, self.bar)
        values = np.empty((len(candles) - first - skipped, len(self.names)), np.float32)
        done = 0
        for table in compute_tables(candles, self._kept_settings, self.estimates):
            part = slice(done, done + table.shape[1])
            self._require_names(table, part)
            rows = finite_rows(table, first)[skipped:]
            apply_scaler(rows, self.center[part], self.scale[part], self.settings.clip, values[:, part])
            done = part.stop
            on_progress("columns", done, len(self.names))
        if done != len(self.names):
            raise InputError(_other_columns(self.names[done], len(self.names)))
        return values

    def _require_names(self, table: pd.DataFrame, part: slice) -> None:
        for now, fitted in zip_longest(table.columns, self.names[part], fillvalue=""):
            if now != fitted:
                raise InputError(_other_columns(fitted or now, len(self.names)))


def finite_rows(table: pd.DataFrame, first: int) -> np.ndarray:
    """The values from row `first` on, float64."""
    rows = table.to_numpy()[first:]
    finite = np.isfinite(rows)
    if not finite.all():
        broken = ~finite
        row, column = (int(place) for place in np.argwhere(broken)[0])
        raise InputError(
            f"every feature must be finite after its warm-up, but `{table.columns[column]}` is {rows[row, column]} at "
            f"{table.index[first + row]} ({int(broken.sum())} such values); mend the function that computes it or its warm-up"
        )
    return rows


def _other_columns(name: str, count: int) -> str:
    return (
        f"features were fitted on {count} columns, but here others are computed, `{name}` among them; load the plugin that it "
        "comes from, or fit again"
    )


def _save_fitted(fitted: FittedFeatures, folder: Path) -> None:
    """Write `features.safetensors`, then `features.json`: each whole, or not at all."""
    about = {
        "format": FORMAT,
        "settings": fitted.settings.model_dump(mode="json"),
        "names": fitted.names,
        "bar": fitted.bar.isoformat(),
        "fitted_on_sha256": fitted.fitted_on_sha256,
        "lookback": fitted.lookback,
        "notes": fitted.notes,
        **({"code": fitted.code} if fitted.code else {}),
    }
    families = {f"{FAMILY}{name}/{key}": array for name, held in fitted.estimates.items() for key, array in held.items()}
    tensors = {"center": fitted.center, "scale": fitted.scale, "memory": fitted.memory, **families}
    content = dump_tensors({key: np.ascontiguousarray(t) for key, t in tensors.items()})
    about = json.loads(json.dumps(about | {"tensors_sha256": hashlib.sha256(content).hexdigest()}))  # as it is read
    write_atomically(folder / "features.safetensors", content)
    write_atomically(folder / "features.json", json.dumps(about | {SEAL: hash_of(about)}, indent=2) + "\n")


def _load_fitted(folder: Path) -> dict[str, Any]:
    """The arguments of `FittedFeatures` that `_save_fitted` wrote.

    Raises:
        InputError: a missing or damaged file, or one of another format.
    """
    try:
        about = json.loads((folder / "features.json").read_text())
        if about.get("format") != FORMAT:
            raise InputError(f"this version reads format {FORMAT}, but the file has format {about.get('format')}")
        content = (folder / "features.safetensors").read_bytes()
        _require_unchanged(about, content)
        code = {name: (plugin, sha256) for name, (plugin, sha256) in about.get("code", {}).items()}
        require_loaded(code)
        tensors = load_tensors(content)
        held = {
            "settings": FeatureSettings.model_validate(about["settings"]),
            "names": tuple(about["names"]),
            "estimates": _by_family(tensors),
            "bar": pd.Timedelta(about["bar"]),
            "fitted_on_sha256": about["fitted_on_sha256"],
            "notes": tuple(about["notes"]),
            "code": code,
        }
        arrays = {name: tensors[name] for name in ("center", "scale", "memory")}
        if any(array.shape != (len(held["names"]),) for array in arrays.values()):
            raise InputError("the two files do not belong together")
        return held | arrays
    except PluginError:
        raise
    except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
        raise InputError(f"cannot read the features in {folder}: {one_line(error)}; train again") from error


def _require_unchanged(about: dict[str, Any], content: bytes) -> None:
    """Both files say what they said when they were written. Those of older versions have no seal."""
    if SEAL not in about:
        return
    if hash_of({name: value for name, value in about.items() if name != SEAL}) != about[SEAL]:
        raise InputError("features.json was changed after it was written")
    if hashlib.sha256(content).hexdigest() != about["tensors_sha256"]:
        raise InputError("features.safetensors was changed after it was written")


def _save_values(values: np.ndarray, folder: Path) -> None:
    """Write the float32 (R, F) values, straight from where they are, and a checksum behind them."""
    values = np.ascontiguousarray(values)
    with atomic_file(folder / "values.npy") as file:
        np.save(file, values, allow_pickle=False)
        file.write(_checksum(values))


def _checksum(values: np.ndarray) -> bytes:
    return zlib.crc32(values.data).to_bytes(4, "little")


def _load_values(folder: Path) -> np.ndarray:
    """What `_save_values` wrote, read as it is needed; processes that use the same values share the memory.

    Raises:
        InputError: a missing or damaged file.
    """
    try:
        values = np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False)
        if values.ndim != 2 or values.dtype != np.float32:
            raise InputError(f"they must be float32 (R, F), but are {values.dtype} of shape {values.shape}")
        with (folder / "values.npy").open("rb") as file:
            file.seek(-4, os.SEEK_END)
            if file.read() != _checksum(values):
                raise InputError("their checksum is that of other values")
        return values.view(np.ndarray)
    except Exception as error:
        raise InputError(f"cannot read the values in {folder}: {error}; delete the folder") from error


def _by_family(tensors: dict[str, np.ndarray]) -> dict[str, Estimates]:
    found: dict[str, Estimates] = {}
    for name, tensor in tensors.items():
        if name.startswith(FAMILY):
            family, key = name.removeprefix(FAMILY).split("/", 1)
            found.setdefault(family, {})[key] = tensor
    return found
