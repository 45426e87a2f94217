"""The ledger of chunks inside a database that is being built, committed with the rows that it speaks of.

Rows are found again by the transaction that wrote them (``xmin``), so that they can be taken out without a column of
their own. The entry is written first: a second writer of the same chunk waits for the first, and then has nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.schema import TableKind
from dbmask.spi import ChunkEntry, TargetTable
from dbmask_connectors._postgres_copy import table_sql

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

__all__ = ["complete", "create", "discard", "drop", "entries", "exists", "moved", "written"]

_SCHEMA = "dbmask_ledger"
_TABLE = f"{_SCHEMA}.chunk"


def create(connection: psycopg.Connection[Any]) -> None:
    """Make the ledger."""
    connection.execute(f"CREATE SCHEMA {_SCHEMA}")
    connection.execute(f"CREATE TABLE {_TABLE} (token text PRIMARY KEY, xid text, rows bigint, found text)")


def exists(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is one."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (_TABLE,)).fetchone()
    return bool(row and row[0])


def complete(connection: psycopg.Connection[Any]) -> None:
    """Wait until all that was committed is on the disk: what a run notes as done is there after a crash of the server."""
    connection.execute("SET synchronous_commit = on")
    connection.execute(f"COMMENT ON SCHEMA {_SCHEMA} IS 'complete'")


def drop(connection: psycopg.Connection[Any]) -> None:
    """Take it away."""
    connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")


@contextmanager
def written(connection: psycopg.Connection[Any], token: str) -> Iterator[ChunkEntry]:
    """One transaction around a chunk's rows and its entry."""
    with connection.transaction():
        done = connection.execute(
            f"INSERT INTO {_TABLE} (token, xid) VALUES (%s, pg_current_xact_id()::xid::text) ON CONFLICT DO NOTHING",  # noqa: S608
            (token,),
        )
        if done.rowcount == 0:
            yield entries(connection, token)[token]
            return
        entry = ChunkEntry()
        yield entry
        connection.execute(
            f"UPDATE {_TABLE} SET rows = %s, found = %s WHERE token = %s",  # noqa: S608
            (entry.rows, entry.found, token),
        )


def entries(connection: psycopg.Connection[Any], token: str | None = None) -> dict[str, ChunkEntry]:
    """What has been committed, by token."""
    rows = connection.execute(
        f"SELECT token, rows, xid, found FROM {_TABLE} WHERE %(one)s::text IS NULL OR token = %(one)s",  # noqa: S608
        {"one": token},
    )
    return {name: ChunkEntry(rows or 0, xid, True, found or "") for name, rows, xid, found in rows}


def _named(table: TargetTable) -> sql.Composable:
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    return name if table.table.kind is TableKind.PARTITIONED else sql.SQL("ONLY {}").format(name)


def discard(connection: psycopg.Connection[Any], table: TargetTable, tokens: Sequence[str], whole: bool) -> None:
    """Remove chunks' rows and their entries."""
    from psycopg import sql

    if not tokens:
        return
    with connection.transaction():
        rows = connection.execute(f"DELETE FROM {_TABLE} WHERE token = ANY(%s) RETURNING xid", (list(tokens),))  # noqa: S608
        groups = sorted({xid for (xid,) in rows})
        if whole:
            connection.execute(sql.SQL("TRUNCATE {}").format(_named(table)))
        elif groups:
            connection.execute(sql.SQL("DELETE FROM {} WHERE xmin::text = ANY(%s)").format(_named(table)), (groups,))


def moved(
    old: psycopg.Connection[Any],
    new: psycopg.Connection[Any],
    table: TargetTable,
    tokens: Sequence[str],
    known: Mapping[str, ChunkEntry],
) -> None:
    """Copy the rows of chunks from one building database into another, with their entries, in one transaction."""
    from psycopg import sql

    from dbmask_connectors._postgres_copy import copied

    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    groups = sorted({known[t].group for t in tokens})
    query = sql.SQL("SELECT {} FROM {} WHERE xmin::text IN ({})").format(
        columns, _named(table), sql.SQL(", ").join(map(sql.Literal, groups))
    )
    with new.transaction():
        copied(old, new, table, query.as_string(old), lambda rows: None)
        with new.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {_TABLE} (token, xid, rows, found) VALUES (%s, pg_current_xact_id()::xid::text, %s, %s)",  # noqa: S608
                [(t, known[t].rows, known[t].found) for t in tokens],
            )
