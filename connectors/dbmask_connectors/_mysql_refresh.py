"""Some tables of a replica built anew: what must be known of the others, and what ties them to those.

The target's marker holds a token among the names of what was made; it moves with the tables, in the same RENAME.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbmask.schema import TableName
from dbmask.spi import Span, Structure, Written
from dbmask_connectors import _mysql_swap as swap
from dbmask_connectors._mysql_catalog import MARKER, relations
from dbmask_connectors._mysql_parts import span_sum
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_structure import Entry, entries

__all__ = [
    "Kept",
    "Part",
    "narrow",
    "reshaped",
    "state_of",
    "sum_of",
    "tables_of",
    "token_of",
    "touched",
    "why_whole",
    "write_token",
]

_NOTE = "dbmask token"


@dataclass(frozen=True)
class Kept:
    """A table of which all but some parts goes on: these, and what the replica had in them."""

    spans: Sequence[Span]
    rows: int
    total: int


@dataclass(frozen=True)
class Part:
    """Tables that move, and the foreign keys between them and those that stay."""

    only: frozenset[str] | None = None
    keys: Sequence[Entry] = ()


def token_of(session: Session, database: str) -> str:
    """The token that a replica carries; empty where it carries none. Raises ConnectorError."""
    if not swap.is_marked(session, database):
        return ""
    found = session.run(f"SELECT name FROM {quoted(database, MARKER)} WHERE kind = %s", (_NOTE,))  # noqa: S608
    return str(found[0][0]) if found else ""


def write_token(session: Session, database: str, token: str) -> None:
    """Write a token into a database that is marked. Raises ConnectorError."""
    if token:
        session.run(f"INSERT INTO {quoted(database, MARKER)} VALUES (%s, %s)", (_NOTE, token))  # noqa: S608


def why_whole(session: Session, structure: Structure) -> str:
    """Why no single table can be built anew."""
    if "mariadb" not in str(session.variable("version")).lower():
        return "only MariaDB's tables are swapped one by one"
    if session.variable("lower_case_table_names") and any(t.name.name != t.name.name.lower() for t in structure.tables):
        return "the target's server folds the names of tables"
    if structure.schema.sequences:
        return "sequences follow the rows of all tables"
    if any(entry.kind == "trigger" for entry in entries(structure.pre)):
        return "triggers that fill columns may read other tables"
    return ""


def tables_of(session: Session, database: str) -> list[str]:
    """The replica's own tables. Raises ConnectorError."""
    own = {*swap.OWN, MARKER}
    return sorted(name for name, kind in relations(session, database) if kind == "BASE TABLE" and name not in own)


def _columns(session: Session, database: str) -> Iterator[tuple[Any, ...]]:
    sql = (
        "SELECT table_name, column_name, column_type, is_nullable, column_default, extra, collation_name, "
        "generation_expression FROM information_schema.columns WHERE table_schema = %s ORDER BY table_name, ordinal_position"
    )
    there = set(tables_of(session, database))
    return (row for row in session.run(sql, (database,)) if row[0] in there)


def _shape(session: Session, database: str) -> str:
    return hashlib.sha256(repr(list(_columns(session, database))).encode()).hexdigest()


def sum_of(session: Session, database: str, table: str, spans: Iterable[Span] = ()) -> tuple[int, int]:
    """Rows and checksum of a replica's table, or of parts of it. Raises ConnectorError."""
    columns = [row[1] for row in _columns(session, database) if row[0] == table]
    place = TableName(database, table)
    found = [span_sum(session, span, columns, place) for span in spans or (Span(place),)]
    return sum(f.rows for f in found), sum(int(f.sum or 0) for f in found)


def _text(found: tuple[int, int]) -> str:
    return f"{found[0]} {found[1]}"


def state_of(
    session: Session, database: str, since: str, swapped: Collection[TableName] | None, kept: Mapping[str, Kept]
) -> str:
    """What :func:`reshaped` and :func:`touched` compare with, of a database that is built as a whole. Raises ConnectorError.

    Of ``kept`` tables only the parts that did not go on are looked at: checksums are sums.
    """
    known: dict[str, str] = json.loads(since)["sums"] if since else {}
    names = {n.name for n in swapped} if swapped is not None else None

    def now(name: str) -> str:
        if names is not None and name not in names:
            return known[name]
        own = kept.get(name)
        if own is None:
            return _text(sum_of(session, database, name))
        rows, total = map(int, known[name].split())
        fresh = sum_of(session, database, name, own.spans)
        return _text((rows - own.rows + fresh[0], total - own.total + fresh[1]))

    sums = {name: now(name) for name in tables_of(session, database)}
    return json.dumps({"shape": _shape(session, database), "sums": sums})


def reshaped(session: Session, database: str, since: str) -> bool:
    """Whether a replica has other tables or columns than it had. Raises ConnectorError."""
    return bool(json.loads(since)["shape"] != _shape(session, database))


def touched(session: Session, database: str, since: Written) -> dict[TableName, str]:
    """The tables whose rows are not those that they were. Raises ConnectorError."""
    sums: Mapping[str, str] = json.loads(since.token)["sums"]
    return {
        name: "somebody else wrote to it: its rows have another checksum"
        for name in since.rows
        if _text(sum_of(session, database, name.name)) != sums[name.name]
    }


def narrow(session: Session, database: str, structure: Structure, swapped: Collection[TableName]) -> Part:
    """Drop what is not to be swapped. Raises ConnectorError."""
    names = {n.name for n in swapped}
    session.run("SET SESSION foreign_key_checks = 0")
    for name, kind in list(relations(session, database)):
        if "VIEW" in kind:
            session.run(f"DROP VIEW {quoted(database, name)}")
        elif name not in names and name != MARKER and name not in swap.OWN:
            session.run(f"DROP TABLE {quoted(database, name)}")
    session.run("SET SESSION foreign_key_checks = 1")
    return Part(frozenset({*names, MARKER}), _keys(structure, swapped))


def _keys(structure: Structure, swapped: Collection[TableName]) -> list[Entry]:
    """Statements that make the keys between swapped and other tables again."""
    across = {
        f"{target.name.name}.{key.name}": (target.name.name, key.name or "")
        for target in structure.tables
        for key in target.table.foreign_keys
        if (target.name in swapped) != (key.ref_table in swapped)
    }
    made = []
    for entry in entries(structure.post):
        if entry.kind == "foreign key" and entry.name in across:
            table, key = across[entry.name]
            # In one statement it would be a second key of the same name.
            made.append(
                Entry(entry.kind, key, "", f"ALTER TABLE {quoted(table)} DROP FOREIGN KEY IF EXISTS {quoted(key)}")
            )
            made.append(Entry(entry.kind, key, "", entry.sql))
    return made
