"""The DDL of a SQLite replica: the source's own statements, cut where the policy leaves columns or tables out.

The result is tried in an empty database in memory before any row is read, so that an index, view or trigger that cannot
stand without what was left out is known in the plan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from dbmask.schema import Schema, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._ddl_cut import cut_table
from dbmask_connectors._ddl_parse import names_in, quoted
from dbmask_connectors._sqlite_schema import MAIN, definitions
from dbmask_connectors._sqlite_session import translated
from dbmask_connectors._sqlite_types import declared

__all__ = ["own_structure"]

_SETTINGS = ("encoding", "page_size", "auto_vacuum", "application_id", "user_version")


def own_structure(db: sqlite3.Connection, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
    """The structure of ``tables`` from the source's own DDL. Raises ConnectorError where a statement cannot be cut."""
    left_out: list[str] = list(schema.left_out)
    wanted = {t.name.name: t for t in tables}
    statements = definitions(db)
    texts = {(kind, name): sql for kind, name, _table, sql in statements}
    pre = [_setting(db, name) for name in _SETTINGS]
    for name, target in wanted.items():
        pre.append(cut_table(texts["table", name], target, set(wanted), declared, left_out))
        pre += [f"ALTER TABLE {quoted(name)} ADD COLUMN {quoted(c.name)} {declared(c.type)}" for c in target.added]
    early: list[tuple[str, str, str]] = []
    late: list[tuple[str, str, str]] = []
    views = {name for kind, name, _table, _sql in statements if kind == "view"}
    for kind, name, table, sql in _in_order(statements):
        if kind != "view" and table not in wanted and not (kind == "trigger" and table in views):
            continue
        filled = kind == "trigger" and table in wanted and _fills(sql, wanted[table])
        (early if filled else late).append((kind, name, sql))
    stands = _trial(pre, wanted.values())
    with stands:
        kept_early = _tried(stands, early, wanted, left_out)
        kept_late = _tried(stands, late, wanted, left_out)
    stands.close()
    return Structure(
        dialect="sqlite",
        schema=schema,
        tables=tuple(tables),
        pre=(*pre, *kept_early),
        post=tuple(kept_late),
        left_out=tuple(left_out),
    )


def _setting(db: sqlite3.Connection, name: str) -> str:
    value = db.execute(f"PRAGMA main.{name}").fetchone()[0]
    return f"PRAGMA main.{name} = {quoted(value) if isinstance(value, str) else int(value)}"


def _in_order(statements: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """Indexes, then views, then triggers, which may stand on views; each oldest first."""
    order = ("index", "view", "trigger")
    return sorted((s for s in statements if s[0] in order), key=lambda s: order.index(s[0]))


def _fills(sql: str, target: TargetTable) -> bool:
    """Whether a trigger may fill a column that gets no value: then it has to stand before the rows come."""
    missing = tuple(
        c.name
        for c in target.table.columns
        if c.generated is None and c.name not in target.columns and c.name not in target.dropped
    )
    return bool(missing and target.rows and names_in(sql, missing))


def _trial(pre: Sequence[str], tables: Iterable[TargetTable]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    with translated("the structure of the replica"):
        for statement in pre:
            db.execute(statement)
    return db


def _tried(
    db: sqlite3.Connection, objects: list[tuple[str, str, str]], wanted: dict[str, TargetTable], left_out: list[str]
) -> list[str]:
    """Those statements that stand on what is there; the others are noted."""
    kept = []
    for kind, name, sql in objects:
        try:
            db.execute(sql)
            if kind == "view":
                db.execute(f"EXPLAIN SELECT * FROM {quoted(name)}").fetchall()  # noqa: S608 - a quoted name
        except sqlite3.Error:
            db.execute(f"DROP {kind.upper()} IF EXISTS {quoted(name)}")
            left_out.append(f"{kind} {TableName(MAIN, name)}: it needs something that is not in the replica")
        else:
            kept.append(sql)
    return kept
