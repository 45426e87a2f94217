"""SQLite's catalog: PRAGMAs for what they know, the kept CREATE statements for the rest."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dbmask.schema import Check, Column, ForeignKey, Index, Schema, Table, TableName, Trigger, Unique, View
from dbmask_connectors._ddl_parse import TableDef, names_in, parse_table, quoted, tokens
from dbmask_connectors._sqlite_types import column_type

__all__ = ["MAIN", "MARKER", "definitions", "read_schema"]

MAIN = "main"
MARKER = "dbmask:replica"
"""The name under which a replica's statistics say that dbmask made it; no table is called so."""

_COUNTABLE = 64 * 2**20
"""A file up to this size has its rows counted; in a larger one the statistics or the highest rowid must do."""

Row = tuple[Any, ...]

_COLUMNS = """
SELECT t.name, x.* FROM pragma_table_list t, pragma_table_xinfo(t.name, 'main') x
WHERE t.schema = 'main' AND t.type = 'table' ORDER BY t.name, x.cid"""
_INDEXES = """
SELECT t.name, x.* FROM pragma_table_list t, pragma_index_list(t.name, 'main') x
WHERE t.schema = 'main' AND t.type = 'table' ORDER BY t.name, x.seq DESC"""
_KEYS = """
SELECT t.name, x.* FROM pragma_table_list t, pragma_foreign_key_list(t.name, 'main') x
WHERE t.schema = 'main' AND t.type = 'table' ORDER BY t.name, x.id DESC, x.seq"""


@dataclass
class _Catalog:
    """Rows of the catalog by table, read in a handful of statements however many tables there are."""

    kinds: dict[str, Row] = field(default_factory=dict)
    statements: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    columns: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    indexes: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    parts: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


def _catalog(db: sqlite3.Connection) -> _Catalog:
    found = _Catalog()
    listed = "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    for name, *rest in db.execute(listed):
        found.kinds[name] = tuple(rest)
    for kind, name, table, sql in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"):
        found.statements[kind, name] = (table, sql or "")
    for table, *row in db.execute(_COLUMNS):
        found.columns[table].append(tuple(row))
    for table, *row in db.execute(_INDEXES):
        found.indexes[table].append(tuple(row))
        parts = db.execute("SELECT * FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno", (row[1],))
        found.parts[row[1]] = parts.fetchall()
    for table, *row in db.execute(_KEYS):
        found.keys[table].append(tuple(row))
    return found


def definitions(db: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """Type, name, table and text of everything in sqlite_master that has a text, oldest first."""
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return [(kind, name, table, sql) for kind, name, table, sql in rows if not name.startswith("sqlite_")]


def read_schema(db: sqlite3.Connection) -> Schema:
    """The structure of the main database of a connection."""
    catalog = _catalog(db)
    counts = _row_counts(db, catalog)
    tables = {}
    left_out = []
    for name, (kind, *_options) in catalog.kinds.items():
        if kind == "table":
            made = _Reader(catalog, name).table(counts.get(name))
            tables[made.name] = made
        elif kind == "virtual":
            left_out.append(f"virtual table {TableName(MAIN, name)}: its module keeps the data in tables of its own")
    known = _Names(tables)
    resolved, broken = known.resolve(tables)
    return Schema(
        dialect="sqlite",
        tables=dict(sorted(resolved.items())),
        views=tuple(_views(db, catalog)),
        default_schema=MAIN,
        version=sqlite3.sqlite_version,
        left_out=tuple(left_out + broken),
    )


class _Names:
    """SQLite compares names without regard to ASCII case; what a foreign key says is put into the catalog's spelling."""

    def __init__(self, tables: dict[TableName, Table]) -> None:
        self.by_lower = {name.name.lower(): table for name, table in tables.items()}

    def resolve(self, tables: dict[TableName, Table]) -> tuple[dict[TableName, Table], list[str]]:
        made, broken = {}, []
        for name, table in tables.items():
            keys = []
            for key in table.foreign_keys:
                parent = self.by_lower.get(key.ref_table.name.lower())
                spelled = self._spelled(key, parent) if parent else None
                if spelled is None:
                    broken.append(f"foreign key {key.name} of {name}: what it refers to does not exist")
                else:
                    keys.append(spelled)
            made[name] = _with_keys(table, tuple(keys))
        return made, broken

    def _spelled(self, key: ForeignKey, parent: Table) -> ForeignKey | None:
        wanted = key.ref_columns or parent.primary_key
        by_lower = {c.name.lower(): c.name for c in parent.columns}
        if len(wanted) != len(key.columns) or any(c.lower() not in by_lower for c in wanted):
            return None
        columns = tuple(by_lower[c.lower()] for c in wanted)
        return ForeignKey(key.name, key.columns, parent.name, columns, deferrable=key.deferrable)


def _with_keys(table: Table, keys: tuple[ForeignKey, ...]) -> Table:
    return replace(table, foreign_keys=keys)


class _Reader:
    """One table out of the catalog."""

    def __init__(self, catalog: _Catalog, name: str) -> None:
        self.catalog, self.name = catalog, name
        self.sql = catalog.statements.get(("table", name), ("", ""))[1]
        self.parsed: TableDef | None = parse_table(self.sql)
        self.rows = [r for r in catalog.columns[name] if r[6] != 1]
        self.column_names = tuple(r[1] for r in self.rows)
        self.indexes = catalog.indexes[name]
        self.without_rowid = bool(catalog.kinds[name][1])

    def table(self, rows: int | None) -> Table:
        uniques, indexes = self._indexes()
        return Table(
            name=TableName(MAIN, self.name),
            columns=tuple(self._column(r, uniques) for r in self.rows),
            uniques=uniques,
            foreign_keys=self._foreign_keys(),
            indexes=indexes,
            checks=self._checks(),
            triggers=self._triggers(),
            rows=rows,
        )

    def _rowid_alias(self) -> str | None:
        """The column that is the rowid under another name: INTEGER PRIMARY KEY, for which SQLite keeps no index."""
        keys = [r for r in self.rows if r[5]]
        if len(keys) != 1 or self.without_rowid or any(i[3] == "pk" for i in self.indexes):
            return None
        return str(keys[0][1]) if keys[0][2].upper() == "INTEGER" else None

    def _indexes(self) -> tuple[tuple[Unique, ...], tuple[Index, ...]]:
        uniques, indexes = [], []
        primary = tuple(r[1] for r in sorted((r for r in self.rows if r[5]), key=lambda r: r[5]))
        if primary:
            uniques.append(Unique(self._primary_name(), primary, primary=True))
        for _seq, name, unique, origin, partial in self.indexes:
            parts = self.catalog.parts[name]
            plain = all(p[2] is not None for p in parts)
            columns = tuple(p[2] for p in parts) if plain else ()
            if origin == "c":
                sql = self.catalog.statements.get(("index", name), ("", ""))[1]
                indexes.append(Index(name, columns, bool(unique), sql))
            if unique and origin != "pk" and plain:
                uniques.append(Unique(name, columns, partial=bool(partial)))
        return tuple(uniques), tuple(indexes)

    def _primary_name(self) -> str:
        clauses = [c for c in self.parsed.constraints if c.kind == "PRIMARY"] if self.parsed else []
        return clauses[0].name if clauses and clauses[0].name else f"{self.name}_pkey"

    def _folded(self, name: str) -> bool:
        """Whether the column, or a unique index over it, compares with anything but BINARY."""
        described = self.parsed.column(name) if self.parsed else None
        collate = described.clause("COLLATE") if described else None
        if collate is not None and collate.body.upper() != "BINARY":
            return True
        return any(
            part[2] == name and (part[4] or "BINARY").upper() != "BINARY"
            for index in self.indexes
            if index[2]
            for part in self.catalog.parts[index[1]]
        )

    def _column(self, row: Row, uniques: tuple[Unique, ...]) -> Column:
        _cid, name, declared, notnull, default, key, hidden = row
        alias = name == self._rowid_alias()
        generated = None
        if hidden in (2, 3):
            described = self.parsed.column(name) if self.parsed else None
            clause = (described.clause("GENERATED") or described.clause("AS")) if described else None
            generated = clause.body if clause else ""
            declared = re.sub(r"\s*GENERATED ALWAYS\Z", "", declared, flags=re.I)
        strict = bool(self.catalog.kinds[self.name][2])
        return Column(
            name=name,
            type=column_type(declared, self._folded(name)),
            nullable=not (notnull or alias or (key and (self.without_rowid or strict))),
            default=default,
            generated=generated,
            generated_from=names_in(generated, self.column_names) if generated else (),
            identity="auto" if alias else None,
        )

    def _foreign_keys(self) -> tuple[ForeignKey, ...]:
        """PRAGMA numbers them backwards: the last in the text is 0. Names and deferral come from the text."""
        by_id: dict[int, list[Row]] = defaultdict(list)
        for row in self.catalog.keys[self.name]:
            by_id[row[0]].append(row)
        described = self.parsed.foreign_keys if self.parsed else []
        found = []
        for place, (_id, rows) in enumerate(sorted(by_id.items(), reverse=True)):
            clause = described[place][0] if place < len(described) else None
            columns = tuple(r[3] for r in rows)
            name = clause.name if clause and clause.name else f"{self.name}_{'_'.join(columns)}_fkey"
            to = tuple(r[4] for r in rows) if rows[0][4] is not None else ()
            deferrable = bool(clause and clause.deferrable)
            found.append(ForeignKey(name, columns, TableName(MAIN, rows[0][2]), to, deferrable=deferrable))
        return tuple(_distinct(found))

    def _checks(self) -> tuple[Check, ...]:
        clauses = self.parsed.checks if self.parsed else []
        return tuple(
            Check(c.name or f"{self.name}_check{n}", c.body, names_in(c.body, self.column_names))
            for n, c in enumerate(clauses, 1)
        )

    def _triggers(self) -> tuple[Trigger, ...]:
        return tuple(
            Trigger(name, sql, _timing(sql))
            for (kind, name), (table, sql) in self.catalog.statements.items()
            if kind == "trigger" and table == self.name
        )


def _distinct(keys: Iterable[ForeignKey]) -> list[ForeignKey]:
    """The same keys, each with a name of its own."""
    seen: dict[str, int] = {}
    made = []
    for key in keys:
        seen[key.name] = seen.get(key.name, 0) + 1
        name = key.name if seen[key.name] == 1 else f"{key.name}{seen[key.name]}"
        made.append(ForeignKey(name, key.columns, key.ref_table, key.ref_columns, deferrable=key.deferrable))
    return made


def _timing(sql: str) -> str:
    for token in tokens(sql):
        if token.word in ("BEFORE", "AFTER", "INSTEAD"):
            return token.word.lower()
        if token.word in ("INSERT", "UPDATE", "DELETE"):
            break
    return "before"


def _views(db: sqlite3.Connection, catalog: _Catalog) -> list[View]:
    relations = {name.lower(): name for name in catalog.kinds}
    found = []
    for (kind, name), (_table, sql) in catalog.statements.items():
        if kind == "view":
            reads = _reads(db, name, relations)
            found.append(View(TableName(MAIN, name), sql, reads=tuple(TableName(MAIN, r) for r in reads)))
    return found


def _reads(db: sqlite3.Connection, view: str, relations: dict[str, str]) -> list[str]:
    """What SQLite itself asks leave to read when it prepares the view; nothing where the view is broken."""
    seen: set[str] = set()

    def note(action: int, table: str | None, _column: str | None, schema: str | None, _inner: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table and schema == MAIN:
            seen.add(table.lower())
        return sqlite3.SQLITE_OK

    db.set_authorizer(note)
    try:
        db.execute(f"EXPLAIN SELECT * FROM main.{quoted(view)}").fetchall()  # noqa: S608 - a quoted name
    except sqlite3.Error:
        return []  # a view over something that is gone: legal in SQLite until it is used
    finally:
        db.set_authorizer(None)
    return sorted(relations[t] for t in seen if t in relations and t != view.lower())


def _row_counts(db: sqlite3.Connection, catalog: _Catalog) -> dict[str, int]:
    pages, size = (db.execute(f"PRAGMA main.{p}").fetchone()[0] for p in ("page_count", "page_size"))
    names = [name for name, (kind, *_rest) in catalog.kinds.items() if kind == "table"]
    if pages * size <= _COUNTABLE:
        return {n: db.execute(f"SELECT count(*) FROM main.{quoted(n)}").fetchone()[0] for n in names}  # noqa: S608 - a quoted name
    counts: dict[str, int] = {}
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
        for table, stat in db.execute("SELECT tbl, stat FROM sqlite_stat1"):
            first = str(stat or "").partition(" ")[0]
            if first.isdigit():
                counts[table] = max(counts.get(table, 0), int(first))
    for name in names:
        if name not in counts and not catalog.kinds[name][1]:
            counts[name] = db.execute(f"SELECT max(_rowid_) FROM main.{quoted(name)}").fetchone()[0] or 0  # noqa: S608 - a quoted name
    return counts
