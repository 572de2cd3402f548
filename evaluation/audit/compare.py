"""What a leak audit compares, whatever it is made of: the rows of a pipeline, what it estimated, and where two of them differ."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common import InputError
from market import Candles

DEEPEST = 6
"""levels of nested objects that are searched for estimated values"""


@dataclass(frozen=True, eq=False)
class Rows:
    """What a transform gave: values (R, F), whose row k stands beside candle `first + k`; its `bound` if it states one."""

    values: np.ndarray
    names: tuple[str, ...]
    index: pd.DatetimeIndex | None
    first: int
    bound: float

    def __len__(self) -> int:
        return len(self.values)

    @property
    def last(self) -> int:
        """The candle of the last row."""
        return self.first + len(self.values) - 1

    def moved(self, bars: int) -> "Rows":
        """The same rows, counted from a candle that lies `bars` before theirs."""
        return replace(self, first=self.first + bars)


class Difference(NamedTuple):
    """Where a column differs first; `bar` is None if the columns themselves differ."""

    column: str
    bar: int | None
    before: object
    after: object

    def __str__(self) -> str:
        return f"{_number(self.before)} became {_number(self.after)}"


def as_rows(given: Any, candles: Candles) -> Rows:
    """What a transform of these candles gave, be it a `FeatureMatrix`, a DataFrame, a series or an array."""
    if isinstance(given, pd.Series):
        given = given.to_frame(given.name or "column 0")
    values = np.array(getattr(given, "values", given))
    if isinstance(given, Mapping) or values.ndim == 0:
        raise InputError(
            f"rows are a FeatureMatrix, a DataFrame, a series or an array, but `transform` gave a {type(given).__name__}"
        )
    listed = given.columns if isinstance(given, pd.DataFrame) else getattr(given, "names", ())
    names = tuple(map(str, listed)) or tuple(f"column {k}" for k in range(values.shape[-1]))
    if values.ndim != 2 or len(names) != values.shape[1]:
        raise InputError(f"`transform` must give rows (T, F) with F names, but gave {values.shape} with {len(names)} names")
    index = getattr(given, "index", None)
    first = getattr(given, "warmup", len(candles) - len(values))
    return Rows(
        values, names, index if isinstance(index, pd.DatetimeIndex) else None, int(first), getattr(given, "bound", np.inf)
    )


def differences(one: Rows, two: Rows, last: int) -> Iterator[Difference]:
    """Every column whose bits differ at bars up to and with `last`, with the first such bar."""
    if one.names != two.names:
        yield _other_columns(one, two)
        return
    if one.first != two.first:
        yield Difference("first row", min(one.first, two.first), f"bar {one.first}", f"bar {two.first}")
        return
    short = min(one.last, two.last, last)
    if short < min(one.last, last) or short < min(two.last, last):
        yield Difference("last row", short + 1, f"bar {one.last}", f"bar {two.last}")
    count = short - one.first + 1
    odd = unequal(one.values[:count], two.values[:count])
    for column in np.flatnonzero(odd.any(axis=0)):
        row = int(np.argmax(odd[:, column]))
        yield Difference(one.names[column], one.first + row, one.values[row, column], two.values[row, column])


def unequal(one: Any, two: Any) -> np.ndarray:
    """True where the bits differ: NaN equals itself, and 0.0 does not equal -0.0."""
    one, two = np.ascontiguousarray(one), np.ascontiguousarray(two)
    if one.dtype != two.dtype or one.shape != two.shape:
        return np.ones(one.shape or (1,), bool)
    if one.dtype.kind == "f":
        bits = np.dtype(f"u{one.dtype.itemsize}")
        return np.asarray(one.view(bits) != two.view(bits))
    return np.asarray(one != two)


def estimated(thing: Any) -> dict[str, np.ndarray]:
    """Copies of everything that a fitted object or an agent holds, by dotted name.

    Its `estimated` mapping if it has one; else what is found in its attributes: arrays, numbers, words, tensors, candles (by
    hash), and what lists, mappings and further objects hold of these.
    """
    given = getattr(thing, "estimated", None)
    return dict(_leaves("", given if isinstance(given, Mapping) else thing, 0, set()))


def other_estimates(one: Any, two: Any, names: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Every estimated value whose bits differ; an array with one entry a column names the first column that differs."""
    for name in dict.fromkeys([*one, *two]):
        before, after = one.get(name), two.get(name)
        if before is not None and after is not None and before.dtype.kind == after.dtype.kind == "U" and before.ndim == 1:
            yield from _other_words(name, before.tolist(), after.tolist())
            continue
        if before is None or after is None or before.shape != after.shape:
            yield Difference(name, None, _size(before), _size(after))
            continue
        odd = np.atleast_1d(unequal(before, after))
        if odd.any():
            place = tuple(int(k) for k in np.argwhere(odd)[0])
            column = names[place[-1]] if names and odd.shape[-1] == len(names) else ", ".join(map(str, place))
            label = f"{name}[{column}]" if before.ndim else name
            yield Difference(label, None, np.atleast_1d(before)[place], np.atleast_1d(after)[place])


def _leaves(name: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, np.ndarray]]:
    words = isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(entry, str) for entry in value)
    if words or isinstance(value, np.ndarray | np.generic | int | float | str):
        yield name, np.array(value)
    elif _is_torch(value, "Tensor"):
        yield name, value.detach().cpu().numpy().copy()
    elif isinstance(value, Candles):
        yield name, np.array(value.sha256)
    elif isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        yield name, np.array(value.to_numpy())
    elif depth < DEEPEST and id(value) not in seen:
        seen.add(id(value))
        for key, entry in _parts(value).items():
            yield from _leaves(f"{name}.{key}".lstrip("."), entry, depth + 1, seen)


def _parts(value: Any) -> Mapping[Any, Any]:
    """What a larger object holds, by name."""
    if _is_torch(value, "nn.Module"):
        return value.state_dict()
    if hasattr(value, "get_parameters") and _is_torch(getattr(value, "policy", None), "nn.Module"):
        return _of_a_model(value)
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if isinstance(value, set | frozenset):
        return dict(enumerate(sorted(value, key=repr)))
    holds_code = inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value)
    return {} if holds_code else getattr(value, "__dict__", {})


def _is_torch(value: Any, kind: str) -> bool:
    """Whether it is of that class of torch; nothing is, in a process that has not imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, attrgetter(kind)(torch))


def _of_a_model(model: Any) -> Mapping[str, Any]:
    """The weights of a Stable-Baselines3 model, and the scale of its observations; not its clocks, folders and buffers."""
    scaled = getattr(model, "get_vec_normalize_env", lambda: None)()
    return {"policy": model.policy} | ({} if scaled is None else {"obs_rms": scaled.obs_rms, "ret_rms": scaled.ret_rms})


def _other_columns(one: Rows, two: Rows) -> Difference:
    gone = [name for name in one.names if name not in two.names]
    new = [name for name in two.names if name not in one.names]
    if not gone and not new:
        return Difference("order of the columns", None, ", ".join(one.names), ", ".join(two.names))
    return Difference((gone or new)[0], None, "a column" if gone else "no column", "no column" if gone else "a column")


def _other_words(name: str, before: list[str], after: list[str]) -> Iterator[Difference]:
    for word in (word for word in before if word not in after):
        yield Difference(word, None, f"one of `{name}`", "none of them")
    for word in (word for word in after if word not in before):
        yield Difference(word, None, f"none of `{name}`", "one of them")
    if before != after and set(before) == set(after):
        yield Difference(name, None, ", ".join(before), ", ".join(after))


def _number(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float | np.floating) else str(value)


def _size(value: np.ndarray | None) -> str:
    return "nothing" if value is None else f"{value.shape} values"
