"""What `dbmask install` leaves in the database for those who read it: which masked relation stands for which base relation.

The role reads two views of schema ``dbmask``, which show it its own rows alone. Everything else there (keys, side
tables, recorded rights) belongs to the owner role.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "INSTALLATION_SQL",
    "RELATIONS_SQL",
    "SCHEMA",
    "VERSION",
    "Installation",
    "MaskedRelation",
    "installation",
    "masked_relations",
]

SCHEMA = "dbmask"
"""The schema of what dbmask keeps in the source."""

VERSION = 1
"""The version of the installed structure; another one is an error that says to install again."""

RELATIONS_SQL = (
    "SELECT base, base_schema, base_name, view, view_schema, view_name, only_name, columns, masked "
    "FROM dbmask.relations ORDER BY base_schema, base_name"
)
"""For a server that runs its own protocol: the query behind :func:`masked_relations`, run as the masked role."""

INSTALLATION_SQL = "SELECT version, generation, policy, search_path FROM dbmask.installation"
"""The query behind :func:`installation`: one row, or none where nothing is installed for the role."""


@dataclass(frozen=True)
class MaskedRelation:
    """The masked view that stands for one base relation (table, partition, child, view or materialized view).

    ``base`` and ``view`` are OIDs. ``only`` is the view's name for ``FROM ONLY`` where inheritance children have rows of
    their own, else ``view_name`` again. ``columns`` are the view's columns in order, ``masked`` those whose values differ.
    """

    base: int
    base_schema: str
    base_name: str
    view: int
    view_schema: str
    view_name: str
    only: str
    columns: tuple[str, ...]
    masked: frozenset[str]


@dataclass(frozen=True)
class Installation:
    """What is installed for a role. ``generation`` changes with every install; ``policy`` is the policy's digest.

    ``search_path`` is the role's: masked schemas, then pg_catalog, then the schemas of extensions that bring types and
    operators (hstore, citext).
    """

    version: int
    generation: int
    policy: str
    search_path: tuple[str, ...]


def masked_relations(connection: psycopg.Connection[Any]) -> dict[int, MaskedRelation]:
    """Every masked relation of the role that is logged in, by the base relation's OID. psycopg's errors pass through."""
    found = {}
    for base, schema, name, view, view_schema, view_name, only, columns, masked in connection.execute(RELATIONS_SQL):
        found[base] = MaskedRelation(
            base, schema, name, view, view_schema, view_name, only or view_name, tuple(columns), frozenset(masked)
        )
    return found


def installation(connection: psycopg.Connection[Any]) -> Installation | None:
    """What is installed for the role that is logged in, or None. psycopg's errors pass through."""
    there = connection.execute("SELECT to_regclass('dbmask.installation') IS NOT NULL").fetchone()
    row = connection.execute(INSTALLATION_SQL).fetchone() if there and there[0] else None
    return Installation(row[0], row[1], row[2], tuple(row[3])) if row else None
