"""Rows from one session to another without being parsed: the source writes each as a line that LOAD DATA reads.

QUOTE() makes a field: it escapes what LOAD unescapes, and NULL becomes the bare word. A column that is kept travels in
the bytes of its own character set, all else in UTF-8. The client takes the lines out of the source's packets and puts
them into the target's, block by block; memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.spi import Progress, TargetTable
from dbmask_connectors._mysql_load import Dest, Loader, load_sql
from dbmask_connectors._mysql_reader import MySQLReader, exact
from dbmask_connectors._mysql_session import Session

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["FORM", "is_kept", "line_query", "stream_rows"]

FORM = r"FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\'' ESCAPED BY '\\' LINES TERMINATED BY '\n'"


def stream_rows(
    reader: MySQLReader,
    session: Session,
    table: TargetTable,
    dests: Sequence[Dest],
    query: exp.Expression,
    progress: Progress,
    undo: str,
) -> int | None:
    """Copy a query's rows; their number, or None where a row is too long for one line, with nothing left behind (by ``undo``).

    Raises ConnectorError.
    """
    made = exact(reader.session, reader.prepared(query))
    raw = [is_kept(p, d, table) for p, d in zip(made.expressions, dests, strict=True)]
    select = line_query(made, dests, raw).sql(dialect="mysql")
    where = str(table.name)
    loader = Loader(session, load_sql(table.name.name, dests, raw, FORM), f"{where}: writing")
    sent = 0
    with reader.session.streaming(select, f"{where}: reading") as stream:
        for count, lines in stream.lines():
            if lines is None:
                break
            loader.write(lines, count)
            sent += count
            progress(count)
        else:
            return loader.finish()
    loader.give_up()
    session.run(undo)
    progress(-sent)
    return None


def is_kept(projection: exp.Expression, dest: Dest, table: TargetTable) -> bool:
    """Whether a column is written to itself, so that its bytes are what its type makes of them."""
    from sqlglot import exp

    value = projection.unalias()
    if not isinstance(value, exp.Column) or value.name != dest.name or not dest.in_bytes:
        return False
    own = table.table.column(dest.name)
    made = table.types.get(dest.name)
    return own is not None and (made is None or (made.kind, made.sql) == (own.type.kind, own.type.sql))


def line_query(query: exp.Expression, dests: Sequence[Dest], raw: Sequence[bool]) -> exp.Select:
    """The query with its columns as one, a line for LOAD DATA; ``raw`` tells which are kept. Raises ConnectorError."""
    from sqlglot import exp

    if not isinstance(query, exp.Select):
        raise ConnectorError("only a SELECT can be copied")
    parts: list[exp.Expression] = []
    for projection, dest, as_is in zip(query.expressions, dests, raw, strict=True):
        field = _field(projection.unalias().copy(), dest, as_is)
        parts += [exp.Literal.string(","), field] if parts else [field]
    line = exp.Anonymous(this="CONCAT", expressions=[*parts, exp.Literal.string("\n")])
    return query.select(exp.alias_(line, "dbmask_line"), append=False)


def _field(value: exp.Expression, dest: Dest, as_is: bool) -> exp.Expression:
    from sqlglot import exp

    if as_is and dest.is_plain:
        return exp.Anonymous(this="IFNULL", expressions=[value, exp.Literal.string("NULL")])
    if not (as_is or (dest.is_bytes and dest.data_type != "bit")):
        utf8 = exp.DataType(this=exp.DType.CHARACTER_SET, kind=exp.Var(this="utf8mb4"))
        value = exp.Cast(this=value, to=utf8)
    binary = exp.Cast(this=value, to=exp.DataType.build("BINARY", dialect="mysql"))
    return exp.Anonymous(this="QUOTE", expressions=[binary])
