"""What a masked role may do besides reading its masked views: what PUBLIC may do, and what the role was given.

Everything is asked of the catalogs, never guessed: :func:`open_gaps` lists each right with the statement that takes it
away, :func:`readable_beyond_views` each relation that the role could touch. Both run as any user, the role itself too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbmask_sql.packs import statement

if TYPE_CHECKING:
    import psycopg

__all__ = ["SAFE_EXTENSIONS", "Gap", "open_gaps", "readable_beyond_views"]

SAFE_EXTENSIONS = (
    *("btree_gin", "btree_gist", "citext", "cube", "earthdistance", "fuzzystrmatch", "hstore", "intarray", "isn"),
    *("ltree", "pg_trgm", "pgcrypto", "plpgsql", "seg", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp"),
)
"""Extensions whose functions compute from their arguments alone: types, operators, texts. They may stay PUBLIC's."""


@dataclass(frozen=True)
class Gap:
    """One right too many.

    ``name`` is what ``--accept-gap`` takes, ``what`` says it in words, ``statement`` closes it. ``kind``, ``object`` and
    ``privilege`` say the same to machines: ``object`` is quoted as in SQL.
    """

    name: str
    what: str
    statement: str
    kind: str
    object: str
    privilege: str


# Each query gives (kind, object, privilege), and can be asked of servers from this version on.
_QUERIES = (
    ("gaps_attributes", 0),
    ("gaps_memberships", 0),
    ("gaps_ownership", 0),
    ("gaps_database", 0),
    ("gaps_schemas", 0),
    ("gaps_routines", 0),
    ("gaps_system_routines", 0),
    ("readable_beyond_views", 0),
    ("gaps_large_objects", 0),
    ("gaps_foreign", 0),
    ("gaps_parameters", 150_000),
)
_WORDS = {
    "DATABASE": "{privilege} on database {object}",
    "SCHEMA": "{privilege} on schema {object}",
    "ROUTINE": "EXECUTE on {object}",
    "DEFINER": "EXECUTE on {object}, which runs with its owner's rights",
    "TABLE": "{privilege} on {object}",
    "SEQUENCE": "{privilege} on sequence {object}",
    "LARGE OBJECT": "{privilege} on large object {object}",
    "FOREIGN SERVER": "USAGE on foreign server {object}",
    "FOREIGN DATA WRAPPER": "USAGE on foreign-data wrapper {object}",
    "PARAMETER": "{privilege} on parameter {object}",
    "MEMBER": "it is a member of role {object}",
    "ATTRIBUTE": "the role is {object}",
    "OWNER": "it owns {object}",
}


def open_gaps(connection: psycopg.Connection[Any], role: str) -> list[Gap]:
    """Every right of ``role`` that is none of its masked views, in order; empty where the role holds raw data in.

    Raises ValueError where there is no such role; psycopg's errors pass through.
    """
    _require(connection, role)
    found: dict[tuple[str, str, str], Gap] = {}
    version = connection.info.server_version
    given = {"role": role, "safe": list(SAFE_EXTENSIONS)}
    for query, since in _QUERIES:
        if version < since:
            continue
        for kind, target, privilege in connection.execute(statement("postgres", query).encode(), given):
            found.setdefault((kind, target, privilege), _gap(connection, role, kind, target, privilege))
    return list(found.values())


def _gap(connection: psycopg.Connection[Any], role: str, kind: str, target: str, privilege: str) -> Gap:
    from psycopg import sql

    who = sql.Identifier(role).as_string(connection)
    word = "ROUTINE" if kind == "DEFINER" else kind
    if kind == "MEMBER":
        closing = f"REVOKE {target} FROM {who}"
    elif kind == "ATTRIBUTE":
        closing = f"ALTER ROLE {who} NO{target}"
    elif kind == "OWNER":
        closing = f"ALTER {privilege} {target} OWNER TO CURRENT_USER"
    else:
        on = "" if word == "TABLE" else f"{word} "
        closing = f"REVOKE {privilege} ON {on}{target} FROM PUBLIC, {who}"
    what = _WORDS[kind].format(object=target, privilege=privilege)
    name = f"{'execute' if word == 'ROUTINE' else privilege.lower() or kind.lower()} {target}"
    return Gap(name, what, f"{closing};", word, target, privilege)


def readable_beyond_views(connection: psycopg.Connection[Any], role: str) -> list[str]:
    """Every relation, quoted as in SQL, that ``role`` has any right on and that is none of its masked views; sorted.

    Sequences and system catalogs count as well. Where the role itself is logged in, it also tries to read each relation of
    the database. Raises ValueError where there is no such role; psycopg's errors pass through.
    """
    _require(connection, role)
    rows = connection.execute(statement("postgres", "readable_beyond_views").encode(), {"role": role})
    found = {target for _kind, target, _privilege in rows}
    who = connection.execute("SELECT current_user = %s AND session_user = %s", (role, role)).fetchone()
    return sorted(found.union(_tried(connection, role))) if who and who[0] else sorted(found)


def _tried(connection: psycopg.Connection[Any], role: str) -> Iterator[str]:
    """The relations that a SELECT reaches, in spite of what the catalogs say of rights."""
    from psycopg import errors

    rows = connection.execute(statement("postgres", "relations_beyond_views").encode(), {"role": role}).fetchall()
    for (target,) in rows:
        try:
            with connection.transaction():
                connection.execute(f"SELECT 1 FROM {target} LIMIT 0".encode())  # noqa: S608 - quoted by the server
        except errors.InsufficientPrivilege:
            continue
        yield target


def _require(connection: psycopg.Connection[Any], role: str) -> None:
    if connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        raise ValueError(f"there is no role {role}")
