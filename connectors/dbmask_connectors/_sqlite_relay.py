"""A SELECT of the source as what one connection reads from an attached file, in slices of a large table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbmask.schema import Table
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._sqlite_session import Session

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["ATTACHED", "of_source", "slices"]

ATTACHED = "dbmask_source"
_SLICE = 250_000
"""Rows that go over in one statement: progress is shown after each."""
_SPARSE = 4
"""Rowids per row above which slices by rowid would mostly be empty."""


def of_source(query: exp.Expression) -> exp.Expression:
    """The query with its tables read from the attached file."""
    from sqlglot import exp

    made = query.copy()
    ctes = {cte.alias for cte in made.find_all(exp.CTE)}
    for table in made.find_all(exp.Table):
        named = isinstance(table.this, exp.Identifier)  # not a table function, such as json_each
        if named and table.db in ("", "main") and not (table.db == "" and table.name in ctes):
            table.set("db", exp.to_identifier(ATTACHED, quoted=True))
    for column in made.find_all(exp.Column):
        if column.text("db") == "main":
            column.set("db", exp.to_identifier(ATTACHED, quoted=True))
    return made


def slices(session: Session, table: Table, query: exp.Expression) -> Iterator[exp.Expression]:
    """The query, or where it reads one large table with rowids close together, the query over ranges of rowids."""
    from sqlglot import exp

    source = query.find(exp.From)
    found = _range(session, table) if isinstance(query, exp.Select) and source and not query.args.get("joins") else None
    if found is None or source is None or not isinstance(query, exp.Select):
        yield query
        return
    rowid, low, high, step = found
    for start in range(low, high + 1, step):
        here = exp.column(rowid, table=source.this.alias_or_name, quoted=True)
        lower = exp.GTE(this=here, expression=exp.Literal.number(start))
        upper = exp.LT(this=here.copy(), expression=exp.Literal.number(start + step))
        yield query.where(lower, *([upper] if start + step <= high else []))


def _range(session: Session, table: Table) -> tuple[str, int, int, int] | None:
    """The rowid's name, its lowest and highest value and how many make a slice; None where one statement is better."""
    rows = table.rows or 0
    taken = {c.name.lower() for c in table.columns}
    rowid = next((n for n in ("rowid", "_rowid_", "oid") if n not in taken), None)
    if rowid is None or rows <= _SLICE:
        return None
    described = session.execute(
        "SELECT wr FROM pragma_table_list WHERE schema = ? AND name = ?", (ATTACHED, table.name.name)
    )
    if described.fetchone() != (0,):
        return None  # WITHOUT ROWID
    # Each alone is the first or last entry of the tree; both in one question are a scan.
    end = f"(SELECT {{}}({rowid}) FROM {ATTACHED}.{quoted(table.name.name)})"  # noqa: S608 - a quoted name
    low, high = session.execute(f"SELECT {end.format('min')}, {end.format('max')}").fetchone()
    if low is None or low < 0 or high - low > _SPARSE * rows:
        return None
    return rowid, low, high, max(_SLICE * (high - low + 1) // rows, 1)
