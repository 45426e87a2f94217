"""What information_schema knows of one database, each view read once, whatever the number of tables.

Names there compare without case; rows of another database that differs by case alone are sorted out here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from dbmask_connectors._mysql_session import Session

__all__ = ["LEDGER", "MARKER", "SYSTEM", "Row", "by_table", "other_databases", "read", "relations"]

LEDGER = "dbmask_chunks"
"""The table of chunks in a database that is being built; it does not arrive with the replica."""
MARKER = "dbmask_replica"
"""The table that says that a database was made by dbmask; it is no part of its schema."""

Row = dict[str, Any]
SYSTEM = ("mysql", "sys", "information_schema", "performance_schema")
"""Databases of the server's own."""

QUERIES = {
    "tables": """SELECT table_name, table_type, engine, table_rows, data_length, index_length, table_comment,
        create_options FROM information_schema.tables WHERE table_schema = %s ORDER BY table_name""",
    "columns": """SELECT table_name, column_name, column_default, is_nullable, data_type, character_maximum_length,
        numeric_precision, numeric_scale, collation_name, column_type, extra, column_comment, generation_expression
        FROM information_schema.columns WHERE table_schema = %s ORDER BY table_name, ordinal_position""",
    "statistics": """SELECT table_name, index_name, non_unique, column_name, sub_part, index_type
        FROM information_schema.statistics WHERE table_schema = %s ORDER BY table_name, index_name, seq_in_index""",
    "keys": """SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name,
        referenced_column_name FROM information_schema.key_column_usage
        WHERE table_schema = %s AND referenced_table_name IS NOT NULL
        ORDER BY table_name, constraint_name, ordinal_position""",
    "checks": """SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints
        WHERE constraint_schema = %s ORDER BY table_name, constraint_name""",
    "triggers": """SELECT event_object_table AS table_name, trigger_name, action_timing, event_manipulation,
        action_statement FROM information_schema.triggers WHERE trigger_schema = %s
        ORDER BY event_object_table, action_timing, event_manipulation, action_order""",
    "views": """SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = %s
        ORDER BY table_name""",
    "partitions": """SELECT DISTINCT table_name, partition_expression, subpartition_expression
        FROM information_schema.partitions WHERE table_schema = %s AND partition_name IS NOT NULL""",
    "routines": """SELECT routine_name, routine_type, routine_definition IS NOT NULL AS seen
        FROM information_schema.routines WHERE routine_schema = %s ORDER BY routine_type, routine_name""",
    "events": "SELECT event_name FROM information_schema.events WHERE event_schema = %s ORDER BY event_name",
}
# MySQL names no table in check_constraints.
_CHECKS_OF_MYSQL = """SELECT t.table_name, c.constraint_name, c.check_clause FROM information_schema.check_constraints c
    JOIN information_schema.table_constraints t ON t.constraint_schema = c.constraint_schema
    AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK' WHERE c.constraint_schema = %s
    ORDER BY t.table_name, c.constraint_name"""


def read(session: Session, view: str, database: str, is_mariadb: bool = True) -> list[Row]:
    """One view's rows on a database, as dicts with lower-case names."""
    sql = _CHECKS_OF_MYSQL if view == "checks" and not is_mariadb else QUERIES[view]
    names = _names(sql)
    return [dict(zip(names, row, strict=True)) for row in session.run(sql, (database,))]


def _names(sql: str) -> list[str]:
    listed = sql[len("SELECT ") : sql.index("FROM")].replace("DISTINCT ", "")
    return [part.split()[-1].rpartition(".")[2] for part in listed.split(",")]


def by_table(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows in groups by their table's name; the order stays."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["table_name"]].append(row)
    return found


def relations(session: Session, database: str) -> Iterator[tuple[str, str]]:
    """The name and type of each table, view and sequence of a database."""
    for row in read(session, "tables", database):
        yield row["table_name"], row["table_type"]


def other_databases(session: Session, database: str) -> frozenset[str]:
    """The other databases of the server that this user sees, without the system's own."""
    rows = session.run("SELECT schema_name FROM information_schema.schemata")
    return frozenset(name for (name,) in rows) - {database, *SYSTEM}
