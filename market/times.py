"""Turns a time column of any candle file into UTC times; each cell means what it says, wherever it stands."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from common import option
from market.number_cells import SPREADSHEET, text_cells
from market.written_dates import from_dates, lost_digits

ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
ZONE = r".*(?:Z|UTC|GMT|(?:\d ?|GMT|UTC)[+-]\d{2}:?\d{2})"
CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?"
TWO_WAYS = r"\d{1,2}([-/])\d{1,2}\1(?:\d{4}|\d{2})(?:[ T].*)?"
# The smallest number that is read in each unit: 1e8 s is March 1973, and 1e11 ms the same day. Then what turns the number into
# an exact integer (thousandths of a second for seconds), and nanoseconds in one of these.
UNITS = ((1e17, 1, 1), (1e14, 1, 1_000), (1e11, 1, 1_000_000), (1e8, 1_000, 1_000_000))
EARLIEST, LATEST = pd.Timestamp("1970-01-01"), pd.Timestamp("2200-01-01")  # no candle is older or younger
EXAMPLE = "2019-07-04 13:00"
SPREADSHEET_DAYS = (20_000, 80_000)
"""day numbers of spreadsheets, from 1954 to 2119"""


@dataclass(frozen=True)
class ParsedTimes:
    """A column of times.

    Args:
        times: datetime64[ns] (T,) in UTC, NaT where a cell cannot be read.
        naive: bool (T,), cells without a zone, which are taken for UTC.
        odd: the text of each cell that cannot be read, by row.
        notes: how dates were read that can be read in two ways.
    """

    times: np.ndarray
    naive: np.ndarray
    odd: dict[int, str]
    notes: list[str] = field(default_factory=list)


def parse_times(column: pa.ChunkedArray, dates: str | None = None) -> ParsedTimes:
    """Read ISO dates, `2019-05-17 01-AM`, `17.05.2019 13:00`, `20190517 130000`, `May 17, 2019`, Unix seconds, milliseconds,
    microseconds or nanoseconds, also mixed.

    `03/04/2019` alone is not read: nothing in it says which is the month. A column of them is, where one order alone gives times
    at one distance.

    Args:
        column: times, numbers or text.
        dates: `day_first` or `month_first` settles what `03/04/2019` is.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        naive = np.full(len(column), getattr(kind, "tz", None) is None)
        return _checked(np.array(column.to_numpy()), naive, column, [])  # UTC, in the column's own unit
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        exact = column if pa.types.is_integer(kind) else None
        numbers = np.array(column.to_numpy(), np.float64)
        times, naive = _from_numbers(numbers, exact)
        return _checked(times, naive, column, [])
    text = text_cells(column)
    numbers = np.array(pd.to_numeric(text, errors="coerce"), np.float64)
    numbers[text.str.fullmatch(SPREADSHEET).to_numpy(bool)] = np.nan
    times, naive = _from_numbers(numbers, None)
    notes: list[str] = []
    others = np.isnan(numbers)
    if others.any():
        times[others], notes = _from_text(text[others], dates)
        naive[others] = ~text[others].str.fullmatch(ZONE).to_numpy(bool)
    return _checked(times, naive, column, notes)


def are_even(times: np.ndarray) -> bool:
    """Whether numbers are times: most steps are alike, which those of a volume are not."""
    ordered = np.sort(times[~np.isnat(times)].astype(np.int64))
    values, counts = np.unique(np.diff(ordered), return_counts=True)
    return len(values) > 0 and bool(values[counts.argmax()] > 0 and counts.max() * 2 >= counts.sum())


def are_times(column: pa.ChunkedArray) -> bool:
    """Whether all cells are times, or numbers that are times at even distances."""
    times = parse_times(column).times
    return not np.isnat(times).any() and (not _numeric(column.type) or are_even(times))


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_clock(column: pa.ChunkedArray) -> bool:
    """Whether all cells are times of a day, such as `13:00`, or whole numbers such as 130000 and 1300."""
    if pa.types.is_time(column.type):
        return True
    if pa.types.is_integer(column.type):
        numbers = column.to_numpy()
        parts = (
            (numbers // 10_000, numbers // 100 % 100, numbers % 100)
            if numbers.max() > 2359
            else (numbers // 100, numbers % 100, 0)
        )
        return bool((numbers >= 0).all() and (parts[0] < 24).all() and (parts[1] < 60).all() and np.all(parts[2] < 60))
    return pa.types.is_string(column.type) and bool(text_cells(column).str.fullmatch(CLOCK).all())


def with_clock(dates: pa.ChunkedArray, clocks: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of days and one of times of the day as one column of text."""
    clock = text_cells(clocks)
    if pa.types.is_integer(clocks.type):
        clock = clock.str.zfill(6 if clocks.to_numpy().max() > 2359 else 4)
    days = text_cells(dates).str.replace(r"[ T]00:00:00(?:\.0+)?$", "", regex=True)
    return pa.chunked_array([pa.array(days + " " + clock)])


def localized(parsed: ParsedTimes, timezone: str) -> np.ndarray:
    """The times with those that name no zone read as local ones of `timezone`; the hour that occurs twice by its order.

    Raises:
        ValueError: no such zone, or an hour that occurs twice by the clock and once in the file.
    """
    local = parsed.times[parsed.naive]
    backwards = (np.diff(local.astype(np.int64)) < 0).sum() * 2 > len(local)
    ordered = pd.DatetimeIndex(local[::-1] if backwards else local)
    utc = ordered.tz_localize(timezone, ambiguous="infer", nonexistent="NaT").tz_convert("UTC").tz_localize(None).to_numpy()
    times = parsed.times.copy()
    times[parsed.naive] = utc[::-1] if backwards else utc
    return times


def _from_numbers(numbers: np.ndarray, exact: pa.ChunkedArray | None) -> tuple[np.ndarray, np.ndarray]:
    """Times of Unix numbers, and of dates written as one number; and which of them name no zone."""
    times, naive = _from_unix(numbers, exact), np.zeros(len(numbers), bool)
    whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
    for digits in (8, 12, 14):  # 20190704, 201907041300, 20190704130000
        compact = whole & (numbers >= 1.97 * 10 ** (digits - 1)) & (numbers < 2.2 * 10 ** (digits - 1))
        if compact.any():
            text = pd.Series([f"{number:.0f}" for number in numbers[compact]])
            times[compact], _ = from_dates(text)
            naive |= compact
    return times, naive


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


def _from_text(text: pd.Series, dates: str | None) -> tuple[np.ndarray, list[str]]:
    # Stricter than pandas, which takes `09:3` for 09:03: a digit lost on the way must not become another time.
    iso = text.where(text.str.fullmatch(ISO)).str.replace(r" ?UTC$", "Z", regex=True)
    naive = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    times = np.array(naive.where((naive >= EARLIEST) & (naive < LATEST)).astype("datetime64[ns]"))
    notes: list[str] = []
    unread = np.isnat(times)
    if unread.any():
        unread &= ~lost_digits(text)
        times[unread], notes = from_dates(text[unread], dates)
    return times, notes


def _checked(times: np.ndarray, naive: np.ndarray, column: pa.ChunkedArray, notes: list[str]) -> ParsedTimes:
    """Names the cells that could not be read, or lie outside of all that a candle can be."""
    times[(times < EARLIEST.to_datetime64()) | (times >= LATEST.to_datetime64())] = np.datetime64("NaT")
    times = times.astype("datetime64[ns]")  # only now: the year 17 has no nanoseconds
    odd = {int(row): _said(str(column[int(row)].as_py())) for row in np.flatnonzero(np.isnat(times))}
    return ParsedTimes(times, naive, odd, notes)


def _said(text: str) -> str:
    if re.fullmatch(TWO_WAYS, text):
        said = option("market.dates", "day_first")
        return f"{text}, in which nothing says which number is the month ({said} does, or month_first)"
    try:
        number = float(text)
    except ValueError:
        return text
    if SPREADSHEET_DAYS[0] <= number <= SPREADSHEET_DAYS[1]:
        return f"{text}, a spreadsheet's number of a day (save the column as text, such as {EXAMPLE})"
    if "E+" in text:
        return f"{text}, shortened by a spreadsheet, so that digits are lost (take the file that it was made from)"
    return text
