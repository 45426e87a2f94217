"""Which rows of a source have changed since an earlier snapshot, without reading them.

A row version whose transaction had ended when the earlier snapshot was taken was seen by it. What is newer is new or
changed; where a part has fewer of the old ones than it had, rows are gone. Where transaction numbers tell nothing (another
server took over, too many transactions since), checksums of the parts' rows do. Values reach the session by COPY alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbmask.schema import Table, TableKind
from dbmask.spi import PartSum, Reader
from dbmask_connectors._postgres_copy import table_sql
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors._postgres_shared import session_of

if TYPE_CHECKING:
    from psycopg import sql
    from sqlglot import exp

__all__ = ["beyond", "bounds", "changed", "highest", "moment", "part_sums", "still"]

_MOMENT = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text, timeline_id::text,
       (SELECT system_identifier::text FROM pg_control_system()) || '/'
       || (SELECT oid::text FROM pg_database WHERE datname = current_database())
FROM pg_control_checkpoint()
"""
_FEW = 256  # bounds whose places in an array are not known by their number are searched one by one
_FIXED = frozenset({"int2", "int4", "int8", "uuid", "date", "timestamp", "timestamptz", "float8", "oid"})


def moment(reader: Reader) -> str:
    """The oldest transaction that this snapshot saw running, and the server's and database's identity."""
    connection = session_of(reader)
    with translated(_where(reader)):
        xmin, timeline, identity = connection.execute(_MOMENT).fetchone() or ("", "", "")
    return json.dumps({"xmin": xmin, "timeline": timeline, "identity": identity})


def still(reader: Reader, since: str) -> bool:
    """Whether transaction numbers of then mean the same now, and none is half-way round."""
    if not since:
        return False
    then, here = json.loads(since), json.loads(moment(reader))
    same = all(then[n] == here[n] for n in ("timeline", "identity"))
    horizon = int(then["xmin"])
    return same and 0 <= int(here["xmin"]) - horizon < 2**31 - 2**20 and horizon % 2**32 >= 3


def _where(reader: Reader) -> str:
    return reader.where if isinstance(reader, PostgresReader) else ""


def _from(table: Table) -> sql.Composable:
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    alone = table.kind is TableKind.CHILD or table.inherited
    return sql.SQL("ONLY {}").format(name) if alone else name


def bounds(reader: Reader, table: Table, column: str, rows: int) -> list[str]:
    """Every so many rows a value of the column; fewer where comparing a value with many takes long."""
    from psycopg import sql

    connection = session_of(reader)
    with translated(f"{_where(reader)}: {table.name}"):
        name = sql.Identifier(column)
        count, kind = connection.execute(
            sql.SQL(
                "SELECT count(*), (SELECT typname FROM pg_type WHERE oid = min(pg_typeof({})::oid)) FROM {}"
            ).format(name, _from(table))
        ).fetchone() or (0, "")
        step = rows if kind in _FIXED else max(rows, count // _FEW)
        query = sql.SQL(
            "SELECT v::text FROM (SELECT DISTINCT v FROM (SELECT {} AS v, row_number() OVER (ORDER BY {}) AS n FROM {}) AS x "
            "WHERE mod(n, {}) = 1 AND n > 1) AS y ORDER BY y.v"
        )
        found = connection.execute(query.format(name, name, _from(table), sql.Literal(max(step, 2)))).fetchall()
    return [value for (value,) in found]


def _held(reader: Reader, table: Table, column: str, values: Sequence[str], what: str) -> str:
    """A temporary table of these values, copied in; its name."""
    from psycopg import sql

    connection = session_of(reader)
    assert isinstance(reader, PostgresReader)  # noqa: S101 - session_of has asked
    name = reader.own_name(what)
    held = sql.Identifier("pg_temp", name)
    with translated(f"{reader.where}: {table.name}"):
        query = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} AS v FROM {} WITH NO DATA")
        connection.execute(query.format(sql.Identifier(name), sql.Identifier(column), _from(table)))
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(held)) as copy:
            for value in values:
                copy.write_row((value,))
    return name


def part_sums(
    reader: Reader,
    table: Table,
    column: str,
    bounds: Sequence[str],
    since: str,
    values: Sequence[str] = (),
) -> list[PartSum]:
    """One pass over the table."""
    from psycopg import sql

    connection = session_of(reader)
    part: sql.Composable = sql.SQL("0")
    if bounds:
        held = _held(reader, table, column, bounds, "bounds")
        # An array that lay in a table would be unpacked for every row.
        part = sql.SQL("width_bucket({}, (SELECT array_agg(v ORDER BY v) FROM {}))").format(
            sql.Identifier(column), sql.Identifier("pg_temp", held)
        )
    fresh: sql.Composable = sql.SQL("count(*)")
    if since:
        fresh = sql.SQL("count(*) FILTER (WHERE age(xmin) <= (SELECT age({}::xid)))").format(sql.Literal(_short(since)))
    sums: sql.Composable = sql.SQL("''")
    if values:
        row = sql.SQL(", ").join(map(sql.Identifier, values))
        sums = sql.SQL("sum(hashtextextended(ROW({})::text, 42))::text").format(row)
    query = sql.SQL("SELECT {}, count(*), {}, {} FROM {} GROUP BY 1").format(part, fresh, sums, _from(table))
    made = [PartSum(0, 0, "")] * (len(bounds) + 1)
    with translated(f"{_where(reader)}: {table.name}"):
        for number, rows, newer, sum_ in connection.execute(query):
            made[number] = PartSum(rows, newer, sum_)
    return made


def _short(since: str) -> str:
    return str(int(json.loads(since)["xmin"]) % 2**32)


def changed(
    reader: Reader,
    query: exp.Select,
    table: Table,
    column: str,
    bounds: Sequence[str],
    parts: Sequence[int],
    since: str,
) -> exp.Select:
    """The query over the rows of parts."""
    from sqlglot import exp

    made = query.copy()
    alias = made.args["from_"].this.alias
    if bounds and not since and len(parts) <= len(bounds):
        held = _held(reader, table, column, bounds, "parts")
        text = f"(SELECT array_agg(v ORDER BY v) FROM pg_temp.{held})"  # noqa: S608 - our own name
        array: exp.Expression = exp.maybe_parse(text, dialect="postgres")
        bucket = exp.Anonymous(this="width_bucket", expressions=[exp.column(column, table=alias, quoted=True), array])
        made.where(exp.In(this=bucket, expressions=[exp.Literal.number(p) for p in parts]), copy=False)
    if since:
        xid = exp.Cast(this=exp.Literal.string(_short(since)), to=exp.DataType.build("xid", udt=True))
        here = exp.column("xmin", table=alias)
        ages = [exp.Anonymous(this="age", expressions=[x]) for x in (here, xid)]
        made.where(exp.LTE(this=ages[0], expression=ages[1]), copy=False)
    return made


def highest(reader: Reader, table: Table, column: str) -> str | None:
    """max() as text."""
    from psycopg import sql

    connection = session_of(reader)
    with translated(f"{_where(reader)}: {table.name}"):
        query = sql.SQL("SELECT max({})::text FROM {}").format(sql.Identifier(column), _from(table))
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def beyond(reader: Reader, query: exp.Select, table: Table, column: str, value: str, also: bool) -> exp.Select:
    """The query over rows above a value."""
    from sqlglot import exp

    made = query.copy()
    alias = made.args["from_"].this.alias
    held = _held(reader, table, column, [value], "mark")
    first = exp.select(exp.column("v")).from_(exp.table_(held, db="pg_temp")).subquery()
    here = exp.column(column, table=alias, quoted=True)
    if not also:
        return made.where(exp.GT(this=here, expression=first), copy=False)
    missing = exp.Is(this=here.copy(), expression=exp.null())
    return made.where(exp.or_(exp.GTE(this=here, expression=first), missing), copy=False)
