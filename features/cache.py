"""Keeps what was computed, by the hash of everything that it depends on: data, settings, and the code itself."""

import functools
import hashlib
import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import numpy as np

from common import InputError
from features.column_families import families_of
from features.forecasters import NAMES
from features.indicators import INDICATORS
from features.own_code import own_code
from features.settings import FeatureSettings
from market import Candles

CACHE = Path("cache")
"""where the scripts keep theirs"""
LIBRARIES = ("numba", "numpy", "pandas", "scipy", "statsmodels", "torch")
Kept = TypeVar("Kept")


def remembered(
    folder: Path | None,
    key: str | None,
    compute: Callable[[], Kept],
    save: Callable[[Kept, Path], None],
    load: Callable[[Path], Kept],
) -> Kept:
    """What is kept under the key, or what `compute` gives, which is kept then. A damaged entry is computed and written anew.

    Args:
        folder: the cache; None computes.
        key: None computes.
    """
    if folder is None or key is None:
        return compute()
    entry = folder / "features" / key
    if entry.is_dir():
        try:
            return load(entry)
        except InputError:
            pass
    result = compute()
    save(result, entry)
    return result


def key_of(kind: str, settings: FeatureSettings, candles: Candles, estimated: dict[str, np.ndarray] | None = None) -> str | None:
    """The hash that names an entry; None where the code of a column is neither ours nor a plugin's, and may change unseen."""
    own = own_code(settings)
    longer = [name for name in settings.timeframe_columns if name in INDICATORS] if settings.timeframes else []
    others = [name for name in (*settings.indicators, *longer) if f"INDICATORS/{name}" not in own]
    functions: list[Callable[..., object]] = [INDICATORS[name].compute for name in others]
    families = [family for name, family in families_of(settings).items() if f"FAMILIES/{name}" not in own]
    functions += [function for family in families for function in (family.compute, family.fit)]
    strangers = [name for name in settings.forecasts.models if f"FORECASTERS/{name}" not in own and name not in NAMES]
    if strangers or any(not function.__module__.startswith("features.") for function in functions):
        return None
    about = [kind, *own.items(), code_version(), candles.sha256, candles.bar.isoformat(), settings.model_dump(mode="json")]
    digest = hashlib.sha256(json.dumps(about).encode())
    if candles.filled is not None:  # no forecaster learns from bars that a repair made up
        digest.update(np.packbits(candles.filled).tobytes())
    for name, array in (estimated or {}).items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


@functools.cache
def code_version() -> str:
    """Hash of this room's source, of the libraries' versions and of the kind of machine."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    digest.update(" ".join(f"{name}=={_version(name)}" for name in LIBRARIES).encode())
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # torch, which only the forecasters need
        return "none"
