"""A candle file that was sent, and which of its bars is the last one that had closed by some time."""

import hashlib
import tempfile
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from common import InputError, one_line, option, spelled
from market import Candles, MarketSettings, load_candles

READING = ("repair", "max_fill", "symbol", "volume", "timezone", "times", "dates")
"""settings of `market` that a person can give for a candle file"""
NAMELESS = "the file"
"""stands for its name, which is not sent"""
Given = Mapping[str, str]
"""what a person chose beside the file, by name; what was left open is missing"""


class DroppedFile:
    """Reads candle files, and keeps the last one: a person looks at many bars of the same file."""

    def __init__(self) -> None:
        self._key = ""
        self._candles: Candles | None = None

    def candles(self, content: bytes, given: Given) -> Candles:
        """Those of the file.

        Raises:
            InputError: it is not text, or holds no candles that can be trusted.
        """
        told = {name: given[name] for name in READING if given.get(name)}
        key = hashlib.sha256(repr(sorted(told.items())).encode() + content).hexdigest()
        if self._candles is None or key != self._key:
            self._candles, self._key = read_candle_bytes(content, told), key
        return self._candles


def read_candle_bytes(content: bytes, told: Given) -> Candles:
    """Candles of a file's bytes.

    Args:
        content: text, such as CSV. Packed files are refused, for a small one can unpack into more than memory holds.
        told: settings of `market`, by names of `READING`.

    Raises:
        InputError: it is not text, a setting has a wrong value, or the file holds no candles that can be trusted.
    """
    try:
        if "\0" in content.decode():
            raise ValueError
    except ValueError:
        raise InputError("a candle file is text in UTF-8 here, such as CSV; unpack or convert it") from None
    with tempfile.TemporaryDirectory() as folder, spelled(_on_the_page):
        path = Path(folder, NAMELESS)
        path.write_bytes(content)
        try:
            return load_candles(MarketSettings.model_validate({"file": path, **told}))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise InputError(
                f"{option('.'.join(map(str, fault['loc'])), fault['input'])}: {one_line(Exception(fault['msg']))}"
            ) from None
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from None


def last_closed(candles: Candles, given: Given) -> int:
    """The number of the last bar that had closed by a time: by the end of `date`, or by its `time`; UTC. Without, the last one.

    Raises:
        InputError: no such date or time, or one before the first bar had closed.
    """
    if not given.get("date"):
        if given.get("time"):
            raise InputError("a time needs its date; give both")
        return len(candles) - 1
    by = _moment(given["date"], given.get("time", ""))
    number = int(candles.ends.searchsorted(by, side="right")) - 1
    if number < 0:
        raise InputError(
            f"by {to_minute(by)} UTC no bar had closed: the first one did at {to_minute(candles.ends[0])}; choose a later date"
        )
    return number


def to_minute(moment: pd.Timestamp) -> str:
    """`2024-05-17 13:00`, with seconds if there are some."""
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _on_the_page(setting: str, value: object) -> str:
    """How a choice is written there."""
    name = setting.split(".")[-1]
    return name if value is True else f"{name}: {value}"


def _moment(day: str, clock: str) -> pd.Timestamp:
    try:
        at, moment = time.fromisoformat(clock or "00:00"), pd.Timestamp(date.fromisoformat(day), tz="UTC")
        past = pd.Timedelta(hours=at.hour, minutes=at.minute, seconds=at.second) if clock else pd.Timedelta(days=1)
        moment = (moment + past).as_unit("ns")  # that of candles, which ends in 2262
    except (ValueError, OverflowError):
        given = f"{day} {clock}".strip()[:40]
        raise InputError(f"a date is like 2024-05-17, from 1678 to 2261, and a time like 13:00, but got {given!r}") from None
    if at.tzinfo is not None:
        raise InputError(f"a time is in UTC and names no zone, but got {clock[:40]!r}")
    return moment
