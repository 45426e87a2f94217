"""What can be seen from schema and masks alone: keys that would collide, references that would break, weak hashes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dbmask.errors import Problem
from dbmask.planner.model import RunsIn, TablePlan, Unit
from dbmask.policy.match import ResolvedTable
from dbmask.schema import Column, Kind, Table, TableName, Unique

__all__ = ["check_dropped", "check_filled", "check_keys", "check_references", "expected_collisions"]


def expected_collisions(rows: int, outcomes: int) -> float:
    """How many of ``rows`` distinct values are expected to share a result with an earlier one, of ``outcomes`` equally likely results.

    rows - outcomes * (1 - (1 - 1/outcomes)**rows), the classical occupancy formula; computed without cancellation.
    """
    if rows <= 1:
        return 0.0
    if outcomes > 1_000 * rows:
        return rows * (rows - 1) / (2 * outcomes)
    return rows + outcomes * math.expm1(rows * math.log1p(-1 / outcomes)) if outcomes > 1 else rows - 1.0


def check_keys(plan: TablePlan) -> Iterator[Problem]:
    """Unique and primary keys under masks that may give two values one result."""
    by_output = {name: unit for unit in plan.units for name in unit.bound.outputs}
    safe = [u for u in plan.table.uniques if _stays_unique(u, by_output)]
    for unique in plan.table.uniques:
        if unique in safe or any(set(s.columns) <= set(unique.columns) and not s.partial for s in safe):
            continue
        yield from _colliding(plan, unique, by_output)
    for unique in plan.table.uniques:
        for name in unique.columns:
            column = plan.table.column(name)
            unit = by_output.get(name)
            if column is not None and unit is not None and _folds(column, unit):
                yield Problem(
                    f"{plan.name}.{name}",
                    f"{unit.mask.name} tells apart values that the column's collation holds equal, and the column is a key",
                    "keep it, or give the column a case-sensitive, accent-sensitive collation at the source",
                )


def _folds(column: Column, unit: Unit) -> bool:
    promises = unit.promises(column.name)
    return column.type.folded and promises.keyed and not promises.folded


def _injective(unit: Unit | None, column: str) -> bool:
    return unit is not None and unit.promises(column).injective


def _stays_unique(unique: Unique, by_output: Mapping[str, Unit]) -> bool:
    """Injective masks keep any key; a permutation of a column's values keeps a key of that column alone."""
    units = {c: by_output.get(c) for c in unique.columns}
    if len(units) == 1 and all(u is not None and u.promises(c).permutes for c, u in units.items()):
        return True
    return all(_injective(u, c) for c, u in units.items())


def _colliding(plan: TablePlan, unique: Unique, by_output: Mapping[str, Unit]) -> Iterator[Problem]:
    name = "the primary key" if unique.primary else f"unique key {unique.name}"
    for column in unique.columns:
        unit = by_output.get(column)
        if unit is None or _injective(unit, column):
            continue
        outcomes = unit.promises(column).outcomes
        rows = plan.table.rows
        expected = ""
        if outcomes and rows and rows > 1:
            count = expected_collisions(rows, outcomes)
            expected = (
                f": about {count:,.0f} collisions in {rows:,} rows"
                if count >= 1
                else f": {count:.1e} collisions expected"
            )
        what = f"{unit.mask.name} may give two values the same result, and the column is in {name}{expected}"
        yield Problem(f"{plan.name}.{column}", what, _injective_hint(plan.table, column))


def _injective_hint(table: Table, name: str) -> str:
    column = table.column(name)
    kind = column.type.kind if column else Kind.OTHER
    if kind is Kind.INTEGER:
        return "use permute"
    if kind is Kind.UUID:
        return "use uuid"
    return "use keep, full-length hash, or email, imitate, checksum or anonymizer with `unique: true`"


def check_references(
    plan: TablePlan, resolved: ResolvedTable, plans: Mapping[TableName, TablePlan]
) -> Iterator[Problem]:
    """Masks on referenced columns that depend on more than the value, and references to columns that are not there."""
    units = {name: unit for unit in plan.units for name in unit.bound.outputs}
    for item in resolved.columns.values():
        if item.inherited_from is None:
            continue
        unit = units.get(item.column.name)
        table, column = item.inherited_from
        if unit is not None and not unit.promises(item.column.name).value_only:
            yield Problem(
                f"{table}.{column}",
                f"{unit.mask.name} depends on more than the value, and {plan.name}.{item.column.name} refers to the column",
                "use a mask that depends on nothing but the value, such as permute, hash or uuid",
            )
    for key in plan.table.foreign_keys:
        target = plans.get(key.ref_table)
        if target is not None and target.mode.value in ("skip", "empty") and plan.mode.value not in ("skip", "empty"):
            yield Problem(
                str(plan.name),
                f"foreign key {key.name or '(unnamed)'} refers to {key.ref_table}, which is `{target.mode.value}`",
                f"clone {key.ref_table} too, or skip {plan.name}",
            )


def check_filled(plan: TablePlan) -> Iterator[Problem]:
    """Columns kept although a trigger fills them from masked ones: they would carry the raw values into the replica."""
    columns = {c.column.name: c for c in plan.columns}
    changed = {c.column.name for c in plan.columns if c.masked and c.runs_in is not RunsIn.NOWHERE}
    for trigger in plan.table.triggers:
        sources = changed.intersection(trigger.reads) if trigger.reads else changed
        for name in trigger.fills:
            filled = columns.get(name)
            if filled is not None and filled.mask == "keep" and sources - {name}:
                what = f"keep would carry over what trigger {trigger.name} made of {', '.join(sorted(sources))} before masking"
                yield Problem(
                    f"{plan.name}.{name}",
                    what,
                    "use recompute, so that the trigger fills it from masked values, or mask it",
                )


def check_dropped(plan: TablePlan) -> Iterator[Problem]:
    """Key columns that would be absent, and columns kept although what they are derived from is masked."""
    keys = {c for u in plan.table.uniques for c in u.columns} | {c for f in plan.table.foreign_keys for c in f.columns}
    for name in plan.dropped:
        if name in keys:
            yield Problem(
                f"{plan.name}.{name}", "drop would remove a key column", "mask it, or drop the table with `skip`"
            )
        elif name in plan.table.partition_key:
            yield Problem(f"{plan.name}.{name}", "drop would remove a column of the partitions' key", "mask it")
    dropped = set(plan.dropped)
    for column in plan.table.columns:
        lost = dropped.intersection(column.generated_from)
        if lost and column.name not in dropped:
            yield Problem(
                f"{plan.name}.{column.name}", f"is generated from {', '.join(sorted(lost))}, which is dropped"
            )
