"""The DDL of a SQLite replica: the source's own statements, cut where the policy leaves columns or tables out.

The result is tried in an empty database in memory before any row is read, so that an index, view or trigger that cannot
stand without what was left out is known in the plan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from dbmask.errors import ConnectorError
from dbmask.schema import Schema
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._sqlite_parse import Clause, TableDef, names_in, parse_table
from dbmask_connectors._sqlite_schema import definitions
from dbmask_connectors._sqlite_session import quoted, translated
from dbmask_connectors._sqlite_types import declared

__all__ = ["own_structure"]

_SETTINGS = ("encoding", "page_size", "auto_vacuum", "application_id", "user_version")
_LABELS = {"index": "index", "view": "view", "trigger": "trigger"}


def own_structure(db: sqlite3.Connection, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
    """The structure of ``tables`` from the source's own DDL. Raises ConnectorError where a statement cannot be cut."""
    left_out: list[str] = list(schema.left_out)
    wanted = {t.name.name: t for t in tables}
    statements = definitions(db)
    texts = {(kind, name): sql for kind, name, _table, sql in statements}
    pre = [_setting(db, name) for name in _SETTINGS]
    for name, target in wanted.items():
        pre.append(_table_sql(texts["table", name], target, set(wanted), left_out))
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


def _table_sql(sql: str, target: TargetTable, wanted: set[str], left_out: list[str]) -> str:
    present = {name.lower() for name in wanted}
    parsed = parse_table(sql)
    dangling = parsed is not None and any(c.ref_table.lower() not in present for c, _ in parsed.foreign_keys)
    if not (target.dropped or _retyped(target) or dangling):
        return sql
    if parsed is None:
        raise ConnectorError(
            f"{target.name}: its CREATE TABLE statement could not be read, so nothing can be left out of it"
        )
    return _Cut(parsed, target, present, left_out).text()


def _retyped(target: TargetTable) -> dict[str, str]:
    """The declared type of each column whose mask makes another kind of value than it holds."""
    found = {}
    for column in target.table.columns:
        made = target.types.get(column.name)
        if made is not None and (made.kind, made.sql) != (column.type.kind, column.type.sql):
            found[column.name] = made.sql if made.sql and made.sql != column.type.sql else declared(made)
    return found


class _Cut:
    """A CREATE TABLE statement with parts taken out or replaced."""

    def __init__(self, parsed: TableDef, target: TargetTable, present: set[str], left_out: list[str]) -> None:
        self.parsed, self.target, self.present, self.left_out = parsed, target, present, left_out
        self.edits: list[tuple[int, int, str]] = []
        self.gone = tuple(target.dropped)

    def text(self) -> str:
        kept = []
        for column in self.parsed.columns:
            if column.name.lower() in {g.lower() for g in self.gone}:
                continue
            kept.append(column)
            for clause in column.clauses:
                if self._loses(clause, (column.name,)):
                    self.edits.append((clause.start, clause.end, ""))
        for name, type_ in _retyped(self.target).items():
            found = self.parsed.column(name)
            if found is not None:
                spaced = f" {type_}" if found.type_start == found.type_end else type_
                self.edits.append((found.type_start, found.type_end, spaced))
        parts = [self._edited(c.start, c.end) for c in kept]
        parts += [
            self.parsed.sql[c.start : c.end]
            for c in self.parsed.constraints
            if not self._loses(c, c.columns or self._named(c))
        ]
        if not kept:
            raise ConnectorError(f"{self.target.name}: a table cannot stand without columns")
        first = self.parsed.columns[0].start
        last = max([c.end for c in self.parsed.columns] + [c.end for c in self.parsed.constraints])
        return self.parsed.sql[:first] + ",\n  ".join(parts) + self.parsed.sql[last:]

    def _named(self, clause: Clause) -> tuple[str, ...]:
        return names_in(clause.body, tuple(c.name for c in self.parsed.columns))

    def _loses(self, clause: Clause, columns: tuple[str, ...]) -> bool:
        """Whether a constraint has to go; if so, it is noted."""
        lost = [c for c in (*columns, *self._named(clause)) if c.lower() in {g.lower() for g in self.gone}]
        if lost and clause.kind in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            self._note(clause, f"column {lost[0]} is dropped")
            return True
        if clause.ref_table and clause.ref_table.lower() not in self.present:
            self._note(clause, f"table {clause.ref_table} is not in the replica")
            return True
        return False

    def _note(self, clause: Clause, why: str) -> None:
        words = {"PRIMARY": "primary key", "UNIQUE": "unique constraint", "CHECK": "check"}
        label = words.get(clause.kind, "foreign key")
        name = f" {clause.name}" if clause.name else ""
        self.left_out.append(f"{label}{name} of {self.target.name}: {why}")

    def _edited(self, start: int, end: int) -> str:
        text = ""
        at = start
        for first, last, new in sorted(e for e in self.edits if start <= e[0] and e[1] <= end):
            text += self.parsed.sql[at:first] + new
            at = last
        return text + self.parsed.sql[at:end]


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
            left_out.append(f"{_LABELS[kind]} main.{quoted(name)}: it needs something that is not in the replica")
        else:
            kept.append(sql)
    return kept
