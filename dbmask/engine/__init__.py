"""Running a table plan: the pushed-down SELECT, then batches through the masks that are left to Python."""

from __future__ import annotations

from dbmask.engine.garbage import seldom_collected
from dbmask.engine.reports import fresh_reports, reports_in
from dbmask.engine.run import masked_batches

__all__ = ["fresh_reports", "masked_batches", "reports_in", "seldom_collected"]
