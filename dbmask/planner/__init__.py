"""Planning: which mask stands on which column, where it runs, and everything that can be seen to fail beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.lazy import loader

if TYPE_CHECKING:
    from dbmask.planner.build import build_plan
    from dbmask.planner.literals import check_literals
    from dbmask.planner.model import ColumnPlan, Plan, Profile, RunsIn, TablePlan, Unit
    from dbmask.planner.planning import plan, plan_source
    from dbmask.planner.select import Reading, pads_for, reading
    from dbmask.planner.targets import check_target, target_tables

__all__ = [
    "ColumnPlan",
    "Plan",
    "Profile",
    "Reading",
    "RunsIn",
    "TablePlan",
    "Unit",
    "build_plan",
    "check_literals",
    "check_target",
    "pads_for",
    "plan",
    "plan_source",
    "reading",
    "target_tables",
]

_WHERE = {
    "ColumnPlan": "dbmask.planner.model",
    "Plan": "dbmask.planner.model",
    "Profile": "dbmask.planner.model",
    "Reading": "dbmask.planner.select",
    "RunsIn": "dbmask.planner.model",
    "TablePlan": "dbmask.planner.model",
    "Unit": "dbmask.planner.model",
    "build_plan": "dbmask.planner.build",
    "check_literals": "dbmask.planner.literals",
    "check_target": "dbmask.planner.targets",
    "pads_for": "dbmask.planner.select",
    "plan": "dbmask.planner.planning",
    "plan_source": "dbmask.planner.planning",
    "reading": "dbmask.planner.select",
    "target_tables": "dbmask.planner.targets",
}

__getattr__ = loader(__name__, _WHERE)
