"""What a database is, whatever URL led to it, and what its state is called, as far as there is a word for it."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask_connectors._files import file_identity
from dbmask_connectors._generic_session import opened, said, translated
from dbmask_connectors.generic import FILES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["file_of", "identity", "position"]

_POSTGRES = "SELECT system_identifier::text || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database()"


def file_of(of: Engine) -> Path | None:
    """The file that a database is; None where it is none."""
    database = of.url.database
    return Path(database) if of.dialect.name in FILES and database and database != ":memory:" else None


def identity(of: Engine) -> str:
    """A file's device and inode, a server's own word for itself as their own connectors have it, or else what the URL says."""
    if of.dialect.name in FILES:
        path = file_of(of)
        return file_identity(path) if path else ""
    url = of.url
    named = f"{of.dialect.name}:{url.host}:{url.port}/{url.database}"
    if of.dialect.name not in ("mysql", "mariadb", "postgresql"):
        return named
    with opened(of, reading=True) as db:
        if of.dialect.name == "postgresql":
            return f"postgresql:{_value(db, _POSTGRES)}"
        known = [_variable(db, name) for name in ("server_uid", "server_uuid", "hostname", "port", "datadir")]
        server = hashlib.sha256("\0".join(str(part) for part in known).encode()).hexdigest()[:24]
        name = str(url.database)
        return f"mysql:{server}/{name.lower() if _variable(db, 'lower_case_table_names') else name}"


def _value(db: Connection, sql: str) -> Any:
    with translated(said(db.engine)):
        return db.exec_driver_sql(sql).scalar()


def _variable(db: Connection, name: str) -> Any:
    try:
        return _value(db, f"SELECT @@{name}")
    except ConnectorError:
        return None  # a server of another kind, which has no such variable


def position(of: Engine) -> str:
    """A file's size and time of change; empty for a server, which has no word that they share."""
    path = file_of(of)
    if path is None or not path.exists():
        return ""
    facts = path.stat()
    changed = dt.datetime.fromtimestamp(facts.st_mtime, dt.UTC)
    return f"{facts.st_size} bytes, file changed {changed.isoformat('T', 'microseconds')}"
