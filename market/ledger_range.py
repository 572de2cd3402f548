"""What a ledger knows bars by: their market, the length of a bar, and the time from the first to the end of the last."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class LedgerRange:
    """A range of bars, known by what stays the same when a file grows, is cut, is renamed or lies in another folder.

    Args:
        market: the symbol in one spelling, such as `BTCUSD`; of a simulated market its name, seed and parameters, too; empty for
            a file that names no coin.
        bar: length of a bar, such as `1h`.
        first: UTC time at which the first bar opens, ISO 8601.
        end: UTC time at which the last bar closes, ISO 8601.
        data_sha256: hash of the whole series that the range was cut from.
    """

    market: str
    bar: str
    first: str
    end: str
    data_sha256: str

    def as_json(self) -> dict[str, str]:
        """The fields of a ledger's line."""
        return asdict(self)

    def is_seen_in(self, entry: Mapping[str, Any]) -> bool:
        """Whether a ledger's line is about bars of this range.

        A line that an older version wrote says nothing but the hash of its series, which then has to be the same.
        """
        if "first" not in entry:
            return bool(entry["data_sha256"] == self.data_sha256)
        if entry["bar"] != self.bar or not _may_be_one(entry["market"], self.market):
            return False
        first, end, theirs, their_end = map(datetime.fromisoformat, (self.first, self.end, entry["first"], entry["end"]))
        return first < their_end and theirs < end


def _may_be_one(market: str, other: str) -> bool:
    """Whether two names may be of one market: what is not named may be any, except a simulated one."""
    if market and other:
        return market == other
    return "simulated" not in market + other
