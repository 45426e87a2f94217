"""Rows into PostgreSQL by COPY: relayed as binary blocks that nobody parses, or written from Python values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.spi import Batch, Progress, TargetTable
from dbmask_connectors._postgres_reader import rendered

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from sqlglot import exp

__all__ = ["CopySink", "relay", "table_sql"]

_BLOCK = 256 * 1024
_SHOWN_EVERY = 20_000


def table_sql(schema: str, name: str) -> sql.Composable:
    """A quoted table name."""
    from psycopg import sql

    return sql.Identifier(schema, name) if schema else sql.Identifier(name)


def _copy_from(table: TargetTable, options: str) -> Any:
    from psycopg import sql

    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    head = sql.SQL("COPY {} ({}) FROM STDIN").format(table_sql(table.name.schema, table.name.name), columns)
    return head + sql.SQL(options)


def relay(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    table: TargetTable,
    query: exp.Expression,
    progress: Progress,
) -> int:
    """COPY (query) TO STDOUT into COPY table FROM STDIN, binary on both sides; return the number of rows.

    The server sends a message a row; they are joined to blocks, since what costs is the message.
    """
    out = f"COPY ({rendered(query)}) TO STDOUT (FORMAT binary)"
    with source.cursor() as reading, target.cursor() as writing:
        with reading.copy(out.encode()) as rows, writing.copy(_copy_from(table, " (FORMAT binary)")) as sink:
            for count, block in _blocks(rows):
                sink.write(block)
                progress(count)
        return max(writing.rowcount, 0)


def _blocks(rows: Any) -> Iterator[tuple[int, bytes]]:
    parts: list[Any] = []
    size = 0
    for part in rows:
        parts.append(part)
        size += len(part)
        if size >= _BLOCK:
            yield len(parts), b"".join(parts)
            parts, size = [], 0
    if parts:
        yield len(parts) - 1, b"".join(parts)  # header or trailer


class CopySink:
    """Writes batches of Python values into one table by COPY in text format."""

    def __init__(self, copy: Any) -> None:
        self._copy = copy

    @classmethod
    @contextmanager
    def opened(cls, connection: psycopg.Connection[Any], table: TargetTable) -> Iterator[CopySink]:
        """Open COPY for one table; it ends, and its rows stand, when the block ends without an error."""
        with connection.cursor() as cursor, cursor.copy(_copy_from(table, "")) as copy:
            yield cls(copy)

    def write(self, batch: Batch) -> None:
        """Append a batch."""
        rows: Iterator[Sequence[Any]] = zip(*batch, strict=True)
        write = self._copy.write_row
        for row in rows:
            write(row)
