"""The leak audit of candles, a pipeline, an environment and an agent: its checks, and the other futures that it tries."""

from evaluation.audit.audit import START_TOLERANCE, leak_audit
from evaluation.audit.futures import KINDS, another_future, require_room
from evaluation.audit.report import AuditReport, Check, Finding

__all__ = ["KINDS", "START_TOLERANCE", "AuditReport", "Check", "Finding", "another_future", "leak_audit", "require_room"]
