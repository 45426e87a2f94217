"""What `dbmask install` made in a source: no part of it, and nothing that a replica has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dbmask_connectors._postgres_dump import Entry

if TYPE_CHECKING:
    import psycopg

__all__ = ["Installed", "installed", "without_grants"]

# By their comments, as the query for relations knows them.
_SCHEMAS = """
SELECT n.nspname, quote_ident(pg_get_userbyid(n.nspowner)),
       quote_ident(substr(c.text, length('dbmask masked views for ') + 1)), starts_with(c.text, 'dbmask masked views for ')
FROM pg_namespace n CROSS JOIN LATERAL (SELECT obj_description(n.oid, 'pg_namespace')) AS c (text)
WHERE c.text ~ '^dbmask (keys and catalog$|masked views for )'
"""


class Installed(NamedTuple):
    """The schemas, and the roles as SQL writes them."""

    schemas: tuple[str, ...]
    roles: tuple[str, ...]


def installed(connection: psycopg.Connection[Any]) -> Installed:
    """What is installed; empty where nothing is."""
    rows = connection.execute(_SCHEMAS).fetchall()
    roles = [r[1] for r in rows] + [r[2] for r in rows if r[3]]
    return Installed(tuple(r[0] for r in rows), tuple(dict.fromkeys(roles)))


def without_grants(entries: Iterable[Entry], roles: tuple[str, ...]) -> list[Entry]:
    """Entries without the grants to these roles."""
    ends = tuple(f" TO {role};" for role in roles)
    kept = []
    for entry in entries:
        if entry.kind == "ACL" and ends:
            lines = [line for line in entry.sql.splitlines() if not line.endswith(ends)]
            entry = replace(entry, sql="\n".join(lines))
        if entry.sql.strip():
            kept.append(entry)
    return kept
