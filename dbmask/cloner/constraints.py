"""Unique keys, check constraints and foreign keys: what the database has validated in a replica, and what a replica lacks."""

from __future__ import annotations

from collections.abc import Container, Sequence

from dbmask.cloner.certificate import Check
from dbmask.planner import TablePlan
from dbmask.schema import Table
from dbmask.spi import Structure

__all__ = ["lacking", "validated"]

_UNVALIDATED = "NOT VALID"


def validated(plans: Sequence[TablePlan], structure: Structure, dialect: str) -> tuple[list[Check], list[str]]:
    """A check for each table with unique keys or check constraints, and those that the database was told not to validate.

    A row that breaks one has ended the run before: the database refused the row, or the constraint when it was added.
    ``dialect`` is the target's: between databases of different kinds check constraints do not arrive.
    """
    targets = {t.name: t for t in structure.tables}
    own = structure.dialect == dialect != "generic"
    checks, unseen = [], []
    for plan in plans:
        target = targets.get(plan.name)
        if target is None:
            continue
        gone = set(target.dropped)
        keys = [u for u in target.table.uniques if not gone & set(u.columns) and (own or not u.partial)]
        rules = [c for c in target.table.checks if own and not gone & set(c.columns) and c.name != "partition"]
        late = [c for c in rules if c.sql.rstrip().upper().endswith(_UNVALIDATED)]
        unseen += [
            f"{plan.name}: constraint {c.name} is {_UNVALIDATED}: the database has not looked at it" for c in late
        ]
        rules = [c for c in rules if c not in late]
        if keys or rules:
            figures = {"unique": len(keys), "check": len(rules)}
            found = f"validated by the database: {len(keys)} unique keys, {len(rules)} check constraints"
            checks.append(Check("constraints", str(plan.name), True, found, figures))
    return checks, unseen


def lacking(plan: TablePlan, table: Table, skipped: Container[str] = ()) -> list[str]:
    """In words, the constraints of a planned table that ``table``, its replica in a database of the same kind, does not have.

    A foreign key to a table of a name in ``skipped`` cannot be there.
    """
    wanted, gone = plan.table, set(plan.dropped)
    has = {(u.columns, u.primary, u.partial) for u in table.uniques}
    found = [
        f"the {'primary' if u.primary else 'unique'} key of {', '.join(u.columns)} is not there"
        for u in wanted.uniques
        if not gone & set(u.columns) and (u.columns, u.primary, u.partial) not in has
    ]
    rules = {(c.name, "" if c.name else c.sql) for c in table.checks}
    found += [
        f"check constraint {c.name or 'without a name'} is not there"
        for c in wanted.checks
        if not gone & set(c.columns) and c.name != "partition" and (c.name, "" if c.name else c.sql) not in rules
    ]
    refers = {(k.columns, k.ref_table.name, k.ref_columns) for k in table.foreign_keys}
    return found + [
        f"the foreign key of {', '.join(k.columns)} to {k.ref_table} is not there"
        for k in wanted.foreign_keys
        if not (k.declared or gone & set(k.columns) or k.ref_table.name in skipped)
        and (k.columns, k.ref_table.name, k.ref_columns) not in refers
    ]
