"""A table's plan as a masked view's SELECT for MariaDB and MySQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dbmask.planner import TablePlan
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.policy.model import TableMode
from dbmask.proxy.install_views import shown_columns
from dbmask.proxy.placeholders import constant
from dbmask.proxy.side_tables import in_view

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["table_select"]

_PADS = "dbmask_k"


def table_select(table: TablePlan, keys: Mapping[str, int], pads: tuple[str, str]) -> tuple[str, list[str]]:
    """The SELECT, and the columns that show placeholders. ``keys`` are the keys' places in the one row of table ``pads``."""
    from sqlglot import exp

    from dbmask_sql.keyref import INNER, key_names, resolve_keys

    made, left = _expressions(table)
    columns = list(shown_columns(table))
    outer = [n for n in columns if n not in made and _generated(table, n)]
    listed = [exp.alias_(made.get(n, exp.Null()), n, quoted=True) for n in columns if n not in outer]
    query = exp.select(*listed).from_(_relation(table.name.schema, table.name.name, SOURCE_ALIAS))
    if table.mode is TableMode.EMPTY:
        query = query.where(exp.false())
    elif table.filter:
        query = query.where(_parsed(table.filter))
    if key_names(query):
        one = exp.EQ(this=exp.column("dbmask_id", table=_PADS), expression=exp.Literal.number(1))
        query = query.join(_relation(*pads, _PADS), on=one)
    resolved = resolve_keys(
        query, lambda name, part: exp.column(f"dbmask_{'inner' if part == INNER else 'outer'}{keys[name]}", table=_PADS)
    )
    text = resolved.sql("mysql")
    if not outer:
        return text, left
    # What the database generates it generates here from masked values.
    parts = [f"({_generated(table, n)}) AS {_quoted(n)}" if n in outer else _quoted(n) for n in columns]
    return f"SELECT {', '.join(parts)} FROM ({text}) AS dbmask_rows", left  # noqa: S608 - names are quoted


def _expressions(table: TablePlan) -> tuple[dict[str, exp.Expression], list[str]]:
    from dbmask_sql.dialects.base import column

    made: dict[str, exp.Expression] = {}
    left: list[str] = []
    for unit in table.units:
        for place, name in enumerate(unit.bound.outputs):
            if in_view(unit) and unit.exprs is not None:
                made[name] = unit.exprs[place]
            else:
                own = table.table.column(name)
                made[name] = constant(own)
                left.append(name)
    kept = {c.column.name for c in table.columns if not c.masked}
    for c in table.table.columns:
        if c.generated and c.name not in made and c.generated_from and kept.issuperset(c.generated_from):
            made[c.name] = column(c.name, SOURCE_ALIAS)
    return made, left


def _generated(table: TablePlan, name: str) -> str | None:
    column = table.table.column(name)
    return column.generated if column is not None else None


def _relation(database: str, name: str, alias: str) -> exp.Table:
    from sqlglot import exp

    return exp.Table(
        this=exp.to_identifier(name, quoted=True),
        db=exp.to_identifier(database, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )


def _parsed(condition: str) -> exp.Expression:
    from sqlglot import exp, parse_one

    return exp.Paren(this=parse_one(condition, read="mysql"))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
