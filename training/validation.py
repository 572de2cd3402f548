"""What one validation of an agent came to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Validation:
    """The agent played the validation range once: log growth of the net worth there, after costs."""

    step: int
    mark: int  # 1, 2, ... `validations`: comparable between agents whose rollouts differ in length
    log_growth: float
    standard_error: float
    best: bool  # so far, after `caution` standard errors were taken off
