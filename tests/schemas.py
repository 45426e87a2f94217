"""Small schemas for tests that need no database."""

from __future__ import annotations

from dbmask.schema import Column, ColumnType, ForeignKey, Kind, Schema, Table, TableKind, TableName, Unique

__all__ = ["INT", "TEXT", "column", "fk", "name", "schema", "table", "varchar"]

TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)


def varchar(length: int) -> ColumnType:
    return ColumnType(Kind.TEXT, f"varchar({length})", length=length)


def name(text: str) -> TableName:
    return TableName.parse(text, "public")


def column(
    text: str, type_: ColumnType = TEXT, *, nullable: bool = True, generated_from: tuple[str, ...] = ()
) -> Column:
    generated = "stored" if generated_from else None
    return Column(text, type_, nullable=nullable, generated=generated, generated_from=generated_from)


def fk(columns: str, ref: str, ref_columns: str) -> ForeignKey:
    return ForeignKey(f"fk_{columns}", tuple(columns.split()), name(ref), tuple(ref_columns.split()))


def table(
    text: str,
    *columns: Column,
    key: str = "",
    unique: tuple[str, ...] = (),
    keys: tuple[ForeignKey, ...] = (),
    kind: TableKind = TableKind.TABLE,
    parents: tuple[str, ...] = (),
    rows: int | None = None,
) -> Table:
    uniques = ((Unique("pk", tuple(key.split()), primary=True),) if key else ()) + tuple(
        Unique(f"u_{i}", tuple(u.split())) for i, u in enumerate(unique)
    )
    above = tuple(name(p) for p in parents)
    return Table(name(text), columns, kind, above, uniques=uniques, foreign_keys=keys, rows=rows)


def schema(*tables: Table, dialect: str = "postgres") -> Schema:
    return Schema(dialect, {t.name: t for t in tables}, default_schema="public")
