"""The ledger of chunks in the database that is being built: an entry is committed with the rows that it speaks of.

Rows of tables that have no transactions (MyISAM, Aria) come as one chunk each: who writes them anew empties the table first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dbmask.schema import TableName
from dbmask.spi import ChunkEntry, Span, TargetTable
from dbmask_connectors._mysql_catalog import LEDGER
from dbmask_connectors._mysql_parts import KEYS, relation, within
from dbmask_connectors._mysql_session import Session, literal, quoted

__all__ = ["UNDO", "create", "discard", "entries", "exists", "moved", "settle", "undone_by", "written"]

UNDO = "ROLLBACK TO SAVEPOINT dbmask_rows"
"""Takes out what a chunk's transaction has written so far, but for its entry."""


def create(session: Session, database: str) -> None:
    """Make the ledger."""
    session.run(
        f"CREATE TABLE {quoted(database, LEDGER)} (token varchar(64) NOT NULL PRIMARY KEY, size bigint NOT NULL DEFAULT 0, "
        "found longtext, sum varchar(64) NOT NULL DEFAULT '', stale varchar(64)) "
        "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )


def exists(session: Session, database: str) -> bool:
    """Whether a database has a ledger."""
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return bool(session.value(sql, (database, LEDGER)))


@contextmanager
def written(session: Session, database: str, token: str) -> Iterator[ChunkEntry]:
    """One transaction around a chunk's rows and its entry. After an error the session is of no use any more."""
    ledger = quoted(database, LEDGER)
    session.run("START TRANSACTION")
    # Another writer of the same chunk holds the entry until it has committed, or is undone.
    if session.affected(f"INSERT IGNORE INTO {ledger} (token) VALUES ({literal(token)})") == 0:  # noqa: S608
        found = entries(session, database)[token]
        session.run("ROLLBACK")
        yield found
        return
    session.run("SAVEPOINT dbmask_rows")
    entry = ChunkEntry()
    yield entry
    values = (entry.rows, entry.found, entry.sum, token)
    session.run(f"UPDATE {ledger} SET size = %s, found = %s, sum = %s WHERE token = %s", values)  # noqa: S608
    session.run("COMMIT")


def undone_by(session: Session, database: str, table: str) -> str:
    """The statement that takes out what a chunk has written into a table."""
    sql = "SELECT engine FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    engine = str(session.value(sql, (database, table)) or "")
    return UNDO if engine.lower() == "innodb" else f"DELETE FROM {quoted(table)}"  # noqa: S608 - a quoted name


def entries(session: Session, database: str) -> dict[str, ChunkEntry]:
    """What has been committed, by token. Raises ConnectorError."""
    rows = session.run(f"SELECT token, size, found, sum FROM {quoted(database, LEDGER)} WHERE stale IS NULL")  # noqa: S608
    return {token: ChunkEntry(size, token, True, found or "", sum_) for token, size, found, sum_ in rows}


def settle(session: Session, database: str) -> None:
    """Empty the tables that were about to be emptied when a run died."""
    ledger = quoted(database, LEDGER)
    for (table,) in session.run(f"SELECT DISTINCT stale FROM {ledger} WHERE stale IS NOT NULL"):  # noqa: S608
        session.run(f"TRUNCATE TABLE {quoted(database, table)}", where=table)
        session.run(f"DELETE FROM {ledger} WHERE stale = %s", (table,))  # noqa: S608


def discard(session: Session, database: str, table: TargetTable, chunks: Mapping[str, Span], whole: bool) -> None:
    """Remove chunks' rows with their entries: those of key ranges, or all of the table's. Raises ConnectorError."""
    ledger, name = quoted(database, LEDGER), table.name.name
    listed = ", ".join(map(literal, chunks))
    if not listed:
        return
    if whole:  # TRUNCATE is no part of a transaction: what it is about is noted before
        session.run(f"UPDATE {ledger} SET stale = %s WHERE token IN ({listed})", (name,))  # noqa: S608
        settle(session, database)
        return
    session.run("START TRANSACTION")
    for span in chunks.values():
        session.run(f"DELETE dbmask_src {_rows_of(session, TableName(database, name), span)}", where=name)
    session.run(f"DELETE FROM {ledger} WHERE token IN ({listed})")  # noqa: S608
    session.run("COMMIT")


def _rows_of(session: Session, place: TableName, span: Span) -> str:
    """FROM and WHERE of a span's rows in a table of the replica, whose key is the source's."""
    from sqlglot import exp

    query = exp.select("1").from_(relation(place))
    sql = within(session, query, replace(span, table=place)).sql(dialect="mysql")
    return sql[sql.index(" FROM ") + 1 :]


def moved(
    session: Session,
    databases: tuple[str, str],
    table: TargetTable,
    chunks: Mapping[str, Span],
    known: Mapping[str, ChunkEntry],
) -> None:
    """Copy chunks' rows from one building database into another, each range in a transaction with its entries."""
    old, new = databases
    columns = ", ".join(map(quoted, table.columns))
    groups: dict[Span, list[str]] = {}
    for token, span in chunks.items():
        groups.setdefault(span if span.kind == KEYS else Span(table.name), []).append(token)
    for span, tokens in groups.items():
        source = _rows_of(session, TableName(old, table.name.name), span)
        listed = ", ".join(f"dbmask_src.{quoted(c)}" for c in table.columns)
        into = f"INSERT INTO {quoted(new, table.name.name)} ({columns})"
        session.run("START TRANSACTION")
        session.run(f"{into} SELECT {listed} {source}", where=str(table.name))
        _enter(session, new, tokens, known)
        session.run("COMMIT")


def _enter(session: Session, database: str, tokens: Sequence[str], known: Mapping[str, ChunkEntry]) -> None:
    for token in tokens:
        entry = known[token]
        session.run(
            f"INSERT INTO {quoted(database, LEDGER)} (token, size, found, sum) VALUES (%s, %s, %s, %s)",  # noqa: S608
            (token, entry.rows, entry.found, entry.sum),
        )
