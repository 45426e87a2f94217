"""psycopg's errors as dbmask's: SQLSTATE, what kind of thing it is, which object; never a message that may quote a value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbmask.errors import ConnectorError

__all__ = ["connected", "translated"]

_KINDS = {
    "0A": "the server has no such feature or extension",
    "08": "the connection was lost",
    "22": "a value does not fit its column",
    "23": "a constraint does not hold",
    "25": "the transaction's state does not allow it",
    "28": "the login was refused",
    "2B": "something else depends on it",
    "3D": "there is no such database",
    "40": "the transaction was rolled back",
    "42": "the statement is not valid here",
    "54": "it is beyond a limit of the server",
    "53": "the server is out of a resource",
    "55": "an object is locked or in use",
    "57": "the server cancelled the statement or shut down",
    "58": "the server met a system error",
}
_EXACT = {
    "42501": "permission denied",
    "42P01": "there is no such table",
    "42703": "there is no such column",
    "23502": "NULL in a NOT NULL column",
    "23503": "a foreign key refers to nothing",
    "23505": "a duplicate key",
    "23514": "a CHECK constraint does not hold, or no partition takes a row",
    "53100": "the disk is full",
    "55P03": "a lock was not free in time",
    "57014": "the statement was cancelled or timed out",
}


def _describe(error: Any) -> str:
    import psycopg

    state = error.sqlstate
    if not state:
        if isinstance(error, psycopg.DataError):
            return "a value cannot be written or read (a text with a NUL character, a number out of range)"
        if isinstance(error, psycopg.OperationalError):
            return "the connection was lost or refused"
        return f"the driver refused it ({type(error).__name__})"
    what = _EXACT.get(state) or _KINDS.get(state[:2], "the server reported an error")
    diag = error.diag
    names = [
        f"{kind} {value}"
        for kind, value in (
            ("schema", diag.schema_name),
            ("table", diag.table_name),
            ("column", diag.column_name),
            ("constraint", diag.constraint_name),
        )
        if value
    ]
    return f"{what} (SQLSTATE {state}{'; ' if names else ''}{', '.join(names)})"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn psycopg's errors into ConnectorError, unchained: DETAIL and CONTEXT hold values."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise ConnectorError(f"{where}: {_describe(error)}") from None


@contextmanager
def connected(where: str) -> Iterator[None]:
    """Turn errors of connecting into ConnectorError that names host, port and database."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        state = error.sqlstate
        why = _describe(error) if state else "cannot connect: no server answers there, or the login was refused"
        raise ConnectorError(f"{where}: {why}") from None
    except psycopg.Error as error:
        raise ConnectorError(f"{where}: {_describe(error)}") from None
