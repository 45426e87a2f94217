"""What hangs on a table while its rows are exchanged: indexes, keys and triggers, taken off and put on again as they were.

The table itself stays the same object, so that views, grants, owners, comments and publications are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.schema import TableName
from dbmask_connectors._postgres_copy import table_sql
from dbmask_connectors._postgres_errors import translated

if TYPE_CHECKING:
    import psycopg

__all__ = ["Keys", "Parts", "Triggers"]

_OIDS = "SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = (%s, %s)"
_INDEXES = """
SELECT n.nspname, t.relname, i.relname, k.conname, pg_get_constraintdef(k.oid), pg_get_indexdef(i.oid), s.spcname,
       array_to_string(i.reloptions, ', '),
       x.indisclustered, x.indisreplident, obj_description(i.oid, 'pg_class'), obj_description(k.oid, 'pg_constraint'),
       x.indisvalid
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u', 'x')
WHERE x.indrelid = ANY(%s) AND t.relkind = 'r' AND NOT i.relispartition
ORDER BY k.contype IS DISTINCT FROM 'p', k.contype IS NULL, i.relname
"""
_KEYS = """
SELECT n.nspname, t.relname, k.conname, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'),
       k.conrelid::bigint, k.confrelid::bigint
FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY(%(oids)s) OR k.confrelid = ANY(%(oids)s))
ORDER BY 1, 2, 3
"""
_TRIGGERS = """
SELECT n.nspname, c.relname, 'TRIGGER', t.tgname, t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgrelid = ANY(%(oids)s)
UNION ALL
SELECT n.nspname, c.relname, 'RULE', r.rulename, r.ev_enabled::text
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.ev_type = '3' AND r.ev_enabled <> 'D' AND r.ev_class = ANY(%(oids)s)
ORDER BY 1, 2, 4
"""
_HOW = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def _oids(connection: psycopg.Connection[Any], names: Iterable[TableName]) -> list[int]:
    rows = (connection.execute(_OIDS, (n.schema, n.name)).fetchone() for n in names)
    return [row[0] for row in rows if row]


@dataclass(frozen=True)
class _Index:
    table: TableName
    name: str
    constraint: str | None
    constraint_sql: str | None
    index_sql: str
    space: str | None
    options: str | None
    clustered: bool
    identity: bool
    comment: str | None
    constraint_comment: str | None


@dataclass
class Parts:
    """The indexes, primary keys, unique and exclusion constraints of tables; partitioned tables keep theirs throughout."""

    connection: psycopg.Connection[Any]
    where: str
    taken: list[_Index] = field(default_factory=list)

    def take(self, names: Iterable[TableName]) -> None:
        """Take them off. One that a view depends on stays."""
        for schema, table, *rest, valid in self.connection.execute(
            _INDEXES, (_oids(self.connection, names),)
        ).fetchall():
            one = _Index(TableName(schema, table), *rest)
            if valid and self._drop(one):
                self.taken.append(one)

    def _drop(self, one: _Index) -> bool:
        from psycopg import errors, sql

        table = table_sql(one.table.schema, one.table.name)
        if one.constraint is None:
            drop = sql.SQL("DROP INDEX {}").format(table_sql(one.table.schema, one.name))
        else:
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, sql.Identifier(one.constraint))
        try:
            with self.connection.transaction():
                self.connection.execute(drop)
        except errors.DependentObjectsStillExist:
            return False
        return True

    def put_back(self) -> None:
        """Make them anew. Raises ConnectorError, as where masked values collide in a key."""
        from psycopg import sql

        run = self.connection.execute
        for one in self.taken:
            table, index = table_sql(one.table.schema, one.table.name), table_sql(one.table.schema, one.name)
            with translated(f"{self.where}: {one.name} of {one.table}"):
                run("SELECT set_config('default_tablespace', %s, true)", (one.space or "",))
                if one.constraint is None:
                    run(one.index_sql.encode())
                else:
                    add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(table, sql.Identifier(one.constraint))
                    run(add + sql.SQL(one.constraint_sql or ""))
                    if one.constraint_comment:
                        _comment(self.connection, one.table, one.constraint, one.constraint_comment)
                if one.options and one.constraint is not None:
                    run(sql.SQL("ALTER INDEX {} SET ({})").format(index, sql.SQL(one.options)))
                if one.comment:
                    run(sql.SQL("COMMENT ON INDEX {} IS {}").format(index, sql.Literal(one.comment)))
                if one.clustered:
                    run(sql.SQL("ALTER TABLE {} CLUSTER ON {}").format(table, sql.Identifier(one.name)))
                if one.identity:
                    run(
                        sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}").format(
                            table, sql.Identifier(one.name)
                        )
                    )
        run("SELECT set_config('default_tablespace', '', true)")


def _comment(connection: psycopg.Connection[Any], table: TableName, name: str, text: str) -> None:
    from psycopg import sql

    comment = sql.SQL("COMMENT ON CONSTRAINT {} ON {} IS {}")
    connection.execute(comment.format(sql.Identifier(name), table_sql(table.schema, table.name), sql.Literal(text)))


@dataclass
class Keys:
    """Foreign keys from and to tables, those of tables that stay as they are too: their rows are checked again."""

    connection: psycopg.Connection[Any]
    where: str
    taken: list[tuple[TableName, str, str, str | None]] = field(default_factory=list)

    def take(self, names: Iterable[TableName], going: Iterable[TableName]) -> list[str]:
        """Take them off; those whose table, or what it refers to, is ``going`` do not come back and are named."""
        from psycopg import sql

        gone = set(_oids(self.connection, going))
        lost = []
        for row in self.connection.execute(_KEYS, {"oids": [*_oids(self.connection, names), *gone]}).fetchall():
            schema, table, name, definition, comment, own, other = row
            place = TableName(schema, table)
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            self.connection.execute(drop.format(table_sql(schema, table), sql.Identifier(name)))
            if gone & {own, other}:
                lost += [] if own in gone else [f"foreign key {name} of {place}"]
            else:
                self.taken.append((place, name, definition, comment))
        return lost

    def put_back(self) -> None:
        """Add them again, validated where they were. Raises ConnectorError where a row refers to nothing."""
        from psycopg import sql

        for table, name, definition, comment in self.taken:
            with translated(f"{self.where}: foreign key {name} of {table}"):
                add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(
                    table_sql(table.schema, table.name), sql.Identifier(name)
                )
                self.connection.execute(add + sql.SQL(definition))
                if comment:
                    _comment(self.connection, table, name, comment)


@dataclass
class Triggers:
    """Triggers and INSERT rules of tables and their partitions, switched off and on again as they were."""

    connection: psycopg.Connection[Any]
    states: list[tuple[TableName, str, str, str]] = field(default_factory=list)

    def switch_off(self, names: Iterable[TableName], needed: Iterable[tuple[str, str]]) -> None:
        """All but those ``needed``, which are (schema, "table trigger"): they fill columns that rows do not bring."""
        kept = set(needed)
        found = self.connection.execute(_TRIGGERS, {"oids": _oids(self.connection, names)}).fetchall()
        for schema, table, kind, name, state in found:
            if kind == "TRIGGER" and (schema, f"{table} {name}") in kept:
                continue
            self.states.append((TableName(schema, table), kind, name, state))
            self._set(TableName(schema, table), "DISABLE", kind, name)

    def switch_on(self) -> None:
        """As they were."""
        for table, kind, name, state in self.states:
            self._set(table, _HOW[state], kind, name)

    def _set(self, table: TableName, how: str, kind: str, name: str) -> None:
        from psycopg import sql

        text = sql.SQL("ALTER TABLE ONLY {} " + how + " " + kind + " {}")
        self.connection.execute(text.format(table_sql(table.schema, table.name), sql.Identifier(name)))
