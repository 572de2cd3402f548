from .audit import leak_audit as leak_audit
from .by_name import imported as imported
from .futures import KINDS as KINDS, another_future as another_future, require_room as require_room
from .report import AuditReport as AuditReport, Check as Check, Finding as Finding
from .tolerances import START_TOLERANCE as START_TOLERANCE
