"""Replicas that were replaced and are kept: databases beside the target, closed for logins until one is put back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dbmask.errors import UsageError
from dbmask.spi import Previous
from dbmask_connectors import _postgres_swap as swap
from dbmask_connectors._kept import STAMP, replaced_at, stamp_after
from dbmask_connectors._postgres_errors import translated

if TYPE_CHECKING:
    import psycopg

__all__ = ["kept_name", "previous", "prune", "roll_back"]

_WAS = "was_"


def _stamps(admin: psycopg.Connection[Any], target: str) -> dict[str, str]:
    """Stamp -> database, of what was replaced here and is this user's."""
    pattern = re.compile(re.escape(swap.building_name(target, _WAS)) + rf"({STAMP})\Z")
    rows = admin.execute(
        "SELECT datname FROM pg_database WHERE NOT datallowconn AND pg_has_role(datdba, 'MEMBER')"
    ).fetchall()
    matches = [pattern.match(name) for (name,) in rows]
    return {m[1]: m[0] for m in matches if m is not None}


def previous(admin: psycopg.Connection[Any], target: str) -> list[Previous]:
    """What is kept beside the target, the latest first."""
    return [Previous(name, replaced_at(stamp)) for stamp, name in sorted(_stamps(admin, target).items(), reverse=True)]


def kept_name(admin: psycopg.Connection[Any], target: str) -> str:
    """Where the database that is about to be replaced goes."""
    return swap.building_name(target, _WAS + stamp_after(_stamps(admin, target)))


def prune(admin: psycopg.Connection[Any], target: str, count: int) -> None:
    """Drop all but the latest ``count``; what cannot be dropped now is tried again after the next success."""
    from psycopg import Error

    for kept in previous(admin, target)[count:]:
        try:
            swap.drop(admin, kept.name)
        except Error:
            continue


def roll_back(admin: psycopg.Connection[Any], target: str, name: str) -> None:
    """Put a kept database in the target's place, with the settings and grants that the target has now.

    What served till now is kept in its stead. Raises UsageError where neither of the two was made by dbmask.
    """
    from psycopg import sql

    if name not in {kept.name for kept in previous(admin, target)}:
        raise UsageError(f"{name} is no replica that was kept beside {target}")
    there = bool(swap.number_of(admin, target))
    if there and not (swap.is_ours(admin, target) or swap.is_ours(admin, name)):
        raise UsageError(f"neither {target} nor {name} was made by dbmask: it exchanges what it made itself")
    if not there:
        with admin.transaction():
            swap.open_for_logins(admin, name, True)
            admin.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(target))
            )
        return
    with translated(f"the settings and grants of database {target}"), admin.transaction():
        _strip(admin, name)
        swap.carry_over(admin, target, name)
    swap.rename(admin, name, target, kept_name(admin, target))


def _strip(admin: psycopg.Connection[Any], name: str) -> None:
    """Take settings and grants off a database, so that those of another can be put on."""
    from psycopg import sql

    where = sql.Identifier(name)
    roles = admin.execute(
        "SELECT DISTINCT r.rolname FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = %s",
        (name,),
    ).fetchall()
    for (role,) in roles:
        subject = sql.SQL("DATABASE {}").format(where)
        if role:
            subject = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), where)
        admin.execute(sql.SQL("ALTER {} RESET ALL").format(subject))
    grantees = admin.execute(
        "SELECT DISTINCT r.rolname FROM pg_database d, "
        "aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        "WHERE d.datname = %s AND a.grantee <> d.datdba",
        (name,),
    ).fetchall()
    for (role,) in grantees:
        grantee = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(where, grantee))
    admin.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(where))
