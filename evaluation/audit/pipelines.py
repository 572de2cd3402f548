"""Anybody's features: a pipeline, a class of transforms, a plain function or a frame, on candles or on their DataFrame."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from common import InputError
from evaluation.audit.external import External, known_until
from evaluation.audit.foreign import part
from market import Candles

FRAME_NAMES = ("df", "frame", "data", "bars", "prices", "ohlcv", "ohlc", "x")
"""what a parameter is called that gets the DataFrame of candles, where it has no annotation"""
WRONG_KIND = (AttributeError, TypeError, KeyError)
"""what a function raises that was given candles instead of a DataFrame"""


@dataclass
class Function:
    """A plain function of candles, or of their DataFrame, as something that transforms."""

    transform: Callable[..., Any]

    @property
    def estimated(self) -> dict[str, Any]:
        """Nothing: it was not fitted."""
        return {}


class Table:
    """A frame of features made elsewhere: its rows at the times of the candles that it is given."""

    def __init__(self, frame: pd.DataFrame, candles: Candles) -> None:
        if not isinstance(frame.index, pd.DatetimeIndex):
            if len(frame) > len(candles):
                raise InputError(
                    f"the frame of features has {len(frame)} rows without times for {len(candles)} candles; give it times"
                )
            frame = frame.set_axis(candles.index[len(candles) - len(frame) :])
        elif frame.index.tz is None:
            frame = frame.tz_localize("UTC")
        self.frame = frame

    @property
    def estimated(self) -> dict[str, Any]:
        return {}

    def transform(self, candles: Candles) -> pd.DataFrame:
        rows = self.frame[self.frame.index.isin(candles.index)]
        if rows.empty:
            raise InputError(f"the frame of features has no row from {candles.index[0]} to {candles.index[-1]}")
        return rows


def as_pipeline(thing: Any, candles: Candles) -> tuple[Any, Any]:
    """What fits, and what transforms already: one of them is None.

    Raises:
        InputError: it neither fits nor transforms, nor is it a function or a DataFrame.
    """
    if isinstance(thing, pd.DataFrame):
        return None, Table(thing, candles)
    if inspect.isclass(thing):
        thing = _instance(thing)
    if hasattr(thing, "fit"):
        return thing, None
    if hasattr(thing, "transform"):
        return None, thing
    if callable(thing):
        return None, Function(thing)
    raise InputError(
        "a pipeline has `fit` or `transform`, or is a function of candles or a DataFrame of features, but this is a "
        f"{type(thing).__name__}; see docs/leak-audit.md"
    )


def fit(pipeline: Any, candles: Candles, train_bars: int, external: External | None = None) -> Any:
    """`pipeline.fit`, which gets all candles if it takes `train_bars`, and the train bars alone if it does not.

    Of a copy, since many a `fit` returns its own object: the next fit would change what the last one gave. A `fit` that returns
    nothing is taken to have fitted its own object.
    """
    pipeline = copy.deepcopy(pipeline)
    if "train_bars" in inspect.signature(pipeline.fit).parameters:
        fitted = called(pipeline.fit, candles, external, train_bars)
    else:
        train = candles[:train_bars]
        fitted = called(pipeline.fit, train, None if external is None else known_until(external, train.ends[-1]))
    return fitted if hasattr(fitted, "transform") else pipeline


def called(function: Callable[..., Any], candles: Candles, external: External | None, *more: Any) -> Any:
    """The function of candles, or of their DataFrame if it takes one, with the external series if it takes these.

    Raises:
        PartError: whatever it raised.
    """
    name = getattr(function, "__name__", "")
    with part(f"`{name}`" if name.isidentifier() else "the function of the rows"):
        return _called(function, candles, external, *more)


def _called(function: Callable[..., Any], candles: Candles, external: External | None, *more: Any) -> Any:
    parameters = inspect.signature(function).parameters
    options: dict[str, Any] = {"external": external} if external is not None and "external" in parameters else {}
    wants = _wants_frame(parameters)
    if wants is not None:
        return function(candles.frame.copy() if wants else candles, *more, **options)
    try:
        return function(candles, *more, **options)
    except WRONG_KIND:
        return function(candles.frame.copy(), *more, **options)


def _wants_frame(parameters: Mapping[str, inspect.Parameter]) -> bool | None:
    """Whether the first parameter is a DataFrame, by its annotation or its name; None if neither tells."""
    if not parameters:
        return None
    first = next(iter(parameters.values()))
    annotation = "" if first.annotation is first.empty else str(first.annotation)
    if "Candles" in annotation or first.name.lower().startswith("candle"):
        return False
    if "DataFrame" in annotation or first.name.lower() in FRAME_NAMES:
        return True
    return None


def _instance(kind: Any) -> Any:
    try:
        return kind()
    except TypeError as error:
        raise InputError(
            f"a pipeline is an object, but {kind.__name__} is a class that needs arguments ({error}); make one"
        ) from error
