"""What building a replica of another kind of database needs, whichever kind it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ColumnType, ForeignKey, Index, Kind, TableName
from dbmask.spi import Reader, Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = [
    "SPAN",
    "full",
    "holds_spans",
    "kept",
    "lost_rest",
    "missing_end",
    "orphans",
    "own_indexes",
    "plain_indexes",
    "require_distinct",
    "special_index",
    "translated_expression",
]


def kept(target: TargetTable) -> list[Column]:
    """The columns that the replica has."""
    return [*(c for c in target.table.columns if c.name not in target.dropped), *target.added]


SPAN = "time of MySQL"
"""How the generic connector writes the type of a column whose times reach from -838 hours to 838."""


def holds_spans(type_: ColumnType, dialect: str) -> bool:
    """Whether a column's times are spans of time, beyond those of a day."""
    return type_.kind is Kind.TIME and (dialect == "mysql" or type_.sql == SPAN)


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


def own_indexes(target: TargetTable) -> Iterator[Index]:
    """A table's indexes without those that its unique keys bring along."""
    keys = {u.columns for u in target.table.uniques if not u.partial}
    return (index for index in target.table.indexes if index.columns not in keys)


def plain_indexes(target: TargetTable, lost: list[str], said: str) -> Iterator[Index]:
    """Those of a table's own indexes that can be made anew; ``lost`` takes the others, of the table as it is ``said``."""
    for index in own_indexes(target):
        if special_index(target, index):
            lost.append(f"index {index.name} of {said}: partial, on an expression or on a dropped column")
        else:
            yield index


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


def orphans(reader: Reader, structure: Structure) -> dict[str, int]:
    """Rows without a parent by "table.key", for each key whose parent is in the replica. Raises ConnectorError."""
    present = {t.name: t for t in structure.tables}
    found = {}
    for target in structure.tables:
        for key in target.table.foreign_keys:
            parent = present.get(key.ref_table)
            if parent is not None and not missing_end(target, key, parent):
                query = _orphans(target.name, key)
                found[f"{target.name}.{key.name}"] = next(int(b[0][0]) for b in reader.read(query))
    return found


def _orphans(child: TableName, key: ForeignKey) -> exp.Expression:
    from sqlglot import exp

    def column(side: str, name: str) -> exp.Expression:
        return exp.column(exp.to_identifier(name, quoted=True), table=side)

    def table(name: TableName, alias: str) -> exp.Expression:
        return exp.table_(name.name, db=name.schema, quoted=True, alias=alias)

    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    known = [exp.Not(this=exp.Is(this=column("c", c), expression=exp.Null())) for c, _ in pairs]
    same = [exp.EQ(this=column("p", r), expression=column("c", c)) for c, r in pairs]
    parent = exp.select("1").from_(table(key.ref_table, "p")).where(*same)
    query = exp.select(exp.Count(this=exp.Star())).from_(table(child, "c"))
    return query.where(*known, exp.Not(this=exp.Exists(this=parent)))
