"""Connections to PostgreSQL, and the snapshot that reads: stable output, gentle locks, keys that no log records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dbmask.errors import UsageError
from dbmask.spi import Batch, Pads
from dbmask_connectors._batches import BatchSize
from dbmask_connectors._postgres_errors import connected, translated

if TYPE_CHECKING:
    import psycopg
    from sqlglot import exp

__all__ = ["Address", "PostgresReader", "connect", "literal_sql", "rendered"]

_SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",
    "standard_conforming_strings": "on",
    "xmloption": "content",
    # A source whose policies would hide rows is an error, never a smaller replica.
    "row_security": "off",
    "application_name": "dbmask",
}
_PARSED = (
    "int2",
    "int4",
    "int8",
    "numeric",
    "float4",
    "float8",
    "bool",
    "text",
    "varchar",
    "bpchar",
    "name",
    "uuid",
    "bytea",
    "oid",
)
_KEYS = "dbmask_keys"


@dataclass(frozen=True)
class Address:
    """A URL taken apart. ``options`` go to libpq; the password is never shown."""

    host: str
    port: int | None
    user: str
    password: str
    database: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read postgresql://user:password@host:port/database?option=value. Raises UsageError without a database."""
        parts = urlsplit(url)
        database = unquote(parts.path.lstrip("/"))
        try:
            port = parts.port
        except ValueError:
            raise UsageError("the PostgreSQL URL's port is not a number") from None
        if not database:
            raise UsageError("a PostgreSQL URL names its database: postgresql://user@host/database")
        return cls(
            unquote(parts.hostname or ""),
            port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            database,
            tuple(parse_qsl(parts.query)),
        )

    def __str__(self) -> str:
        host = self.host or dict(self.options).get("host", "local")
        return f"PostgreSQL {host}{f':{self.port}' if self.port else ''}/{self.database}"

    def __repr__(self) -> str:
        return f"Address({self})"

    def params(self, database: str | None = None) -> dict[str, Any]:
        """libpq's parameters for this database or another on the same server."""
        named = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        made: dict[str, Any] = {k: v for k, v in named.items() if v}
        made.update(self.options)
        made["dbname"] = database or self.database
        made.setdefault("connect_timeout", 10)
        return made


def connect(address: Address, database: str | None = None, *, faithful: bool = False) -> psycopg.Connection[Any]:
    """Open a connection in autocommit mode with dbmask's settings; ``faithful`` leaves all but plain types as text.

    Raises ConnectorError.
    """
    import psycopg

    options = " ".join(
        f"-c {k}={v.replace(' ', chr(92) + ' ')}" for k, v in _SETTINGS.items() if k != "client_encoding"
    )
    params = address.params(database)
    params["options"] = f"{params.get('options', '')} {options}".strip()
    with connected(str(address)):
        connection = psycopg.connect(**params, autocommit=True, client_encoding="UTF8")
    if faithful:
        _adapt(connection)
    return connection


def _adapt(connection: psycopg.Connection[Any]) -> None:
    """Parse the plain types and leave every other as the text that PostgreSQL writes: what is kept is kept to the letter."""
    from psycopg.types import string

    for info in connection.adapters.types:
        if info.name not in _PARSED and not _lenient(connection, info.name, info.oid):
            connection.adapters.register_loader(info.oid, string.TextLoader)
        if info.array_oid:
            connection.adapters.register_loader(info.array_oid, string.TextLoader)


def _lenient(connection: psycopg.Connection[Any], name: str, oid: int) -> bool:
    """Load dates and times, and what Python's cannot hold (infinity, year 10000, 24:00) as text."""
    from psycopg import DataError
    from psycopg.types import datetime as types

    bases = {
        "date": types.DateLoader,
        "time": types.TimeLoader,
        "timestamp": types.TimestampLoader,
        "timestamptz": types.TimestamptzLoader,
    }
    base: Any = bases.get(name)
    if base is None:
        return False

    def load(self: Any, data: Any) -> Any:
        try:
            return base.load(self, data)
        except DataError:
            return bytes(data).decode()

    connection.adapters.register_loader(oid, type(f"Lenient{base.__name__}", (base,), {"load": load}))
    return True


def literal_sql(query: exp.Expression) -> str:
    """A query that holds no keys, as text."""
    return query.sql("postgres")


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

    return resolve_keys(query, pad).sql("postgres")


class PostgresReader:
    """One REPEATABLE READ transaction. It may write, since the keys' temporary table is made within it."""

    def __init__(self, connection: psycopg.Connection[Any], where: str) -> None:
        self.connection = connection
        self.where = where
        self._known: set[str] = set()
        self._made = False
        with translated(where):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            recovering = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            self.standby = bool(recovering and recovering[0])
            if not self.standby:
                connection.execute("SET TRANSACTION READ WRITE")
            position = "pg_last_wal_replay_lsn()" if self.standby else "pg_current_wal_lsn()"
            row = connection.execute(f"SELECT {position}::text || ' ' || pg_current_snapshot()::text").fetchone()
        self._position = str(row[0]) if row else ""

    @property
    def position(self) -> str:
        """The write-ahead log's position and the snapshot."""
        return self._position

    def use_keys(self, pads: Pads) -> None:
        """Copy pads into a temporary table: COPY's data are in no statement log."""
        fresh = {n: p for n, p in pads.items() if n not in self._known}
        if not fresh:
            return
        with translated(self.where), self.connection.cursor() as cursor:
            if not self._made:
                cursor.execute(
                    f"CREATE TEMPORARY TABLE {_KEYS} (name text, inner_pad bytea, outer_pad bytea) ON COMMIT DROP"
                )
                self._made = True
            with cursor.copy(f"COPY pg_temp.{_KEYS} FROM STDIN") as copy:
                for name, (inner, outer) in fresh.items():
                    copy.write_row((name, inner, outer))
        self._known.update(fresh)

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT through a server-side cursor and stream its columns. Raises ConnectorError."""
        size = BatchSize(batch_rows)
        with translated(self.where), contextlib.closing(self.connection.cursor(name="dbmask_read")) as cursor:
            cursor.execute(rendered(query).encode())
            while rows := cursor.fetchmany(size.rows):
                size.saw(rows)
                yield [list(column) for column in zip(*rows, strict=True)]

    def close(self) -> None:
        """Cancel what runs and end the transaction."""
        from psycopg import Error, pq

        with contextlib.suppress(Error):
            if self.connection.info.transaction_status == pq.TransactionStatus.ACTIVE:
                self.connection.cancel_safe(timeout=5.0)
            self.connection.rollback()
