"""Databases beside databases: made, marked, renamed into place, dropped.

A database that is being built is named ``<target>__dbmask_<run>`` and held by an advisory lock of its own session,
which ends with the process that builds it: what nobody holds was left by a run that died.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmask.errors import UsageError

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "building_name",
    "check_rights",
    "clear_leftovers",
    "create_database",
    "drop",
    "exists",
    "hold",
    "is_empty",
    "is_ours",
    "mark",
    "publish",
]

MARKER = "made by dbmask"
_PART = "__dbmask_"
_MAX = 63


def _short(target: str) -> str:
    """A prefix of the target's name that leaves room for the run's mark, unique by a digest where it was cut."""
    room = _MAX - len(_PART) - 16
    raw = target.encode()
    if len(raw) <= room:
        return target
    return raw[: room - 9].decode("utf-8", "ignore") + "_" + hashlib.sha256(raw).hexdigest()[:8]


def building_name(target: str, run: str) -> str:
    """The name under which a run builds beside ``target``; 63 bytes at most."""
    return f"{_short(target)}{_PART}{run[:16]}"


def exists(admin: psycopg.Connection[Any], name: str) -> bool:
    """Whether there is a database of this name."""
    return admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def is_ours(admin: psycopg.Connection[Any], name: str) -> bool:
    """Whether dbmask made it."""
    row = admin.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).fetchone()
    return bool(row and row[0] and str(row[0]).startswith(MARKER))


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database holds no relation, function or type of a user's."""
    query = """
        SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_')
           AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                           WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_')
    """
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def check_rights(admin: psycopg.Connection[Any], where: str) -> None:
    """Raise UsageError unless this user may make databases."""
    row = admin.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    if not row or not row[0]:
        raise UsageError(
            f"{where}: the replica is built in a database of its own, which needs the CREATEDB right (ALTER ROLE ... CREATEDB)"
        )


def create_database(admin: psycopg.Connection[Any], name: str, options: Mapping[str, str]) -> None:
    """Make a database from template0 with the source's encoding and locale."""
    from psycopg import sql

    query = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    for option in ("encoding", "lc_collate", "lc_ctype"):
        if options.get(option):
            query += sql.SQL(" {} {}").format(sql.SQL(option.upper()), sql.Literal(options[option]))
    admin.execute(query)


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(b"dbmask building " + name.encode()).digest()[:8], "big", signed=True)


def hold(connection: psycopg.Connection[Any], target: str) -> None:
    """Hold the building database for as long as this session lives."""
    connection.execute("SELECT pg_advisory_lock(%s)", (_lock_number(target),))


def clear_leftovers(admin: psycopg.Connection[Any], target: str) -> None:
    """Drop databases that dead runs built beside this target: those in which nobody is."""
    prefix = _short(target) + _PART
    rows = admin.execute(
        "SELECT datname FROM pg_database d WHERE starts_with(datname, %s) "
        "AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.database = d.oid AND l.locktype = 'advisory')",
        (prefix,),
    ).fetchall()
    for (name,) in rows:
        drop(admin, name)


def drop(admin: psycopg.Connection[Any], name: str) -> None:
    """Drop a database and end whatever sessions are in it."""
    from psycopg import sql

    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def mark(connection: psycopg.Connection[Any], name: str) -> None:
    """Write into the database's comment who made it."""
    from psycopg import sql

    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(MARKER)))


def publish(admin: psycopg.Connection[Any], built: str, target: str) -> None:
    """Put ``built`` in the place of ``target``. Both renames are one transaction; the old database is dropped after it."""
    from psycopg import sql

    old = building_name(target, "old")
    there = exists(admin, target)
    if there:
        _carry_over(admin, target, built)
        _end_sessions(admin, target)
    with admin.transaction():
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        if there:
            admin.execute(rename.format(sql.Identifier(target), sql.Identifier(old)))
        admin.execute(rename.format(sql.Identifier(built), sql.Identifier(target)))
    if there:
        drop(admin, old)


def _end_sessions(admin: psycopg.Connection[Any], name: str) -> None:
    """Nobody may be in a database that is renamed; new logins wait for the rename's lock."""
    query = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    admin.execute(query, (name,))


def _carry_over(admin: psycopg.Connection[Any], old: str, new: str) -> None:
    """The old database's settings and grants, put on the new one."""
    from psycopg import sql

    settings = admin.execute(
        "SELECT r.rolname, unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = %s",
        (old,),
    ).fetchall()
    for role, setting in settings:
        name, _, value = setting.partition("=")
        who = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), sql.Identifier(new)) if role else None
        subject = who or sql.SQL("DATABASE {}").format(sql.Identifier(new))
        admin.execute(sql.SQL("ALTER {} SET {} = {}").format(subject, sql.Identifier(name), sql.Literal(value)))
    grants = admin.execute(
        "SELECT coalesce(r.rolname, ''), a.privilege_type FROM pg_database d, aclexplode(d.datacl) a "
        "LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = %s",
        (old,),
    ).fetchall()
    if grants:
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(new)))
    for role, privilege in grants:
        grantee = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        admin.execute(sql.SQL("GRANT {} ON DATABASE {} TO {}").format(sql.SQL(privilege), sql.Identifier(new), grantee))
