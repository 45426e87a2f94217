"""A replica in PostgreSQL: a database built beside the one that serves, renamed into its place when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask.spi import (
    Capabilities,
    ChunkEntry,
    Previous,
    Progress,
    Reader,
    Refreshing,
    Source,
    Span,
    Structure,
    TargetTable,
)
from dbmask_connectors import _postgres_ledger as ledger
from dbmask_connectors import _postgres_previous as previous
from dbmask_connectors import _postgres_refresh as refresh
from dbmask_connectors import _postgres_swap as swap
from dbmask_connectors._postgres_build import create_tables, finish
from dbmask_connectors._postgres_copy import CopySink, relay
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_foreign import foreign_structure, search_path
from dbmask_connectors._postgres_keys import check_foreign_keys
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors._postgres_session import Address, connect
from dbmask_connectors._postgres_shared import reading
from dbmask_connectors._postgres_source import identity_of

if TYPE_CHECKING:
    import psycopg
    from sqlglot import exp

__all__ = ["PostgresTarget"]


class PostgresTarget:
    """One replica: at most one database of its making exists beside the target, and none after abort or publish."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._admin: psycopg.Connection[Any] | None = None
        self._built: psycopg.Connection[Any] | None = None
        self._name = ""
        self._overwrite = False
        self._seen = 0
        self._old: psycopg.Connection[Any] | None = None
        self._keep = 0
        self._foreign: Structure | None = None  # another database's, in PostgreSQL's words

    @property
    def capabilities(self) -> Capabilities:
        """PostgreSQL's."""
        return Capabilities("postgres")

    @property
    def admin(self) -> psycopg.Connection[Any]:
        """A connection to a database of the same server that is not the target."""
        if self._admin is None or self._admin.closed:
            first, second = (
                ("template1", "postgres") if self.address.database == "postgres" else ("postgres", "template1")
            )
            try:
                self._admin = connect(self.address, first)
            except ConnectorError:
                if second == self.address.database:
                    raise
                self._admin = connect(self.address, second)
        return self._admin

    @property
    def built(self) -> psycopg.Connection[Any]:
        """A connection to the database that is being built. Raises ConnectorError."""
        if self._built is None:
            raise ConnectorError(f"{self.address}: nothing is being built")
        return self._built

    def identity(self) -> str:
        """As the source's; empty where the target does not exist."""
        with translated(str(self.address)):
            if not swap.number_of(self.admin, self.address.database):
                return ""
        with contextlib.closing(connect(self.address)) as connection, translated(str(self.address)):
            return identity_of(connection)

    def check(self, overwrite: bool) -> None:
        """Refuse a database that holds something and was not made by dbmask, unless it may be overwritten. Raises UsageError."""
        database = self.address.database
        if database in ("template0", "template1"):
            raise UsageError(f"{self.address}: a template database cannot be a target")
        self._overwrite = overwrite
        with translated(str(self.address)):
            swap.check_rights(self.admin, str(self.address))
            self._seen = swap.number_of(self.admin, database)
            if overwrite or not self._seen or swap.is_ours(self.admin, database):
                return
        with contextlib.closing(connect(self.address)) as connection, translated(str(self.address)):
            if not swap.is_empty(connection):
                raise UsageError(
                    f"{self.address} is not empty and was not made by dbmask; --overwrite replaces it with the replica"
                )

    def begin(self) -> None:
        """Clear what runs that died left beside this target, and choose the new database's name."""
        with translated(str(self.address)):
            swap.clear_leftovers(self.admin, self.address.database)
        self._name = swap.building_name(self.address.database, f"{os.getpid():x}{secrets.token_hex(3)}")

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Make the database with the source's encoding, its tables, and the triggers that fill columns."""
        foreign = structure.dialect != "postgres"
        with translated(str(self.address)):
            swap.create_database(self.admin, self._name, {"encoding": "UTF8"} if foreign else structure.options)
            self._built = connect(self.address, self._name)
            told: tuple[str, ...] = ()
            if foreign:
                structure, told = foreign_structure(structure, self._built)
                self._foreign = structure
                swap.set_search_path(self.admin, self._name, search_path(structure))
            # Nothing is lost in a crash but what would be thrown away; publishing is a commit that waits for the disk.
            self._built.execute("SET synchronous_commit = off")
            lost = create_tables(self._built, str(self.address), structure)
            ledger.create(self._built)
            return (*told, *lost)

    def building(self) -> str:
        """The name of the database that is being built."""
        return self._name

    def join(self, building: str) -> None:
        """Write into a database that another process builds."""
        self._built = connect(self.address, building)
        with translated(str(self.address)):
            self._built.execute("SET synchronous_commit = off")

    def adopt(self, building: str) -> bool:
        """Take over the database of a run that died; what else such runs left beside this target goes. Raises ConnectorError."""
        with translated(str(self.address)):
            there = swap.number_of(self.admin, building) and swap.is_ours(self.admin, building)
            if there and not swap.take_over(self.admin, building):
                raise ConnectorError(f"{self.address}: the run that builds this replica is still at work")
            swap.clear_leftovers(self.admin, self.address.database)
        if not there:
            return False
        self.join(building)
        self._name = building
        return True

    def chunk(self, token: str) -> AbstractContextManager[ChunkEntry]:
        """One transaction around rows and their entry in the ledger."""
        return self._chunk(token)

    @contextmanager
    def _chunk(self, token: str) -> Iterator[ChunkEntry]:
        with translated(str(self.address)), ledger.written(self.built, token) as entry:
            yield entry

    def ledger(self) -> Mapping[str, ChunkEntry]:
        """The chunks that are there; none where the ledger is gone."""
        with translated(str(self.address)):
            return ledger.entries(self.built) if ledger.exists(self.built) else {}

    def discard(self, table: TargetTable, chunks: Mapping[str, Span], whole: bool) -> None:
        """Take chunks out again."""
        with translated(f"{self.address}: {table.name}"):
            ledger.discard(self.built, table, list(chunks), whole)

    def renew(
        self, structure: Structure, kept: Mapping[TableName, Mapping[str, Span]], noted: Callable[[], None]
    ) -> tuple[str, ...]:
        """A fresh database with the rows of the kept chunks; the adopted one goes."""
        old, name = self.built, self._name
        known = self.ledger()
        self._built, self._old = None, old
        try:
            self.begin()  # what this run holds is no leftover
            lost = self.create(structure)
            tables = {t.name: t for t in structure.tables}
            for table, chunks in kept.items():
                if chunks:
                    with translated(f"{self.address}: {table}"):
                        ledger.moved(old, self.built, tables[table], list(chunks), known)
            noted()
        finally:
            old.close()
            self._old = None
        with translated(str(self.address)):
            swap.drop(self.admin, name)
        return lost

    def keep(self) -> None:
        """Leave what is being built; the lock that holds it ends with the connection."""
        self._name = ""
        self.close()

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """COPY to COPY, binary, blocks unparsed; only from PostgreSQL."""
        if not isinstance(reader, PostgresReader):
            return None
        reader.require_idle()
        with translated(f"{self.address}: {table.name}"):
            return relay(reader.connection, self.built, table, query, progress)

    @contextmanager
    def sink(self, table: TargetTable) -> Iterator[CopySink]:
        """COPY FROM, fed with Python values."""
        with translated(f"{self.address}: {table.name}"), CopySink.opened(self.built, table) as sink:
            yield sink

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """Indexes and keys, sequences, derived values, triggers, statistics."""
        with translated(str(self.address)):
            finish(self.built, str(self.address), self._foreign or structure, progress)
            ledger.complete(self.built)

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Rows that break each key; keys that the database itself holds were checked when they were made."""
        with translated(str(self.address)):
            return check_foreign_keys(self.built, structure)

    def reader(self) -> AbstractContextManager[Reader]:
        """A snapshot of what was built."""
        return reading(self.address, self._name or None)

    def opened(self) -> str:
        """The name of the database that is being built."""
        return self._name

    def open_building(self, building: str) -> AbstractContextManager[Reader]:
        """A snapshot of a database that another process builds."""
        return reading(self.address, building)

    def publish(self) -> None:
        """Rename the built database into the target's place, in one transaction; sessions on the old one end. Raises ConnectorError."""
        database = self.address.database
        with translated(str(self.address)):
            ledger.drop(self.built)
            self.built.close()
            self._built = None
            there = swap.number_of(self.admin, database)
            if there and there != self._seen and not (self._overwrite or swap.is_ours(self.admin, database)):
                raise ConnectorError(
                    f"{self.address} has appeared since it was checked, and is not dbmask's to replace"
                )
            kept = previous.kept_name(self.admin, database) if self._keep else ""
            swap.publish(self.admin, self._name, database, kept)
            self._name = ""
            previous.prune(self.admin, database, self._keep)

    def noted(self) -> str:
        """The token of the last baseline in the replica's comment."""
        with translated(str(self.address)):
            return refresh.noted(self.admin, self.address.database, swap.MARKER)

    def note(self, token: str) -> str:
        """Put a token into the comment of the database that is being built."""
        with translated(str(self.address)):
            return refresh.note(self.built, swap.MARKER, token)

    def built_identity(self) -> str:
        """That of the database which is being built: it keeps it when it is renamed."""
        with translated(str(self.address)):
            return identity_of(self.built)

    def refreshing(self, tables: Sequence[TargetTable]) -> AbstractContextManager[Refreshing]:
        """One transaction over the replica that serves."""
        return refresh.refreshing(self.address, swap.MARKER, tables)

    def keep_previous(self, count: int) -> None:
        """How many replaced databases stay, closed, beside the target."""
        self._keep = count

    def previous(self) -> Sequence[Previous]:
        """The databases that were replaced here and are kept, the latest first. Raises ConnectorError."""
        with translated(str(self.address)):
            return previous.previous(self.admin, self.address.database)

    def roll_back(self, name: str) -> None:
        """Put a kept database back; its settings and grants are the target's. Raises UsageError and ConnectorError."""
        with translated(str(self.address)):
            swap.check_rights(self.admin, str(self.address))
            previous.roll_back(self.admin, self.address.database, name)

    def abort(self) -> None:
        """Drop what was built."""
        from psycopg import Error

        if self._built is not None:
            with contextlib.suppress(Error):
                self._built.cancel_safe(timeout=5.0)
            self._built.close()
            self._built = None
        if not self._name:
            return
        try:
            swap.drop(self.admin, self._name)
        except (Error, ConnectorError):
            # The connection may be broken where the run is. What a second one cannot drop, the next run clears.
            if self._admin is not None:
                self._admin.close()
            with contextlib.suppress(Error, ConnectorError):
                swap.drop(self.admin, self._name)
        self._name = ""

    def close(self) -> None:
        """Remove what was not published, and close connections."""
        self.abort()
        for connection in (self._built, self._admin, self._old):
            if connection is not None:
                connection.close()
        self._built = None
