"""The databases that masks are held to: each evaluates SQL trees over a table of values and gives back what came out.

Each engine takes values as Python has them, stores them in a table whose columns have the types of a real one, and
runs **one** query over it: the raw columns, as the driver reads them, and the expressions under test. Sessions are set
up as hostile as a user's may be: odd time zone, date style and collations.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from sqlglot import exp

from dbmask.keys import KeyRing
from dbmask.schema import ColumnType, Kind
from dbmask_sql.dialects import Dialect, column, dialect
from dbmask_sql.dialects.base import call
from dbmask_sql.keyref import key_names, resolve_keys
from dbmask_sql.sqlite_functions import register
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

__all__ = ["DuckDBEngine", "Engine", "Evaluated", "MariaDBEngine", "PostgresEngine", "SQLiteEngine"]

Build = Callable[[list[exp.Expression], Dialect], Sequence[exp.Expression] | None]
PADS = "dbmask_pads"


@dataclass(frozen=True)
class Evaluated:
    """``raw`` and ``made`` are columns; ``sql`` is the query's text, ``tree`` the tree before keys were resolved."""

    raw: list[list[Any]]
    made: list[list[Any]]
    sql: str
    tree: exp.Expression


class Engine(ABC):
    """One database; ``stored`` holds the pads that it has been given, by key name."""

    name = ""
    connection: Any

    def __init__(self) -> None:
        self.stored: dict[str, tuple[bytes, bytes]] = {}

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @property
    def dialect(self) -> Dialect:
        """The primitives of this database."""
        return dialect(self.name)

    @abstractmethod
    def declare(self, type_: ColumnType) -> str:
        """The type as DDL."""

    @abstractmethod
    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows, if any."""

    @abstractmethod
    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Insert rows, values bound as parameters."""

    @abstractmethod
    def store_pads(self, keys: KeyRing, names: Sequence[str]) -> None:
        """Make these keys' pads readable by queries."""

    def storable(self, value: Any, type_: ColumnType) -> Any:
        """A value as this database's driver takes it."""
        return value

    def readable(self, value: exp.Expression, type_: ColumnType) -> exp.Expression:
        """A value as the driver can read it without more packages."""
        return value

    def quoted(self, name: str) -> str:
        """A name as an identifier."""
        return exp.to_identifier(name, quoted=True).sql(dialect=self.name)

    def resolve(self, name: str, part: str) -> exp.Expression:
        """A key reference as a scalar subquery on the pads' table."""
        return (
            exp.select(column(part))
            .from_(PADS)
            .where(exp.EQ(this=column("name"), expression=exp.Literal.string(name)))
            .subquery()
        )

    def evaluate(
        self,
        types: Sequence[ColumnType],
        values: Sequence[Sequence[Any]],
        build: Build,
        keys: KeyRing,
        out: Sequence[ColumnType] | None = None,
    ) -> Evaluated | None:
        """Run the expressions that ``build`` makes of one column per type; None where it makes none.

        ``out`` gives the types of the expressions, texts where it is not given.
        """
        names = [f"c{i}" for i in range(len(types))]
        made = build([column(n, "t") for n in names], self.dialect)
        if made is None:
            return None
        read = [self.readable(column(n, "t"), t) for n, t in zip(names, types, strict=True)]
        projections = [
            *read,
            *(self.readable(e, t) for e, t in zip(made, out or [ColumnType(Kind.TEXT)] * len(made), strict=True)),
        ]
        query = exp.select(*(exp.alias_(p, f"o{i}") for i, p in enumerate(projections)))
        tree = query.from_(exp.to_table("values_under_test").as_("t")).order_by(column("i", "t"))
        self._load(names, types, values)
        wanted = [n for n in key_names(tree) if n not in self.stored]
        self.store_pads(keys, wanted)
        self.stored.update(keys.pads(wanted))
        sql = resolve_keys(tree, self.resolve).sql(dialect=self.name)
        rows = self.execute(sql)
        columns = [list(c) for c in zip(*rows, strict=True)] or [[] for _ in projections]
        return Evaluated(columns[: len(names)], columns[len(names) :], sql, tree)

    def _load(self, names: list[str], types: Sequence[ColumnType], values: Sequence[Sequence[Any]]) -> None:
        columns = ", ".join(f"{self.quoted(n)} {self.declare(t)}" for n, t in zip(names, types, strict=True))
        self.execute("DROP TABLE IF EXISTS values_under_test")
        self.execute(f"CREATE TABLE values_under_test ({self.quoted('i')} INTEGER, {columns})")
        stored = [[self.storable(v, t) for v in column] for column, t in zip(values, types, strict=True)]
        rows = [(i, *row) for i, row in enumerate(zip(*stored, strict=True))]
        if rows:
            self.insert("values_under_test", rows)


def _decimal(type_: ColumnType) -> str:
    return "" if type_.precision is None else f"({type_.precision},{type_.scale or 0})"


class PostgresEngine(Engine):
    """PostgreSQL, in a session whose date style, time zone and byte output are unlike any default."""

    name = "postgres"
    TYPES: ClassVar[dict[Kind, str]] = {
        Kind.FLOAT: "double precision",
        Kind.BOOLEAN: "boolean",
        Kind.DATE: "date",
        Kind.TIME: "time",
        Kind.TIMESTAMP: "timestamp",
        Kind.TIMESTAMPTZ: "timestamptz",
        Kind.UUID: "uuid",
        Kind.JSON: "jsonb",
        Kind.BYTES: "bytea",
    }
    INTEGERS: ClassVar[dict[int, str]] = {16: "smallint", 32: "integer", 64: "bigint"}

    def __init__(self, server: Postgres, dbname: str) -> None:
        super().__init__()
        self.connection = server.connect(dbname)
        self.connection.prepare_threshold = None
        for setting in ("DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Kolkata'", "bytea_output = 'escape'"):
            self.connection.execute(f"SET {setting}")
        self.execute(f"CREATE TEMPORARY TABLE {PADS} (name text PRIMARY KEY, inner_ bytea, outer_ bytea)")

    def declare(self, type_: ColumnType) -> str:
        if type_.kind in (Kind.TEXT, Kind.ENUM):
            if type_.padded:
                return f"char({type_.length})"
            return f"varchar({type_.length})" if type_.length else type_.sql or "text"
        if type_.kind is Kind.INTEGER:
            return self.INTEGERS[max(16, type_.bits or 64)]
        return "numeric" + _decimal(type_) if type_.kind is Kind.DECIMAL else self.TYPES[type_.kind]

    def storable(self, value: Any, type_: ColumnType) -> Any:
        return json.dumps(value) if type_.kind is Kind.JSON and not isinstance(value, str | None) else value

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        # Binary results do not pass through the session's date style; the expressions under test do.
        cursor = self.connection.execute(sql.encode(), binary=True)
        return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def store_pads(self, keys: KeyRing, names: Sequence[str]) -> None:
        if names:
            self.insert(PADS, [(n, p.inner, p.outer) for n, p in keys.pads(names).items()])

    def resolve(self, name: str, part: str) -> exp.Expression:
        return super().resolve(name, f"{part}_")


class MariaDBEngine(Engine):
    """MariaDB in UTC, as the connector's sessions are, with a collation that folds nearly everything."""

    name = "mysql"
    TYPES: ClassVar[dict[Kind, str]] = {
        Kind.FLOAT: "double",
        Kind.BOOLEAN: "boolean",
        Kind.DATE: "date",
        Kind.TIME: "time(6)",
        Kind.TIMESTAMP: "datetime(6)",
        Kind.TIMESTAMPTZ: "timestamp(6) NULL",
        Kind.UUID: "uuid",
        Kind.JSON: "json",
        Kind.BYTES: "longblob",
    }
    INTEGERS: ClassVar[dict[int, str]] = {8: "tinyint", 16: "smallint", 24: "mediumint", 32: "integer", 64: "bigint"}

    def __init__(self, server: MariaDB, dbname: str) -> None:
        super().__init__()
        self.connection = server.connect(dbname)
        self.execute("SET NAMES utf8mb4 COLLATE utf8mb4_turkish_ci")
        self.execute("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
        self.execute(f"CREATE TABLE {PADS} (name varchar(200) PRIMARY KEY, inner_ binary(64), outer_ binary(64))")

    def declare(self, type_: ColumnType) -> str:
        if type_.kind in (Kind.TEXT, Kind.ENUM):
            charset = type_.sql.partition("!")[2] or "utf8mb4 COLLATE utf8mb4_unicode_ci"
            base = (
                f"char({type_.length})" if type_.padded else f"varchar({type_.length})" if type_.length else "longtext"
            )
            return f"{base} CHARACTER SET {charset}"
        if type_.kind is Kind.INTEGER:
            return self.INTEGERS[type_.bits or 64] + (" unsigned" if type_.unsigned else "")
        if type_.kind is Kind.DECIMAL:
            return "decimal" + (_decimal(type_) or "(65,20)")
        return self.TYPES[type_.kind]

    def storable(self, value: Any, type_: ColumnType) -> Any:
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        if type_.kind is Kind.JSON and not isinstance(value, str | None):
            return json.dumps(value)
        return str(value) if isinstance(value, uuid.UUID) else value

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def store_pads(self, keys: KeyRing, names: Sequence[str]) -> None:
        if names:
            self.insert(PADS, [(n, p.inner, p.outer) for n, p in keys.pads(names).items()])

    def resolve(self, name: str, part: str) -> exp.Expression:
        return super().resolve(name, f"{part}_")


class SQLiteEngine(Engine):
    """SQLite with dbmask's functions; it keeps temporal values as ISO text and decimals as it can."""

    name = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.known: dict[str, tuple[bytes, bytes]] = {}
        register(self.connection, self.known)

    def declare(self, type_: ColumnType) -> str:
        if type_.kind in (Kind.TEXT, Kind.ENUM):
            return f"VARCHAR({type_.length})" if type_.length else "TEXT COLLATE NOCASE"
        names = {
            Kind.INTEGER: "INTEGER",
            Kind.FLOAT: "REAL",
            Kind.BYTES: "BLOB",
            Kind.DECIMAL: "DECIMAL",
            Kind.BOOLEAN: "BOOLEAN",
        }
        return names.get(type_.kind, "TEXT")

    def storable(self, value: Any, type_: ColumnType) -> Any:
        if isinstance(value, dt.datetime):
            return value.isoformat(" ")
        if type_.kind is Kind.JSON and not isinstance(value, str | None):
            return json.dumps(value)
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        return str(value) if isinstance(value, Decimal | uuid.UUID) else value

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(sql).fetchall()
        return rows

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def store_pads(self, keys: KeyRing, names: Sequence[str]) -> None:
        self.known.update(keys.pads(names))

    def resolve(self, name: str, part: str) -> exp.Expression:
        assert part == "name"
        return exp.Literal.string(name)


class DuckDBEngine(Engine):
    """DuckDB in a session with an odd time zone."""

    name = "duckdb"
    TYPES: ClassVar[dict[Kind, str]] = {
        Kind.FLOAT: "DOUBLE",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.DATE: "DATE",
        Kind.TIME: "TIME",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
        Kind.UUID: "UUID",
        Kind.JSON: "VARCHAR",
        Kind.BYTES: "BLOB",
    }
    INTEGERS: ClassVar[dict[int, str]] = {8: "TINYINT", 16: "SMALLINT", 24: "INTEGER", 32: "INTEGER", 64: "BIGINT"}

    def __init__(self) -> None:
        import duckdb

        super().__init__()
        self.connection = duckdb.connect()
        self.execute(f"CREATE TEMPORARY TABLE {PADS} (name VARCHAR PRIMARY KEY, inner_ BLOB, outer_ BLOB)")

    def declare(self, type_: ColumnType) -> str:
        if type_.kind in (Kind.TEXT, Kind.ENUM):
            return "VARCHAR"
        if type_.kind is Kind.INTEGER:
            return ("U" if type_.unsigned else "") + self.INTEGERS[type_.bits or 64]
        if type_.kind is Kind.DECIMAL:
            return "DECIMAL" + (_decimal(type_) or "(38,10)")
        return self.TYPES[type_.kind]

    def storable(self, value: Any, type_: ColumnType) -> Any:
        return json.dumps(value) if type_.kind is Kind.JSON and not isinstance(value, str | None) else value

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        done = self.connection.execute(sql)
        return done.fetchall() if done.description else []

    def readable(self, value: exp.Expression, type_: ColumnType) -> exp.Expression:
        # The driver reads zoned timestamps through pytz only; here they come as timestamps in UTC.
        if type_.kind is not Kind.TIMESTAMPTZ:
            return value
        return call("MAKE_TIMESTAMP", call("EPOCH_US", value))

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        for start in range(0, len(rows), 400):  # a statement for each row takes a millisecond
            some = rows[start : start + 400]
            values = ", ".join([f"({marks})"] * len(some))
            self.connection.execute(f"INSERT INTO {table} VALUES {values}", [v for row in some for v in row])

    def store_pads(self, keys: KeyRing, names: Sequence[str]) -> None:
        if names:
            self.insert(PADS, [(n, p.inner, p.outer) for n, p in keys.pads(names).items()])

    def resolve(self, name: str, part: str) -> exp.Expression:
        return super().resolve(name, f"{part}_")
