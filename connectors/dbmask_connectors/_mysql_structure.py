"""The DDL of a replica, from the server's own SHOW CREATE statements.

mariadb-dump prints these same statements, but needs its program installed, a password on its way, and a parser to cut
its text into sections again; here they come over the connection that is open already, one by one.

A statement is neutral: its own database's name is taken off, so that it means the objects beside it wherever it is run.
DEFINERs are left off too: what is created belongs to who creates it. An object that refers to another database is left
out: in the replica it would show that database's rows unmasked, or write to them.
Each entry of the structure's sections is ``kind NUL name NUL settings NUL statement``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbmask.errors import ConnectorError
from dbmask.schema import Schema, TableKind, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._mysql_catalog import SYSTEM, other_databases, read
from dbmask_connectors._mysql_ddl import cut_table
from dbmask_connectors._mysql_session import Session, literal, quoted
from dbmask_connectors._mysql_tokens import chains, columns_in, neutral
from dbmask_connectors._mysql_types import declared

__all__ = ["Entry", "entries", "own_structure"]

_DEFINER = re.compile(r"\s+DEFINER\s*=\s*(`(?:[^`]|``)*`|\S+?)@(`(?:[^`]|``)*`|\S+)", re.I)
_SNAPSHOTTED = frozenset({"INNODB", "ROCKSDB", "TOKUDB"})
_READ_OTHERWISE = frozenset({"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ORACLE", "MSSQL", "POSTGRESQL", "DB2"})


@dataclass(frozen=True)
class Entry:
    """One statement: what it makes (``kind``, ``name``), and the session variables that it is run under."""

    kind: str
    name: str
    settings: str
    sql: str

    def __str__(self) -> str:
        return "\0".join((self.kind, self.name, self.settings, self.sql))


def entries(section: Sequence[str]) -> Iterator[Entry]:
    """A section's entries."""
    for text in section:
        yield Entry(*text.split("\0", 3))


def own_structure(session: Session, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
    """The structure of ``tables`` and of what hangs on them. Raises ConnectorError where a statement cannot be read."""
    return _Builder(session, schema, tables).made()


class _Builder:
    def __init__(self, session: Session, schema: Schema, tables: Sequence[TargetTable]) -> None:
        self.session, self.schema, self.tables = session, schema, tables
        self.database = schema.default_schema
        self.wanted = {t.name: t for t in tables}
        self.left_out: list[str] = list(schema.left_out)
        # Where names have no case, they are all compared in lower case: routines name tables as their authors did.
        self.folds = bool(session.variable("lower_case_table_names"))
        self.others = {self._key(n) for n in other_databases(session, self.database)} - {self._key(self.database)}
        self.routines = read(session, "routines", self.database)
        relations = {n.name for n in (*schema.tables, *(v.name for v in schema.views))}
        relations |= {s.name.name for s in schema.sequences}
        triggers = {t.name for table in schema.tables.values() for t in table.triggers}
        self.objects = {self._key(n) for n in relations | triggers | {r["routine_name"] for r in self.routines}}
        self.missing = {self._key(n.name) for n in schema.tables if n not in self.wanted}

    def _key(self, name: str) -> str:
        return name.lower() if self.folds else name

    def made(self) -> Structure:
        sequences = [self._sequence(s.name) for s in self.schema.sequences]
        creates, keys, foreign = self._tables()
        routines = list(self._routines())
        early, late = self._triggers()
        views = list(self._views())
        defaults = list(self._defaults())
        self._remarks()
        return Structure(
            dialect="mysql",
            schema=self.schema,
            tables=tuple(self.tables),
            pre=tuple(map(str, (*sequences, *creates, *routines, *views, *early))),
            post=tuple(map(str, (*keys, *foreign, *late, *defaults))),
            left_out=tuple(self.left_out),
            options=self._options(),
        )

    def _options(self) -> dict[str, str]:
        sql = "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = %s"
        rows = self.session.run(sql, (self.database,))
        return {"character_set": rows[0][0], "collation": rows[0][1]} if rows else {}

    def _shown(self, what: str, name: str, at: int) -> str:
        rows = self.session.run(f"SHOW CREATE {what} {quoted(self.database, name)}")
        return str(rows[0][at] or "") if rows else ""

    def _sequence(self, name: TableName) -> Entry:
        return Entry("sequence", name.name, "", self._shown("SEQUENCE", name.name, 1))

    def _neutral(self, sql: str) -> str:
        return neutral(sql, self._key(self.database), self.objects, self.folds)

    def _tables(self) -> tuple[list[Entry], list[Entry], list[Entry]]:
        creates, keys, foreign = [], [], []
        for target in self.tables:
            name = target.name.name
            cut = cut_table(
                self._neutral(self._shown("TABLE", name, 1)),
                target,
                self.wanted,
                lambda parent: self.wanted[parent].dropped,
                declared,
                self.left_out,
            )
            creates.append(Entry("table", name, "", cut.create))
            # InnoDB makes a fulltext index alone in its statement; all others share one.
            special = [k for k in cut.keys if k.startswith("ADD FULLTEXT")]
            plain = [k for k in cut.keys if k not in special]
            for clause in [", ".join(plain)] * bool(plain) + special:
                keys.append(Entry("index", name, "", f"ALTER TABLE {quoted(name)} {clause}"))
            foreign += [
                Entry("foreign key", f"{name}.{key}", "", f"ALTER TABLE {quoted(name)} {add}")
                for key, add in cut.foreign_keys
            ]
        return creates, keys, foreign

    def _defaults(self) -> Iterator[Entry]:
        """Defaults that count by a sequence: the server writes the sequence's database into them, wherever the table goes."""
        for target in self.tables:
            for column in target.table.columns:
                if column.default and "nextval(" in column.default.lower() and column.name not in target.dropped:
                    table, name = target.name.name, column.name
                    sql = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} SET DEFAULT ({self._neutral(column.default)})"
                    yield Entry("default", f"{table}.{name}", "", sql)

    def _views(self) -> Iterator[Entry]:
        """Views in an order in which each stands on what is there."""
        there = {*self.wanted, *(s.name for s in self.schema.sequences)}
        there |= {n for v in self.schema.views for n in v.reads if n.schema in SYSTEM}
        waiting = list(self.schema.views)
        while True:
            ready = [v for v in waiting if v.definition and there.issuperset(v.reads)]
            if not ready:
                break
            for view in ready:
                waiting.remove(view)
                there.add(view.name)
                sql = self._shown("VIEW", view.name.name, 1)
                if self._foreign_words(sql):
                    self._leave("view", view.name, f"it refers to {self._foreign_words(sql)}")
                else:
                    yield Entry("view", view.name.name, "", self._neutral(_DEFINER.sub("", sql, count=1)))
        for view in waiting:
            lost = next((str(n) for n in view.reads if n not in there), "")
            hidden = "its definition is hidden from this user (SHOW VIEW)"
            self._leave("view", view.name, f"it reads {lost}, which is not in the replica" if lost else hidden)

    def _foreign_words(self, sql: str) -> str:
        """What a text names that the replica does not have: an object of another database, or a table that is skipped."""
        for chain in chains(sql):
            names = [self._key(n) for n in chain.names]
            if len(names) > 1 and names[0] in self.others:
                return f"{chain.names[0]}.{chain.names[1]}, in another database"
            named = names[-1] if len(names) == 1 else names[1]
            if named in self.missing and (len(names) == 1 or names[0] == self._key(self.database)):
                return f"{self.database}.{named}, which is not in the replica"
        return ""

    def _leave(self, kind: str, name: TableName | str, why: str) -> None:
        shown = name if isinstance(name, TableName) else TableName(self.database, name)
        self.left_out.append(f"{kind} {shown}: {why}")

    def _program(self, kind: str, name: str, sql: str, mode: str, collation: str) -> Entry | None:
        """A trigger or routine; None, and noted, where it cannot mean the same in the replica."""
        if not sql:
            self._leave(kind, name, "its definition is hidden from this user")
            return None
        words = self._foreign_words(sql)
        if words:
            self._leave(kind, name, f"it refers to {words}")
            return None
        if self._says_own_name(sql) and _READ_OTHERWISE.intersection(mode.upper().split(",")):
            self._leave(kind, name, f"its sql_mode is read in another way, and it may name {self.database}")
            return None
        made = self._neutral(_DEFINER.sub("", sql, count=1))
        if _runs_text(made) and self._says_own_name(made):
            self._leave(kind, name, f"it runs statements made of text, and may name {self.database} in them")
            return None
        settings = f"sql_mode = {literal(mode)}"
        if collation.startswith("utf8mb4"):
            settings += f", collation_connection = {literal(collation)}"
        return Entry(kind, name, settings, made)

    def _says_own_name(self, sql: str) -> bool:
        pattern = rf"(?<![\w$]){re.escape(self._key(self.database))}(?![\w$])"
        return re.search(pattern, self._key(sql)) is not None

    def _routines(self) -> Iterator[Entry]:
        """Functions first: procedures and views may use them."""
        for row in self.routines:
            kind, name = row["routine_type"].lower(), row["routine_name"]
            if kind not in ("function", "procedure"):
                self._leave(kind, name, "packages are not cloned")
                continue
            shown = self.session.run(f"SHOW CREATE {kind.upper()} {quoted(self.database, name)}")[0]
            made = self._program(kind, name, str(shown[2] or ""), str(shown[1]), str(shown[4]))
            if made is not None:
                yield made

    def _triggers(self) -> tuple[list[Entry], list[Entry]]:
        early: list[Entry] = []
        late: list[Entry] = []
        for target in self.tables:
            for trigger in target.table.triggers:
                shown = self.session.run(f"SHOW CREATE TRIGGER {quoted(self.database, trigger.name)}")[0]
                made = self._program("trigger", trigger.name, str(shown[2] or ""), str(shown[1]), str(shown[4]))
                if made is not None:
                    (early if _fills(trigger.timing, made.sql, target) else late).append(made)
        if not (early or late) and not self._may_see_triggers():
            self.left_out.append("triggers: this user lacks the privilege TRIGGER, so that none was seen")
        return early, late

    def _may_see_triggers(self) -> bool:
        grants = " ".join(str(row[0]) for row in self.session.run("SHOW GRANTS"))
        return "ALL PRIVILEGES" in grants or "TRIGGER" in grants

    def _remarks(self) -> None:
        """What cannot be as it is in the source, without being in anyone's way."""
        for row in read(self.session, "tables", self.database):
            name = TableName(self.database, row["table_name"])
            if name not in self.wanted:
                continue
            if row["table_type"] == "SYSTEM VERSIONED":
                self._leave("history", name, "rows as they were before are not cloned")
            engine = (row["engine"] or "").upper()
            if self.schema.tables[name].kind is TableKind.FOREIGN:
                raise ConnectorError(f"{name}: its rows are elsewhere (engine {engine}); say `skip` for it")
            if engine not in _SNAPSHOTTED and self.wanted[name].rows:
                self._leave("snapshot", name, f"engine {engine} has none: rows written during the run may be seen")


def _fills(timing: str, sql: str, target: TargetTable) -> bool:
    """Whether a trigger may fill a column that rows do not bring: then it has to stand before they come."""
    brought = {*target.columns, *target.dropped}
    filled = [c.name for c in target.table.columns if c.name not in brought and c.generated is None]
    return bool(target.rows and filled and timing == "before insert" and columns_in(sql, filled))


def _runs_text(sql: str) -> bool:
    words = {name.upper() for chain in chains(sql) for name in chain.names}
    return bool(words & {"PREPARE", "EXECUTE"})
