"""What masks say of a run beside their values: those of texts count what they found."""

from __future__ import annotations

from typing import Any

from dbmask.masks._reports import report_of
from dbmask.planner import TablePlan

__all__ = ["fresh_reports", "reports_in"]


def reports_in(plan: TablePlan) -> dict[str, Any]:
    """The reports of a plan's masks by column."""
    found = {unit.bound.outputs[0]: report_of(unit.bound) for unit in plan.units if unit.bound.outputs}
    return {column: report for column, report in found.items() if report is not None}


def fresh_reports(plan: TablePlan) -> dict[str, Any]:
    """The reports of a plan's masks by column, cleared: what a plan tried on samples does not count."""
    reports = reports_in(plan)
    for report in reports.values():
        report.clear()
    return reports
