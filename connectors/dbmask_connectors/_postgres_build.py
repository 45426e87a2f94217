"""What happens to a replica's structure before its rows and after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbmask.schema import Schema, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._postgres_copy import table_sql
from dbmask_connectors._postgres_dump import Entry
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_sequences import set_sequences

if TYPE_CHECKING:
    import psycopg

__all__ = ["create_tables", "early", "finish", "fit_columns", "refresh_views"]

# Who may do what: tried before the rows, since roles may be missing here, and given after them.
_RIGHTS = frozenset({"ACL", "DEFAULT ACL", "POLICY", "ROW SECURITY"})
# They would fire on rows that are loaded; comments may stand on them.
_LAST = frozenset({"TRIGGER", "COMMENT"})


def create_tables(connection: psycopg.Connection[Any], where: str, structure: Structure) -> tuple[str, ...]:
    """Everything that rows need: types, functions, tables; columns that are dropped go, columns of masks come.

    Returns what cannot arrive here, in words. Raises ConnectorError that names the entry which failed.
    """
    connection.execute("SET check_function_bodies = off")
    rights = []
    for entry in map(Entry.unpacked, structure.pre):
        if entry.kind in _RIGHTS:
            rights.append(entry)
        else:
            _run(connection, where, entry)
    for table in sorted(structure.tables, key=lambda t: _depth(structure.schema, t.name)):
        with translated(f"{where}: {table.name}"):
            fit_columns(connection, table)
    for entry in early(structure):
        _run(connection, where, entry)
    rights += [e for e in map(Entry.unpacked, structure.post) if e.kind in _RIGHTS]
    refused = [e for e in rights if not _granted(connection, e, keep=False)]
    forced = _unforce(connection)
    return (
        "owners",
        *(f"{_said(e)}: a role is missing here, or this user may not" for e in refused),
        *(f"FORCE ROW LEVEL SECURITY of {name}: the replica's owner reads it" for name in forced),
    )


def _said(entry: Entry) -> str:
    return f"grants on {entry.name}" if entry.kind in ("ACL", "DEFAULT ACL") else str(entry)


def _run(connection: psycopg.Connection[Any], where: str, entry: Entry) -> None:
    with translated(f"{where}: {entry}"):
        connection.execute(entry.sql.encode())


def _granted(connection: psycopg.Connection[Any], entry: Entry, *, keep: bool) -> bool:
    """Whether a right can be given here; unless it is to be kept it is taken back at once."""
    from psycopg import Error

    try:
        with connection.transaction(force_rollback=not keep):
            connection.execute(entry.sql.encode())
    except Error:  # it was said among what did not arrive
        return False
    return True


def _unforce(connection: psycopg.Connection[Any]) -> list[TableName]:
    """Take FORCE ROW LEVEL SECURITY from tables: with it their owner could not verify what it wrote."""
    from psycopg import sql

    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relforcerowsecurity ORDER BY 1, 2"
    ).fetchall()
    for schema, name in found:
        connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table_sql(schema, name)))
    return [TableName(schema, name) for schema, name in found]


def _depth(schema: Schema, name: TableName) -> int:
    """How many levels of inheritance stand above a table: columns are dropped from above."""
    table = schema.tables.get(name)
    return 1 + max((_depth(schema, p) for p in table.parents), default=0) if table else 0


def fit_columns(connection: psycopg.Connection[Any], table: TargetTable) -> None:
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    computed = {c.name for c in table.table.columns if c.generated}
    for column in sorted(table.dropped, key=lambda c: c not in computed):
        # What reads the column was left out of the structure; where something was not, this fails and nothing is lost.
        drop = sql.SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}")
        connection.execute(drop.format(name, sql.Identifier(column)))
    known = {c.name for c in table.table.columns}
    for column in table.columns:
        if column not in known:
            type_ = table.types[column].sql if column in table.types else ""
            add = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}")
            connection.execute(add.format(name, sql.Identifier(column), sql.SQL(type_ or "text")))


def early(structure: Structure) -> list[Entry]:
    """The triggers that fill columns which rows do not bring: they must be there before the rows."""
    wanted: set[tuple[str, str]] = set()
    for target in structure.tables:
        brought = {*target.columns, *target.dropped}
        filled = {c.name for c in target.table.columns if c.name not in brought and not c.generated}
        if not filled or not target.rows:
            continue
        names = {target.name, *_heirs(structure.schema, target.name)}
        triggers = [(n, t) for n in names if n in structure.schema.tables for t in structure.schema.tables[n].triggers]
        before = [(n, t) for n, t in triggers if t.timing == "before insert"]
        known = [(n, t) for n, t in before if filled.intersection(t.fills)]
        # Where its source does not tell what a trigger fills, it may be the one.
        covered = {c for _, t in known for c in t.fills}
        chosen = known if filled <= covered else [*known, *((n, t) for n, t in before if not t.fills)]
        wanted |= {(n.schema, f"{n.name} {t.name}") for n, t in chosen}
    return [e for e in map(Entry.unpacked, structure.post) if e.kind == "TRIGGER" and (e.schema, e.name) in wanted]


def _heirs(schema: Schema, name: TableName) -> list[TableName]:
    """The partitions of a table, at every depth."""
    parts = [t.name for t in schema.tables.values() if t.kind == "partition" and name in t.parents]
    return [heir for part in parts for heir in (part, *_heirs(schema, part))]


def finish(
    connection: psycopg.Connection[Any], where: str, structure: Structure, progress: Callable[[str], None]
) -> None:
    """Indexes and keys, sequences past the masked keys, derived values, statistics, triggers, and who may do what."""
    progress("indexes and keys")
    connection.execute("SET maintenance_work_mem = '256MB'")
    first = {(e.schema, e.name) for e in early(structure)}
    post = [e for e in map(Entry.unpacked, structure.post) if not (e.kind == "TRIGGER" and (e.schema, e.name) in first)]
    # Rules are run in their place: some views get their query from one.
    for entry in post:
        if entry.kind not in _LAST | _RIGHTS:
            _run(connection, where, entry)
    progress("sequences")
    set_sequences(connection, structure.schema)
    progress("derived values")
    refresh_views(connection, where)
    progress("statistics")
    connection.execute("ANALYZE")
    progress("triggers and rights")
    for entry in post:
        if entry.kind in _LAST:
            _run(connection, where, entry)
    for entry in [*map(Entry.unpacked, structure.pre), *post]:
        if entry.kind in _RIGHTS:
            _granted(connection, entry, keep=True)


def refresh_views(connection: psycopg.Connection[Any], where: str) -> None:
    """Every materialized view, those that others read first, through plain views too."""
    from graphlib import TopologicalSorter

    from psycopg import sql

    query = """
        SELECT r.ev_class::bigint, d.refobjid::bigint FROM pg_rewrite r
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
        WHERE d.refobjid <> r.ev_class AND r.rulename = '_RETURN'
    """
    reads: TopologicalSorter[int] = TopologicalSorter()
    for view, read in connection.execute(query).fetchall():
        reads.add(view, read)
    names = {
        oid: (schema, name)
        for oid, schema, name in connection.execute(
            "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'm' ORDER BY 2, 3"
        ).fetchall()
    }
    for oid in names:
        reads.add(oid)
    for oid in reads.static_order():
        if oid in names:
            with translated(f"{where}: materialized view {TableName(*names[oid])}"):
                connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(table_sql(*names[oid])))
