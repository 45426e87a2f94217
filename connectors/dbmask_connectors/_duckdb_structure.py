"""The DDL of a DuckDB replica: the source's own statements, cut where the policy leaves columns or tables out.

As with SQLite, the result is tried in an empty database in memory before any row is read.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import Schema, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_cut import cut_table
from dbmask_connectors._ddl_parse import quoted, tokens
from dbmask_connectors._duckdb_schema import MARKER
from dbmask_connectors._duckdb_session import connect, literal, translated
from dbmask_connectors._foreign import full
from dbmask_connectors._types_duckdb import declared

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["own_structure", "storage_setting"]

_STORAGE = re.compile(r"v\d+\.\d+\.\d+")


def own_structure(db: DuckDBPyConnection, path: Path, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
    """The structure of ``tables`` from the source's own DDL. Raises ConnectorError where a statement cannot be cut."""
    left_out = list(schema.left_out)
    texts = {TableName(s, n): sql for s, n, sql in db.execute(_TABLE_SQL).fetchall()}
    wanted = {t.name for t in tables}
    creates = [
        cut_table(
            texts[t.name], t, {n.name for n in wanted if n.schema == t.name.schema}, declared, left_out, brackets=False
        )
        for t in _parents_first(tables)
    ]
    creates += [
        f"ALTER TABLE {full(t.name)} ADD COLUMN {quoted(c.name)} {declared(c.type)}" for t in tables for c in t.added
    ]
    schemas = [f"CREATE SCHEMA {quoted(s)}" for (s,) in db.execute(_SCHEMAS).fetchall()]
    types, macros = _types_and_macros(db, path, left_out)
    first = [storage_setting(db), *schemas, *types, *_sequences(db)]
    with _trial(first) as trial:
        # A generated column may call a macro; a macro may read a table.
        early, late = _tried(trial, [(_macro_name(m), m) for m in macros])
        first += early
        _run(trial, creates)
        views = [(f"view {v.name}", v.definition) for v in schema.views]
        kept, refused = _tried(trial, [*late, *_indexes(schema, wanted), *views, *_comments(db, schema, tables)])
    left_out += [f"{name}: it needs something that is not in the replica" for name, _ in refused]
    return Structure(
        dialect="duckdb",
        schema=schema,
        tables=tuple(tables),
        pre=(*first, *creates),
        post=tuple(kept),
        left_out=tuple(left_out),
    )


_TABLE_SQL = """
SELECT schema_name, table_name, sql FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal AND NOT temporary"""
_SCHEMAS = """
SELECT schema_name FROM duckdb_schemas()
WHERE database_name = current_database() AND NOT internal AND schema_name <> 'main' ORDER BY oid"""
_SEQUENCE_FACTS = """
SELECT schema_name, sequence_name, increment_by, min_value, max_value, start_value, cycle FROM duckdb_sequences()
WHERE database_name = current_database() AND NOT temporary ORDER BY sequence_oid"""
_NAMED = """
SELECT count(*) FROM (
  SELECT database_name, internal FROM duckdb_types()
  UNION ALL SELECT database_name, internal FROM duckdb_functions() WHERE function_name <> 'dbmask_replica')
WHERE database_name = current_database() AND NOT internal"""
_REMARKS = """
SELECT kind, schema_name, name, column_name, comment FROM (
  SELECT 1 AS place, 'TABLE' AS kind, database_name, schema_name, table_name AS name, NULL AS column_name, comment
    FROM duckdb_tables() WHERE NOT temporary
  UNION ALL SELECT 2, 'COLUMN', database_name, schema_name, table_name, column_name, comment FROM duckdb_columns()
  UNION ALL SELECT 3, 'VIEW', database_name, schema_name, view_name, NULL, comment FROM duckdb_views()
  UNION ALL SELECT 4, 'INDEX', database_name, schema_name, index_name, NULL, comment FROM duckdb_indexes()
  UNION ALL SELECT 5, 'SEQUENCE', database_name, schema_name, sequence_name, NULL, comment FROM duckdb_sequences())
WHERE database_name = current_database() AND comment IS NOT NULL ORDER BY ALL"""


def storage_setting(db: DuckDBPyConnection) -> str:
    """The statement that gives the replica the source's storage version, so that what reads one reads the other."""
    row = db.execute("SELECT tags FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
    found = _STORAGE.match(row[0].get("storage_version", "")) if row else None
    return f"SET storage_compatibility_version = '{found[0] if found else 'latest'}'"


def _parents_first(tables: Sequence[TargetTable]) -> list[TargetTable]:
    """Tables after those that they refer to; DuckDB itself lets no circles come into being."""
    left = {t.name: t for t in tables}
    made: list[TargetTable] = []
    while left:
        free = [t for t in left.values() if all(k == t.name or k not in left for k in _parents(t))]
        if not free:
            raise ConnectorError("foreign keys go in a circle, which DuckDB cannot hold")
        made += free
        for table in free:
            del left[table.name]
    return made


def _parents(target: TargetTable) -> list[TableName]:
    return [k.ref_table for k in target.table.foreign_keys if not k.declared]


def _sequences(db: DuckDBPyConnection) -> list[str]:
    return [
        f"CREATE SEQUENCE {quoted(schema)}.{quoted(name)} INCREMENT BY {by} MINVALUE {low} MAXVALUE {high} START {start} "
        + ("CYCLE" if cycle else "NO CYCLE")
        for schema, name, by, low, high, start, cycle in db.execute(_SEQUENCE_FACTS).fetchall()
    ]


def _types_and_macros(db: DuckDBPyConnection, path: Path, left_out: list[str]) -> tuple[list[str], list[str]]:
    """Named types and macros. No table function tells a macro's defaults; what DuckDB exports of an empty copy does."""
    found = db.execute(_NAMED).fetchone()
    if not found or not found[0]:
        return [], []
    import duckdb

    with tempfile.TemporaryDirectory(prefix="dbmask-") as folder, connect(":memory:", {}) as other:
        try:
            other.execute(f"ATTACH {literal(str(path))} AS original (READ_ONLY)")
            other.execute("ATTACH ':memory:' AS shell")
            other.execute("COPY FROM DATABASE original TO shell (SCHEMA)")
            # No export of a table that refers to itself; what is wanted is neither table nor view.
            for kind, schema, name in other.execute(_RELATIONS).fetchall():
                other.execute(f"DROP {kind} shell.{quoted(schema)}.{quoted(name)}")
            other.execute(f"EXPORT DATABASE shell TO {literal(folder)}")
        except duckdb.Error:
            left_out.append("named types and macros: DuckDB could not export them")
            return [], []
        statements = _statements((Path(folder) / "schema.sql").read_text("utf-8"))
    types = [s for s in statements if s.startswith("CREATE TYPE ")]
    macros = [s for s in statements if s.startswith("CREATE MACRO ") and MARKER not in s.partition("(")[0]]
    return types, macros


_RELATIONS = """
SELECT kind, schema_name, name FROM (
  SELECT 'VIEW' AS kind, schema_name, view_name AS name, view_oid AS oid FROM duckdb_views()
    WHERE database_name = 'shell' AND NOT internal
  UNION ALL SELECT 'TABLE', schema_name, table_name, table_oid FROM duckdb_tables() WHERE database_name = 'shell')
ORDER BY kind DESC, oid DESC"""


def _statements(script: str) -> list[str]:
    ends = [t.start for t in tokens(script, brackets=False) if t.text == ";" and t.depth == 0]
    return [script[a:b].strip() for a, b in zip([0, *(e + 1 for e in ends)], ends, strict=False)]


def _indexes(schema: Schema, wanted: set[TableName]) -> list[tuple[str, str]]:
    return [
        (f"index {TableName(name.schema, i.name)}", i.sql)
        for name, table in schema.tables.items()
        if name in wanted
        for i in table.indexes
    ]


def _comments(db: DuckDBPyConnection, schema_: Schema, tables: Sequence[TargetTable]) -> list[tuple[str, str]]:
    """Comments on all but tables and columns that do not come, of which nothing need be said."""
    dropped = {t.name: t.dropped for t in tables}
    made = []
    for kind, schema, name, column, comment in db.execute(_REMARKS).fetchall():
        table = TableName(schema, name)
        absent = table in schema_.tables and table not in dropped
        if kind in ("TABLE", "COLUMN") and (absent or column in dropped.get(table, ())):
            continue
        subject = f"{kind} " + ".".join(quoted(part) for part in (schema, name, column) if part is not None)
        made.append((f"comment on {subject}", f"COMMENT ON {subject} IS {literal(comment)}"))
    return made


def _trial(statements: Iterable[str]) -> DuckDBPyConnection:
    db = connect(":memory:", {})
    _run(db, statements)
    return db


def _run(db: DuckDBPyConnection, statements: Iterable[str]) -> None:
    with translated("the structure of the replica"):
        for statement in statements:
            db.execute(statement)


def _macro_name(sql: str) -> str:
    return "macro " + sql.removeprefix("CREATE MACRO ").partition("(")[0].strip()


Named = tuple[str, str]


def _tried(db: DuckDBPyConnection, objects: list[Named]) -> tuple[list[str], list[Named]]:
    """The statements that stand on what is there, in an order in which they do, for a view may read a later one; and the rest."""
    import duckdb

    kept: list[str] = []
    left = objects
    while left:
        refused = []
        for name, statement in left:
            try:
                db.execute(statement)
            except duckdb.Error:
                refused.append((name, statement))
            else:
                kept.append(statement)
        if len(refused) == len(left):
            break
        left = refused
    return kept, left
