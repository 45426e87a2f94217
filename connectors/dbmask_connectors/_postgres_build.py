"""What happens to a replica's structure before and after its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dbmask.schema import ForeignKey, Table, TableKind, Trigger
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._postgres_copy import table_sql

if TYPE_CHECKING:
    import psycopg

__all__ = ["check_foreign_keys", "create_tables", "finish"]

_SEPARATOR = "\0"
# Views and rules may hang on columns that are dropped; indexes and constraints are in the post-data section anyway.
_LATE = {"VIEW", "RULE"}


def _split(entry: str) -> tuple[str, str, str]:
    kind, name, sql = entry.split(_SEPARATOR, 2)
    return kind, name, sql


def create_tables(connection: psycopg.Connection[Any], structure: Structure) -> None:
    """Everything that rows need: types, functions, tables; columns that are dropped go, columns of masks come."""
    connection.execute("SET check_function_bodies = off")
    for entry in structure.pre:
        _, _, sql = _split(entry)
        connection.execute(sql.encode())
    for table in structure.tables:
        _fit_columns(connection, table)
        for trigger in _early(table):
            connection.execute(trigger.sql.encode())


def _fit_columns(connection: psycopg.Connection[Any], table: TargetTable) -> None:
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    for column in table.dropped:
        # What reads the column goes with it, and is reported by the plan.
        connection.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {} CASCADE").format(name, sql.Identifier(column)))
    known = {c.name for c in table.table.columns}
    for column in table.columns:
        if column not in known:
            add = sql.SQL("ALTER TABLE {} ADD COLUMN {} text")
            connection.execute(add.format(name, sql.Identifier(column)))


def _early(table: TargetTable) -> list[Trigger]:
    """The triggers that fill columns which rows do not bring: they must be there before the rows."""
    brought = {*table.columns, *table.dropped}
    filled = [c for c in table.table.columns if c.name not in brought and not c.generated]
    if not filled or not table.rows:
        return []
    return [t for t in table.table.triggers if t.timing == "before insert"]


def finish(connection: psycopg.Connection[Any], structure: Structure, progress: Callable[[str], None]) -> None:
    """Indexes and keys, sequences past the masked keys, derived values, triggers, statistics."""
    progress("indexes and keys")
    connection.execute("SET maintenance_work_mem = '256MB'")
    done = {f"{t.table.name.name} {trigger.name}" for t in structure.tables for trigger in _early(t)}
    later = []
    for entry in structure.post:
        kind, name, sql = _split(entry)
        if kind == "TRIGGER" and name in done:
            continue
        if kind in ("TRIGGER", "RULE", "MATERIALIZED VIEW DATA", "COMMENT"):
            later.append(sql)
        else:
            connection.execute(sql.encode())
    progress("sequences")
    _set_sequences(connection, structure)
    progress("statistics")
    connection.execute("ANALYZE")
    progress("derived values")
    _refresh_views(connection)
    for sql in later:
        connection.execute(sql.encode())


_SEQUENCES = """
SELECT s.oid::regclass::text, sn.nspname, s.relname, q.seqincrement, tn.nspname, t.relname, a.attname
FROM pg_class s
JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN (
  SELECT d.refobjid AS sequence, ad.adrelid AS relation, ad.adnum AS number
  FROM pg_depend d JOIN pg_attrdef ad ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
  WHERE d.refclassid = 'pg_class'::regclass
  UNION
  SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
) AS used ON used.sequence = s.oid
JOIN pg_class t ON t.oid = used.relation AND t.relkind IN ('r', 'p')
JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = used.number
WHERE s.relkind = 'S'
ORDER BY 1
"""


def _set_sequences(connection: psycopg.Connection[Any], structure: Structure) -> None:
    """Each sequence past the highest key that a column fed by it holds; those that feed none where the source's stand."""
    from psycopg import sql

    highest: dict[tuple[str, str], tuple[int, int]] = {}
    for _, schema, name, step, table_schema, table, column in connection.execute(_SEQUENCES).fetchall():
        pick = sql.SQL("max" if step > 0 else "min")
        query = sql.SQL("SELECT {}({}) FROM {}").format(pick, sql.Identifier(column), table_sql(table_schema, table))
        row = connection.execute(query).fetchone()
        value = row[0] if row else None
        if isinstance(value, int):
            known = highest.get((schema, name))
            best = value if known is None else (max if step > 0 else min)(known[0], value)
            highest[schema, name] = (best, step)
    for sequence in structure.schema.sequences:
        key = (sequence.name.schema, sequence.name.name)
        owner = sequence.owner[0] if sequence.owner else None
        if owner is None and key not in highest and sequence.last_value is not None:
            highest[key] = (sequence.last_value, sequence.increment)
    for (schema, name), (value, _) in highest.items():
        sequence_name = table_sql(schema, name).as_string(connection)
        found = connection.execute(
            "SELECT setval(seqrelid, greatest(%s, seqmin)) FROM pg_sequence WHERE seqrelid = to_regclass(%s)",
            (value, sequence_name),
        )
        found.fetchall()


def _refresh_views(connection: psycopg.Connection[Any]) -> None:
    """Every materialized view, those that others read first."""
    from psycopg import sql

    query = """
        WITH RECURSIVE reads AS (
          SELECT DISTINCT r.ev_class AS view, d.refobjid AS read FROM pg_rewrite r
          JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
          WHERE d.refobjid <> r.ev_class
        ), depth AS (
          SELECT c.oid AS view, 0 AS level FROM pg_class c WHERE c.relkind IN ('m', 'v')
          UNION ALL
          SELECT reads.view, depth.level + 1 FROM depth JOIN reads ON reads.read = depth.view WHERE depth.level < 100
        )
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN (SELECT view, max(level) AS level FROM depth GROUP BY view) AS d ON d.view = c.oid
        WHERE c.relkind = 'm' ORDER BY d.level, 1, 2
    """
    for schema, name in connection.execute(query).fetchall():
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(table_sql(schema, name)))


def check_foreign_keys(connection: psycopg.Connection[Any], structure: Structure) -> Mapping[str, int]:
    """Rows of the replica that refer to nothing, for every key, declared ones too."""
    there = {t.name for t in structure.tables if t.rows}
    found = {}
    for target in structure.tables:
        table = target.table
        if not target.rows or table.kind is TableKind.PARTITION:
            continue
        for key in table.foreign_keys:
            if key.ref_table in there and set(key.columns) <= {c.name for c in table.columns} - set(target.dropped):
                label = f"{table.name}.{key.name or '+'.join(key.columns)}"
                found[label] = _broken(connection, table, key)
    return found


def _broken(connection: psycopg.Connection[Any], table: Table, key: ForeignKey) -> int:
    from psycopg import sql

    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    same = sql.SQL(" AND ").join(sql.SQL("p.{} = c.{}").format(sql.Identifier(r), sql.Identifier(c)) for c, r in pairs)
    given = sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(c)) for c, _ in pairs)
    query = sql.SQL("SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        table_sql(table.name.schema, table.name.name),
        given,
        table_sql(key.ref_table.schema, key.ref_table.name),
        same,
    )
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
