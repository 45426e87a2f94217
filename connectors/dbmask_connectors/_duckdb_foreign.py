"""A DuckDB replica of another kind of database: DDL made anew from the schema.

What DuckDB cannot hold is left out and told: foreign keys that go in a circle, between schemas or within one table
(it looks each row's parent up on arrival), and views, triggers, checks and special indexes in another database's words.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dbmask.schema import Column, ColumnType, ForeignKey, Kind, Schema, Sequence, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._duckdb_schema import MAIN, sequence_of
from dbmask_connectors._duckdb_session import connect, literal
from dbmask_connectors._foreign import (
    full,
    holds_spans,
    kept,
    lost_rest,
    missing_end,
    plain_indexes,
    require_distinct,
    translated_expression,
)
from dbmask_connectors._types_duckdb import declared

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["foreign_structure", "placed"]


def placed(name: TableName, default_schema: str) -> TableName:
    """Where a table of the source stands in the replica: what was in the default schema is in ``main``."""
    return TableName(MAIN if name.schema in ("", default_schema) else name.schema, name.name)


def foreign_structure(structure: Structure) -> tuple[Structure, tuple[str, ...]]:
    """The same tables in DuckDB's words, under the names they get there; and what could not arrive."""
    return _Foreign(structure).made()


@dataclass
class _Foreign:
    structure: Structure
    lost: list[str] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    said: dict[TableName, TableName] = field(default_factory=dict)
    """By its name in the replica, what a table is called in the source, which is what people are told."""

    def made(self) -> tuple[Structure, tuple[str, ...]]:
        schema = self.structure.schema
        before: dict[TableName, TargetTable] = {}
        for target in self.structure.tables:
            before[target.name] = self._target(target, before)
        targets = list(before.values())
        require_distinct("DuckDB", targets, [str(t.name) for t in targets])
        with connect(":memory:", {}) as trial:
            pre = self._schemas([t.name for t in targets])
            _run(trial, pre)
            columns = {t.name: [self._column(trial, t, c) for c in kept(t)] for t in targets}
            pre += [f"CREATE SEQUENCE {full(s.name)}" for s in self.sequences]
            _run(trial, pre[-len(self.sequences) :] if self.sequences else [])
            for target in targets:
                pre.append(self._table(trial, target, columns[target.name]))
        self.lost += lost_rest(self.structure)
        made = Schema("duckdb", {}, (), tuple(self.sequences), schema.default_schema)
        post = tuple(self._indexes(targets)) + tuple(_comments(targets))
        return Structure("duckdb", made, tuple(targets), tuple(pre), post), tuple(self.lost)

    def _target(self, target: TargetTable, before: dict[TableName, TargetTable]) -> TargetTable:
        """The table under its names in the replica, without the keys that DuckDB cannot hold; ``before`` are filled earlier."""
        default = self.structure.schema.default_schema
        name = placed(target.name, default)
        self.said[name] = target.name
        keys = []
        present = {t.name: t for t in self.structure.tables}
        for key in target.table.foreign_keys:
            parent = present.get(key.ref_table)
            why = missing_end(target, key, parent) or _cannot_hold(key, target.name, before)
            if why and not key.declared:
                self.lost.append(f"foreign key {key.name} of {target.name}: {why}")
            elif not why and not key.declared:
                keys.append(replace(key, ref_table=placed(key.ref_table, default)))
        columns = tuple(self._placed_column(name, c) for c in target.table.columns)
        return replace(target, table=replace(target.table, name=name, foreign_keys=tuple(keys), columns=columns))

    def _placed_column(self, table: TableName, column: Column) -> Column:
        """The column with a sequence of its own where the other database numbers its rows."""
        if not column.identity and sequence_of(column.default) is None and "nextval" not in (column.default or ""):
            return column
        name = TableName(table.schema, f"{table.name}_{column.name}_seq")
        self.sequences.append(Sequence(name, (table, column.name)))
        return replace(column, identity=None, default=f"nextval({literal(full(name))})")

    def _declared(self, type_: ColumnType) -> str:
        return "INTERVAL" if holds_spans(type_, self.structure.dialect) else declared(type_)

    def _schemas(self, names: list[TableName]) -> list[str]:
        return [f"CREATE SCHEMA {quoted(s)}" for s in sorted({n.schema for n in names} - {MAIN})]

    def _column(self, trial: DuckDBPyConnection, target: TargetTable, column: Column) -> str:
        """The column's definition. What DuckDB would have to compute, and cannot, stays empty."""
        type_ = target.types.get(column.name, column.type)
        name = self._declared(type_)
        where = f"{self.said[target.name]}.{quoted(column.name)}"
        if type_.kind is Kind.DECIMAL and name == "DOUBLE":
            self.lost.append(f"the decimals of {where}: they come as DOUBLE")
        text = f"{quoted(column.name)} {name}"
        if column.generated is not None:
            expression = self._translated(column.generated)
            others = ", ".join(
                f"{quoted(c.name)} {self._declared(c.type)}" for c in kept(target) if c.generated is None
            )
            generated = f"{text} GENERATED ALWAYS AS ({expression})"
            if expression is None or not _stands(trial, f"CREATE TEMP TABLE dbmask_trial ({others}, {generated})"):
                self.lost.append(f"the values of generated column {where}: in another database's words")
                return text
            return generated
        if sequence_of(column.default) is not None:
            text += f" DEFAULT {column.default}"
        elif column.default is not None:
            default = self._translated(column.default)
            if default and _stands(trial, f"CREATE TEMP TABLE dbmask_trial ({text} DEFAULT {default})"):
                text += f" DEFAULT {default}"
            else:
                self.lost.append(f"the default of {where}: in another database's words")
        if target.rows and column.name not in target.columns:
            # A trigger of the source filled it; nothing does here.
            self.lost.append(f"the values of {where}: a trigger made them")
            return text
        return text if column.nullable else f"{text} NOT NULL"

    def _translated(self, expression: str) -> str | None:
        return translated_expression(expression, self.structure.dialect, "duckdb")

    def _table(self, trial: DuckDBPyConnection, target: TargetTable, columns: list[str]) -> str:
        """CREATE TABLE with as many of its keys as DuckDB accepts."""
        gone = set(target.dropped)
        parts = list(columns)
        for unique in {u.columns: u for u in reversed(target.table.uniques)}.values():
            if unique.partial or gone & set(unique.columns):
                self.lost.append(
                    f"unique key {unique.name} of {self.said[target.name]}: partial, or over a dropped column"
                )
                continue
            parts.append(f"{'PRIMARY KEY' if unique.primary else 'UNIQUE'} ({_names(unique.columns)})")
        keys = list(target.table.foreign_keys)
        while True:
            shown = [
                f"FOREIGN KEY ({_names(k.columns)}) REFERENCES {full(k.ref_table)} ({_names(k.ref_columns)})"
                for k in keys
            ]
            sql = f"CREATE TABLE {full(target.name)} ({', '.join(parts + shown)})"
            if not keys or _stands(trial, sql, keep=True):
                break
            key = keys.pop()
            self.lost.append(f"foreign key {key.name} of {self.said[target.name]}: DuckDB refuses it")
        if not keys:
            _run(trial, [sql])
        return sql

    def _indexes(self, targets: list[TargetTable]) -> list[str]:
        made: dict[TableName, str] = {}
        for target in targets:
            for index in plain_indexes(target, self.lost, str(self.said[target.name])):
                name = TableName(target.name.schema, index.name)
                if name in made:  # unique within its table only, in MariaDB
                    name = TableName(target.name.schema, f"{target.name.name}_{index.name}")
                made[name] = f"CREATE INDEX {quoted(name.name)} ON {full(target.name)} ({_names(index.columns)})"
        return list(made.values())


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(quoted(c) for c in columns)


def _run(db: DuckDBPyConnection, statements: list[str]) -> None:
    for statement in statements:
        db.execute(statement)


def _stands(db: DuckDBPyConnection, statement: str, keep: bool = False) -> bool:
    """Whether an empty database accepts a statement; what it makes stays only if it is to be kept."""
    import duckdb

    try:
        db.execute(statement)
    except duckdb.Error:
        return False
    if not keep:
        db.execute("DROP TABLE temp.main.dbmask_trial")
    return True


def _comments(targets: list[TargetTable]) -> list[str]:
    made = []
    for target in targets:
        if target.table.comment:
            made.append(f"COMMENT ON TABLE {full(target.name)} IS {literal(target.table.comment)}")
        for column in kept(target):
            if column.comment:
                subject = f"{full(target.name)}.{quoted(column.name)}"
                made.append(f"COMMENT ON COLUMN {subject} IS {literal(column.comment)}")
    return made


def _cannot_hold(key: ForeignKey, table: TableName, before: dict[TableName, TargetTable]) -> str:
    if key.ref_table == table:
        return "it refers to its own table, and rows would have to come before others"
    if key.ref_table.schema != table.schema:
        return "it goes between schemas"
    return "" if key.ref_table in before else "it closes a circle of tables"
