"""What masks say of a run beside their values: those of texts count what they found."""

from __future__ import annotations

from typing import Any

from dbmask.planner import TablePlan

__all__ = ["fresh_reports"]


def fresh_reports(plan: TablePlan) -> dict[str, Any]:
    """The reports of a plan's masks by column, cleared: what a plan tried on samples does not count."""
    reports = {unit.bound.outputs[0]: unit.bound.report for unit in plan.units if hasattr(unit.bound, "report")}
    for report in reports.values():
        report.clear()
    return reports
