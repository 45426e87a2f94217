"""What the database itself has validated in a replica: unique keys and check constraints."""

from __future__ import annotations

from collections.abc import Sequence

from dbmask.cloner.certificate import Check
from dbmask.planner import TablePlan
from dbmask.spi import Structure

__all__ = ["validated"]

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
