"""A DuckDB file as a target: built beside its place, moved there when complete.

Rows from another DuckDB file are relayed by DuckDB itself, which reads, masks and inserts in one statement on all cores.
Each table is committed on its own: the source cannot change while it is open, and nobody sees the replica before it is
published.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask.spi import Capabilities, Progress, Reader, Source, Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._duckdb_checks import broken_rows, sequence_statements
from dbmask_connectors._duckdb_foreign import foreign_structure, placed
from dbmask_connectors._duckdb_schema import MARKER
from dbmask_connectors._duckdb_session import IN_USE, DuckDBReader, connect, hold_keys, literal, rendered, translated
from dbmask_connectors._duckdb_sink import DuckDBSink
from dbmask_connectors._duckdb_source import DuckDBSource
from dbmask_connectors._duckdb_stage import Stage, own_keys
from dbmask_connectors._file_target import FileTarget
from dbmask_connectors._interruptible import Interruptible

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlglot import exp

__all__ = ["DuckDBTarget"]

_REPLICA = "dbmask_building"
_SOURCE = "dbmask_source"
_MODEST = {"memory_limit": "40%"}


class DuckDBTarget(FileTarget):
    """A replica in a file."""

    def __init__(self, path: Path, settings: Mapping[str, str], capabilities: Capabilities) -> None:
        super().__init__(path, capabilities)
        self._settings = settings
        self._db: DuckDBPyConnection | None = None
        self._structure: Structure | None = None
        self._attached = False
        self._staged = False

    def _is_ours(self, path: Path) -> bool:
        try:
            with connect(str(path), {}, read_only=True) as db:
                return _is_marked(db)
        except ConnectorError as error:
            if IN_USE in str(error):
                raise
            return False

    def begin(self) -> None:
        """Open the directory that the replica is built in. Raises ConnectorError."""
        path = self._building.start()
        spill = {"temp_directory": str(path.with_name("spill"))}
        self._db = connect(":memory:", {**_MODEST, **spill, **self._settings})
        self._waiting = Interruptible(self._db.interrupt)

    @property
    def _open(self) -> DuckDBPyConnection:
        if self._db is None:
            raise ConnectorError(f"{self.path}: nothing is being built")
        return self._db

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Create schemas, sequences and tables; return what could not arrive. Raises ConnectorError."""
        db = self._open
        lost: tuple[str, ...] = ()
        with translated("the structure of the replica"):
            self._staged = structure.dialect == self._capabilities.dialect
            if not self._staged:
                structure, lost = foreign_structure(structure)
            self._structure = structure
            settings = [s for s in structure.pre if s.startswith("SET ")]
            for statement in settings:
                db.execute(statement)
            # What is built is thrown away if anything fails, so nothing is written twice.
            db.execute(f"ATTACH {literal(str(self._building.path))} AS {_REPLICA} (RECOVERY_MODE no_wal_writes)")
            db.execute(f"USE {_REPLICA}")
            for statement in structure.pre:
                if statement not in settings:
                    db.execute(statement)
        return lost

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """INSERT INTO ... SELECT from the attached source; None where the source is no DuckDB file. Raises UsageError."""
        if not isinstance(source, DuckDBSource) or not isinstance(reader, DuckDBReader):
            return None
        if not self._in_place and source.identity() == self.identity():
            raise UsageError(f"source and target are one file: {self.path}")
        db = self._open
        with translated(str(table.name)):
            if not self._attached:
                db.execute(f"ATTACH {literal(str(source.path))} AS {_SOURCE} (READ_ONLY)")
                self._attached = True
            hold_keys(db, reader.needed(query))
            select = rendered(_of_source(query))
            with self._into(table) as into:
                names = ", ".join(quoted(c) for c in table.columns)
                row = self._waiting.run(db.execute, f"INSERT INTO {into} ({names}) {select}").fetchone()
        count = int(row[0]) if row else 0
        progress(count)
        return count

    @contextlib.contextmanager
    def _into(self, table: TargetTable) -> Iterator[str]:
        """Where rows of a table go, in one transaction: itself, or a stage where it refers to itself."""
        db = self._open
        name = _qualified(placed(table.name, self._structure.schema.default_schema if self._structure else ""))
        keys = own_keys(table) if self._staged else []
        import duckdb

        with translated(str(table.name)):
            db.execute("BEGIN")
            try:
                if keys:
                    stage = Stage(db, name, table.columns, keys)
                    yield stage.open()
                    self._waiting.run(stage.settle)
                else:
                    yield name
                self._waiting.run(db.execute, "COMMIT")
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # a COMMIT that fails has rolled back already
                    db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def sink(self, table: TargetTable) -> Iterator[DuckDBSink]:
        """Insert batches, one transaction a table."""
        with self._into(table) as into:
            described = self._open.execute(f"DESCRIBE {into}").fetchall()
            types = {row[0]: row[1] for row in described}
            yield DuckDBSink(self._open, str(table.name), into, table.columns, [types[c] for c in table.columns])

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """Indexes, views, comments, sequences past the highest key, statistics. Raises ConnectorError."""
        db = self._open
        made = self._structure or structure
        with translated("the structure of the replica"):
            if self._attached:
                db.execute(f"DETACH {_SOURCE}")
                self._attached = False
            progress("sequences")
            for statement in sequence_statements(db, made):
                db.execute(statement)
            progress("indexes and views")
            marker = f"CREATE OR REPLACE MACRO main.{MARKER}() AS 'masked replica'"
            for statement in (*made.post, marker):
                self._waiting.run(db.execute, statement)
            progress("statistics")
            for statement in ("ANALYZE", f"CHECKPOINT {_REPLICA}"):
                self._waiting.run(db.execute, statement)

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Count the rows that break each foreign key, whether DuckDB could declare it or not. Raises ConnectorError."""
        with self.reader() as reading:
            return broken_rows(reading, structure)

    @contextlib.contextmanager
    def reader(self) -> Iterator[DuckDBReader]:
        """Read the replica: the file being built, or the published one."""
        if self._db is not None:
            yield DuckDBReader(self._db, str(self.path), catalog=_REPLICA)
            return
        with connect(str(self.path), {**_MODEST, **self._settings}, read_only=True) as db:
            yield DuckDBReader(db, str(self.path))

    def _settle(self, path: Path) -> None:
        log = path.with_name(path.name + ".wal")
        if not log.exists():
            return
        try:
            with connect(str(path), {}) as db, translated(str(path)):
                db.execute("CHECKPOINT")
        except ConnectorError as error:
            if IN_USE in str(error):
                raise ConnectorError(
                    f"{path} is in use: its write-ahead log cannot be folded in; close what has it open"
                ) from None
        log.unlink(missing_ok=True)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._waiting.close()
            self._db.close()
        self._db = self._structure = None
        self._attached = False


def _qualified(name: TableName) -> str:
    return f"{_REPLICA}.{quoted(name.schema)}.{quoted(name.name)}"


def _of_source(query: exp.Expression) -> exp.Expression:
    """The query with its tables read from the attached file."""
    from sqlglot import exp

    made = query.copy()
    ctes = {cte.alias for cte in made.find_all(exp.CTE)}
    for table in made.find_all(exp.Table):
        named = isinstance(table.this, exp.Identifier)  # not a table function
        if named and not table.catalog and not (table.db == "" and table.name in ctes):
            table.set("db", exp.to_identifier(table.db or "main", quoted=True))
            table.set("catalog", exp.to_identifier(_SOURCE))
    return made


def _is_marked(db: DuckDBPyConnection) -> bool:
    with translated("the target"):
        relations = "SELECT 1 FROM duckdb_tables() UNION ALL SELECT 1 FROM duckdb_views() WHERE NOT internal"
        if db.execute(relations).fetchone() is None:
            return True
        marker = "SELECT 1 FROM duckdb_functions() WHERE NOT internal AND function_name = ?"
        return db.execute(marker, [MARKER]).fetchone() is not None
