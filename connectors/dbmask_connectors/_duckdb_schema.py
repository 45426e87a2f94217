"""DuckDB's catalog, read through its table functions; collations come from the statements that it writes itself."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from dbmask.schema import Check, Column, ForeignKey, Index, Schema, Sequence, Table, TableName, Unique, View
from dbmask_connectors._ddl_parse import names_in, parse_table, tokens, unquote
from dbmask_connectors._types_duckdb import column_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MAIN", "MARKER", "index_columns", "read_schema"]

MAIN = "main"
MARKER = "dbmask_replica"
"""A macro of this name says that dbmask made the file: it shows among functions, and in no table, view or type."""

_TABLES = """
SELECT schema_name, table_name, sql, estimated_size, comment FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal AND NOT temporary ORDER BY table_oid"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, is_generated, generation_expression,
       comment
FROM duckdb_columns() WHERE database_name = current_database() AND NOT internal ORDER BY table_oid, column_index"""
_CONSTRAINTS = """
SELECT schema_name, table_name, constraint_type, constraint_name, expression, constraint_column_names, referenced_table,
       referenced_column_names
FROM duckdb_constraints() WHERE database_name = current_database() ORDER BY table_oid, constraint_index"""
_INDEXES = """
SELECT schema_name, table_name, index_name, is_unique, sql FROM duckdb_indexes()
WHERE database_name = current_database() ORDER BY index_oid"""
_SEQUENCES = """
SELECT schema_name, sequence_name, increment_by, last_value FROM duckdb_sequences()
WHERE database_name = current_database() AND NOT temporary ORDER BY sequence_oid"""
_VIEWS = """
SELECT schema_name, view_name, sql FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND NOT temporary ORDER BY view_oid"""

Row = tuple[Any, ...]
_BYTEWISE = frozenset({"", "BINARY", "C", "POSIX"})


def read_schema(db: DuckDBPyConnection) -> Schema:
    """The structure of the database that a connection uses."""
    columns = _by_table(db, _COLUMNS)
    constraints = _by_table(db, _CONSTRAINTS)
    indexes = _by_table(db, _INDEXES)
    tables = {}
    for schema, name, sql, size, comment in db.execute(_TABLES).fetchall():
        key = TableName(schema, name)
        tables[key] = _table(key, sql, size, comment, columns[key], constraints[key], indexes[key])
    shown = [(TableName(s, n), sql) for s, n, sql in db.execute(_VIEWS).fetchall()]
    relations = {*tables, *(name for name, _ in shown)}
    views = [View(name, sql, reads=_reads(sql, name, relations)) for name, sql in shown]
    version = db.execute("SELECT version()").fetchone()
    return Schema(
        dialect="duckdb",
        tables=dict(sorted(tables.items())),
        views=tuple(views),
        sequences=_sequences(db.execute(_SEQUENCES).fetchall(), tables),
        default_schema=MAIN,
        version=version[0].removeprefix("v") if version else "",
    )


def _by_table(db: DuckDBPyConnection, query: str) -> dict[TableName, list[Row]]:
    found: dict[TableName, list[Row]] = defaultdict(list)
    for schema, table, *row in db.execute(query).fetchall():
        found[TableName(schema, table)].append(tuple(row))
    return found


def _table(
    name: TableName,
    sql: str,
    size: int,
    comment: str | None,
    columns: list[Row],
    constraints: list[Row],
    indexes: list[Row],
) -> Table:
    folded = _folded(sql)
    names = tuple(row[0] for row in columns)
    return Table(
        name=name,
        columns=tuple(_column(row, folded, names) for row in columns),
        uniques=_uniques(constraints, indexes),
        foreign_keys=tuple(
            # DuckDB has no foreign keys between schemas, and does not say the schema of the table referred to.
            ForeignKey(row[1], tuple(row[3]), TableName(name.schema, row[4]), tuple(row[5]))
            for row in constraints
            if row[0] == "FOREIGN KEY"
        ),
        indexes=tuple(Index(row[0], index_columns(row[2]), row[1], row[2]) for row in indexes),
        checks=tuple(Check(row[1], row[2], tuple(row[3])) for row in constraints if row[0] == "CHECK"),
        rows=size,
        comment=comment,
    )


def _folded(sql: str) -> set[str]:
    """The columns with a collation, which the catalog's table functions do not tell."""
    parsed = parse_table(sql, brackets=False)
    if parsed is None:
        return set()
    found = set()
    for column in parsed.columns:
        clause = column.clause("COLLATE")
        if clause is not None and clause.body.upper() not in _BYTEWISE:
            found.add(column.name)
    return found


def _column(row: Row, folded: set[str], names: tuple[str, ...]) -> Column:
    name, type_, nullable, default, is_generated, expression, comment = row
    return Column(
        name=name,
        type=column_type(type_, folded=name in folded),
        nullable=nullable,
        default=None if is_generated else default,
        generated=expression if is_generated else None,
        generated_from=names_in(expression, names, brackets=False) if is_generated else (),
        comment=comment,
    )


def _uniques(constraints: list[Row], indexes: list[Row]) -> tuple[Unique, ...]:
    found = [
        Unique(row[1], tuple(row[3]), primary=row[0] == "PRIMARY KEY")
        for row in constraints
        if row[0] in ("PRIMARY KEY", "UNIQUE")
    ]
    found += [Unique(row[0], index_columns(row[2])) for row in indexes if row[1] and index_columns(row[2])]
    return tuple(found)


def index_columns(sql: str) -> tuple[str, ...]:
    """The columns of a CREATE INDEX statement; empty where it stands on an expression."""
    inside = [t for t in tokens(sql, brackets=False) if t.depth > 0]
    names: list[str] = []
    for token in inside:
        if token.depth > 1 or token.text == "(":
            return ()
        if token.text != ",":
            names.append(unquote(token.text))
    return tuple(names)


def _sequences(rows: list[Row], tables: dict[TableName, Table]) -> tuple[Sequence, ...]:
    owners: dict[TableName, tuple[TableName, str]] = {}
    for table in tables.values():
        for column in table.columns:
            fed_by = sequence_of(column.default)
            if fed_by is not None:
                owners.setdefault(fed_by, (table.name, column.name))
    return tuple(
        Sequence(TableName(s, n), owners.get(TableName(s, n)), increment, last) for s, n, increment, last in rows
    )


def sequence_of(default: str | None) -> TableName | None:
    """The sequence that a default draws from, or None."""
    parts = list(tokens(default or "", brackets=False))
    for call, opening, argument in zip(parts, parts[1:], parts[2:], strict=False):
        if call.word == "NEXTVAL" and opening.text == "(" and argument.kind == "literal":
            names = [unquote(t.text) for t in tokens(unquote(argument.text)) if t.kind in ("word", "quoted")]
            return TableName(names[-2] if len(names) > 1 else MAIN, names[-1]) if names else None
    return None


def _reads(sql: str, view: TableName, relations: set[TableName]) -> tuple[TableName, ...]:
    """The tables and views that a view's text names; nothing where sqlglot does not understand it."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(sql, read="duckdb")
    except SqlglotError:
        return ()
    named = list(tree.find_all(exp.Table))
    said = {TableName(t.db or schema, t.name) for t in named for schema in (view.schema, MAIN)}
    return tuple(sorted((said & relations) - {view}))
