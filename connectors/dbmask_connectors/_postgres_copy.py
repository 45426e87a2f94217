"""Rows into PostgreSQL by COPY: relayed as binary blocks that nobody parses, or written from Python values."""

from __future__ import annotations

import contextlib
import re
import selectors
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask.spi import Batch, Progress, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._postgres_frames import frames, lent, possible, send
from dbmask_connectors._postgres_reader import rendered

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from sqlglot import exp

__all__ = ["CopySink", "copied", "copied_out", "relay", "table_sql"]

_BLOCK = 256 * 1024
DOES_NOT_FIT = "a value does not fit the column's type"


def table_sql(schema: str, name: str) -> sql.Composable:
    """A quoted table name."""
    from psycopg import sql

    return sql.Identifier(schema, name) if schema else sql.Identifier(name)


@contextmanager
def _copy_in(cursor: psycopg.Cursor[Any], table: TargetTable, options: str) -> Iterator[psycopg.Copy]:
    """COPY table FROM STDIN. Where its block fails, the server is told so, but not why: it would log a value that the why may hold."""
    from psycopg import sql
    from psycopg.copy import LibpqWriter

    class Writer(LibpqWriter):
        def finish(self, exc: BaseException | None = None) -> None:
            super().finish(ConnectorError("the load was given up") if exc else None)

    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    into = table_sql(table.name.schema, table.name.name)
    statement = sql.SQL("COPY {} ({}) FROM STDIN" + options).format(into, columns)
    with cursor.copy(statement, writer=Writer(cursor)) as copy:
        yield copy


def relay(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    table: TargetTable,
    query: exp.Expression,
    progress: Progress,
) -> int:
    """COPY (query) TO STDOUT into COPY table FROM STDIN, binary on both sides; return the number of rows."""
    return copied(source, target, table, rendered(query), progress)


def copied(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    table: TargetTable,
    query: str,
    progress: Progress,
) -> int:
    """As :func:`relay`, of a query that is text already."""
    out = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    with target.cursor() as cursor:
        with _copy_in(cursor, table, " (FORMAT binary)") as copy:
            if possible(source) and possible(target):
                copy.write(b"")  # tells psycopg that what is written brings its own header
                _hand_on(source, target, out, progress)
            else:
                with contextlib.closing(copied_out(source, out)) as blocks:
                    for count, block in blocks:
                        copy.write(block)
                        progress(count)
        return max(cursor.rowcount, 0)


def _hand_on(
    source: psycopg.Connection[Any], target: psycopg.Connection[Any], statement: str, progress: Progress
) -> None:
    """One server's messages to the other as they are. libpq reads what the target says meanwhile, such as notices."""
    with lent(target) as plain, contextlib.closing(frames(source, statement)) as blocks:
        for count, block in blocks:
            send(plain, block, target.pgconn.consume_input)
            progress(count)


def copied_out(connection: psycopg.Connection[Any], statement: str) -> Generator[tuple[int, bytes], None, None]:
    """What COPY TO STDOUT sends, as (rows, bytes), yielded in blocks.

    The server sends a message a row. What costs is the message, so they are taken from libpq directly and joined.
    """
    from psycopg import pq
    from psycopg.errors import error_from_result

    pgconn = connection.pgconn
    finished = False
    with selectors.DefaultSelector() as selector:
        selector.register(pgconn.socket, selectors.EVENT_READ)
        try:
            _send(pgconn, statement.encode())
            while pgconn.is_busy():
                selector.select()
                pgconn.consume_input()
            answer = pgconn.get_result()
            if answer is not None and answer.status == pq.ExecStatus.COPY_OUT:
                yield from _joined(pgconn, selector)
                answer = pgconn.get_result()
            while (
                pgconn.get_result() is not None
            ):  # libpq calls a statement active until it has said that nothing follows
                pass
            finished = True
            if answer is None or answer.status != pq.ExecStatus.COMMAND_OK:
                raise error_from_result(answer) if answer else ConnectorError("COPY gave no answer")
        finally:
            if not finished:
                _cancel(connection)


def _send(pgconn: Any, statement: bytes) -> None:
    pgconn.send_query(statement)
    with selectors.DefaultSelector() as selector:
        selector.register(pgconn.socket, selectors.EVENT_WRITE)
        while pgconn.flush():  # a statement with lists of names is longer than a socket's buffer
            selector.select()


def _joined(pgconn: Any, selector: selectors.BaseSelector) -> Iterator[tuple[int, bytes]]:
    get, consume, wait = pgconn.get_copy_data, pgconn.consume_input, selector.select
    parts: list[Any] = []
    size = 0
    while True:
        length, data = get(1)
        if length > 0:
            parts.append(data)
            size += length
            if size >= _BLOCK:
                yield len(parts), b"".join(parts)
                parts, size = [], 0
        elif length == 0:
            wait()
            consume()
        else:
            break
    if parts:
        yield len(parts), b"".join(parts)


def _cancel(connection: psycopg.Connection[Any]) -> None:
    """Leave no statement running where something interrupted the copy."""
    from psycopg import Error

    pgconn = connection.pgconn
    with contextlib.suppress(Error):
        connection.cancel_safe(timeout=5.0)
        with contextlib.suppress(Error):  # where it was not copying yet, or not any more
            while pgconn.get_copy_data(0)[0] > 0:
                pass
        while pgconn.get_result() is not None:
            pass


def _column_of(context: str, table: TargetTable) -> str:
    """The column that the server's "COPY t, line 3, column c: value" names; empty where it names none."""
    said = re.match(rf"COPY {re.escape(table.name.name)}, line \d+, column ", context)
    rest = context[said.end() :] if said else ""
    return max((c for c in table.columns if rest.startswith(f"{c}: ")), key=len, default="")


class CopySink:
    """Writes batches of Python values into one table by COPY in text format."""

    def __init__(self, copy: psycopg.Copy, table: TargetTable) -> None:
        self._copy = copy
        self._table = table

    @classmethod
    @contextmanager
    def opened(cls, connection: psycopg.Connection[Any], table: TargetTable) -> Iterator[CopySink]:
        """Open COPY for one table; it ends, and its rows stand, when the block ends without an error.

        Raises ConnectorError that names the column where the server could not read a value.
        """
        from psycopg import DataError

        try:
            with connection.cursor() as cursor, _copy_in(cursor, table, "") as copy:
                yield cls(copy, table)
        except DataError as error:
            column = _column_of(error.diag.context or "", table)
            if not column:
                raise
            raise ConnectorError(f"{table.name}.{quoted(column)}: {DOES_NOT_FIT}") from None

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        from psycopg import DataError, ProgrammingError

        write = self._copy.write_row
        try:
            for row in zip(*batch, strict=True):
                write(row)
        except UnicodeEncodeError:
            raise ConnectorError(f"{self._table.name}: a text holds what UTF-8 cannot say") from None
        except DataError:
            raise ConnectorError(
                f"{self._table.name}: a value cannot be written (a NUL character, a number out of range)"
            ) from None
        except ProgrammingError:
            raise ConnectorError(f"{self._table.name}: a value of this type cannot be written") from None
