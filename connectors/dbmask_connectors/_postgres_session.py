"""Connections to PostgreSQL: where to, and the settings under which its output is the same everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dbmask.errors import UsageError
from dbmask_connectors._postgres_errors import connected

if TYPE_CHECKING:
    import psycopg

__all__ = ["Address", "connect"]

# A URL's own options may change these.
_GENTLE = {
    "lock_timeout": "30s",
    # A table is read by many queries of some hundred milliseconds: compiling each takes longer than it saves.
    "jit": "off",
}
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "idle_in_transaction_session_timeout": "0",
    "standard_conforming_strings": "on",
    "xmloption": "content",
    # A source whose policies would hide rows is an error, never a smaller replica.
    "row_security": "off",
}
_SEES_CLIENTS = 140000
"""The first version of PostgreSQL that looks, while it computes, whether its client is there."""


@dataclass(frozen=True)
class Address:
    """A URL taken apart. ``options`` go to libpq; the password is never shown."""

    host: str
    port: int | None
    user: str
    password: str
    database: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read postgresql://user:password@host:port/database?option=value. Raises UsageError without a database."""
        parts = urlsplit(url)
        database = unquote(parts.path.lstrip("/"))
        try:
            port = parts.port
        except ValueError:
            raise UsageError("the PostgreSQL URL's port is not a number") from None
        if not database:
            raise UsageError("a PostgreSQL URL names its database: postgresql://user@host/database")
        return cls(
            unquote(parts.hostname or ""),
            port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            database,
            tuple(parse_qsl(parts.query)),
        )

    def __str__(self) -> str:
        host = self.host or dict(self.options).get("host", "local")
        return f"PostgreSQL {host}{f':{self.port}' if self.port else ''}/{self.database}"

    def __repr__(self) -> str:
        return f"Address({self})"

    def params(self, database: str | None = None) -> dict[str, Any]:
        """libpq's parameters for this database or another on the same server."""
        named = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        made: dict[str, Any] = {k: v for k, v in named.items() if v}
        made.update(self.options)
        made["dbname"] = database or self.database
        made.setdefault("connect_timeout", 10)
        return made


def connect(address: Address, database: str | None = None) -> psycopg.Connection[Any]:
    """Open a connection in autocommit mode with dbmask's settings. Raises ConnectorError.

    The URL's ``options`` may set anything (``options=-c statement_timeout=1h``) but what makes output the same everywhere.
    """
    import psycopg

    params = address.params(database)
    params["options"] = " ".join((_options(_GENTLE), params.get("options", ""), _options(_SETTINGS)))
    params.setdefault("application_name", "dbmask")
    with connected(str(address)):
        made = psycopg.connect(**params, autocommit=True, client_encoding="UTF8")
        _end_with_client(made)
    return made


def _end_with_client(connection: psycopg.Connection[Any]) -> None:
    """Let a statement end soon after a client that was killed: a server may notice only where it has something to send."""
    import psycopg

    if connection.info.server_version < _SEES_CLIENTS:
        return
    with contextlib.suppress(psycopg.errors.InvalidParameterValue):  # a server whose platform cannot tell
        connection.execute("SET client_connection_check_interval = '1s'")


def _options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())
