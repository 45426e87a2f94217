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


def set_sequences(connection: psycopg.Connection[Any], schema: Schema, *, undone: bool = False) -> None:
    """Set every sequence so that the next value that it gives is free.

    Where ``undone``, a transaction that is rolled back leaves sequences of this user as they were, which setval alone
    would not.
    """
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
    wanted = {oid: (value, True) for oid, value in furthest.items()}
    # Nothing has taken a value, or all that had is gone.
    wanted |= {oid: (starts[oid], False) for oid in fed - set(furthest)}
    wanted |= _feeding_nothing(connection, schema, fed)
    for oid, (value, called) in wanted.items():
        _set(connection, oid, value, called, undone)


def _set(connection: psycopg.Connection[Any], oid: int, value: int, called: bool, undone: bool) -> None:
    from psycopg import sql

    query = (
        "SELECT n.nspname, c.relname, pg_has_role(c.relowner, 'USAGE') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s::oid"
    )
    space, name, ours = connection.execute(query, (oid,)).fetchone() or ("", "", False)
    if undone and ours:
        sequence = table_sql(space, name)
        now = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence)).fetchone()
        if now == (value, called):
            return
        # RESTART gives the sequence a new file, which goes with the transaction; setval then writes to that one.
        connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sequence))
    connection.execute("SELECT setval(%s::oid::regclass, %s, %s)", (oid, value, called)).fetchone()


def _feeding_nothing(connection: psycopg.Connection[Any], schema: Schema, fed: set[int]) -> dict[int, tuple[int, bool]]:
    """Where they stand in the source, or their starts where nobody has asked them for a value."""
    found = {}
    for sequence in schema.sequences:
        name = table_sql(sequence.name.schema, sequence.name.name).as_string(connection)
        query = "SELECT seqrelid::bigint, seqstart FROM pg_sequence WHERE seqrelid = to_regclass(%s)"
        row = connection.execute(query, (name,)).fetchone()
        if row is not None and row[0] not in fed:
            last = sequence.last_value
            found[row[0]] = (row[1], False) if last is None else (last, True)
    return found
