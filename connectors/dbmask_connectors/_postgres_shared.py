"""One snapshot for many sessions, tables in page ranges, and which of them are still as a snapshot saw them.

That rows are unchanged needs no checksum of their values. A row version that a later snapshot sees, and whose
transaction had ended when the earlier snapshot was taken, was seen by the earlier one too. Where a part holds only such
versions, and as many as it had then, it holds the same versions: nothing was inserted, updated or deleted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, SnapshotGone
from dbmask.schema import Table, TableKind, TableName
from dbmask.spi import Reader, Shared, Span
from dbmask_connectors._postgres_copy import table_sql
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors._postgres_session import Address, connect

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from sqlglot import exp

__all__ = ["exported", "narrowed", "page_spans", "reading", "session_of", "unchanged"]

PAGES = "pages"
_RANGE_SCANS = 140000  # the server reads a range of pages alone from this version on
_LEAVES = """
SELECT n.nspname, c.relname, c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid),
       pg_relation_size(c.oid) / current_setting('block_size')::bigint, pg_table_size(c.oid),
       pg_relation_filenode(c.oid)::text, c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid) AND c.relkind = 'r'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass(%(name)s)) WHERE isleaf UNION SELECT to_regclass(%(name)s))
  AND c.relkind <> 'p' ORDER BY 1, 2
"""
_FACTS = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text, timeline_id::text FROM pg_control_checkpoint()
"""


@contextmanager
def reading(address: Address, database: str | None = None, shared: Shared | None = None) -> Iterator[PostgresReader]:
    """A REPEATABLE READ transaction on a connection of its own, to the address's database unless another is named.

    With ``shared`` it reads the snapshot that another session holds: raises SnapshotGone where none does.
    """
    with contextlib.closing(connect(address, database)) as connection:
        reader = PostgresReader(connection, str(address), shared)
        try:
            yield reader
        finally:
            reader.close()


@contextmanager
def exported(address: Address) -> Iterator[Shared]:
    """Hold a snapshot on a connection of its own for as long as the block lasts."""
    with reading(address) as reader:
        with translated(str(address)):
            horizon, timeline = reader.connection.execute(_FACTS).fetchone() or ("0", "")
            (name,) = reader.connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        yield Shared(json.dumps({"name": name, "horizon": horizon, "timeline": timeline}), reader.position)


def page_spans(reader: Reader, table: Table, size: int) -> list[Span]:
    """Page ranges of a table or of its partitions; one span over all where they cannot be read so.

    The reader's session locks the table (ACCESS SHARE) until it ends: a VACUUM FULL would move rows between pages, and a
    TRUNCATE would take them from every snapshot. Raises SnapshotGone where one of these came first.
    """
    connection = session_of(reader)
    name = table_sql(table.name.schema, table.name.name).as_string(connection)
    with translated(f"{_where(reader)}: {table.name}"):
        connection.execute(f"LOCK TABLE {name} IN ACCESS SHARE MODE".encode())
        leaves = connection.execute(_LEAVES, {"name": name}).fetchall()
    if any(changed for *_, changed in leaves):
        raise SnapshotGone(f"{table.name} was truncated or rewritten while it was cloned: no snapshot shows its rows")
    ranges = connection.info.server_version >= _RANGE_SCANS and table.kind is not TableKind.FOREIGN
    if not ranges or not leaves or not all(readable for _, _, readable, *_ in leaves):
        return [Span(table.name)]
    made: list[Span] = []
    for schema, leaf, _, pages, total, storage, _ in leaves:
        step = max(1, int(pages * size / total)) if total else 1
        bounds = [None, *range(step, int(pages), step), None]
        made += [
            Span(TableName(schema, leaf), PAGES, low, high, storage or "") for low, high in itertools.pairwise(bounds)
        ]
    return made


def session_of(reader: Reader) -> psycopg.Connection[Any]:
    """The connection of a PostgreSQL reader that nothing is being read from. Raises ConnectorError."""
    if not isinstance(reader, PostgresReader):
        raise ConnectorError("only PostgreSQL's own snapshots can be read in parts")
    reader.require_idle()
    return reader.connection


def _where(reader: Reader) -> str:
    return reader.where if isinstance(reader, PostgresReader) else ""


def narrowed(query: exp.Select, span: Span) -> exp.Select:
    """The query over a span: its table in place of the one it reads, and the condition on ``ctid``."""
    from sqlglot import exp

    made = query.copy()
    if span.kind != PAGES:
        return made
    source = made.args["from_"].this
    source.set("this", exp.to_identifier(span.table.name, quoted=True))
    source.set("db", exp.to_identifier(span.table.schema, quoted=True) if span.table.schema else None)
    here = exp.column("ctid", table=source.alias, quoted=True)

    def page(number: int) -> exp.Expression:
        return exp.Cast(this=exp.Literal.string(f"({number},0)"), to=exp.DataType.build("tid", udt=True))

    if span.low is not None:
        made.where(exp.GTE(this=here.copy(), expression=page(span.low)), copy=False)
    if span.high is not None:
        made.where(exp.LT(this=here.copy(), expression=page(span.high)), copy=False)
    return made


def unchanged(reader: Reader, parts: Sequence[tuple[Span, int]], since: Shared) -> list[bool]:
    """Whether each span still holds the very row versions that the snapshot ``since`` saw. Raises ConnectorError."""
    connection = session_of(reader)
    facts = json.loads(since.token)
    horizon = int(facts["horizon"])
    with translated(_where(reader)):
        low, timeline = connection.execute(_FACTS).fetchone() or ("0", "")
        # Beyond half of all transaction numbers a number says no longer which of two transactions was first.
        if timeline != facts["timeline"] or not 0 <= int(low) - horizon < 2**31 - 2**20 or horizon % 2**32 < 3:
            return [False] * len(parts)
        stored = _storage(connection, {span.table for span, _ in parts})
        return [
            (span.kind != PAGES or stored.get(span.table) == span.storage)
            and _holds(connection, span, rows, horizon % 2**32)
            for span, rows in parts
        ]


def _storage(connection: psycopg.Connection[Any], tables: set[TableName]) -> dict[TableName, str]:
    rows = connection.execute(
        "SELECT n.nspname, c.relname, pg_relation_filenode(c.oid)::text FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ANY(%s)",
        ([t.name for t in tables],),
    )
    return {TableName(schema, name): storage for schema, name, storage in rows}


def _holds(connection: psycopg.Connection[Any], span: Span, rows: int, horizon: int) -> bool:
    from psycopg import sql

    where: list[sql.Composable] = []
    if span.low is not None:
        where.append(sql.SQL("ctid >= {}").format(sql.Literal(f"({span.low},0)")))
    if span.high is not None:
        where.append(sql.SQL("ctid < {}").format(sql.Literal(f"({span.high},0)")))
    name = table_sql(span.table.schema, span.table.name)
    query = sql.SQL("SELECT count(*), count(*) FILTER (WHERE age(xmin) > age({}::xid)) FROM {}{}").format(
        sql.Literal(str(horizon)),
        sql.SQL("ONLY {}").format(name) if span.kind == PAGES else name,
        sql.SQL(" WHERE ") + sql.SQL(" AND ").join(where) if where else sql.SQL(""),
    )
    found = connection.execute(query).fetchone()
    return found == (rows, rows)
