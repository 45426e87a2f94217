"""Views of the source over masked relations: their own definitions, each relation replaced by its masked one.

A definition that cannot be read, or that reads what has no masked relation, gives no masked view: it is left out and said.
What is made is then looked at in the catalog: it may depend on masked relations alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbmask.schema import TableName, View

__all__ = ["Standing", "grouped_by", "ordered", "over_masked"]

_UNGROUPED = re.compile(r'column "([^".]+)\.([^"]+)" must appear in the GROUP BY clause')


@dataclass(frozen=True)
class Standing:
    """What stands for a base relation: the masked view's schema and name, and the name of the one without children's rows."""

    schema: str
    name: str
    only: str


def ordered(views: Iterable[View]) -> list[View]:
    """Views after the views that they read."""
    waiting = {v.name: v for v in sorted(views, key=lambda v: v.name)}
    done: list[View] = []

    def settle(view: View) -> None:
        for name in view.reads:
            if name in waiting:
                settle(waiting.pop(name))
        done.append(view)

    while waiting:
        settle(waiting.pop(next(iter(waiting))))
    return done


def over_masked(definition: str, standing: Mapping[TableName, Standing], dialect: str = "postgres") -> str | None:
    """A view's definition over masked relations; None where it cannot be read or reads a relation that has none.

    ``definition`` names every relation in full, as pg_get_viewdef does under search_path = pg_catalog.
    """
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(definition.rstrip().rstrip(";"), read=dialect)
    except SqlglotError:
        return None
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Func):
            continue
        if not table.db:
            if table.name not in ctes:
                return None  # the system's catalogs
            continue
        found = standing.get(TableName(table.db, table.name))
        if found is None:
            return None
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        name = found.only if table.args.get("only") else found.name
        table.set("this", exp.to_identifier(name, quoted=True))
        table.set("db", exp.to_identifier(found.schema, quoted=True))
        table.set("only", None)
    return tree.sql(dialect)


def grouped_by(text: str, complaint: str) -> str | None:
    """A view's text with the column that PostgreSQL complains of among those that it groups by; None where it is of no use.

    A table's columns follow from its primary key, which is enough for GROUP BY; a view's do not. The column that it wants
    is one of those, so that the groups stay the same.
    """
    from sqlglot import exp, parse_one

    found = _UNGROUPED.search(complaint)
    if found is None:
        return None
    tree = parse_one(text, read="postgres")
    wanted = exp.column(exp.to_identifier(found[2], quoted=True), table=exp.to_identifier(found[1], quoted=True))
    changed = False
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        names = {t.alias_or_name for t in select.find_all(exp.Table) if t.parent_select is select}
        if group is not None and found[1] in names and wanted not in group.expressions:
            group.append("expressions", wanted.copy())
            changed = True
    return tree.sql("postgres") if changed else None
