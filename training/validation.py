"""What one validation of an agent came to."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Validation:
    """The agent played the validation range once: log growth of the net worth there, after costs; the mean over the coins."""

    step: int
    mark: int  # 1, 2, ... `validations`: comparable between agents whose rollouts differ in length
    log_growth: float
    standard_error: float
    best: bool  # so far, after `caution` standard errors were taken off
    coins: Mapping[str, float] = field(default_factory=dict)  # log growth of each by symbol; empty for a single series

    def as_json(self) -> dict[str, Any]:
        """Its figures as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "coins" or value}
