"""Foreign keys of a replica, counted where the database has not validated them itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbmask.schema import ForeignKey, Table, TableKind, TableName
from dbmask.spi import Structure
from dbmask_connectors._postgres_copy import table_sql

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

__all__ = ["check_foreign_keys"]

_VALIDATED = """
SELECT n.nspname, t.relname, c.conname FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND c.convalidated
"""


def check_foreign_keys(connection: psycopg.Connection[Any], structure: Structure) -> Mapping[str, int]:
    """Rows of the replica that refer to nothing, by "table.key", declared keys too.

    A key that stands validated in the replica was checked row by row when it was made. Keys that are not validated in
    the source, keys that only the policy knows and keys that a partition declares alone are counted here.
    """
    held = {(TableName(s, t), name) for s, t, name in connection.execute(_VALIDATED)}
    there = {t.name: t for t in structure.tables if t.rows}
    found = {}
    for target in there.values():
        table = target.table
        if table.kind is TableKind.PARTITION:
            continue
        columns = {c.name for c in table.columns} - set(target.dropped)
        for key in table.foreign_keys:
            parent = there.get(key.ref_table)
            if parent is None or not set(key.columns) <= columns or set(key.ref_columns) & set(parent.dropped):
                continue
            label = f"{table.name}.{key.name or '+'.join(key.columns)}"
            found[label] = 0 if (table.name, key.name) in held else _broken(connection, table, parent.table, key)
    return found


def _broken(connection: psycopg.Connection[Any], table: Table, parent: Table, key: ForeignKey) -> int:
    from psycopg import sql

    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    same = sql.SQL(" AND ").join(sql.SQL("p.{} = c.{}").format(sql.Identifier(r), sql.Identifier(c)) for c, r in pairs)
    given = sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(c)) for c, _ in pairs)
    query = sql.SQL("SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        _alone(table), given, _alone(parent), same
    )
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _alone(table: Table) -> sql.Composable:
    """A table as its foreign keys see it: with its partitions, without its inheritance children."""
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    return name if table.kind is TableKind.PARTITIONED else sql.SQL("ONLY {}").format(name)
