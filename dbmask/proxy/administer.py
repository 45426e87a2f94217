"""The administrator's connection: one transaction, nothing of it in statement logs where that can be had, errors without data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, UsageError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

__all__ = ["administer", "attempt", "composed", "one"]

_LOCK = 0x6462_6D61_736B  # "dbmask"
_QUIET = ("log_statement = 'none'", "log_min_duration_statement = -1", "log_min_error_statement = panic")


@contextmanager
def administer(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with one open transaction, which is committed at the end and rolled back by any exception.

    Runs of install and uninstall on one database wait for each other. Raises ConnectorError for every error of the
    server, without what it says of values, and UsageError where the URL is none of PostgreSQL's.
    """
    import psycopg

    if url.partition(":")[0] not in ("postgresql", "postgres"):
        raise UsageError("install works on PostgreSQL (postgresql://...) and MariaDB or MySQL (mysql://...)")
    try:
        with psycopg.connect(url, client_encoding="UTF8", application_name="dbmask", connect_timeout=10) as connection:
            connection.execute("SET LOCAL lock_timeout = '30s'")
            for setting in _QUIET:
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"SET LOCAL {setting}".encode())
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield connection
    except psycopg.Error as error:
        raise ConnectorError(f"PostgreSQL: {_said(error)}") from None


def _said(error: psycopg.Error) -> str:
    """What may be said of an error: messages of class 42 name objects; others may quote values, and only their code is said."""
    import psycopg

    state, message = error.sqlstate, error.diag.message_primary
    if isinstance(error, psycopg.NotSupportedError) and message is None:
        return str(error)  # raised by install itself
    if state is None:
        return "the connection was lost or refused"
    if state == "55P03":
        return "a lock was not free within 30 s: a query or another session holds one of the tables or views"
    return f"{message if state[:2] in ('42', '2B', '3F') and message else 'the server refused it'} (SQLSTATE {state})"


@contextmanager
def attempt(connection: psycopg.Connection[Any], failed: list[str]) -> Iterator[None]:
    """Run statements that may fail in themselves; then nothing of them stays, and ``failed`` gets what may be said."""
    import psycopg

    try:
        with connection.transaction():
            yield
    except (
        psycopg.ProgrammingError,
        psycopg.NotSupportedError,
        psycopg.DataError,
        psycopg.errors.ObjectNotInPrerequisiteState,
    ) as error:
        failed.append(_said(error))


def composed(text: str, *names: str | tuple[str, ...]) -> sql.Composed:
    """SQL text with a quoted name, or dotted names, in the place of each ``{}``."""
    from psycopg import sql

    parts = [sql.Identifier(*((n,) if isinstance(n, str) else n)) for n in names]
    return sql.SQL(text).format(*parts)


def one(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    """The first column of the first row; None where there is no row."""
    row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None
