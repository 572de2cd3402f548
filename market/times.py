"""Turns the time column of any candle file into UTC times; each cell means what it says, wherever it stands."""

import numpy as np
import pandas as pd
import pyarrow as pa

ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
TEXT_FORMATS = ("%Y-%m-%d %I-%p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p")
# The smallest number that is read in each unit: 1e8 s is March 1973, and 1e11 ms the same day. Then what turns the number into
# an exact integer (thousandths of a second for seconds), and nanoseconds in one of these.
UNITS = ((1e17, 1, 1), (1e14, 1, 1_000), (1e11, 1, 1_000_000), (1e8, 1_000, 1_000_000))
EARLIEST, LATEST = pd.Timestamp("1970-01-01"), pd.Timestamp("2200-01-01")  # no candle is older or younger


def parse_times(column: pa.ChunkedArray) -> tuple[np.ndarray, dict[int, str]]:
    """datetime64[ns] of ISO dates, `2019-05-17 01-AM`, Unix seconds, milliseconds, microseconds or nanoseconds, also mixed.

    Returns:
        The times, NaT where a cell cannot be read, and the text of each such cell by row. Dates without a zone are UTC.
        `03/04/2019` is not read: nothing in it says which is the month.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _checked(np.array(column.to_numpy()), column)  # UTC, in the column's own unit
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        exact = column if pa.types.is_integer(kind) else None
        return _checked(_from_unix(np.array(column.to_numpy(), np.float64), exact), column)
    text = column.cast(pa.string()).to_pandas().astype(object).where(lambda cells: cells.notna(), "").str.strip()
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    times = _from_unix(numbers, None)
    dates = np.isnan(numbers)
    if dates.any():
        times[dates] = _from_text(text[dates])
    return _checked(times, column)


def _from_unix(numbers: np.ndarray, exact: pa.ChunkedArray | None) -> np.ndarray:
    """Each number in its own unit, by its size. `exact` keeps integers above 2^53 from being rounded."""
    times = np.full(len(numbers), np.datetime64("NaT"), "datetime64[ns]")
    integers = np.array(exact.fill_null(0).to_numpy(), np.int64) if exact is not None else None
    rest = np.isfinite(numbers)
    for smallest, factor, nanoseconds in UNITS:
        chosen = rest & (numbers >= smallest) & (numbers < smallest * 90)  # 90 * 1e8 s is the year 2255
        values = integers[chosen] * factor if integers is not None else np.round(numbers[chosen] * factor).astype(np.int64)
        times[chosen] = (values * nanoseconds).astype("datetime64[ns]")
        rest &= ~chosen
    return times


def _from_text(text: pd.Series) -> np.ndarray:
    # Stricter than pandas, which takes `09:3` for 09:03: a digit lost on the way must not become another time.
    iso = text.where(text.str.fullmatch(ISO)).str.replace(r" ?UTC$", "Z", regex=True)
    times = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    for form in TEXT_FORMATS:
        unread = times.isna()
        if not unread.any():
            break
        times[unread] = pd.to_datetime(text[unread], format=form, errors="coerce", utc=True)
    naive = times.dt.tz_localize(None)
    return np.asarray(naive.where((naive >= EARLIEST) & (naive < LATEST)).astype("datetime64[ns]"))


def _checked(times: np.ndarray, column: pa.ChunkedArray) -> tuple[np.ndarray, dict[int, str]]:
    """Names the cells that could not be read, or lie outside of all that a candle can be."""
    times[(times < EARLIEST.to_datetime64()) | (times >= LATEST.to_datetime64())] = np.datetime64("NaT")
    times = times.astype("datetime64[ns]")  # only now: the year 17 has no nanoseconds
    return times, {int(row): str(column[int(row)].as_py()) for row in np.flatnonzero(np.isnat(times))}
