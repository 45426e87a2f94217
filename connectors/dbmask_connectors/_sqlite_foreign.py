"""A SQLite replica of another kind of database: DDL made anew from the schema.

SQLite has one schema: what was in the source's default schema keeps its name, the rest is called ``schema_table``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field

from dbmask.schema import Column, ForeignKey, Kind, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._foreign import (
    kept,
    lost_rest,
    missing_end,
    plain_indexes,
    require_distinct,
    translated_expression,
)
from dbmask_connectors._sqlite_types import declared

__all__ = ["foreign_structure", "local_name"]

MAIN = "main"
_FLOAT_DIGITS = 15


def local_name(name: TableName, default_schema: str) -> str:
    """What a table of the source is called in the replica."""
    return name.name if name.schema in ("", MAIN, default_schema) else f"{name.schema}_{name.name}"


def foreign_structure(structure: Structure) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Statements before the rows and after them, and what could not arrive."""
    return _Foreign(structure).made()


@dataclass
class _Foreign:
    structure: Structure
    lost: list[str] = field(default_factory=list)

    def made(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        tables = self.structure.tables
        require_distinct("SQLite", tables, [self._local(t.name) for t in tables])
        pre = [self._table(t) for t in tables]
        post = self._indexes()
        self.lost += lost_rest(self.structure)
        if any(t.table.comment or any(c.comment for c in t.table.columns) for t in tables):
            self.lost.append("comments: SQLite has none")
        return tuple(pre), tuple(post), tuple(self.lost)

    def _local(self, name: TableName) -> str:
        return local_name(name, self.structure.schema.default_schema)

    def _table(self, target: TargetTable) -> str:
        alias = _rowid_alias(target)
        parts = [self._column(target, c, alias) for c in kept(target)]
        for columns, unique in {u.columns: u for u in reversed(target.table.uniques)}.items():
            if unique.partial or set(columns) & set(target.dropped):
                self.lost.append(f"unique key {unique.name} of {target.name}: partial, or over a dropped column")
            elif not (unique.primary and alias):
                parts.append(f"{'PRIMARY KEY' if unique.primary else 'UNIQUE'} ({_names(columns)})")
        parts += self._foreign_keys(target)
        return f"CREATE TABLE {quoted(self._local(target.name))} (" + ", ".join(parts) + ")"

    def _column(self, target: TargetTable, column: Column, alias: str | None) -> str:
        """The column's definition. What SQLite would have to compute, and cannot, stays empty."""
        if column.name == alias:
            return f"{quoted(column.name)} INTEGER PRIMARY KEY{' AUTOINCREMENT' if _numbered(column) else ''}"
        type_ = target.types.get(column.name, column.type)
        text = f"{quoted(column.name)} {declared(type_)}"
        where = f"{target.name}.{quoted(column.name)}"
        if type_.kind is Kind.DECIMAL and (type_.precision or _FLOAT_DIGITS + 1) > _FLOAT_DIGITS:
            self.lost.append(f"decimals of more than {_FLOAT_DIGITS} digits in {where}: SQLite rounds them")
        if column.generated is not None:
            others = [f"{quoted(c.name)} {declared(c.type)}" for c in kept(target) if c.generated is None]
            expression = self._translated(column.generated)
            generated = f"{text} GENERATED ALWAYS AS ({expression}) STORED"
            if expression is None or not _stands(f"CREATE TABLE trial ({', '.join([*others, generated])})"):
                self.lost.append(f"the values of generated column {where}: in another database's words")
                return text
            text = generated
        elif column.default is not None and not _numbered(column):
            default = self._translated(column.default)
            if default and _stands(f"CREATE TABLE trial ({text} DEFAULT ({default}))"):
                text += f" DEFAULT ({default})"
            else:
                self.lost.append(f"the default of {where}: in another database's words")
        elif _numbered(column):
            self.lost.append(f"the numbering of {where}: SQLite numbers an integer primary key only")
        if target.rows and column.generated is None and column.name not in target.columns:
            # A trigger of the source filled it; nothing does here.
            self.lost.append(f"the values of {where}: a trigger made them")
            return text
        return text if column.nullable else f"{text} NOT NULL"

    def _translated(self, sql: str) -> str | None:
        return translated_expression(sql, self.structure.dialect, "sqlite")

    def _foreign_keys(self, target: TargetTable) -> list[str]:
        present = {t.name: t for t in self.structure.tables}
        made = []
        for key in target.table.foreign_keys:
            why = missing_end(target, key, present.get(key.ref_table))
            if why and not key.declared:
                self.lost.append(f"foreign key {key.name} of {target.name}: {why}")
            elif not why and not key.declared:
                made.append(self._foreign_key(key))
        return made

    def _foreign_key(self, key: ForeignKey) -> str:
        parent = quoted(self._local(key.ref_table))
        text = f"CONSTRAINT {quoted(key.name)} FOREIGN KEY ({_names(key.columns)}) REFERENCES {parent} ({_names(key.ref_columns)})"
        return f"{text} DEFERRABLE INITIALLY DEFERRED" if key.deferrable else text

    def _indexes(self) -> list[str]:
        made: dict[str, str] = {}
        taken = {self._local(t.name).lower() for t in self.structure.tables}
        for target in self.structure.tables:
            for index in plain_indexes(target, self.lost, str(target.name)):
                local = self._local(target.name)
                # Elsewhere a name is unique within its table or schema; here within the file, tables included.
                name = index.name if index.name.lower() not in taken else f"{local}_{index.name}"
                taken.add(name.lower())
                made[name] = f"CREATE INDEX {quoted(name)} ON {quoted(local)} ({_names(index.columns)})"
        return list(made.values())


def _rowid_alias(target: TargetTable) -> str | None:
    """The one integer column of the primary key, which becomes the rowid."""
    key = target.table.primary_key
    column = target.table.column(key[0]) if len(key) == 1 else None
    if column is None or column.name in target.dropped:
        return None
    type_ = target.types.get(column.name, column.type)
    return column.name if type_.kind is Kind.INTEGER and (type_.bits or 64) <= 64 and column.generated is None else None


def _numbered(column: Column) -> bool:
    return column.identity is not None or "nextval" in (column.default or "")


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(quoted(c) for c in columns)


def _stands(create: str) -> bool:
    """Whether SQLite can make the table and put a row of defaults into it."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute(create)
            db.execute("INSERT INTO trial DEFAULT VALUES")
        except sqlite3.Error:
            return False
    return True
