"""Sequences of a replica: past the highest masked key, or where the source's stand when they feed no column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbmask.schema import Schema
from dbmask_connectors._postgres_copy import table_sql

if TYPE_CHECKING:
    import psycopg

__all__ = ["set_sequences"]

# Columns that a sequence feeds: by a default that names it, by being its owner, by identity. One in a partition is fed through its root.
_FED = """
SELECT s.oid::bigint, q.seqincrement, q.seqmin, q.seqmax, q.seqstart, tn.nspname, t.relname, a.attname
FROM pg_class s
JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN (
  SELECT d.refobjid AS sequence, ad.adrelid AS relation, ad.adnum AS number
  FROM pg_depend d JOIN pg_attrdef ad ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
  WHERE d.refclassid = 'pg_class'::regclass
  UNION
  SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjsubid > 0
) AS used ON used.sequence = s.oid
JOIN pg_class t ON t.oid = used.relation AND t.relkind IN ('r', 'p') AND NOT t.relispartition
JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = used.number
JOIN pg_type y ON y.oid = a.atttypid AND y.typcategory IN ('N', 'U')
WHERE s.relkind = 'S'
ORDER BY 1
"""


def set_sequences(connection: psycopg.Connection[Any], schema: Schema) -> None:
    """Set every sequence so that the next value that it gives is free."""
    from psycopg import sql

    furthest: dict[int, int] = {}
    fed = set()
    starts: dict[int, int] = {}
    for oid, step, low, high, start, space, table, column in connection.execute(_FED).fetchall():
        fed.add(oid)
        starts[oid] = start
        query = sql.SQL("SELECT {}({}) FROM {}").format(
            sql.SQL("max" if step > 0 else "min"), sql.Identifier(column), table_sql(space, table)
        )
        row = connection.execute(query).fetchone()
        if row is None or row[0] is None:
            continue
        value = min(max(int(row[0]), low), high)
        known = furthest.get(oid)
        furthest[oid] = value if known is None else (max if step > 0 else min)(known, value)
    for oid in fed - set(furthest):  # nothing has taken a value, or all that had is gone
        connection.execute("SELECT setval(%s::oid::regclass, %s, false)", (oid, starts[oid])).fetchone()
    furthest |= _feeding_nothing(connection, schema, fed)
    for oid, value in furthest.items():
        connection.execute("SELECT setval(%s::oid::regclass, %s)", (oid, value)).fetchone()


def _feeding_nothing(connection: psycopg.Connection[Any], schema: Schema, fed: set[int]) -> dict[int, int]:
    """Their last values in the source."""
    found = {}
    for sequence in schema.sequences:
        name = table_sql(sequence.name.schema, sequence.name.name).as_string(connection)
        row = connection.execute("SELECT to_regclass(%s)::oid::bigint", (name,)).fetchone()
        if not row or row[0] is None or row[0] in fed:
            continue
        if sequence.last_value is not None:
            found[row[0]] = sequence.last_value
        else:
            query = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence WHERE seqrelid = %s::oid"
            connection.execute(query, (row[0],)).fetchone()
    return found
