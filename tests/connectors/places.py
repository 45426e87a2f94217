"""Databases that the conformance suite runs on: one script loaded into each, and drivers of their own to look at what came out."""

from __future__ import annotations

import itertools
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from dbmask.registry import connector_for
from dbmask.spi import Connector
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

__all__ = ["KINDS", "Place", "loaded_place", "place_of"]

KINDS = ("postgres", "mariadb", "sqlite", "duckdb", "generic-sqlite", "generic-mariadb")
SCRIPT = (
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, UNIQUE (name))",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(40), born DATE, amount DECIMAL(10, 2), rate DOUBLE PRECISION, "
    "colour VARCHAR(20) DEFAULT 'dark blue', team INTEGER, doubled INTEGER GENERATED ALWAYS AS (amount * 2) {stored}, "
    "FOREIGN KEY (team) REFERENCES team (id))",
    "CREATE INDEX person_name ON person (name)",
    "CREATE VIEW named AS SELECT id, name FROM person",
    "INSERT INTO team VALUES (3, 'Red'), (9, 'Gr{u}n: %s :x')",
    "INSERT INTO person (id, name, born, amount, rate, colour, team) VALUES (1, 'Ann', '1980-02-29', 12.30, 0.1, NULL, 3), "
    "(2, NULL, NULL, NULL, NULL, 'red', NULL), (3, '', '0001-01-01', -0.01, -1e300, '', 9), "
    "(4, 'O''Neil \"x\" %', '9999-12-31', 99999999.99, 0, 'a', 3), (5, '\N{GRINNING FACE}\t', '2000-01-01', 0, 1, 'b', 9), "
    "(6, 'NULL', '2000-01-02', 1, 2.5, 'c', 3), (7, 'Bo', '2000-01-03', 2, 3.5, 'd', 9)",
)
_numbers = itertools.count(1)


class Place(ABC):
    """Where one connector reads and writes. ``other`` names the same source by another URL."""

    forced = False
    stored = "STORED"

    def __init__(self) -> None:
        self.names = [f"p_{os.getpid()}_{next(_numbers)}_{what}" for what in ("source", "replica")]
        self.script = [s.replace("{stored}", self.stored).replace("{u}", "ü") for s in SCRIPT]

    @property
    def connector(self) -> Connector:
        """The connector under test."""
        return connector_for(self.source)

    def _prefixed(self, url: str) -> str:
        return f"generic+{url}" if self.forced else url

    @property
    def source(self) -> str:
        """The URL of the loaded database."""
        return self._prefixed(self.url(0))

    @property
    def target(self) -> str:
        """The URL of a place where nothing is."""
        return self._prefixed(self.url(1))

    @property
    def other(self) -> str:
        """The source by another address."""
        return self._prefixed(self.elsewhere())

    @abstractmethod
    def url(self, which: int) -> str:
        """The URL of the source (0) or the replica (1), without a prefix."""

    @abstractmethod
    def elsewhere(self) -> str:
        """The source's URL by another address, without a prefix."""

    @abstractmethod
    def run(self, which: int, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements by the driver and commit; the last one's rows."""

    @abstractmethod
    def tables(self) -> list[str]:
        """The names of the replica's tables; none where there is no replica."""

    def load(self) -> None:
        """Make the source."""
        self.run(0, *self.script)

    @abstractmethod
    def remove(self) -> None:
        """Drop what was made."""


class PostgresPlace(Place):
    """PostgreSQL."""

    def __init__(self, server: Postgres) -> None:
        super().__init__()
        self.server = server

    def url(self, which: int) -> str:
        return self.server.url(self.names[which])

    def elsewhere(self) -> str:
        return self.url(0).replace("127.0.0.1", "localhost")

    def run(self, which: int, *statements: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.names[which]) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> list[str]:
        with self.server.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.names[1],)).fetchone():
                return []
        return [r[0] for r in self.run(1, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]

    def load(self) -> None:
        self.server.create_database(self.names[0])
        super().load()

    def remove(self) -> None:
        with self.server.connect() as connection:
            query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) OR datname = %s"
            names = [r[0] for r in connection.execute(query, (self.names[1], self.names[0]))]
        for name in names:
            self.server.drop_database(name)


class MariaDBPlace(Place):
    """MariaDB. A generic replica fills a database that is there."""

    def __init__(self, server: MariaDB, forced: bool) -> None:
        super().__init__()
        self.server, self.forced = server, forced

    def url(self, which: int) -> str:
        return self.server.url(self.names[which])

    def elsewhere(self) -> str:
        return self.url(0).replace("127.0.0.1", "localhost")

    def run(self, which: int, *statements: str) -> list[tuple[Any, ...]]:
        with closing(self.server.connect(self.names[which])) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
            return list(cursor.fetchall())

    def tables(self) -> list[str]:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY 1"
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, (self.names[1],))
            return [str(r[0]) for r in cursor.fetchall() if not str(r[0]).startswith("dbmask")]

    def load(self) -> None:
        self.server.create_database(self.names[0], "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        if self.forced:
            self.server.create_database(self.names[1])
        super().load()

    def remove(self) -> None:
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT schema_name FROM information_schema.schemata")
            names = [str(r[0]) for r in cursor.fetchall()]
        for name in names:
            if name == self.names[0] or name.startswith(self.names[1]):
                self.server.drop_database(name)


class FilePlace(Place):
    """A database that is one file."""

    scheme = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.paths = [folder / f"{name}.db" for name in self.names]

    def url(self, which: int) -> str:
        return f"{self.scheme}:///{self.paths[which]}"

    def elsewhere(self) -> str:
        link = self.paths[0].with_name("link.db")
        link.symlink_to(self.paths[0])
        return f"{self.scheme}:///{link}"

    def remove(self) -> None:
        for path in self.paths:
            path.unlink(missing_ok=True)

    def tables(self) -> list[str]:
        if not self.paths[1].exists():
            return []
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
        return [str(r[0]) for r in self.run(1, query)]


class SQLitePlace(FilePlace):
    """SQLite, with a log beside it, so that there can be a writer while somebody reads."""

    def __init__(self, folder: Path, forced: bool) -> None:
        super().__init__(folder)
        self.forced = forced

    def run(self, which: int, *statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.paths[which])) as db:
            for statement in statements:
                cursor = db.execute(statement)
            rows = cursor.fetchall()
            db.commit()
            return rows

    def load(self) -> None:
        self.run(0, "PRAGMA journal_mode = WAL")
        super().load()


class DuckDBPlace(FilePlace):
    """DuckDB. Nobody can write while somebody reads."""

    scheme = "duckdb"
    stored = "VIRTUAL"

    def run(self, which: int, *statements: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.paths[which])) as db:
            for statement in statements:
                found = db.execute(statement)
            return found.fetchall()


def place_of(kind: str, folder: Path, server: Any) -> Place:
    """A place of one of KINDS; ``server`` gives a fixture by its name."""
    if kind == "postgres":
        return PostgresPlace(server("postgres"))
    if kind == "duckdb":
        return DuckDBPlace(folder)
    forced = kind.startswith("generic")
    return MariaDBPlace(server("mariadb"), forced) if kind.endswith("mariadb") else SQLitePlace(folder, forced)


@contextmanager
def loaded_place(kind: str, folder: Path, server: Any) -> Iterator[Place]:
    """A place of one of KINDS whose source holds the script's rows; all of it is removed in the end."""
    made = place_of(kind, folder, server)
    try:
        made.load()
        yield made
    finally:
        made.remove()
