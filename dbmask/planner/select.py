"""A table plan as a SELECT: masks that run in SQL as expressions, raw inputs for those that are left to Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbmask.keys import KeyRing, Pads
from dbmask.planner.model import SOURCE_ALIAS, TablePlan, Unit
from dbmask.schema import Table, TableKind

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["Reading", "pads_for", "reading", "relation"]


@dataclass(frozen=True)
class Reading:
    """One table's SELECT and how its columns become the written ones.

    ``ready[i]`` is the position, among the query's columns, of written column i, or -1 where Python makes it;
    ``leftover`` holds, for each Python unit, the query positions of its inputs and the written positions of its outputs.
    """

    query: exp.Select
    writes: tuple[str, ...]
    ready: tuple[int, ...]
    leftover: tuple[tuple[Unit, tuple[int, ...], tuple[int, ...]], ...]


def reading(plan: TablePlan, dialect: str) -> Reading:
    """The SELECT of a table plan, its keys still KeyRef nodes, its filter parsed in the source's dialect."""
    from sqlglot import exp, parse_one

    from dbmask_sql.dialects.base import column

    writes = plan.writes
    place = {name: i for i, name in enumerate(writes)}
    ready = [-1] * len(writes)
    projections: list[exp.Expr] = []
    raw: dict[str, int] = {}
    leftover = []
    for unit in plan.units:
        if unit.exprs is not None:
            for name, expr in zip(unit.bound.outputs, unit.exprs, strict=True):
                ready[place[name]] = len(projections)
                projections.append(exp.alias_(expr, name, quoted=True))
            continue
        for name in unit.bound.inputs:
            if name not in raw:
                raw[name] = len(projections)
                projections.append(exp.alias_(column(name, SOURCE_ALIAS), f"dbmask_raw_{len(raw)}", quoted=True))
        inputs = tuple(raw[n] for n in unit.bound.inputs)
        leftover.append((unit, inputs, tuple(place[n] for n in unit.bound.outputs)))
    if not leftover:  # written order, so that rows can travel as bytes
        projections = [projections[i] for i in ready]
        ready = list(range(len(writes)))
    source = relation(plan.table)
    query = exp.select(*projections).from_(source)
    if plan.filter:
        query = query.where(parse_one(plan.filter, read=dialect))
    if plan.picked is not None:
        query = query.where(plan.picked.copy())
    return Reading(query, writes, tuple(ready), tuple(leftover))


def relation(table: Table) -> exp.Table:
    """The table under the alias that masks know; without its inheritance children, which are tables of their own."""
    from sqlglot import exp

    alone = table.kind is TableKind.CHILD or table.inherited
    return exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(table.name.schema, quoted=True) if table.name.schema else None,
        alias=exp.TableAlias(this=exp.to_identifier(SOURCE_ALIAS, quoted=True)),
        only=alone,
    )


def pads_for(queries: Iterable[exp.Expression], keys: KeyRing) -> dict[str, Pads]:
    """The pads of every key that these queries refer to."""
    from dbmask_sql.keyref import key_names

    names = dict.fromkeys(name for query in queries for name in key_names(query))
    return keys.pads(names)
