"""A MariaDB or MySQL database as a source: one consistent snapshot, and no lock that a writer would feel for long.

START TRANSACTION WITH CONSISTENT SNAPSHOT in REPEATABLE READ gives InnoDB's rows as of one moment to plain SELECTs.
Tables of other engines have no snapshots; the structure says which they are.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, SnapshotGone
from dbmask.schema import Schema, Table, TableName
from dbmask.spi import Capabilities, PartSum, Reader, Shared, Span, Structure, TargetTable
from dbmask_connectors import _mysql_compare as compare
from dbmask_connectors import _mysql_parts as parts
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_reader import MySQLReader, why_no_keys
from dbmask_connectors._mysql_schema import read_schema
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_shared import exported, lasts, position_of
from dbmask_connectors._mysql_structure import own_structure

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["MAX_IDENTIFIER", "MySQLSource", "Snapshot", "exists", "identity_of", "server_of"]

MAX_IDENTIFIER = 64


def server_of(session: Session) -> str:
    """What the server is, whatever address led to it: its own identifier, and where its data lie."""
    known = [session.variable(name) for name in ("server_uid", "server_uuid", "hostname", "port", "datadir")]
    return hashlib.sha256("\0".join(str(part) for part in known).encode()).hexdigest()[:24]


def identity_of(session: Session, database: str) -> str:
    """Server and database, whatever URL led here."""
    name = database.lower() if session.variable("lower_case_table_names") else database
    return f"mysql:{server_of(session)}/{name}"


def exists(session: Session, database: str) -> bool:
    """Whether there is a database of this name, as far as this user sees."""
    rows = session.run("SELECT schema_name FROM information_schema.schemata WHERE schema_name = %s", (database,))
    folds = bool(session.variable("lower_case_table_names"))
    return any(name == database or (folds and name.lower() == database.lower()) for (name,) in rows)


class Snapshot(MySQLReader):
    """A reader whose session holds the snapshot; ``opened`` is its source."""

    def __init__(self, session: Session, source: MySQLSource) -> None:
        super().__init__(session)
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        self._position = position_of(session)
        self.opened = source


def _session_of(reader: Reader) -> Session:
    if not isinstance(reader, MySQLReader):
        raise ConnectorError("only MySQL's own snapshots can be read in parts")
    return reader.session


class MySQLSource:
    """An open database."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._session: Session | None = Session(address, address.database)
        self._keyless: str | None = None

    @property
    def session(self) -> Session:
        """The connection for everything but rows."""
        if self._session is None:
            self._session = Session(self.address, self.address.database)
        return self._session

    @property
    def capabilities(self) -> Capabilities:
        """What this server lets this user do."""
        if self._keyless is None:
            self._keyless = why_no_keys(self.session)
        return Capabilities(
            dialect="mysql",
            keys_in_session=not self._keyless,
            keyed_why_not=self._keyless,
            max_identifier=MAX_IDENTIFIER,
            joins_late=False,
        )

    def identity(self) -> str:
        """Server and database."""
        return identity_of(self.session, self.address.database)

    def server(self) -> str:
        """The server alone."""
        return server_of(self.session)

    def schema(self) -> Schema:
        """The database's structure, read anew. Raises ConnectorError."""
        return read_schema(self.session, self.address.database)

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """Tables whose rows or columns this user may not read."""
        found = {}
        for name in tables:
            try:
                self.session.run(f"SELECT * FROM {quoted(name.schema, name.name)} LIMIT 0")  # noqa: S608 - quoted names
            except ConnectorError as error:
                found[name] = str(error).removeprefix(f"{self.session.where}: ")
        return found

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """The DDL of these tables, cut to what the replica holds. Raises ConnectorError."""
        return own_structure(self.session, schema, tables)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One snapshot on a connection of its own."""
        session = Session(self.address, self.address.database)
        try:
            yield Snapshot(session, self)
        except BaseException:
            session.kill()  # what still runs on the server ends too
            raise
        finally:
            session.close()

    def export(self) -> contextlib.AbstractContextManager[Shared]:
        """Hold writers while other sessions begin their snapshots. Raises CannotShare where this user may not."""
        return exported(self.address)

    @contextlib.contextmanager
    def join(self, shared: Shared) -> Iterator[Snapshot]:
        """A snapshot of the moment that :meth:`export` holds. Raises SnapshotGone where it does not last."""
        with self.snapshot() as reader:
            if not lasts(reader.session, shared):
                raise SnapshotGone("the moment of a common snapshot is over")
            yield reader

    def spans(self, reader: Reader, table: Table, size: int) -> list[Span]:
        """Ranges of the table's key."""
        return parts.key_spans(_session_of(reader), table, size)

    def narrowed(self, query: exp.Select, span: Span) -> exp.Select:
        """The query over one span."""
        return parts.narrowed(query, span)

    def unchanged(self, reader: Reader, parts: Sequence[tuple[Span, int]], since: Shared) -> list[bool]:
        """Nothing is known without checksums."""
        return [False] * len(parts)

    def span_columns(self, span: Span) -> tuple[str, ...]:
        """The key's first column; none for tables without a key."""
        return parts.columns_of(span)

    def span_sum(self, reader: Reader, span: Span, columns: Sequence[str]) -> PartSum:
        """Rows and checksum of a span."""
        return parts.span_sum(_session_of(reader), span, columns)

    def moment(self, reader: Reader) -> str:
        """Nothing: rows do not tell when they were written."""
        return ""

    def still(self, reader: Reader, since: str) -> bool:
        """Never."""
        return False

    def bounds(self, reader: Reader, table: Table, column: str, rows: int) -> list[str]:
        """Keys as LOAD DATA reads them; none where the key's type keeps no order."""
        return compare.bounds(_session_of(reader), table, column, rows)

    def part_sums(
        self,
        reader: Reader,
        table: Table,
        column: str,
        bounds: Sequence[str],
        since: str,
        values: Sequence[str] = (),
    ) -> list[PartSum]:
        """Rows and checksums, part by part."""
        return compare.part_sums(_session_of(reader), table, column, bounds, values)

    def changed(
        self,
        reader: Reader,
        query: exp.Select,
        table: Table,
        column: str,
        bounds: Sequence[str],
        parts: Sequence[int],
        since: str,
    ) -> exp.Select:
        """The query over parts' rows."""
        return compare.changed(query, table, column, bounds, parts)

    def highest(self, reader: Reader, table: Table, column: str) -> str | None:
        """The highest value; None also where the column's type keeps no order."""
        return compare.highest(_session_of(reader), table, column)

    def beyond(
        self, reader: Reader, query: exp.Select, table: Table, column: str, value: str, also: bool
    ) -> exp.Select:
        """The query over rows above a value."""
        return compare.beyond(query, table, column, value, also)

    def beyond_sum(
        self, reader: Reader, table: Table, column: str, value: str, also: bool, values: Sequence[str] = ()
    ) -> PartSum:
        """Rows above a value, and their checksum."""
        return compare.beyond_sum(_session_of(reader), table, column, value, also, values)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None
