"""A PostgreSQL replica of another kind of database: DDL made anew from the schema, as the entries that a dump would have.

Schemas keep their names (a MariaDB database becomes a schema, and the replica's search path names it). What another
database says in its own words and PostgreSQL does not understand is left out and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ColumnType, ForeignKey, Index, Kind, Schema, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._foreign import (
    full,
    holds_spans,
    kept,
    lost_rest,
    missing_end,
    own_indexes,
    special_index,
    translated_expression,
)
from dbmask_connectors._postgres_dump import Entry

if TYPE_CHECKING:
    import psycopg

__all__ = ["declared", "foreign_structure", "search_path"]

_LONGEST = 63
_PLAIN = {
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
    Kind.UUID: "uuid",
    Kind.JSON: "json",
    Kind.ARRAY: "json",  # its elements' types may be none of PostgreSQL's
    Kind.BYTES: "bytea",
}
_BINARY = ("geometry", "point", "linestring", "polygon", "multi", "geom", "vector", "binary", "blob")
_INDEXED_CHARACTERS = 600
"""A B-tree's row holds 2704 bytes: longer texts could not be indexed."""


def declared(type_: ColumnType, dialect: str) -> str:
    """How PostgreSQL declares another database's type, or one that a mask makes.

    >>> declared(ColumnType(Kind.INTEGER, bits=64, unsigned=True), "mysql")
    'numeric(20)'
    """
    if type_.kind is Kind.INTEGER:
        bits = (type_.bits or 64) + (1 if type_.unsigned else 0)
        names = ((16, "smallint"), (32, "integer"), (64, "bigint"), (65, "numeric(20)"))
        return next((name for most, name in names if bits <= most), "numeric")
    if type_.kind is Kind.DECIMAL:
        return f"numeric({type_.precision},{type_.scale or 0})" if type_.precision else "numeric"
    if type_.kind is Kind.TEXT:
        return f"varchar({type_.length})" if type_.length and type_.length <= 10_485_760 else "text"
    if holds_spans(type_, dialect):
        return "interval"  # it holds spans of time, from -838 hours to 838
    if type_.kind is Kind.OTHER and dialect == "mysql":
        word = type_.sql.lower()
        if word.startswith("bit"):
            return "bigint" if word[3:] not in ("(64)", "") else "numeric(20)"
        return "bytea" if word.startswith(_BINARY) else "text"
    return _PLAIN.get(type_.kind, "text")


def foreign_structure(structure: Structure, trial: psycopg.Connection[Any]) -> tuple[Structure, tuple[str, ...]]:
    """The same tables in PostgreSQL's words, and what could not arrive. ``trial`` is an empty database.

    Raises ConnectorError where a name is longer than PostgreSQL's may be.
    """
    return _Foreign(structure, trial).made()


def search_path(structure: Structure) -> list[str]:
    """The schemas in which a replica's sessions look for tables, the source's own one first."""
    spaces = {t.name.schema for t in structure.tables} - {""}
    first = [s for s in (structure.schema.default_schema,) if s in spaces]
    return [*first, *sorted(spaces - {*first, "public"}), "public"]


@dataclass
class _Foreign:
    structure: Structure
    trial: psycopg.Connection[Any]
    lost: list[str] = field(default_factory=list)

    def made(self) -> tuple[Structure, tuple[str, ...]]:
        targets = self.structure.tables
        _require_short(targets)
        spaces = sorted({t.name.schema for t in targets} - {"public", ""})
        pre = [_entry("SCHEMA", "", s, f"CREATE SCHEMA {quoted(s)}") for s in spaces]
        post: list[str] = []
        for target in targets:
            pre += self._table(target)
        for target in targets:
            post += self._uniques(target)
        for target in targets:
            post += self._indexes(target)
        for target in targets:
            post += self._foreign_keys(target)
            post += _comments(target)
        if any(t.table.foreign_keys for t in targets):
            self.lost.append("what foreign keys do ON DELETE and ON UPDATE")
        self.lost += lost_rest(self.structure)
        self.lost += [f"sequence {s.name}: in another database's words" for s in self.structure.schema.sequences]
        schema = Schema("postgres", {}, (), (), self.structure.schema.default_schema)
        # Nothing is left to be dropped from these tables, or to be added to them.
        plain = tuple(replace(t, table=replace(t.table, columns=tuple(kept(t))), dropped=()) for t in targets)
        made = Structure(
            "postgres", schema, plain, tuple(pre), tuple(self._accepted(pre, post)), (), {"encoding": "UTF8"}
        )
        return made, tuple(self.lost)

    def _accepted(self, pre: Sequence[str], post: Sequence[str]) -> list[str]:
        """What empty tables take of what is to come after the rows; the rest is told now, and not when the rows are there."""
        from psycopg import Error

        taken = []
        with self.trial.transaction(force_rollback=True):
            for packed in pre:
                self.trial.execute(Entry.unpacked(packed).sql.encode())
            for packed in post:
                entry = Entry.unpacked(packed)
                try:
                    with self.trial.transaction():
                        self.trial.execute(entry.sql.encode())
                except Error:
                    self.lost.append(f"{entry}: PostgreSQL refuses it")
                else:
                    taken.append(packed)
        return taken

    def _table(self, target: TargetTable) -> list[str]:
        before, parts = [], []
        for column in kept(target):
            sequence, text = self._column(target, column)
            before += sequence
            parts.append(text)
        create = f"CREATE TABLE {full(target.name)} ({', '.join(parts)})"
        return [*before, _entry("TABLE", target.name.schema, target.name.name, create)]

    def _column(self, target: TargetTable, column: Column) -> tuple[list[str], str]:
        """A sequence that the column needs, and its definition. What PostgreSQL would have to compute, and cannot, stays empty."""
        where = f"{target.name}.{quoted(column.name)}"
        type_ = target.types.get(column.name, column.type)
        text = f"{quoted(column.name)} {declared(type_, self.structure.dialect)}"
        if column.generated is not None:
            expression = self._translated(column.generated)
            others = ", ".join(
                f"{quoted(c.name)} {declared(target.types.get(c.name, c.type), self.structure.dialect)}"
                for c in kept(target)
                if c.generated is None
            )
            generated = f"{text} GENERATED ALWAYS AS ({expression}) STORED"
            if expression is None or not self._stands(f"{others}, {generated}"):
                self.lost.append(f"the values of generated column {where}: in another database's words")
                return [], text
            return [], generated
        if type_.values and type_.kind in (Kind.ENUM, Kind.OTHER):
            self.lost.append(f"the labels of {where}: they come as text")
        before: list[str] = []
        if column.identity and declared(type_, self.structure.dialect).startswith("numeric"):
            name = TableName(target.name.schema, f"{target.name.name[:40]}_{column.name[:16]}_seq")
            before = [_entry("SEQUENCE", name.schema, name.name, f"CREATE SEQUENCE {full(name)}")]
            text += f" DEFAULT nextval('{full(name).replace(chr(39), chr(39) * 2)}')"
        elif column.identity and type_.kind is Kind.INTEGER:
            text += " GENERATED BY DEFAULT AS IDENTITY"
        elif column.default is not None:
            default = self._translated(column.default)
            if default and self._stands(f"{text} DEFAULT {default}"):
                text += f" DEFAULT {default}"
            elif default != "NULL":
                self.lost.append(f"the default of {where}: in another database's words")
        if target.rows and column.name not in target.columns:
            self.lost.append(f"the values of {where}: a trigger made them")
            return before, text
        return before, text if column.nullable else f"{text} NOT NULL"

    def _translated(self, expression: str) -> str | None:
        return translated_expression(expression, self.structure.dialect, "postgres")

    def _stands(self, columns: str) -> bool:
        """Whether an empty database accepts a table with these columns."""
        from psycopg import Error

        try:
            with self.trial.transaction(force_rollback=True):
                self.trial.execute(f"CREATE TEMPORARY TABLE dbmask_trial ({columns})".encode())
        except Error:
            return False
        return True

    def _uniques(self, target: TargetTable) -> list[str]:
        made = []
        for unique in {u.columns: u for u in reversed(target.table.uniques)}.values():
            if (
                unique.partial
                or set(unique.columns) & set(target.dropped)
                or not self._indexable(target, unique.columns)
            ):
                self.lost.append(
                    f"unique key {unique.name} of {target.name}: partial, over long texts or a dropped column"
                )
                continue
            what = "PRIMARY KEY" if unique.primary else "UNIQUE"
            add = f"ALTER TABLE {full(target.name)} ADD {what} ({_names(unique.columns)})"
            made.append(_entry("CONSTRAINT", target.name.schema, f"{target.name.name} {unique.name}", add))
        return made

    def _indexable(self, target: TargetTable, columns: Sequence[str]) -> bool:
        known = {c.name: target.types.get(c.name, c.type) for c in kept(target)}
        types = [known[c] for c in columns if c in known]
        texts = [t for t in types if t.kind is Kind.TEXT]
        return (
            len(types) == len(columns)
            and all(t.kind not in (Kind.JSON, Kind.BYTES, Kind.OTHER, Kind.ARRAY) for t in types)
            and (self.structure.dialect != "mysql" or all(t.length for t in texts))
            and sum(t.length or 0 for t in texts) <= _INDEXED_CHARACTERS
        )

    def _indexes(self, target: TargetTable) -> list[str]:
        made = []
        for index in own_indexes(target):
            if special_index(target, index) or self._other_kind(index) or not self._indexable(target, index.columns):
                self.lost.append(
                    f"index {index.name} of {target.name}: of a kind that PostgreSQL does not make of columns"
                )
                continue
            create = f"CREATE INDEX ON {full(target.name)} ({_names(index.columns)})"
            made.append(_entry("INDEX", target.name.schema, index.name, create))
        return made

    def _other_kind(self, index: Index) -> bool:
        """Whether it is more than columns in an order. MariaDB's prefixes of columns become whole columns."""
        if self.structure.dialect == "mysql":
            return index.sql.upper().startswith(("FULLTEXT", "SPATIAL"))
        return "(" in index.sql.partition("(")[2]

    def _foreign_keys(self, target: TargetTable) -> list[str]:
        made = []
        present = {t.name: t for t in self.structure.tables}
        for key in target.table.foreign_keys:
            if key.declared:
                continue
            parent = present.get(key.ref_table)
            why = missing_end(target, key, parent)
            if not why and parent is not None and not _is_key(parent, key):
                why = "what it refers to is no key"
            if why:
                self.lost.append(f"foreign key {key.name} of {target.name}: {why}")
                continue
            named = f"CONSTRAINT {quoted(key.name)} " if 0 < len(key.name.encode()) <= _LONGEST else ""
            add = (
                f"ALTER TABLE {full(target.name)} ADD {named}FOREIGN KEY ({_names(key.columns)}) "
                f"REFERENCES {full(key.ref_table)} ({_names(key.ref_columns)})"
            )
            made.append(_entry("FK CONSTRAINT", target.name.schema, f"{target.name.name} {key.name}", add))
        return made


def _is_key(parent: TargetTable, key: ForeignKey) -> bool:
    """MariaDB lets a foreign key refer to any index."""
    return any(set(u.columns) == set(key.ref_columns) and not u.partial for u in parent.table.uniques)


def _entry(kind: str, schema: str, name: str, sql: str) -> str:
    return Entry(kind, schema, name, sql + ";").packed()


def _names(columns: Sequence[str]) -> str:
    return ", ".join(quoted(c) for c in columns)


def _require_short(targets: Sequence[TargetTable]) -> None:
    """PostgreSQL cuts longer names, and two could become one."""
    for target in targets:
        for name in (target.name.schema, target.name.name, *(c.name for c in kept(target))):
            if len(name.encode()) > _LONGEST:
                raise ConnectorError(
                    f"{target.name}: the name {name} is longer than the {_LONGEST} bytes of PostgreSQL's names"
                )


def _comments(target: TargetTable) -> list[str]:
    where = target.name
    made = [(f"TABLE {full(where)}", target.table.comment)]
    made += [(f"COLUMN {full(where)}.{quoted(c.name)}", c.comment) for c in kept(target)]
    return [
        _entry("COMMENT", where.schema, where.name, f"COMMENT ON {subject} IS '{text.replace(chr(39), chr(39) * 2)}'")
        for subject, text in made
        if text
    ]
