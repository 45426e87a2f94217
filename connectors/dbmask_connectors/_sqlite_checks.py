"""Foreign keys of a finished replica, counted."""

from __future__ import annotations

from dbmask.schema import ForeignKey, TableName
from dbmask.spi import Structure
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._sqlite_foreign import local_name
from dbmask_connectors._sqlite_session import Session

__all__ = ["broken_rows"]


def broken_rows(db: Session, structure: Structure) -> dict[str, int]:
    """Rows without a parent by "table.key", for each key whose parent is in the replica."""

    def local(name: TableName) -> str:
        return local_name(name, structure.schema.default_schema)

    present = {t.name: t for t in structure.tables}
    found = {}
    for target in structure.tables:
        for key in target.table.foreign_keys:
            parent = present.get(key.ref_table)
            lost = set(key.columns) & set(target.dropped)
            if parent is not None and not lost and not set(key.ref_columns) & set(parent.dropped):
                found[f"{target.name}.{key.name}"] = _count(db, (local(target.name), local(parent.name)), key)
    return found


def _count(db: Session, ends: tuple[str, str], key: ForeignKey) -> int:
    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    known = " AND ".join(f"c.{quoted(c)} IS NOT NULL" for c, _ in pairs)
    # The parent's column stands first: its collation and affinity are what SQLite compares a foreign key by.
    same = " AND ".join(f"p.{quoted(r)} = c.{quoted(c)}" for c, r in pairs)
    sql = (
        f"SELECT count(*) FROM main.{quoted(ends[0])} c WHERE {known} AND NOT EXISTS "  # noqa: S608
        f"(SELECT 1 FROM main.{quoted(ends[1])} p WHERE {same})"
    )
    return int(db.execute(sql).fetchone()[0])
