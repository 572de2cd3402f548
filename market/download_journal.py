"""The journal of an unfinished download, beside its output: one header line, then one CSV line a bar.

Appending a page costs the same at the first bar and at the five-millionth. A kill can tear only the last line, and a torn line
is dropped when the download goes on.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from common import InputError, one_line, write_atomically
from market.exchange import Bars

VALUES = ("open", "high", "low", "close", "volume")


class Partial:
    """What has come of one download. Nothing is written before the first `append`.

    Args:
        output: the file that the download will write; the journal is `OUTPUT.partial`.
        what: what is downloaded (symbol, source, bar); a journal of anything else is refused.
        after: the last bar, in milliseconds since 1970, of the output that the download extends; None if there is none.
    """

    def __init__(self, output: Path, what: dict[str, str], after: int | None) -> None:
        self.path = output.with_name(f"{output.name}.partial")
        self._header = {**what, "after": after}

    def read(self) -> pd.DataFrame:
        """The bars so far: float64 `open high low close volume` over a UTC index `time`; a bar that came twice stands twice.

        Raises:
            InputError: the journal of another download, or no journal at all.
        """
        content = self.path.read_bytes() if self.path.exists() else b""
        header, _, lines = content.partition(b"\n")
        if content:
            self._refuse_another(header)
        whole = lines[: lines.rfind(b"\n") + 1]
        if len(whole) < len(lines):
            os.truncate(self.path, len(header) + 1 + len(whole))
        return self._parse(whole)

    def append(self, bars: Bars) -> None:
        """Add one page's bars, flushed to the disk."""
        if not self.path.exists():
            write_atomically(self.path, json.dumps(self._header) + "\n")
        with self.path.open("a", encoding="ascii") as file:
            file.writelines(f"{time},{','.join(map(repr, bar))}\n" for time, bar in bars.items())
            file.flush()
            os.fsync(file.fileno())

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    def _refuse_another(self, header: bytes) -> None:
        try:
            found = json.loads(header)
            same = {**found, "after": None} == {**self._header, "after": None}
        except (ValueError, TypeError):
            raise InputError(f"{self.path} is no unfinished download; delete it or name another output") from None
        if not same:
            told = {name: (found.get(name), asked) for name, asked in self._header.items() if found.get(name) != asked}
            differs = ", ".join(f"{name} {old!r} not {asked!r}" for name, (old, asked) in told.items() if name != "after")
            raise InputError(
                f"{self.path} is another unfinished download ({differs}); finish that, delete it or name another output"
            )
        # A journal that extends a file is worth nothing without that file.
        if found.get("after") is not None and (self._header["after"] is None or self._header["after"] < found["after"]):
            raise InputError(f"{self.path} extends a file that is gone or became shorter; delete it to download all anew")

    def _parse(self, lines: bytes) -> pd.DataFrame:
        types = {"time": pa.int64()} | dict.fromkeys(VALUES, pa.float64())
        try:
            table = csv.read_csv(
                io.BytesIO(lines or b"\n"),
                read_options=csv.ReadOptions(column_names=list(types)),
                convert_options=csv.ConvertOptions(column_types=types),
            )
        except ValueError as error:
            raise InputError(f"{self.path} is damaged ({one_line(error)}); delete it to download anew") from None
        times = table["time"].to_numpy()
        if sum(column.null_count for column in table.columns) or (np.diff(times) < 0).any():
            raise InputError(f"{self.path} is damaged (values are missing or out of order); delete it to download anew")
        index = pd.DatetimeIndex(times.astype("datetime64[ms]").astype("datetime64[ns]"), name="time").tz_localize("UTC")
        return pd.DataFrame({name: table[name].to_numpy() for name in VALUES}, index=index)
