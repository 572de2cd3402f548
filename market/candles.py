"""`Candles`: a checked, immutable series of price bars with its origin and its hash."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from common import InputError

COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume")
YEAR = pd.Timedelta(days=365.25)


class CandleError(InputError):
    """Candles that break a rule; the message names the rule, the value, the place and the remedy."""


@dataclass(frozen=True, eq=False)
class Candles:
    """A regular series of price bars.

    Args:
        frame: float64 columns `open high low close` (USD), `volume` (BTC), `quote_volume` (USD); a unique, increasing,
            gapless UTC `DatetimeIndex` named `time` that holds each bar's OPEN time. No NaN anywhere.
        bar: length of a bar.
        symbol: for example `BTC/USD`.
        source: where the candles came from, and what was derived on the way.

    Raises:
        CandleError: a column, a time or a price that breaks the contract above.
    """

    frame: pd.DataFrame
    bar: pd.Timedelta
    symbol: str
    source: str
    filled: np.ndarray | None = None
    """bool (T,): bars that a repair filled in where the source had none; None if there are none"""
    sha256: str = field(init=False)
    """hash of the times and of all values: two series with the same hash are the same series"""

    def __post_init__(self) -> None:
        check_candles(self.frame, self.bar, self.source)
        if self.filled is not None and not self.filled.any():
            object.__setattr__(self, "filled", None)
        digest = hashlib.sha256(np.ascontiguousarray(self.index.as_unit("ns").asi8).data)
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(self.frame[name].to_numpy(np.float64)).data)
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: slice) -> "Candles":
        """The bars of a contiguous slice, as candles of their own."""
        if rows.step not in (None, 1):
            raise CandleError(f"candles are sliced in steps of 1, but got step {rows.step}; resample instead")
        filled = None if self.filled is None else self.filled[rows]
        return Candles(self.frame.iloc[rows], self.bar, self.symbol, self.source, filled)

    @property
    def index(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.frame.index)

    @property
    def bars_per_year(self) -> float:
        """Bars in 365.25 days: Bitcoin trades around the clock."""
        return YEAR / self.bar

    def column(self, name: str) -> np.ndarray:
        """One column as a contiguous, read-only float64 array of shape (T,)."""
        values = np.ascontiguousarray(self.frame[name].to_numpy(np.float64))
        values.flags.writeable = False
        return values


def bar_name(bar: pd.Timedelta) -> str:
    """`1h`, `15min`, `1d`."""
    for length, name in (("1D", "d"), ("1h", "h"), ("1min", "min"), ("1s", "s")):
        count = bar / pd.Timedelta(length)
        if count == int(count):
            return f"{int(count)}{name}"
    return str(bar)


def check_candles(frame: pd.DataFrame, bar: pd.Timedelta, where: str) -> None:
    """Raise `CandleError` at the first broken rule of the candle contract."""
    if tuple(frame.columns) != COLUMNS:
        raise CandleError(f"candles need the columns {list(COLUMNS)} in this order, but {where} has {list(frame.columns)}")
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC" or index.name != "time":
        raise CandleError(f"candles need a UTC DatetimeIndex named `time`, but {where} has {index.dtype} named {index.name!r}")
    if not all(dtype == np.float64 for dtype in frame.dtypes):
        raise CandleError(f"candles are float64, but {where} has {dict(frame.dtypes.astype(str))}")
    if len(frame) == 0:
        raise CandleError(f"candles need at least one bar, but {where} has none")
    _check_times(index, bar, where)
    _check_values(frame, where)


def _check_times(index: pd.DatetimeIndex, bar: pd.Timedelta, where: str) -> None:
    steps = index[1:] - index[:-1]
    broken = np.flatnonzero(steps != bar)
    if broken.size:
        row = int(broken[0])
        raise CandleError(
            f"each bar must open {bar_name(bar)} after the one before, but {where} goes from {index[row]} to {index[row + 1]} "
            f"({broken.size} such places); read it with repair=True, or cut the file there"
        )


def _check_values(frame: pd.DataFrame, where: str) -> None:
    values = frame.to_numpy(np.float64)  # (T, 6); pandas' own comparisons take 60 times as long on a thousand bars
    opened, high, low, close = values[:, :4].T
    rules = {
        "every value must be finite": ~np.isfinite(values).all(axis=1),
        "prices must be above 0": (values[:, :4] <= 0).any(axis=1),
        "`low <= open, close <= high` must hold": (low > np.minimum(opened, close)) | (high < np.maximum(opened, close)),
        "volumes must be 0 or more": (values[:, 4:] < 0).any(axis=1),
    }
    for rule, broken in rules.items():
        if broken.any():
            bar = frame[broken].iloc[0]
            shown = ", ".join(f"{name}={bar[name]:g}" for name in COLUMNS)
            raise CandleError(
                f"{rule}, but the bar of {bar.name} in {where} has {shown} ({int(broken.sum())} such bars); correct the file"
            )
