"""The files of fitted features and of feature values: JSON and safetensors, which run no code when they are read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from features.families import Estimates
from features.settings import FeatureSettings
from market import InputError, write_atomically

if TYPE_CHECKING:
    from features.pipeline import FittedFeatures

FORMAT = 2
FAMILY = "family/"  # in front of the names of what a family estimated


def save_fitted(fitted: "FittedFeatures", folder: Path) -> None:
    """Write `features.safetensors`, then `features.json`: each whole, or not at all."""
    about = {
        "format": FORMAT,
        "settings": fitted.settings.model_dump(mode="json"),
        "names": fitted.names,
        "bar": fitted.bar.isoformat(),
        "fitted_on_sha256": fitted.fitted_on_sha256,
        "lookback": fitted.lookback,
        "notes": fitted.notes,
    }
    families = {f"{FAMILY}{name}/{key}": array for name, held in fitted.estimates.items() for key, array in held.items()}
    tensors = {"center": fitted.center, "scale": fitted.scale, "memory": fitted.memory, **families}
    write_atomically(folder / "features.safetensors", dump_tensors({key: np.ascontiguousarray(t) for key, t in tensors.items()}))
    write_atomically(folder / "features.json", json.dumps(about, indent=2) + "\n")


def load_fitted(folder: Path) -> dict[str, Any]:
    """The arguments of `FittedFeatures` that `save_fitted` wrote.

    Raises:
        InputError: a missing or damaged file, or one of another format.
    """
    try:
        about = json.loads((folder / "features.json").read_text())
        if about.get("format") != FORMAT:
            raise InputError(f"this version reads format {FORMAT}, but the file has format {about.get('format')}")
        tensors = load_tensors((folder / "features.safetensors").read_bytes())
        held = {
            "settings": FeatureSettings.model_validate(about["settings"]),
            "names": tuple(about["names"]),
            "estimates": _by_family(tensors),
            "bar": pd.Timedelta(about["bar"]),
            "fitted_on_sha256": about["fitted_on_sha256"],
            "notes": tuple(about["notes"]),
        }
        arrays = {name: tensors[name] for name in ("center", "scale", "memory")}
        if any(array.shape != (len(held["names"]),) for array in arrays.values()):
            raise InputError("the two files do not belong together")
        return held | arrays
    except Exception as error:  # whatever is wrong in a damaged file, the user needs its name and one line
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"cannot read the features in {folder}: {reason}; train again") from error


def save_values(values: np.ndarray, folder: Path) -> None:
    """Write the float32 (R, F) values."""
    write_atomically(folder / "values.safetensors", dump_tensors({"values": values}))


def load_values(folder: Path) -> np.ndarray:
    """Read what `save_values` wrote.

    Raises:
        InputError: a missing or damaged file.
    """
    try:
        return load_tensors((folder / "values.safetensors").read_bytes())["values"]
    except Exception as error:
        raise InputError(f"cannot read the values in {folder}: {error}; delete the folder") from error


def _by_family(tensors: dict[str, np.ndarray]) -> dict[str, Estimates]:
    found: dict[str, Estimates] = {}
    for name, tensor in tensors.items():
        if name.startswith(FAMILY):
            family, key = name.removeprefix(FAMILY).split("/", 1)
            found.setdefault(family, {})[key] = tensor
    return found
