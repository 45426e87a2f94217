"""The two roles: the owner of all that is installed, who cannot log in, and the masked role, who can do nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dbmask.errors import Problem, ProblemsError
from dbmask.proxy.administer import composed, one
from dbmask.proxy.gaps import Gap, open_gaps
from dbmask.proxy.names import short_name

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "RoleError",
    "ensure_owner",
    "ensure_role",
    "owner_of",
    "path_of",
    "restore_path",
    "set_password",
    "set_path",
]

_ATTRIBUTES = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"


class RoleError(ProblemsError):
    """The role cannot be a masked role; ``problems`` names each right that stands against it."""


def owner_of(connection: psycopg.Connection[Any]) -> str | None:
    """The owner role of what is installed in this database; None where nothing is."""
    query = "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'dbmask'"
    found: str | None = one(connection, query)
    return found


def ensure_owner(connection: psycopg.Connection[Any]) -> str:
    """Make the owner role of this database, where it is not there; the administrator becomes its member unless superuser."""
    owner = owner_of(connection) or short_name("dbmask_owner", one(connection, "SELECT current_database()"))
    if one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", owner) is None:
        connection.execute(composed(f"CREATE ROLE {{}} NOLOGIN {_ATTRIBUTES}", owner))
    if not one(
        connection,
        "SELECT rolsuper OR pg_has_role(rolname, %s, 'USAGE') FROM pg_roles WHERE rolname = current_user",
        owner,
    ):
        connection.execute(composed("GRANT {} TO CURRENT_USER", owner))
    return owner


def ensure_role(connection: psycopg.Connection[Any], role: str) -> tuple[bool, bool]:
    """Make the masked role, or check one that exists. Returns whether it was made, and whether it inherited before.

    Raises RoleError where an existing role is more than a masked role may be.
    """
    found = connection.execute("SELECT rolinherit FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if found is None:
        connection.execute(composed(f"CREATE ROLE {{}} LOGIN {_ATTRIBUTES}", role))
        return True, False
    problems = [_problem(role, gap) for gap in open_gaps(connection, role) if _is_more(gap)]
    if problems:
        raise RoleError(problems)
    if found[0]:
        connection.execute(composed("ALTER ROLE {} NOINHERIT", role))
    return False, bool(found[0])


def _is_more(gap: Gap) -> bool:
    return gap.kind in ("MEMBER", "OWNER") or (gap.kind == "ATTRIBUTE" and gap.object != "INHERIT")


def _problem(role: str, gap: Gap) -> Problem:
    return Problem(f"role {role}", gap.what, f"use a role of its own, or: {gap.statement}")


def set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Give the role a password. The server sees its SCRAM verifier alone."""
    from psycopg import sql

    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))


def set_path(connection: psycopg.Connection[Any], role: str, path: Iterable[str]) -> None:
    """Set the role's search_path in this database."""
    from psycopg import sql

    database = one(connection, "SELECT current_database()")
    names = sql.SQL(", ").join(sql.Identifier(name) for name in path)
    text = sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}")
    connection.execute(text.format(sql.Identifier(role), sql.Identifier(database), names))


def path_of(connection: psycopg.Connection[Any], role: str) -> str | None:
    """The search_path that is set for the role in this database; None where none is."""
    query = """
        SELECT substr(c.setting, length('search_path=') + 1)
        FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase
        CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
        WHERE r.rolname = %s AND d.datname = current_database() AND starts_with(c.setting, 'search_path=')
    """
    found: str | None = one(connection, query, role)
    return found


def restore_path(connection: psycopg.Connection[Any], role: str, path: str | None) -> None:
    """Set the role's search_path in this database to what it was."""
    database = one(connection, "SELECT current_database()")
    if path is None:
        connection.execute(composed("ALTER ROLE {} IN DATABASE {} RESET search_path", role, database))
        return
    connection.execute("SELECT set_config('search_path', %s, true)", (path,))
    connection.execute(composed("ALTER ROLE {} IN DATABASE {} SET search_path FROM CURRENT", role, database))
    connection.execute("RESET search_path")
