"""SQLite connections: opening, errors without values, and reading columns from a query."""

from __future__ import annotations

import contextlib
import operator
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dbmask.errors import ConnectorError
from dbmask.spi import Batch, Held, Pads
from dbmask_connectors._batches import BatchSize
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._interruptible import Interruptible
from dbmask_sql.keyref import NAME, resolve_keys
from dbmask_sql.sqlite_functions import register

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask.schema import Table

__all__ = ["ReplicaReader", "SQLiteReader", "Session", "attachable", "connect", "rendered", "translated"]

# What SQLite says with names alone. Everything else may quote a value or a literal, and is told by its class only.
_NAMES_ONLY = re.compile(
    r"no such (table|column|view|index|trigger|function|module|collation sequence): |"
    r"(UNIQUE|NOT NULL) constraint failed: |FOREIGN KEY constraint failed\Z|datatype mismatch\Z|"
    r"cannot store \w+ value in \w+ column |file is not a database\Z|database or disk is full\Z|"
    r"database is locked\Z|database disk image is malformed\Z|unable to open database file\Z|"
    r"attempt to write a readonly database\Z|disk I/O error\Z|table \S+ already exists\Z|interrupted\Z|"
    r"foreign key mismatch - |user-defined function raised exception\Z|no such savepoint|string or blob too big\Z"
)
_HINTS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_NOTADB": "the file is not a SQLite database",
    "SQLITE_CANTOPEN": "the file, or one that stands beside it, cannot be opened",
    "SQLITE_BUSY": "another process holds the database",
}


_TOLERANT = operator.methodcaller("decode", "utf-8", "surrogateescape")
"""What is no UTF-8 keeps its bytes as surrogates (PEP 383)."""


def attachable(path: Path, mode: str, immutable: bool = False) -> str:
    """The URI of a file; ``mode`` is ro, rw, or rwc, which alone creates one. What is immutable is read without a lock."""
    uri = f"file:{quote(str(path))}?mode={mode}"
    # On a read-only medium no -shm file can be made, and no writer can come either.
    still = mode == "ro" and os.statvfs(path).f_flag & os.ST_RDONLY and not path.with_name(path.name + "-wal").exists()
    return f"{uri}&immutable=1" if immutable or still else uri


def connect(path: Path, mode: str, immutable: bool = False) -> sqlite3.Connection:
    """Open a file in autocommit mode; ``mode`` and ``immutable`` as for attachable. Raises ConnectorError."""
    with translated(str(path)):
        made = sqlite3.connect(
            attachable(path, mode, immutable), uri=True, isolation_level=None, check_same_thread=False
        )
    made.text_factory = _TOLERANT
    with translated(str(path)):
        try:
            made.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error:
            made.close()
            raise
    return made


class Session:
    """A connection whose statements Ctrl-C ends."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._waiting = Interruptible(db.interrupt)
        self.run = self._waiting.run

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self.run(self.db.execute, sql, parameters)

    def close(self) -> None:
        """End the thread and close the connection."""
        self._waiting.close()
        self.db.close()


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn SQLite's errors into ConnectorError, without what they may quote. ``where`` says what was being done."""
    try:
        yield
    except sqlite3.Error as error:
        raise ConnectorError(f"{where}: {_said(error)}") from None
    except OverflowError:
        raise ConnectorError(f"{where}: an integer does not fit 64 bits") from None


def _said(error: sqlite3.Error) -> str:
    code: str = getattr(error, "sqlite_errorname", "") or type(error).__name__
    primary = "_".join(code.split("_")[:2])
    if primary in _HINTS:
        return _HINTS[primary]
    text = str(error)
    return text if _NAMES_ONLY.match(text) else f"SQLite refused the statement ({code})"


def rendered(query: exp.Expression) -> str:
    """A query in SQLite's words; a key is its name, which the registered functions know."""
    from sqlglot import exp

    def name_of(name: str, part: str) -> exp.Expression:
        if part != NAME:
            raise ConnectorError("SQLite's functions take a key by its name only")
        return exp.Literal.string(name)

    return resolve_keys(query, name_of).sql(dialect="sqlite")


class _NotUTF8(Exception):
    """A text that is no UTF-8."""


def _fetch(cursor: sqlite3.Cursor, count: int) -> list[tuple[Any, ...]]:
    return cursor.fetchmany(count)


def _fetch_utf8(cursor: sqlite3.Cursor, count: int) -> list[tuple[Any, ...]]:
    """As _fetch, in a third of the time for texts; raises _NotUTF8 where there is one that is not."""
    db = cursor.connection
    db.text_factory = str
    try:
        return cursor.fetchmany(count)
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" in str(error):
            raise _NotUTF8 from None
        raise
    finally:
        db.text_factory = _TOLERANT


class SQLiteReader:
    """Queries over one connection, within the transaction that it holds."""

    def __init__(self, session: Session, path: Path, position: str = "") -> None:
        self.session = session
        self.path = path
        self.pads: dict[str, tuple[bytes, bytes]] = {}
        self._position = position
        self._sets = 0
        register(session.db, self.pads)

    @property
    def position(self) -> str:
        """The file's size and time of change."""
        return self._position

    def use_keys(self, pads: Pads) -> None:
        """Let the registered functions know these keys; none of them comes near SQL."""
        self.pads.update(pads)

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT and stream its columns; text that is no UTF-8 keeps its bytes as surrogates. Raises ConnectorError."""
        sql = self.prepared(query)
        size = BatchSize(batch_rows)
        given = 0
        for fetch in (_fetch_utf8, _fetch):
            with translated(str(self.path)):
                cursor = self.session.run(self.session.db.execute, sql)
                try:
                    for _ in range(given):  # the same statement in the same snapshot gives its rows in the same order
                        next(cursor, None)
                    while rows := self.session.run(fetch, cursor, size.rows):
                        size.saw(rows)
                        given += len(rows)
                        yield _columns(rows)
                    return
                except _NotUTF8:
                    pass
                finally:
                    # A reader that is given up midway may outlive its connection.
                    with contextlib.suppress(sqlite3.ProgrammingError):
                        cursor.close()

    def row_id(self, table: Table) -> tuple[str, ...]:
        """The rowid, by a name that no column has."""
        taken = {c.name.lower() for c in table.columns}
        return next(((n,) for n in ("rowid", "_rowid_", "oid") if n not in taken), ())

    def hold(self, query: exp.Select) -> Held:
        """Keep keys in a temporary table in memory: the file itself may be read-only."""
        from sqlglot import exp

        self._sets += 1
        name, columns = f"dbmask_held_{self._sets}", ", ".join(quoted(p.alias_or_name) for p in query.expressions)
        with translated(str(self.path)):
            self.session.execute(f"CREATE TEMP TABLE {name} AS {rendered(query)}")
            self.session.execute(f"CREATE INDEX temp.{name}_keys ON {name} ({columns})")
            (count,) = self.session.execute(f"SELECT count(*) FROM temp.{name}").fetchone()  # noqa: S608 - a name of our own
        return Held(exp.table_(name, db="temp", quoted=True), count)

    def extend(self, held: Held, more: Held) -> Held:
        """Add the keys of another set."""
        with translated(str(self.path)):
            into, rows = held.relation.sql("sqlite"), more.relation.sql("sqlite")
            self.session.execute(f"INSERT INTO {into} SELECT * FROM {rows}")  # noqa: S608 - names of our own
        return Held(held.relation, held.rows + more.rows)

    def prepared(self, query: exp.Expression) -> str:
        """The query as text."""
        return rendered(query)


class ReplicaReader(SQLiteReader):
    """Queries over a replica, which may name tables by the schemas of another kind of database."""

    def prepared(self, query: exp.Expression) -> str:
        """The query as text, its tables by the names that they have here."""
        from sqlglot import exp

        listed = self.session.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        there = {name for (name,) in listed}
        made = query.copy()
        for table in made.find_all(exp.Table):
            if table.db and table.db != "main":
                longer = f"{table.db}_{table.name}"
                table.set("this", exp.to_identifier(longer if longer in there else table.name, quoted=True))
                table.set("db", None)
        return rendered(made)


def _columns(rows: list[tuple[Any, ...]]) -> Batch:
    return [list(column) for column in zip(*rows, strict=True)]
