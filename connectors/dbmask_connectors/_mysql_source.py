"""A MariaDB or MySQL database as a source: one consistent snapshot, no lock that a writer would feel.

START TRANSACTION WITH CONSISTENT SNAPSHOT in REPEATABLE READ gives InnoDB's rows as of one moment to plain SELECTs.
Tables of other engines have no snapshots; the structure says which they are.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from dbmask.errors import ConnectorError
from dbmask.schema import Schema, TableName
from dbmask.spi import Capabilities, Structure, TargetTable
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_reader import MySQLReader, why_no_keys
from dbmask_connectors._mysql_schema import read_schema
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_structure import own_structure

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
        self._position = _position(session)
        self.opened = source


def _position(session: Session) -> str:
    """Where the snapshot stands in the binary log: MariaDB keeps this per transaction. Its GTID would take a scan of the log."""
    found = {str(n).lower(): str(v) for n, v in session.run("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, at = found.get("binlog_snapshot_file"), found.get("binlog_snapshot_position")
    return f"{file}:{at}" if file and at else ""


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

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None
