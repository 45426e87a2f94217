"""Keyed masks of values that come again and again: computed once each, where PostgreSQL's statistics say that it pays.

A value that is computed in a LATERAL subquery may be kept by a Memoize node (PostgreSQL 14 and later): whether it is, for
which columns, and within which memory, the server decides by n_distinct. It compares values bit by bit, and what it does
not keep is computed as without. Names of people and cities are: a lookup costs a tenth of an HMAC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask_sql.keyref import key_names

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["memoized"]

_PER_GROUP = ("group", "distinct", "having", "windows", "limit")
"""With one of these a projection is not a value of each row that is read."""


def memoized(query: exp.Expression) -> exp.Expression:
    """The query with each of its keyed projections in a subquery of its own; the same rows in the same columns."""
    from sqlglot import exp

    if not isinstance(query, exp.Select) or query.args.get("from_") is None:
        return query
    if any(query.args.get(part) is not None for part in _PER_GROUP) or not key_names(query):
        return query
    made = query.copy()
    for number, projection in enumerate(made.expressions):
        value = projection.unalias()
        if not key_names(value) or value.find(exp.Column) is None or value.find(exp.AggFunc, exp.Window) is not None:
            continue
        name = f"dbmask_memo_{number}"
        # OFFSET 0 keeps the planner from computing the value where it is used.
        inner = exp.select(exp.alias_(value.copy(), "v", quoted=True)).offset(0).subquery()
        side = exp.Lateral(this=inner, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
        made.append("joins", exp.Join(this=side, side="LEFT", on=exp.true()))
        value.replace(exp.column("v", table=name, quoted=True))
    return made
