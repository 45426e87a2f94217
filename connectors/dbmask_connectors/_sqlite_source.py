"""A SQLite file as a source: opened read-only, read within one transaction."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dbmask.schema import Schema, TableName
from dbmask.spi import Capabilities, Structure, TargetTable
from dbmask_connectors._files import file_identity, source_path
from dbmask_connectors._sqlite_schema import read_schema
from dbmask_connectors._sqlite_session import Session, SQLiteReader, connect, translated
from dbmask_connectors._sqlite_structure import own_structure

__all__ = ["SQLiteSource", "Snapshot"]


class Snapshot(SQLiteReader):
    """One read transaction, and a second connection that tells whether anyone has written since."""

    def __init__(self, session: Session, witness: sqlite3.Connection, path: Path) -> None:
        super().__init__(session, path, _position(session.db, path))
        self._witness = witness
        self._version = _data_version(witness)
        session.execute("PRAGMA temp_store = MEMORY")  # raw keys that are held should not reach the disk
        session.execute("BEGIN")
        session.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a transaction begins with its first read

    def still_latest(self) -> bool:
        """Whether a transaction that began just now sees what this one sees."""
        with translated(str(self.path)):
            return _data_version(self._witness) == self._version


def _data_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA main.data_version").fetchone()[0])


def _position(db: sqlite3.Connection, path: Path) -> str:
    pages = db.execute("PRAGMA main.page_count").fetchone()[0]
    changed = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    return f"{pages} pages, file changed {changed.isoformat('T', 'microseconds')}"


class SQLiteSource:
    """An open source file."""

    def __init__(self, path: Path, capabilities: Capabilities) -> None:
        self.path = source_path(path)
        self._capabilities = capabilities
        self._db: sqlite3.Connection | None = connect(self.path, "ro")

    @property
    def capabilities(self) -> Capabilities:
        """What SQLite can do."""
        return self._capabilities

    @property
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = connect(source_path(self.path), "ro")
        return self._db

    def identity(self) -> str:
        """Device and inode."""
        return file_identity(self.path)

    def schema(self) -> Schema:
        """The structure, read anew. Raises ConnectorError."""
        with translated(str(self.path)):
            return read_schema(self._open)

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """Who can read the file can read each table."""
        return {}

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """The file's own DDL, cut to these tables. Raises ConnectorError."""
        with translated(str(self.path)):
            return own_structure(self._open, schema, tables)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One read transaction on a connection of its own."""
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(contextlib.closing(Session(connect(self.path, "ro"))))
            witness = stack.enter_context(contextlib.closing(connect(self.path, "ro")))
            with translated(str(self.path)):
                made = Snapshot(session, witness, self.path)
            yield made

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
