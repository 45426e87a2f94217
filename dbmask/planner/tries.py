"""Constraints tried before the run: CHECKs and partitions, evaluated by the source itself on a sample of masked rows.

A mask knows types and lengths, not what a CHECK says. What would stop a load after hours stops the plan instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, Problem
from dbmask.keys import KeyRing
from dbmask.planner.model import Plan, TablePlan
from dbmask.planner.select import pads_for, reading
from dbmask.policy.model import TableMode
from dbmask.schema import Check, TableKind
from dbmask.spi import Source

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SAMPLE", "try_constraints"]

SAMPLE = 1_000
"""How many masked rows each constraint is tried on."""


def try_constraints(plan: Plan, source: Source, keys: KeyRing) -> Plan:
    """The plan with a problem for each constraint that masked rows break, and a warning for each that cannot be tried."""
    wanted = [
        t for t in plan if t.mode is TableMode.MASK and t.table.kind is not TableKind.PARTITION and _touched(plan, t)
    ]
    if not wanted:
        return plan
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for table in wanted:
        if not table.pushed_down:
            what = "has constraints on masked columns, which cannot be tried beforehand because a mask runs in Python"
            warnings.append(Problem(str(table.name), what))
            continue
        for check, broken in _tried(plan, table, source, keys):
            if broken is None:
                warnings.append(Problem(str(table.name), f"{check} cannot be tried beforehand"))
            elif broken:
                what = f"{broken:,} of at most {SAMPLE:,} masked rows break {check}"
                problems.append(Problem(str(table.name), what, "choose masks whose results the constraint allows"))
    return replace(plan, problems=(*plan.problems, *problems), warnings=(*plan.warnings, *warnings))


def _masked(table: TablePlan) -> set[str]:
    return {c.column.name for c in table.columns if c.masked}


def _checks(table: TablePlan) -> list[Check]:
    masked = _masked(table)
    return [c for c in table.table.checks if masked.intersection(c.columns)]


def _partitions(plan: Plan, table: TablePlan) -> list[Check]:
    """The partitions' own conditions, where the partition key is masked."""
    if not _masked(table).intersection(table.table.partition_key):
        return []
    children = [t for t in plan.schema.tables.values() if t.kind is TableKind.PARTITION and table.name in t.parents]
    return [c for t in children for c in t.checks if c.name == "partition"]


def _touched(plan: Plan, table: TablePlan) -> bool:
    return bool(_checks(table) or _partitions(plan, table))


def _tried(plan: Plan, table: TablePlan, source: Source, keys: KeyRing) -> Iterator[tuple[str, int | None]]:
    dialect = plan.schema.dialect
    query = reading(table, dialect).query.limit(SAMPLE)
    tries = [(f"constraint {c.name}", [c]) for c in _checks(table)]
    partitions = _partitions(plan, table)
    if partitions:
        tries.append(("the partitions' bounds", partitions))
    for name, any_of in tries:
        count = _counting(query, any_of, dialect)
        yield name, None if count is None else _count(count, source, keys)


def _counting(query: exp.Select, any_of: list[Check], dialect: str) -> exp.Select | None:
    """A query for how many rows satisfy none of these conditions; None where a condition cannot be read."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        conditions = [parse_one(_condition(c.sql), read=dialect) for c in any_of]
    except SqlglotError:
        return None
    held = exp.Paren(this=exp.or_(*conditions) if len(conditions) > 1 else conditions[0])
    # A condition that is NULL is not broken. NOT NULL is NULL everywhere, and no row is counted for it.
    return exp.select(exp.Count(this=exp.Star())).from_(query.subquery("dbmask_tried")).where(exp.Not(this=held))


def _count(query: exp.Select, source: Source, keys: KeyRing) -> int | None:
    """The query's answer, in a snapshot of its own: a statement that fails may end the transaction that it is in."""
    try:
        with source.snapshot() as reader:
            reader.use_keys(pads_for([query], keys))
            return next(int(batch[0][0]) for batch in reader.read(query))
    except ConnectorError:
        return None


def _condition(text: str) -> str:
    """A catalog's text of a CHECK without the word itself."""
    bare = text.strip()
    return bare[5:].strip() if bare[:5].upper() == "CHECK" else bare
