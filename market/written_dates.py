"""Dates as people and programs write them, other than ISO's: `7/1/2017 11:00`, `20170701 110000`, `01.07.2017`, `Jul 4, 2019`."""

import re

import numpy as np
import pandas as pd

from market.bar_grid import grid_numbers, usual_bar

CLOCK = (
    r"(?:(?: |T|, )(?P<hour>\d{1,2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?:[ -]?(?P<half>[AaPp][Mm]))?)?(?: ?(?P<zone>Z|UTC|(?:GMT|UTC)?[+-]\d{2}:?\d{2}|GMT))?"
)
DAY_NAME, MONTH_NAME = r"(?:[A-Za-z]{3,9},? )?", r"(?P<name>[A-Za-z]{3,9})\.?"
YEAR_FIRST = r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
YEAR_LAST = r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second_number>\d{1,2})(?P=mark)(?P<third>\d{4}|\d{2})"
NAMED = (
    rf"{DAY_NAME}{MONTH_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})",
    rf"{DAY_NAME}(?P<day>\d{{1,2}})[- ]{MONTH_NAME}[-, ]+(?P<year>\d{{4}})",
)
COMPACT = r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
COMPACT_CLOCK = r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ORDERS = {"day/month/year": (2, 1, 0), "month/day/year": (2, 0, 1), "year/month/day": (0, 1, 2)}
"""places of the year, the month and the day among three numbers"""
CHOICES = {"day_first": "day/month/year", "month_first": "month/day/year"}
PARTS = ("year", "month", "day", "hour", "minute", "second")
REGULAR = 0.9
"""share of all steps that must be one bar long if an order of day and month is to be told by it"""
HOUR, DATE = r"[ T,]+(\d{1,2}):.*$", r"[ T,]+\d{1,2}:.*$"
ONE_DIGIT, TWO_WITH_ZERO = r"(?<!\d)\d(?!\d)", r"(?<!\d)0\d(?!\d)"


def from_dates(text: pd.Series, dates: str | None = None) -> tuple[np.ndarray, list[str]]:
    """datetime64[ns] (T,), NaT for a cell that is no date or that may be two; and how doubtful ones were read, in words.

    Args:
        text: (T,) cells.
        dates: `day_first` or `month_first`; None finds out.
    """
    text = text.reset_index(drop=True)
    times = np.full(len(text), np.datetime64("NaT"), "datetime64[ns]")
    for pattern in (YEAR_FIRST + CLOCK, *(named + CLOCK for named in NAMED), COMPACT + CLOCK, COMPACT + COMPACT_CLOCK):
        unread = np.isnat(times)
        if not unread.any():
            return times, []
        found = text[unread].str.extract(f"^{pattern}$")
        if found["year"].notna().any():
            times[unread] = _times_of(found)
    unread = np.isnat(times)
    if not unread.any():
        return times, []
    times[unread], notes = _year_last(text[unread], dates)
    return times, notes


def lost_digits(text: pd.Series) -> np.ndarray:
    """bool (T,): cells with a one-digit hour, day or month in a column that writes 09 elsewhere: a digit was lost there."""
    dates, hours = text.str.replace(DATE, "", regex=True), text.str.extract(HOUR, expand=False).fillna("")
    lost = np.zeros(len(text), bool)
    for parts in (dates, hours):
        if parts.str.contains(TWO_WITH_ZERO).any():
            lost |= parts.str.contains(ONE_DIGIT).to_numpy(bool)
    return lost


def _year_last(text: pd.Series, dates: str | None) -> tuple[np.ndarray, list[str]]:
    """Three numbers of which the order is not known: the one that all cells fit, or that gives times at one distance."""
    found = text.str.extract(f"^{YEAR_LAST}{CLOCK}$")
    whole = found["third"].notna().to_numpy()
    nothing = np.full(len(text), np.datetime64("NaT"), "datetime64[ns]")
    if not whole.any():
        return nothing, []
    orders = list(ORDERS) if dates is None else [CHOICES[dates]]
    if (found["mark"][whole] == ".").all():  # who writes 04.07.2019 writes the day first
        orders = ["day/month/year"]
    readings = {order: _in_order(found, order) for order in orders}
    fitting = {order: times for order, times in readings.items() if not np.isnat(times[whole]).any()}
    if len(fitting) > 1:
        odd = {order: _odd_steps(times[whole]) for order, times in fitting.items()}
        least = min(odd.values())
        fitting = {order: fitting[order] for order in odd if odd[order] == least and least <= (1 - REGULAR) * whole.sum()}
    if len(fitting) != 1:
        return nothing, []
    (order, times), *_ = fitting.items()
    return times, [f"dates such as {text[whole].iloc[0]} are read as {order}"]


def _in_order(found: pd.DataFrame, order: str) -> np.ndarray:
    numbers = [found[name] for name in ("first", "second_number", "third")]
    year, month, day = (numbers[place] for place in ORDERS[order])
    short = year.str.len() == 2
    return _times_of(found.assign(year=year.where(~short, "20" + year), month=month, day=day), order[0] == "y")


def _odd_steps(times: np.ndarray) -> int:
    """Steps that are not one bar long."""
    ordered = np.sort(times)
    bar = usual_bar(ordered)
    numbers, on_grid = grid_numbers(ordered, bar) if bar else (np.zeros(len(times), np.int64), np.ones(len(times), bool))
    return int((np.diff(numbers) != 1).sum() + (~on_grid).sum())


def _times_of(found: pd.DataFrame, two_digits: bool = False) -> np.ndarray:
    """Times of columns of digits, NaT where something lacks or is out of range."""
    if "name" in found:
        found = found.assign(
            month=found["name"].str[:3].str.lower().map({name: k + 1 for k, name in enumerate(MONTH_NAMES)}).astype(object)
        )
    parts = {name: pd.to_numeric(found.get(name, pd.Series(np.nan, found.index)), errors="coerce") for name in PARTS}
    year, month, day, hour, minute, second = (parts[name].to_numpy(np.float64, na_value=np.nan) for name in PARTS)
    half = found["half"].str.lower() if "half" in found else pd.Series(np.nan, found.index)
    afternoon, morning = (half == "pm").to_numpy(), (half == "am").to_numpy()
    good = np.isfinite(year) & (year >= 1970) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= ~(np.isfinite(hour) & np.isnan(minute) & ~(afternoon | morning))  # `13` alone is no time of day
    good &= ~((afternoon | morning) & ~((hour >= 1) & (hour <= 12)))
    hour = np.where(afternoon | morning, hour % 12 + 12 * afternoon, hour)
    good &= ~(hour > 23) & ~(minute > 59) & ~(second > 59)
    times = np.full(len(found), np.datetime64("NaT"), "datetime64[ns]")
    if not good.any():
        return times
    months = ((year[good] - 1970) * 12 + month[good] - 1).astype(np.int64).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day[good] - 1).astype(np.int64)
    seconds = sum(np.nan_to_num(part[good]) * size for part, size in ((hour, 3600), (minute, 60), (second, 1)))
    dated = days.astype("datetime64[ns]") + seconds.astype("timedelta64[s]").astype("timedelta64[ns]")
    dated += _nanoseconds(found, good) - _offsets(found, good)
    dated[days.astype("datetime64[M]") != months] = np.datetime64("NaT")  # the 31st of June
    times[good] = dated
    return times


def _nanoseconds(found: pd.DataFrame, good: np.ndarray) -> np.ndarray:
    if "fraction" not in found:
        return np.zeros(int(good.sum()), "timedelta64[ns]")
    digits = found["fraction"][good].fillna("0").str.ljust(9, "0")
    return digits.astype(np.int64).to_numpy().astype("timedelta64[ns]")


def _offsets(found: pd.DataFrame, good: np.ndarray) -> np.ndarray:
    """timedelta64[ns] east of Greenwich."""
    if "zone" not in found:
        return np.zeros(int(good.sum()), "timedelta64[ns]")
    zones = found["zone"][good].fillna("Z")
    minutes = {zone: _minutes_east(zone) for zone in zones.unique()}
    return zones.map(minutes).to_numpy(np.int64).astype("timedelta64[m]").astype("timedelta64[ns]")


def _minutes_east(zone: str) -> int:
    found = re.search(r"([+-])(\d{2}):?(\d{2})$", zone)
    if found is None:
        return 0
    sign, hours, minutes = found.groups()
    return int(sign + "1") * (int(hours) * 60 + int(minutes))
