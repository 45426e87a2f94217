"""What building a replica of another kind of database needs, whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterable

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ForeignKey, Index, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted

__all__ = ["full", "kept", "lost_rest", "missing_end", "require_distinct", "special_index", "translated_expression"]


def kept(target: TargetTable) -> list[Column]:
    """The columns that the replica has."""
    return [*(c for c in target.table.columns if c.name not in target.dropped), *target.added]


def translated_expression(sql: str, read: str, write: str) -> str | None:
    """A default or a generated column's expression in another dialect; None where sqlglot does not understand it."""
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    try:
        return parse_one(sql, read=read).sql(dialect=write)
    except SqlglotError:
        return None


def require_distinct(product: str, targets: Iterable[TargetTable], names: Iterable[str]) -> None:
    """Raise ConnectorError where two tables or columns differ by case alone, which ``product`` does not see."""
    seen: dict[str, str] = {}
    for name in (*names, *(f"{t.name}.{c.name}" for t in targets for c in kept(t))):
        if name.lower() in seen:
            raise ConnectorError(
                f"{product} cannot tell {seen[name.lower()]} from {name}: there, case makes no difference"
            )
        seen[name.lower()] = name


def missing_end(target: TargetTable, key: ForeignKey, parent: TargetTable | None) -> str:
    """Why neither end of a foreign key can be said in the replica; empty where both can."""
    if parent is None:
        return f"{key.ref_table} is not in the replica"
    if set(key.columns) & set(target.dropped) or set(key.ref_columns) & set(parent.dropped):
        return "a column of it is dropped"
    return ""


def special_index(target: TargetTable, index: Index) -> bool:
    """Whether an index cannot be made anew from its columns' names."""
    return not index.columns or bool(set(index.columns) & set(target.dropped)) or " WHERE " in index.sql.upper()


def lost_rest(structure: Structure) -> list[str]:
    """What never crosses from one kind of database to another, in words."""
    lost = []
    for target in structure.tables:
        lost += [f"check {c.name} of {target.name}: in another database's words" for c in target.table.checks]
        lost += [f"trigger {t.name} of {target.name}: in another database's words" for t in target.table.triggers]
    lost += [f"view {v.name}: in another database's words" for v in structure.schema.views]
    return lost


def full(name: TableName) -> str:
    """A name with its schema, quoted."""
    return ".".join(quoted(part) for part in (name.schema, name.name) if part)
