"""A replica in MariaDB or MySQL: built in a database beside the target, moved into its place when it is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask.spi import (
    Capabilities,
    ChunkEntry,
    Previous,
    Progress,
    Reader,
    Source,
    Span,
    Structure,
    TargetTable,
    Written,
)
from dbmask_connectors import _mysql_carry as carried
from dbmask_connectors import _mysql_ledger as ledger
from dbmask_connectors import _mysql_previous as previous
from dbmask_connectors import _mysql_refresh as refreshed
from dbmask_connectors import _mysql_swap as swap
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_build import Built, broken_rows
from dbmask_connectors._mysql_insert import WORTH_ROWS, Inserter, all_kept
from dbmask_connectors._mysql_load import MySQLSink, destinations
from dbmask_connectors._mysql_reader import MySQLReader, leaves_statement_log
from dbmask_connectors._mysql_relay import stream_rows
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_source import MAX_IDENTIFIER, MySQLSource, Snapshot, exists, identity_of, server_of

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["MySQLTarget"]

_ADOPT_SECONDS = 20
"""A killed client's statement may go on for as long before the server lets go of its locks."""
_WHOLE_ROWS = 5_000_000
_BEGIN_SECONDS = 2
"""What a killed run's session needs to end; another run's does not end."""
_PATIENCE = 2
"""So many copies that were not the snapshot's, and the source counts as busy: rows are streamed from then on."""


class MySQLTarget:
    """One replica: nothing of its making is left beside the target after publish or abort."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._session: Session | None = None
        self._name = ""
        self._built: Built | None = None
        self._server: str | None = None
        self._refused = 0
        self._keep = 0
        self._in_place = False
        self._joined = ""
        self._same: bool | None = None
        self._chunked = False
        self._token = ""
        self._partly: refreshed.Part | None = None
        self._serving: carried.Carried | None = None

    @property
    def session(self) -> Session:
        """The connection that builds; none of its own until it is needed."""
        if self._session is None:
            self._session = Session(self.address)
        return self._session

    @property
    def capabilities(self) -> Capabilities:
        """MariaDB's and MySQL's."""
        return Capabilities("mysql", max_identifier=MAX_IDENTIFIER)

    def _is_there(self) -> bool:
        return exists(self.session, self.address.database)

    def identity(self) -> str:
        """Server and database; empty where the database does not exist yet."""
        return identity_of(self.session, self.address.database) if self._is_there() else ""

    def check(self, overwrite: bool) -> None:
        """Raise UsageError unless the database is absent, empty, made by dbmask, or may be overwritten."""
        swap.check_target(self.session, self.address.database, self._is_there(), overwrite)
        if not self.session.variable("local_infile"):
            raise UsageError(
                f"{self.address}: rows arrive by LOAD DATA LOCAL, which is off (SET GLOBAL local_infile = 1)"
            )

    def begin(self) -> None:
        """Take the target's lock, clear what dead runs left, make the database to build in. Raises ConnectorError."""
        swap.hold(self.session, self.address.database, _BEGIN_SECONDS)
        previous.recover(self.session, self.address.database)
        swap.clear_leftovers(self.session, self.address.database)
        name = swap.building_name(self.address.database)
        self.session.run(f"CREATE DATABASE {quoted(name)}", where=f"{self.address}: a database to build in")
        self._name = name

    @property
    def _area(self) -> str:
        """The database that rows are written to."""
        if not (self._name or self._joined):
            raise ConnectorError(f"{self.address}: nothing is being built")
        return self._name or self._joined

    def _built_by(self, structure: Structure | None) -> Built:
        """What was built by this run, or by the one that it took over."""
        if self._built is None:
            if structure is None:
                raise ConnectorError(f"{self.address}: nothing is being built")
            self._built = Built(self.session, self._area, structure)
            self._built.adopt()
        return self._built

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Make the tables; return what could not arrive. Raises ConnectorError, UsageError for another dialect's structure."""
        if structure.dialect != "mysql":
            raise UsageError(
                f"a {structure.dialect} database cannot be cloned into MySQL as such: generic+mysql:// takes it"
            )
        if not self._name:
            raise ConnectorError(f"{self.address}: nothing is being built")
        self._built = Built(self.session, self._name, structure)
        lost = self._built.create()
        ledger.create(self.session, self._name)
        return lost

    def building(self) -> str:
        """The name of the database that is being built."""
        return self._name

    def join(self, building: str) -> None:
        """Write into a database that another process builds."""
        self._session = Session(self.address, building)
        self._joined = building

    def adopt(self, building: str) -> bool:
        """Take over the database of a run that died; what else such runs left beside this target goes."""
        session = self.session
        swap.hold(session, self.address.database, _ADOPT_SECONDS)
        previous.recover(session, self.address.database)
        there = exists(session, building) and ledger.exists(session, building)
        if there:
            swap.end_sessions(session, building)
        swap.clear_leftovers(session, self.address.database, building if there else "")
        if there:
            self._name = building
            session.run(f"USE {quoted(building)}")
        return there

    @contextlib.contextmanager
    def chunk(self, token: str) -> Iterator[ChunkEntry]:
        """One transaction around rows and their entry in the ledger."""
        session = self.session
        # Both are asked where no transaction is open. Rows that come from this server are read without a lock (_mysql_insert).
        if leaves_statement_log(session):
            session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self._chunked = True
        try:
            with ledger.written(session, self._area, token) as entry:
                yield entry
        finally:
            self._chunked = False

    def ledger(self) -> Mapping[str, ChunkEntry]:
        """The chunks that are there; none where the ledger is gone."""
        if not ledger.exists(self.session, self._area):
            return {}
        ledger.settle(self.session, self._area)
        return ledger.entries(self.session, self._area)

    def discard(self, table: TargetTable, chunks: Mapping[str, Span], whole: bool) -> None:
        """Take chunks out again."""
        ledger.discard(self.session, self._area, table, chunks, whole)

    def renew(
        self, structure: Structure, kept: Mapping[TableName, Mapping[str, Span]], noted: Callable[[], None]
    ) -> tuple[str, ...]:
        """A fresh database with the rows of the kept chunks; the adopted one goes."""
        session, old, known = self.session, self._name, self.ledger()
        self._name = swap.building_name(self.address.database)
        session.run(f"CREATE DATABASE {quoted(self._name)}", where=f"{self.address}: a database to build in")
        lost = self.create(structure)
        tables = {t.name: t for t in structure.tables}
        for name, chunks in kept.items():
            ledger.moved(session, (old, self._name), tables[name], chunks, known)
        noted()
        swap.drop(session, old)
        return lost

    def keep(self) -> None:
        """Leave what is being built; what runs on the server ends, and is undone."""
        self._name, self._built = "", None
        if self._session is not None:
            self._session.kill()
            self._session = None

    def _undo(self, table: TargetTable) -> str:
        """What takes a table's rows out again that this session is writing."""
        if not self._chunked:
            return f"TRUNCATE TABLE {quoted(table.name.name)}"
        undo = ledger.undone_by(self.session, self._area, table.name.name)
        if undo != ledger.UNDO:  # without transactions: an earlier writer may have left some
            self.session.run(undo)
        return undo

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """Copy rows within the server, or as lines that are never parsed; None where a row is too long for that. Raises UsageError."""
        if not isinstance(source, MySQLSource) or not isinstance(reader, MySQLReader):
            return None
        if self._same is None:
            self._same = source.identity() == self.identity()
        if not self._in_place and self._same:
            raise UsageError(f"source and target are one database: {self.address}")
        session, area, undo = self.session, self._area, self._undo(table)
        dests = destinations(session, area, table)
        if isinstance(reader, Snapshot) and self._may_insert(source, table) and all_kept(table, query):
            inserter = Inserter(reader, session, area, lambda: Session(self.address))
            copied = inserter.copy(table, progress, undo)
            if copied is not None:
                return copied
            self._refused += 1
        return stream_rows(reader, session, table, dests, query, progress, undo)

    def takes_whole(self, source: Source, table: TargetTable, query: exp.Expression) -> bool:
        """A kept table on this server, of a size that may be lost with a run that is killed."""
        if not isinstance(source, MySQLSource) or (table.table.rows or 0) > _WHOLE_ROWS:
            return False
        return all_kept(table, query) and self._may_insert(source, table)

    def _may_insert(self, source: MySQLSource, table: TargetTable) -> bool:
        """Whether a table is large enough, the source on this server, and not so busy that it was of no use before."""
        if (table.table.rows or 0) < WORTH_ROWS or self._refused >= _PATIENCE:
            return False
        if self._server is None:
            self._server = server_of(self.session)
        return source.server() == self._server

    @contextlib.contextmanager
    def sink(self, table: TargetTable) -> Iterator[MySQLSink]:
        """One LOAD statement, fed with Python values; what the server would change is an error when it ends."""
        session = self.session
        self._undo(table)
        sink = MySQLSink(session, table, destinations(session, self._area, table))
        yield sink
        sink.end()

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """Indexes, foreign keys, sequences, triggers, statistics. Raises ConnectorError."""
        self._built_by(structure).finish(progress)

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Count the rows that break each foreign key. Raises ConnectorError."""
        return broken_rows(self.session, self._name or self.address.database, structure)

    @contextlib.contextmanager
    def reader(self) -> Iterator[Reader]:
        """Read the replica by the source's names, before or after it is published."""
        database = self._name or self.address.database
        session = Session(self.address, database)
        try:
            yield MySQLReader(session, place=database)
        finally:
            session.close()

    def publish(self) -> None:
        """Move the replica into its place; what was there is dropped. Raises ConnectorError, with all as it was."""
        built = self._built_by(None)
        session = self.session
        if self._partly is None:
            swap.mark(session, self._name)
            refreshed.write_token(session, self._name, self._token)
        options = built.structure.options
        charset = f" CHARACTER SET {options['character_set']} COLLATE {options['collation']}" if options else ""
        create = f"CREATE DATABASE {quoted(self.address.database)}{charset}"
        part = self._partly or refreshed.Part()
        kept = previous.kept_name(session, self.address.database) if self._keep and part.only is None else ""
        places = self.address.database, self._name
        swap.Swap(session, *places, built.programs, create, kept, part.keys, part.only).run(
            self._afresh, self._is_there()
        )
        self._name, self._built, self._partly = "", None, None
        if part.only is None:
            previous.prune(session, self.address.database, self._keep)

    def noted(self) -> str:
        """The token in the marker's table."""
        return refreshed.token_of(self.session, self.address.database) if self._is_there() else ""

    def built_identity(self) -> str:
        """Server and database of the target."""
        return identity_of(self.session, self.address.database)

    def why_whole(self, structure: Structure) -> str:
        """What no RENAME of single tables carries."""
        return refreshed.why_whole(self.session, structure)

    def reshaped(self, since: Written) -> bool:
        """Whether there are other tables or columns than there were."""
        return refreshed.reshaped(self.session, self.address.database, since.token)

    def touched(self, since: Written) -> Mapping[TableName, str]:
        """Tables whose rows' checksum is another."""
        return refreshed.touched(self.session, self.address.database, since)

    def note(self, token: str, since: str = "", swapped: Collection[TableName] | None = None) -> str:
        """The token for the marker; the shape of what is built, and the checksums of its tables' rows."""
        self._token = token
        kept = self._serving.kept if self._serving is not None and swapped is not None else {}
        return refreshed.state_of(self.session, self._area, since, swapped, kept)

    @contextlib.contextmanager
    def serving(self) -> Iterator[carried.Carried]:
        """The replica, its tables locked against writers by a session of its own."""
        database = self.address.database
        with carried.held(self.address, database, refreshed.tables_of(self.session, database)):
            self._serving = carried.Carried(self.session, database, self._area)
            yield self._serving

    def broken(self, structure: Structure, swapped: Collection[TableName]) -> Mapping[str, int]:
        """Count the rows that break foreign keys from and to these tables. Raises ConnectorError."""
        return broken_rows(self.session, self._area, structure, swapped, self.address.database)

    def narrow(self, structure: Structure, swapped: Collection[TableName]) -> None:
        """Mark what is built, and drop all but these tables."""
        swap.mark(self.session, self._area)
        refreshed.write_token(self.session, self._area, self._token)
        self._partly = refreshed.narrow(self.session, self._area, structure, swapped)

    def replace_source(self) -> None:
        """The source is what the replica takes the place of."""
        self._in_place = True

    def keep_previous(self, count: int) -> None:
        """How many replaced replicas stay beside the target, each in a database of its own."""
        self._keep = count

    def previous(self) -> Sequence[Previous]:
        """The replicas that were replaced here and are kept, the latest first. Raises ConnectorError."""
        return previous.previous(self.session, self.address.database)

    def roll_back(self, name: str) -> None:
        """Put a kept replica back, its views and triggers made anew. Raises UsageError and ConnectorError, with all as it was."""
        previous.roll_back(self.session, self.address.database, name, self._afresh)

    def _afresh(self) -> Session:
        """A new connection in the place of one that may be broken; what ran on that ends."""
        if self._session is not None:
            self._session.kill()
        self._session = Session(self.address)
        return self._session

    def abort(self) -> None:
        """Drop what was built; what runs on the server ends. A server that is gone keeps it for the next run to clear."""
        if self._name:
            with contextlib.suppress(ConnectorError):
                session = self._afresh()
                session.run("SET SESSION lock_wait_timeout = 600")  # what was being written is undone first
                swap.end_sessions(session, self._name)
                swap.drop(session, self._name)
        self._name, self._built, self._serving = "", None, None

    def close(self) -> None:
        """Close connections; what was not published is removed."""
        self.abort()
        if self._session is not None:
            self._session.close()
            self._session = None
