"""One moment that several sessions read: each begins a snapshot of its own while nobody can commit.

MariaDB has no snapshot that one session could take from another. FLUSH TABLES WITH READ LOCK holds all writers for the
milliseconds in which the sessions begin; where this user may not (RELOAD), LOCK TABLES ... READ over the database's tables does,
which waits for transactions that have written to them. A named lock of the same session says that the moment lasts:
who finds it held after its snapshot was begun, has begun it within.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dbmask.errors import CannotShare, ConnectorError
from dbmask.spi import Shared
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_session import Session, quoted

__all__ = ["exported", "lasts", "position_of"]

_WAIT_SECONDS = 5
"""While FLUSH TABLES waits for long statements, writers wait behind it: no longer than this."""


def position_of(session: Session) -> str:
    """Where a snapshot stands in the binary log: MariaDB keeps this per transaction. Its GTID would take a scan of the log."""
    found = {str(n).lower(): str(v) for n, v in session.run("SHOW STATUS LIKE 'binlog_snapshot_%'")}
    file, at = found.get("binlog_snapshot_file"), found.get("binlog_snapshot_position")
    return f"{file}:{at}" if file and at else ""


@contextmanager
def exported(address: Address) -> Iterator[Shared]:
    """Nobody commits within the block. Raises CannotShare where this user can hold no such lock, or not in time."""
    session = Session(address, address.database)
    try:
        session.run(f"SET SESSION lock_wait_timeout = {_WAIT_SECONDS}, innodb_lock_wait_timeout = {_WAIT_SECONDS}")
        _lock(session)
        token = secrets.token_hex(16)
        if session.value("SELECT GET_LOCK(%s, 0)", (_name(token),)) != 1:
            raise CannotShare("the server gives no named lock")
        try:
            yield Shared(token, "")
        finally:
            with suppress(ConnectorError):  # what is held ends with the session
                session.run("DO RELEASE_LOCK(%s)", (_name(token),))
                session.run("UNLOCK TABLES")
    finally:
        session.close()


def _name(token: str) -> str:
    return f"dbmask-snapshot:{token}"


def _lock(session: Session) -> None:
    """Hold all writers. Raises CannotShare."""
    try:
        session.run("FLUSH TABLES WITH READ LOCK")
        return
    except ConnectorError as error:
        first = str(error)
    rows = session.run(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s "
        "AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')",
        (session.address.database,),
    )
    listed = ", ".join(f"{quoted(session.address.database, name)} READ" for (name,) in rows)
    try:
        session.run("SET SESSION autocommit = 0")  # InnoDB's own locks are taken under it alone
        session.run(f"LOCK TABLES {listed}" if listed else "UNLOCK TABLES")
    except ConnectorError as error:
        said = f"FLUSH TABLES WITH READ LOCK: {_reason(first)}; LOCK TABLES: {_reason(str(error))}"
        raise CannotShare(f"writers cannot be held for the moment of a common snapshot ({said})") from None


def _reason(text: str) -> str:
    return text.partition(": ")[2] or text


def lasts(session: Session, shared: Shared) -> bool:
    """Whether the moment of a shared snapshot still lasts."""
    return session.value("SELECT IS_USED_LOCK(%s)", (_name(shared.token),)) is not None
