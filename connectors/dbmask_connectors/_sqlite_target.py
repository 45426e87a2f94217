"""A SQLite file as a target: built beside its place in one transaction, moved there when complete.

Rows from another SQLite file are relayed by SQLite itself: the source is attached read-only to the connection that
writes, so that one statement reads, masks and inserts. All relayed tables are read in one transaction, one snapshot.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, UsageError
from dbmask.spi import Capabilities, Progress, Reader, Source, Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._file_target import FileTarget
from dbmask_connectors._files import source_path
from dbmask_connectors._sqlite_checks import broken_rows
from dbmask_connectors._sqlite_foreign import foreign_structure, local_name
from dbmask_connectors._sqlite_relay import ATTACHED, of_source, slices
from dbmask_connectors._sqlite_schema import MAIN, MARKER
from dbmask_connectors._sqlite_session import ReplicaReader, Session, attachable, connect, rendered, translated
from dbmask_connectors._sqlite_sink import SQLiteSink
from dbmask_connectors._sqlite_source import Snapshot, SQLiteSource

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SQLiteTarget"]

_PATIENCE = 5_000
"""Milliseconds to wait for those who have the old replica open."""
_CACHE = "PRAGMA main.cache_size = -65536"
_FAST = (
    # The file is thrown away if anything fails, so nothing needs to survive a crash before publish() syncs it. The
    # journal stays, in memory, for it is what lets a failed statement be undone; a new file has next to none.
    "PRAGMA main.journal_mode = MEMORY",
    "PRAGMA main.synchronous = OFF",
    "PRAGMA main.secure_delete = OFF",
    "PRAGMA main.locking_mode = EXCLUSIVE",
    _CACHE,
    "PRAGMA foreign_keys = OFF",
)


class SQLiteTarget(FileTarget):
    """A replica in a file."""

    def __init__(self, path: Path, capabilities: Capabilities) -> None:
        super().__init__(path, capabilities)
        self._session: Session | None = None
        self._post: tuple[str, ...] = ()
        self._default_schema = MAIN
        self._attached: Snapshot | None = None
        self._refused: Snapshot | None = None

    def _is_ours(self, path: Path) -> bool:
        try:
            with contextlib.closing(connect(path, "ro")) as db:
                return _is_marked(db)
        except ConnectorError:
            return False

    def begin(self) -> None:
        """Make the file that the replica is built in. Raises ConnectorError."""
        path = self._building.start()
        self._session = Session(connect(path, "rwc"))
        self._reading = ReplicaReader(self._session, self.path)

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise ConnectorError(f"{self.path}: nothing is being built")
        return self._session

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Create the tables; return what could not arrive from another kind of database. Raises ConnectorError."""
        db = self._open
        lost: tuple[str, ...] = ()
        pre, self._post = structure.pre, structure.post
        if structure.dialect != self._capabilities.dialect:
            pre, self._post, lost = foreign_structure(structure)
        self._default_schema = structure.schema.default_schema
        with translated("the structure of the replica"):
            settings = [s for s in pre if s.startswith("PRAGMA ")]
            for statement in (*settings, *_FAST):
                db.execute(statement)
            db.execute("BEGIN")
            for statement in pre:
                if statement not in settings:
                    db.execute(statement)
            db.execute("COMMIT")
        return lost

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """INSERT INTO ... SELECT from the attached source; None where that could not be the reader's snapshot. Raises UsageError."""
        if not isinstance(source, SQLiteSource) or not isinstance(reader, Snapshot):
            return None
        if not self._in_place and source.identity() == self.identity():
            raise UsageError(f"source and target are one file: {self.path}")
        db = self._open
        if self._attached is not reader and not self._attach(source, reader):
            return None
        self._reading.use_keys(reader.pads)
        total = 0
        with translated(str(table.name)):
            for part in slices(db, table.table, query):
                count = db.execute(f"INSERT INTO {self._into(table)} {rendered(of_source(part))}").rowcount
                progress(count)
                total += count
        return total

    def _attach(self, source: SQLiteSource, reader: Snapshot) -> bool:
        """Open the source beside the replica and begin the one transaction; False where it would see other rows than the reader."""
        db = self._open
        with translated(str(source.path)):
            if self._refused is reader or self._attached is not None:
                return False
            db.execute(f"ATTACH ? AS {ATTACHED}", (attachable(source.path, "ro"),))
            if not db.db.in_transaction:
                db.execute("BEGIN")
            db.execute(f"PRAGMA {ATTACHED}.schema_version").fetchone()  # its first read begins the snapshot
            if reader.still_latest():
                self._attached = reader
                return True
            self._refused = reader  # it stays attached until the rows are committed, and unread
            return False

    @contextlib.contextmanager
    def sink(self, table: TargetTable) -> Iterator[SQLiteSink]:
        """Insert batches within the transaction of the run."""
        db = self._open
        with translated(str(table.name)):
            if not db.db.in_transaction:
                db.execute("BEGIN")
        yield SQLiteSink(db, table, self._into(table))

    def _into(self, table: TargetTable) -> str:
        name = quoted(local_name(table.name, self._default_schema))
        return f"main.{name} ({', '.join(quoted(c) for c in table.columns)})"

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """Commit the rows; then indexes, views, triggers and statistics. AUTOINCREMENT has followed the keys. Raises ConnectorError."""
        self._commit_rows()
        db = self._open
        with translated("the structure of the replica"):
            progress("indexes, views and triggers")
            db.execute(f"PRAGMA main.cache_size = -{self._sorted_at_once()}")
            db.execute("BEGIN")
            for statement in self._post:
                db.execute(statement)
            db.execute("COMMIT")
            db.execute(_CACHE)
            progress("statistics")
            db.execute("ANALYZE")
            _mark(db.db)
        self._building.write_back()

    def _commit_rows(self) -> None:
        db = self._open
        with translated("the rows of the replica"):
            if db.db.in_transaction:
                db.execute("COMMIT")
            if self._attached or self._refused:
                db.execute(f"DETACH {ATTACHED}")
                self._attached = self._refused = None

    def _sorted_at_once(self) -> int:
        """Kilobytes that SQLite sorts in memory before it merges: as many as it has of cache.

        It sorts linked lists, half as fast where they do not fit a processor's cache; of large files too many would be merged.
        """
        return min(max(1_000, self._building.path.stat().st_size // 1024 // 256), 65_536)

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Count the rows that break each foreign key. Raises ConnectorError."""
        with self.reader() as reading, translated("foreign keys"):
            return broken_rows(reading.session, structure)

    @contextlib.contextmanager
    def reader(self) -> Iterator[ReplicaReader]:
        """Read the replica: the file being built, or the published one."""
        if self._session is not None:
            yield self._reading
            return
        with self.open_building(str(source_path(self.path))) as reading:
            yield reading

    def opened(self) -> str:
        """The path of the file that is being built, with its lock let go."""
        with translated(str(self.path)):
            self._open.execute("PRAGMA main.locking_mode = NORMAL")
            self._open.execute("SELECT count(*) FROM main.sqlite_master").fetchone()  # the next read lets go
        return str(self._building.path)

    def rows_opened(self) -> str:
        """Commit the rows; the path of their file, empty where the file vacuums itself, for then what is new moves what is there."""
        self._commit_rows()
        with translated(str(self.path)):
            (moves,) = self._open.execute("PRAGMA main.auto_vacuum").fetchone()
        return "" if moves else str(self._building.path)

    @contextlib.contextmanager
    def open_rows(self, building: str) -> Iterator[ReplicaReader]:
        """Read the tables as they are now, in one transaction and without a lock: what `finish` writes goes beside their pages."""
        with contextlib.closing(Session(connect(Path(building), "ro", immutable=True))) as session:
            with translated(building):
                session.execute("BEGIN")
                # The tables and their places are known from here on, and no index that is only half there.
                session.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield ReplicaReader(session, self.path)

    @contextlib.contextmanager
    def open_building(self, building: str) -> Iterator[ReplicaReader]:
        """Read a finished file."""
        with contextlib.closing(Session(connect(Path(building), "ro"))) as session:
            yield ReplicaReader(session, self.path)

    def _settle(self, path: Path) -> None:
        beside = [path.with_name(path.name + s) for s in ("-wal", "-journal", "-shm")]
        if not any(p.exists() for p in beside):
            return
        try:
            with contextlib.closing(connect(path, "rw")) as db, translated(str(path)):
                db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
                db.execute("PRAGMA main.journal_mode = DELETE")
        except ConnectorError:
            if beside[0].exists() and beside[0].stat().st_size:
                raise ConnectorError(
                    f"{path} is in use: its write-ahead log cannot be folded in; close what has it open"
                ) from None
        for left in beside:
            left.unlink(missing_ok=True)

    def _disconnect(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._attached = self._refused = None


def _is_marked(db: sqlite3.Connection) -> bool:
    with translated("the target"):
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'").fetchone():
            return True
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
            return False
        return db.execute("SELECT 1 FROM sqlite_stat1 WHERE tbl = ?", (MARKER,)).fetchone() is not None


def _mark(db: sqlite3.Connection) -> None:
    """Leave a line in the statistics, which exist anyway: SQLite passes over those of tables that it does not know.

    It shows in no schema, survives VACUUM and `PRAGMA optimize`, and goes with a copy of the file.
    """
    db.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, NULL, ?)", (MARKER, "masked replica"))
