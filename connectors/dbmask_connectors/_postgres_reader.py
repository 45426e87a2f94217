"""The snapshot that reads: one transaction, keys that no log records, rows streamed as columns."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, SnapshotGone
from dbmask.spi import Batch, Held, Pads, Shared
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_memo import memoized
from dbmask_connectors._postgres_texts import columns_of_text
from dbmask_connectors._postgres_values import Shape, adapt, shape_of
from dbmask_sql.packs import statement

if TYPE_CHECKING:
    import numpy as np
    import psycopg
    from sqlglot import exp

    from dbmask.schema import Table

__all__ = ["PostgresReader", "rendered"]

_KEYS = "dbmask_keys"
_CHUNK = 16  # rows that the driver holds at once
_BYTES = 4 * 2**20  # of text and bytes in a batch


def rendered(query: exp.Expression) -> str:
    """A query as text, its keys scalar subqueries on the session's temporary table: PostgreSQL reads each once a query."""
    from sqlglot import exp

    from dbmask_sql.keyref import resolve_keys

    def pad(name: str, part: str) -> exp.Expression:
        column = exp.column(f"{part}_pad", table="dbmask_k")
        table = exp.Table(
            this=exp.to_identifier(_KEYS),
            db=exp.to_identifier("pg_temp"),
            alias=exp.TableAlias(this=exp.to_identifier("dbmask_k")),
        )
        where = exp.EQ(this=exp.column("name", table="dbmask_k"), expression=exp.Literal.string(name))
        return exp.select(column).from_(table).where(where).subquery()

    return resolve_keys(memoized(query), pad).sql("postgres")


class PostgresReader:
    """One REPEATABLE READ transaction. It may write, since the keys' temporary table is made within it.

    One reading at a time: the server streams, so that it works on the next rows while these are masked.
    """

    def __init__(self, connection: psycopg.Connection[Any], where: str, shared: Shared | None = None) -> None:
        self.connection = connection
        self.where = where
        self._known: set[str] = set()
        self._made = False
        self._reading = False
        self._sets = 0
        self._stream: Any = None  # psycopg's generator of rows
        with translated(where):
            self._plain = adapt(connection)
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            standby = bool(row and row[0])
            access = "READ ONLY" if standby else "READ WRITE"
            connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ {access}")
            self._began()
            if shared is not None:
                _join(connection, where, shared)
            position = "pg_last_wal_replay_lsn()" if standby else "pg_current_wal_lsn()"
            row = connection.execute(f"SELECT {position}::text || ' ' || pg_current_snapshot()::text").fetchone()
        self._position = shared.position if shared else str(row[0]) if row else ""

    def _began(self) -> None:
        """What is to be done before the snapshot is taken: nothing."""

    @property
    def position(self) -> str:
        """The write-ahead log's position and the snapshot."""
        return self._position

    def use_keys(self, pads: Pads) -> None:
        """Copy pads into a temporary table: COPY's data are in no statement log."""
        fresh = {n: p for n, p in pads.items() if n not in self._known}
        if not fresh:
            return
        self.require_idle()
        with translated(self.where), self.connection.cursor() as cursor:
            if not self._made:
                cursor.execute(statement("postgres", "session_keys").encode())
                self._made = True
            with cursor.copy(f"COPY pg_temp.{_KEYS} FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["text", "bytea", "bytea"])
                for name, (inner, outer) in fresh.items():
                    copy.write_row((name, inner, outer))
        self._known.update(fresh)

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT and stream its columns. Raises ConnectorError, also while another reading stands open.

        A query that fails, or that is left before its end, leaves the snapshot as it was.
        """
        from psycopg import capabilities

        text = rendered(query).encode()
        self.require_idle()
        with translated(self.where):
            self.connection.execute("SAVEPOINT dbmask_read")
            self._reading = True
            try:
                shape = shape_of(self.connection, text, self._plain)
                with self.connection.cursor() as cursor:
                    chunk = _CHUNK if capabilities.has_stream_chunked() else 1
                    rows = self._stream = cursor.stream(text, binary=shape.binary, size=chunk)
                    yield from _batches(rows, shape, batch_rows)
            finally:
                self._end()

    def read_texts(self, query: exp.Expression) -> Iterator[list[list[str | None]]]:
        """Run a SELECT and stream its columns as COPY writes them. Raises ConnectorError, also while another reading stands open."""
        from dbmask_connectors._postgres_copy import copied_out

        with self._one_reading() as stack:
            blocks = copied_out(self.connection, f"COPY ({rendered(query)}) TO STDOUT")
            for _, block in stack.enter_context(contextlib.closing(blocks)):
                yield columns_of_text(block)

    def read_prints(self, query: exp.Select, seed: int) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
        """Fingerprints that the server makes of columns c0, c1, ... Raises ConnectorError, also while another reading stands open."""
        from dbmask_connectors._postgres_prints import arrays_of

        with self._one_reading():
            yield from arrays_of(self.connection, rendered(query), len(query.expressions), seed)

    def prints_of(self, texts: Sequence[str], seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The server's fingerprints of texts. Raises ConnectorError, also where the server has no ICU."""
        from dbmask_connectors._postgres_prints import prints_of

        with self._one_reading():
            return prints_of(self.connection, texts, seed)

    @contextlib.contextmanager
    def _one_reading(self) -> Iterator[contextlib.ExitStack]:
        """A reading that leaves the snapshot as it was, however it ends; what is put on the stack ends before."""
        self.require_idle()
        with translated(self.where), contextlib.ExitStack() as stack:
            self.connection.execute("SAVEPOINT dbmask_read")
            self._reading = True
            stack.callback(self._end)
            yield stack

    def row_id(self, table: Table) -> tuple[str, ...]:
        """Where a row version lies: its snapshot keeps it there, and that nobody rewrites the table meanwhile is the reader's lock."""
        return ("tableoid", "ctid")

    def hold(self, query: exp.Select) -> Held:
        """Keep keys in a temporary table, which goes with the transaction."""
        from psycopg import sql
        from sqlglot import exp

        self.require_idle()
        name = self.own_name("held")
        held, columns = sql.Identifier("pg_temp", name), [p.alias_or_name for p in query.expressions]
        made = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS ").format(sql.Identifier(name))
        with translated(self.where):
            count = self.connection.execute(made.as_bytes(self.connection) + rendered(query).encode()).rowcount
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            self.connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(held, listed))
            self.connection.execute(sql.SQL("ANALYZE {}").format(held))
        return Held(exp.table_(name, db="pg_temp", quoted=True), count)

    def own_name(self, what: str) -> str:
        """A name for a temporary table of this session that no other has."""
        self._sets += 1
        return f"dbmask_{what}_{self._sets}"

    def extend(self, held: Held, more: Held) -> Held:
        """Add the keys of another set."""
        sql = f"INSERT INTO {held.relation.sql('postgres')} SELECT * FROM {more.relation.sql('postgres')}"  # noqa: S608 - names are our own
        with translated(self.where):
            self.connection.execute(sql.encode())
        return Held(held.relation, held.rows + more.rows)

    def require_idle(self) -> None:
        """Raise ConnectorError while a reading stands open: the connection is its own until it ends."""
        if self._reading:
            raise ConnectorError(f"{self.where}: another reading of this snapshot stands open")

    def _end(self) -> None:
        from psycopg import Error

        if not self._reading:
            return
        if self._stream is not None:
            self._stream.close()  # cancels what still runs
        self._reading, self._stream = False, None
        with contextlib.suppress(Error):
            # Whether the statement failed is not always known here: what is read beside libpq is not its business.
            self.connection.execute("ROLLBACK TO SAVEPOINT dbmask_read; RELEASE SAVEPOINT dbmask_read")

    def close(self) -> None:
        """Cancel what runs and end the transaction."""
        from psycopg import Error, pq

        # A reading may be held open by the traceback of the error that ended the run.
        self._end()
        with contextlib.suppress(Error):
            if self.connection.info.transaction_status == pq.TransactionStatus.ACTIVE:
                self.connection.cancel_safe(timeout=5.0)
            self.connection.rollback()


def _join(connection: psycopg.Connection[Any], where: str, shared: Shared) -> None:
    from psycopg import errors, sql

    name = json.loads(shared.token)["name"]
    try:
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(name)))
    except (errors.UndefinedObject, errors.InvalidParameterValue, errors.ObjectNotInPrerequisiteState):
        raise SnapshotGone(f"{where}: the snapshot is held by nobody any more") from None


def _batches(rows: Iterator[tuple[Any, ...]], shape: Shape, most: int) -> Iterator[Batch]:
    """Gather rows until there are ``most`` of them, or enough bytes."""
    held: list[tuple[Any, ...]] = []
    size = 0
    while some := list(itertools.islice(rows, _CHUNK)):
        held += some
        for i in shape.wide:
            size += sum([len(v) for row in some if (v := row[i]).__class__ is str or v.__class__ is bytes])
        if len(held) + _CHUNK > most or size >= _BYTES:
            yield from _columns(held, most)
            held, size = [], 0
    if held:
        yield from _columns(held, most)


def _columns(rows: list[tuple[Any, ...]], most: int) -> Iterator[Batch]:
    for start in range(0, len(rows), most):
        yield [list(column) for column in zip(*rows[start : start + most], strict=True)]
