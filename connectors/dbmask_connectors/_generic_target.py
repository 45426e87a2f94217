"""A target of which only SQL is known: an empty database is filled. Nothing is built beside it, and nothing replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask.spi import Batch, Capabilities, Progress, Reader, Source, Structure, TargetTable
from dbmask_connectors._foreign import kept, lost_rest, orphans
from dbmask_connectors._generic_identity import file_of, identity
from dbmask_connectors._generic_session import GenericReader, opened, said, translated
from dbmask_connectors._generic_tables import Made, made_tables
from dbmask_connectors._generic_types import storable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlglot import exp

__all__ = ["GenericTarget"]


class GenericTarget:
    """A replica in a database that was empty."""

    def __init__(self, of: Engine, capabilities: Capabilities) -> None:
        self.engine, self._capabilities = of, capabilities
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._made: Made | None = None
        self._published = False
        self._file: Path | None = None
        self._types: dict[TableName, dict[str, Any]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What all databases can do."""
        return self._capabilities

    def identity(self) -> str:
        """As the source's."""
        return identity(self.engine)

    def check(self, overwrite: bool) -> None:
        """Raise UsageError unless the database has no tables: what is there cannot be replaced at once, so it is not replaced."""
        from sqlalchemy import inspect

        path = file_of(self.engine)
        if path is not None and not path.exists():  # whoever opens it makes it
            if not path.parent.is_dir():
                raise UsageError(f"{said(self.engine)}: there is no such directory")
            return
        with translated(said(self.engine)), opened(self.engine) as connection:
            seen = inspect(connection)
            if seen.get_table_names() or seen.get_view_names():
                raise UsageError(
                    f"{said(self.engine)} is not empty; the generic connector fills empty databases only, "
                    "and --overwrite does not change that: name another database, or drop what is in this one"
                )

    def begin(self) -> None:
        """Connect."""
        self.check(False)
        path = file_of(self.engine)
        self._file = path if path is not None and not path.exists() else None
        self._connection = self._stack.enter_context(opened(self.engine))

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise ConnectorError(f"{said(self.engine)}: nothing is being built")
        return self._connection

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Create the tables, with their keys; where keys can be added later, foreign ones come after the rows."""
        from sqlalchemy.schema import CreateTable

        self._made = made_tables(structure, self.engine.dialect)
        self._types = {t.name: {c.name: t.types.get(c.name, c.type) for c in kept(t)} for t in structure.tables}
        with translated(said(self.engine)):
            for table in self._made.tables.values():
                self._open.execute(CreateTable(table))
        beside = "building beside: tables show while they are filled, since only an empty database is taken"
        return (beside, *self._made.lost, *lost_rest(structure))

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """There is no such way."""
        return None

    @contextmanager
    def sink(self, table: TargetTable) -> Iterator[GenericSink]:
        """INSERT by executemany, a table in one transaction where the database has them."""
        assert self._made is not None  # noqa: S101 - create() comes first
        with translated(str(table.name)), opened(self.engine, each=False) as db:
            yield GenericSink(db, self._made.tables[table.name].name, table)
            db.commit()

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """Indexes, and foreign keys where they can be added."""
        from sqlalchemy.schema import AddConstraint, CreateIndex

        assert self._made is not None  # noqa: S101
        progress("indexes and keys")
        with translated(said(self.engine)):
            for index in self._made.indexes:
                self._open.execute(CreateIndex(index))
            for key in self._made.later:
                self._open.execute(AddConstraint(key))

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Count the rows that break each key."""
        with self.reader() as reader:
            return orphans(reader, structure)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """What was built."""
        placed = {name: table.name for name, table in self._made.tables.items()} if self._made else {}
        with opened(self.engine) as connection:
            yield GenericReader(connection, said(self.engine), self._types, placed)

    def publish(self) -> None:
        """It is there already."""
        self._published = True
        self._stack.close()
        self._connection = None

    def abort(self) -> None:
        """Drop the tables that were made; the file too, where there was none."""
        from sqlalchemy.schema import DropConstraint, DropTable

        if self._connection is None or self._published:
            return
        self._stack.close()
        self._connection = None
        if self._made is not None:
            with translated(said(self.engine)), opened(self.engine) as db:
                there = set(_names(db))
                for key in self._made.later:
                    if key.table.name in there and _has_key(db, key.table.name, str(key.name)):
                        db.execute(DropConstraint(key))
                for table in reversed(list(self._made.tables.values())):
                    if table.name in there:
                        db.execute(DropTable(table))
        if self._file is not None:
            for suffix in ("", "-journal", "-wal", "-shm", ".wal"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """What was not published is removed."""
        self.abort()
        self._stack.close()
        self.engine.dispose()


def _names(db: Connection) -> Sequence[str]:
    from sqlalchemy import inspect

    return inspect(db).get_table_names()


def _has_key(db: Connection, table: str, name: str) -> bool:
    from sqlalchemy import inspect

    return any(key["name"] == name for key in inspect(db).get_foreign_keys(table))


class GenericSink:
    """Inserts batches into one table."""

    def __init__(self, db: Connection, name: str, table: TargetTable) -> None:
        from sqlalchemy import bindparam, column
        from sqlalchemy import table as plain_table

        self._db, self._where = db, str(table.name)
        self._names = [f"c{i}" for i in range(len(table.columns))]
        into = plain_table(name, *(column(c) for c in table.columns))
        self._insert = into.insert().values({c: bindparam(n) for c, n in zip(table.columns, self._names, strict=True)})
        self._make = storable(db.dialect.name)

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        make = self._make
        rows = [dict(zip(self._names, map(make, row), strict=True)) for row in zip(*batch, strict=True)]
        if rows:
            with translated(self._where):
                self._db.execute(self._insert, rows)
