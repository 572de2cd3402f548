"""`Candles`: a checked, immutable series of price bars with its origin and its hash."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from common import InputError, option
from market.bar_grid import bar_ends, bar_name, grid_numbers, months_of
from market.read_options import DateOrder, ReadOptions, TimeMeaning, VolumeUnit

COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume")
YEAR = pd.Timedelta(days=365.25)


class CandleError(InputError):
    """Candles that break a rule; the message names the rule, the value, the place and the remedy."""


@dataclass(frozen=True, eq=False)
class Candles:
    """A regular series of price bars.

    Args:
        frame: float64 columns `open high low close` (USD, or what the coin is priced in), `volume` (coin), `quote_volume` (USD);
            a unique, increasing, gapless UTC `DatetimeIndex` named `time` that holds each bar's OPEN time. No NaN anywhere. Where
            the source has no volumes, both are 0 throughout.
        bar: length of a bar; `market.bar_grid.MONTH` for calendar months.
        symbol: for example `BTC/USD`.
        source: where the candles came from, and what was derived on the way.
        filled: bool (T,), bars that a repair filled in where the source had none; None if there are none.
        extra: float64 columns beside these, such as `funding_rate`, with the frame's index; NaN where the source has nothing.
            Each value is known when its bar closes. None if there are none.

    Raises:
        CandleError: a column, a time or a price that breaks the contract above.
    """

    frame: pd.DataFrame
    bar: pd.Timedelta
    symbol: str
    source: str
    filled: np.ndarray | None = None
    extra: pd.DataFrame | None = None
    sha256: str = field(init=False)
    """hash of the times and of all values, extra ones included: two series with the same hash are the same series"""

    def __post_init__(self) -> None:
        check_candles(self.frame, self.bar, self.source)
        if self.filled is not None and not self.filled.any():
            object.__setattr__(self, "filled", None)
        if self.extra is not None:
            object.__setattr__(self, "extra", checked_extra(self.extra, self.frame, self.source))
        digest = hashlib.sha256(np.ascontiguousarray(self.index.as_unit("ns").asi8).data)
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(self.frame[name].to_numpy(np.float64)).data)
        for column, values in () if self.extra is None else self.extra.items():
            digest.update(str(column).encode())
            digest.update(np.ascontiguousarray(values.to_numpy(np.float64)).data)
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: slice) -> "Candles":
        """The bars of a contiguous slice, as candles of their own."""
        if rows.step not in (None, 1):
            raise CandleError(f"candles are sliced in steps of 1, but got step {rows.step}; resample instead")
        filled = None if self.filled is None else self.filled[rows]
        extra = None if self.extra is None else self.extra.iloc[rows]
        return Candles(self.frame.iloc[rows], self.bar, self.symbol, self.source, filled, extra)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, symbol: str | None = None, bar: pd.Timedelta | None = None, repair: bool = False,
        volume: VolumeUnit | None = None, timezone: str | None = None, times: TimeMeaning | None = None,
        dates: DateOrder | None = None,
    ) -> "Candles":  # fmt: skip
        """Candles of a DataFrame, whose columns are found out as those of a file are; `candles.frame` is the way back.

        Args:
            frame: a column or an index of times, and columns of usual names such as `Open` or `close`; others become `extra`.
            symbol: of the coin, or which coin of several.
            bar: length of a bar, where it must not be found out.
            repair: mend what the rules of `market.repair` can mend.
            volume: whether the volume is in coin (`base`) or in money (`quote`).
            timezone, times, dates: as in `read_candles`.

        Raises:
            CandleError: columns that are no candles', or the first broken rule.

        >>> import pandas as pd
        >>> times = pd.date_range("2024-01-01", periods=3, freq="1h", tz="UTC")
        >>> prices = pd.DataFrame({"Open": 2.0, "High": 3.0, "Low": 1.0, "Close": 2.0, "Volume": 9.0}, index=times)
        >>> len(Candles.from_frame(prices, symbol="BTC/USD"))
        3
        """
        from market.read import candles_of_frame  # it needs this class

        return candles_of_frame(frame, ReadOptions(symbol, volume, timezone, times, dates), bar, repair)

    @property
    def index(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.frame.index)

    @property
    def ends(self) -> pd.DatetimeIndex:
        """The UTC time at which each bar ends, and all of it is known."""
        return bar_ends(self.index, self.bar)

    @property
    def bars_per_year(self) -> float:
        """Bars in 365.25 days: Bitcoin trades around the clock."""
        return YEAR / self.bar

    @property
    def has_volumes(self) -> bool:
        """Whether anything was traded: false where the source has no volumes."""
        return bool((self.frame["volume"].to_numpy() > 0).any())

    def column(self, name: str) -> np.ndarray:
        """One column as a contiguous, read-only float64 array of shape (T,)."""
        values = np.ascontiguousarray(self.frame[name].to_numpy(np.float64))
        values.flags.writeable = False
        return values


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


def checked_extra(extra: pd.DataFrame, frame: pd.DataFrame, where: str) -> pd.DataFrame | None:
    """Further columns as float64, None if there are none.

    Raises:
        CandleError: another index than the frame's, the name of a candle's column, or one that is no number.
    """
    if not len(extra.columns):
        return None
    if not extra.index.equals(frame.index):
        raise CandleError(f"extra columns need the index of the candles, but those of {where} have another; join them by time")
    if taken := set(extra.columns) & set(COLUMNS):
        raise CandleError(f"an extra column may not be called {sorted(taken)[0]!r}, as those of {where} are; rename it")
    try:
        return extra.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise CandleError(f"extra columns are numbers, but those of {where} are not ({error}); drop what is no number") from None


def _check_times(index: pd.DatetimeIndex, bar: pd.Timedelta, where: str) -> None:
    if months_of(bar):
        numbers, on_grid = grid_numbers(index.tz_localize(None).to_numpy(), bar)
        broken = np.flatnonzero((np.diff(numbers) != 1) | ~on_grid[1:])
    else:
        broken = np.flatnonzero(index[1:] - index[:-1] != bar)
    if broken.size:
        row = int(broken[0])
        raise CandleError(
            f"each bar must open {bar_name(bar)} after the one before, but {where} goes from {index[row]} to {index[row + 1]} "
            f"({broken.size} such places); read the file with {option('market.repair', True)}, or cut it there"
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


def as_candles(data: Candles | pd.DataFrame) -> Candles:
    """Candles as they are; of a DataFrame by `Candles.from_frame`.

    Raises:
        CandleError: it is neither, or a DataFrame that is no candles'.
    """
    if isinstance(data, pd.DataFrame):
        return Candles.from_frame(data)
    if not isinstance(data, Candles):
        raise CandleError(
            f"candles must be `Candles`, as `market.read_candles` gives them, or a DataFrame of candles, but got a "
            f"{type(data).__name__}"
        )
    return data
