"""The plan as a target's tables, and what only both ends together can refuse before a run."""

from __future__ import annotations

from dataclasses import replace

from dbmask.errors import ConnectorError, Problem, UsageError
from dbmask.planner.literals import check_literals
from dbmask.planner.model import Plan, RunsIn, TablePlan
from dbmask.policy.model import Policy, TableMode
from dbmask.schema import TableKind
from dbmask.spi import Source, Target, TargetTable

__all__ = ["check_structure", "check_target", "target_tables"]


def target_tables(plan: Plan) -> list[TargetTable]:
    """What a target builds, in the plan's order: all that is not skipped, partitions within the tables they are of."""
    return [_target_table(t) for t in plan if t.mode is not TableMode.SKIP and not _in_its_root(plan, t)]


def _in_its_root(plan: Plan, table: TablePlan) -> bool:
    """Whether the rows are read and written through the table that this is a partition of: a masked key may move them."""
    return table.table.kind is TableKind.PARTITION and any(p in plan.tables for p in table.table.parents)


def _target_table(plan: TablePlan) -> TargetTable:
    if plan.mode is TableMode.EMPTY:
        return TargetTable(plan.table, (), (), {}, rows=False)
    types = {c.column.name: c.out_type for c in plan.columns if c.runs_in in (RunsIn.SQL, RunsIn.PYTHON)}
    return TargetTable(plan.table, plan.writes, plan.dropped, types)


def check_structure(plan: Plan, source: Source, policy: Policy) -> Plan:
    """The plan with a problem where the source cannot give the structure of what the plan keeps, or where that holds raw values."""
    if plan.problems:
        return plan
    try:
        structure = source.structure(plan.schema, target_tables(plan))
    except (UsageError, ConnectorError) as error:
        return replace(plan, problems=(Problem("", str(error)),))
    return replace(plan, problems=tuple(check_literals(plan, structure, source, policy)[0]))


def check_target(source: Source, target: Target, overwrite: bool) -> None:
    """Raise UsageError where ``target`` is the source itself, or holds what the run may not replace."""
    if source.identity() and source.identity() == target.identity():
        raise UsageError("source and target are the same database: a clone needs a target of its own")
    target.check(overwrite)
