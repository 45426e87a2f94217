"""The DDL of the tables that are wanted: pg_dump's entries without what hangs on tables and columns that are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.errors import UsageError
from dbmask.schema import Schema, TableKind, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._postgres_closure import Gone, gone
from dbmask_connectors._postgres_dump import Entry, dump
from dbmask_connectors._postgres_installed import installed, without_grants
from dbmask_connectors._postgres_session import Address

if TYPE_CHECKING:
    import psycopg

__all__ = ["read_structure"]

# What would need roles, rights or secrets that the replica's server does not have.
_NEVER = frozenset(
    {
        "EVENT TRIGGER",
        "FOREIGN DATA WRAPPER",
        "FOREIGN TABLE",
        "PUBLICATION",
        "PUBLICATION TABLE",
        "SECURITY LABEL",
        "SERVER",
        "SUBSCRIPTION",
        "USER MAPPING",
    }
)
# Parts of something else: they go with it, and are not said.
_PARTS = frozenset({"ACL", "COMMENT", "DEFAULT", "INDEX ATTACH", "ROW SECURITY", "SEQUENCE OWNED BY", "TABLE ATTACH"})
_OTHERS = """
SELECT 'foreign table', n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f'
UNION ALL SELECT 'publication', '', pubname FROM pg_publication
UNION ALL SELECT 'event trigger', '', evtname FROM pg_event_trigger
UNION ALL SELECT 'large objects', '', count(*)::text FROM pg_largeobject_metadata HAVING count(*) > 0
ORDER BY 1, 2, 3
"""


def read_structure(
    connection: psycopg.Connection[Any], address: Address, version: int, schema: Schema, tables: Sequence[TargetTable]
) -> Structure:
    """Dump, and leave out what cannot stand. Raises ConnectorError, and UsageError where a wanted table cannot stand."""
    wanted = _with_partitions(schema, {t.name for t in tables})
    foreign = [TableName(s, n) for kind, s, n in connection.execute(_OTHERS) if kind == "foreign table"]
    skipped = [*(set(schema.tables) - wanted), *foreign]
    dropped = {t.name: t.dropped for t in tables if t.dropped}
    lost = gone(connection, schema, wanted, skipped, dropped) if skipped or dropped else Gone()
    _require_standing(schema, lost, dropped)
    left_out = [*schema.left_out]
    left_out += [_words(kind, s, n) for kind, s, n in connection.execute(_OTHERS)]
    sections = []
    absent: set[int] = set()
    ours = installed(connection)
    for section in dump(address, version, _untouched(schema, skipped, lost), ours.schemas).values():
        kept = []
        for entry in without_grants(section, ours.roles):
            if _stands(entry, lost, absent):
                kept.append(entry.packed())
            else:
                absent.add(entry.number)
                if entry.kind not in _PARTS and entry.kind not in _NEVER and _loud(entry, lost):
                    left_out.append(str(entry))
        sections.append(tuple(kept))
    said = tuple(dict.fromkeys(left_out))
    return Structure("postgres", schema, tuple(tables), sections[0], sections[1], said, _options(connection))


def _untouched(schema: Schema, skipped: Iterable[TableName], lost: Gone) -> list[TableName]:
    """The skipped tables, but for those whose sequences others draw on: pg_dump would leave the sequences away too."""
    owners = {s.owner[0] for s in schema.sequences if s.owner and s.name in lost.owned}
    return sorted(set(skipped) - owners)


def _words(kind: str, schema: str, name: str) -> str:
    if kind == "large objects":
        return f"{name} large objects"
    return f"{kind} {TableName(schema, name)}"


def _with_partitions(schema: Schema, wanted: set[TableName]) -> set[TableName]:
    """These tables and, at every depth, the partitions that their rows are in."""
    found = set(wanted)
    while True:
        more = {
            n
            for n, t in schema.tables.items()
            if t.kind is TableKind.PARTITION and n not in found and found.intersection(t.parents)
        }
        if not more:
            return found
        found |= more


def _require_standing(schema: Schema, lost: Gone, dropped: dict[TableName, tuple[str, ...]]) -> None:
    for name in lost.tables:
        raise UsageError(
            f"{name} cannot be cloned without a table that the policy skips: skip both, or make that one empty"
        )
    for name, columns in dropped.items():
        table = schema.tables.get(name)
        if table is None:
            continue
        for made in table.columns:
            read = set(made.generated_from).intersection(columns)
            if read and made.name not in columns:
                raise UsageError(
                    f"{name}.{made.name} is computed from {', '.join(sorted(read))}, which the policy drops: "
                    "drop both, or mask what it is computed from"
                )
        for column in columns:
            if column in table.partition_key:
                raise UsageError(f"{name}.{column} is in the key of its partitions and cannot be dropped: mask it")


def _stands(entry: Entry, lost: Gone, absent: set[int]) -> bool:
    if entry.kind in _NEVER or (entry.catalog, entry.oid) in lost.objects or absent.intersection(entry.needs):
        return False
    if entry.kind in ("INDEX ATTACH", "TABLE ATTACH"):
        return TableName(entry.schema, entry.name) not in {lost.names.get(o) for o in lost.objects}
    if entry.kind == "SEQUENCE OWNED BY":
        return TableName(entry.schema, entry.name) not in lost.owned
    return True


def _loud(entry: Entry, lost: Gone) -> bool:
    """Whether its absence is worth a word: what is part of a skipped table is not."""
    part = entry.kind == "SEQUENCE" or (entry.kind == "RULE" and entry.name.endswith(" _RETURN"))
    return not part and (entry.catalog, entry.oid) not in lost.silent


def _options(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What CREATE DATABASE takes: encoding and locale, the locale's provider from version 15 on."""
    row = connection.execute(
        "SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(encoding)) "
        "FROM pg_database d WHERE datname = current_database()"
    ).fetchone()
    facts: dict[str, Any] = row[0] if row else {}
    icu = facts.get("datlocprovider") == "i"
    found = {
        "encoding": facts.get("encoding"),
        "lc_collate": facts.get("datcollate"),
        "lc_ctype": facts.get("datctype"),
        "locale_provider": "icu" if icu else None,
        "icu_locale": (facts.get("daticulocale") or facts.get("datlocale")) if icu else None,
    }
    return {name: str(value) for name, value in found.items() if value}
