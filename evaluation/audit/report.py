"""What a leak audit found: findings, gathered by check, and how they are printed."""

from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
from rich.table import Table

from common import InputError

SHOWN_DRIFT = 1e-6
"""scaled units: columns that hardly depend on where the candles begin are counted, not listed"""


@dataclass(frozen=True)
class Finding:
    """One thing that broke a check's promise.

    Args:
        check: name of the check.
        column: what differs: a feature column, an estimated value, `reward`, `action`.
        bar: the candle at which it differs first, None for what belongs to no bar.
        time: that candle's open time.
        detail: what was done, and both values.
    """

    check: str
    column: str
    bar: int | None
    time: pd.Timestamp | None
    detail: str

    def __str__(self) -> str:
        where = "" if self.bar is None else f" at {self.time:%Y-%m-%d %H:%M} (bar {self.bar:,})"
        return f"{self.column}{where}: {self.detail}"


@dataclass(frozen=True)
class Check:
    """How one check went: `cases` comparisons were made; `made` is False where there was no subject; `notes` fail nothing.

    `unjudged` says why a check that was made could have found nothing.
    """

    name: str
    promise: str
    cases: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    made: bool
    seconds: float
    unjudged: str = ""

    @property
    def verdict(self) -> str:
        """`LEAK`, `clean`, `not judged`, or `-` for a check that had no subject."""
        return "LEAK" if self.findings else "not judged" if self.unjudged else "clean" if self.made else "-"


@dataclass
class Tally:
    """Counts a check's comparisons, and keeps the first finding of each column."""

    check: str
    cases: int = 0
    notes: list[str] = field(default_factory=list)
    unjudged: str = ""
    _first: dict[str, Finding] = field(default_factory=dict)

    def found(self, column: str, detail: str, index: pd.DatetimeIndex | None = None, bar: int | None = None) -> None:
        """Note a finding, unless the column has one of an earlier bar."""
        time = None if index is None or bar is None else index[bar]
        finding, known = Finding(self.check, column, bar, time, detail), self._first.get(column)
        if known is None or (bar is not None and known.bar is not None and bar < known.bar):
            self._first[column] = finding

    @property
    def findings(self) -> tuple[Finding, ...]:
        """By bar, then in the order in which they were found."""
        return tuple(sorted(self._first.values(), key=lambda finding: -1 if finding.bar is None else finding.bar))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._first)

    def knows(self, column: str) -> bool:
        return column in self._first


@dataclass(frozen=True)
class AuditReport:
    """The outcome of `leak_audit`.

    Args:
        subject: what was audited, on which candles, in words.
        checks: in the order in which they ran.
        drift: start-dependence, float64, one row a column, in scaled units: the largest difference over all later starts from the
            first row on, and from 24, 168 and 1,000 bars later on; NaN where no series is that long.
        seconds: of the whole audit.
        untold: checks that could not be made for want of a part, though what they are about was handed over.
    """

    subject: str
    checks: tuple[Check, ...]
    drift: pd.DataFrame
    seconds: float
    untold: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        for check in self.checks:
            if check.name == name:
                return check
        raise InputError(f"there is no check {name!r}; there are {', '.join(check.name for check in self.checks)}")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all checks, in their order."""
        return tuple(finding for check in self.checks for finding in check.findings)

    @property
    def passed(self) -> bool:
        return not self.findings

    @property
    def verdict(self) -> str:
        """One line."""
        cases = sum(check.cases for check in self.checks)
        if self.passed:
            judged = sum(check.made and not check.unjudged for check in self.checks)
            unjudged = "".join(f"; {check.name}: not judged: {check.unjudged}" for check in self.checks if check.unjudged)
            untold = f"; not audited: {', '.join(self.untold)}" if self.untold else ""
            return f"no leak found: {judged} checks, {cases:,} comparisons, {self.seconds:.0f} s{unjudged}{untold}"
        first = self.findings[0]
        others = len(self.findings) - 1
        more = f" ({others} more finding{'s' if others > 1 else ''})" if others else ""
        return f"LEAK: {first.check}: {first}{more}; {self.seconds:.0f} s"

    def table(self) -> Table:
        """A row a check: verdict, comparisons, and its first finding or what it promises."""
        table = Table(title=self.subject, title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("check", no_wrap=True)
        table.add_column("verdict")
        table.add_column("cases", justify="right")
        table.add_column("s", justify="right")
        table.add_column("first finding, or what holds")
        for check in self.checks:
            told = (check.unjudged or check.promise) if check.made else "not audited"
            told = str(check.findings[0]) if check.findings else told
            others = [finding.column for finding in check.findings[1:]]
            if others:
                told += f"\nalso: {_some(others)}"
            table.add_row(check.name, check.verdict, f"{check.cases:,}", f"{check.seconds:.0f}", "\n".join([told, *check.notes]))
        return table

    def drift_table(self) -> tuple[Table, str]:
        """The columns that depend on where the candles begin, and how many hardly do, in words."""
        shown = self.drift[self.drift.max(axis=1) > SHOWN_DRIFT]
        table = Table(title="if the candles begin later, scaled units", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("column", no_wrap=True)
        for heading in self.drift.columns:
            table.add_column(str(heading), justify="right")
        for name, row in shown.iterrows():
            table.add_row(str(name), *(f"{figure:.1e}" if figure else "0" for figure in row))
        return table, f"{len(self.drift) - len(shown)} of {len(self.drift)} columns differ by {SHOWN_DRIFT:g} or less"

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        checks = [asdict(check) | {"verdict": check.verdict} for check in self.checks]
        for check in checks:
            for finding in check["findings"]:
                finding["time"] = None if finding["time"] is None else str(finding["time"])
        drift = {str(name): row.to_dict() for name, row in self.drift.astype(object).where(self.drift.notna(), None).iterrows()}
        return {"subject": self.subject, "verdict": self.verdict, "passed": self.passed, "checks": checks, "drift": drift}


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
