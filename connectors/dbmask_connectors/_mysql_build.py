"""What happens to a replica's structure before and after its rows, in the database that it is built in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import ForeignKey, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._mysql_session import SQL_MODE, Session, literal, quoted
from dbmask_connectors._mysql_structure import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Built", "broken_rows", "run_entry"]

_PROGRAMS = frozenset({"function", "procedure", "trigger", "view"})


@contextmanager
def _under(session: Session, settings: str) -> Iterator[None]:
    """Run statements under the session variables that an object was made under."""
    if not settings:
        yield
        return
    collation = session.value("SELECT @@collation_connection")
    session.run(f"SET SESSION {settings}")
    try:
        yield
    finally:
        session.run(f"SET SESSION sql_mode = {literal(SQL_MODE)}, collation_connection = {literal(str(collation))}")


def run_entry(session: Session, entry: Entry) -> None:
    """Run one statement of a structure in the session's database. Raises ConnectorError."""
    with _under(session, entry.settings):
        session.run(entry.sql, where=f"{entry.kind} {entry.name}")


class Built:
    """The replica's objects.

    ``programs`` are the views, routines and triggers that stand, and the defaults that name a sequence, in the order of
    their making: what is to be made anew where the replica is published.
    """

    def __init__(self, session: Session, database: str, structure: Structure) -> None:
        self.session, self.database, self.structure = session, database, structure
        self.programs: list[Entry] = []

    def create(self) -> tuple[str, ...]:
        """Make tables, routines, views and the triggers that fill columns; say what could not be made.

        Triggers that come after the rows are made and taken away again, so that what fails, fails now. Raises ConnectorError.
        """
        session = self.session
        options = self.structure.options
        if options:
            charset, collation = options["character_set"], options["collation"]
            session.run(f"ALTER DATABASE {quoted(self.database)} CHARACTER SET {charset} COLLATE {collation}")
        session.run(f"USE {quoted(self.database)}")
        lost = []
        for entry in entries(self.structure.pre):
            if entry.kind in _PROGRAMS and entry.kind != "trigger":
                lost += self._tried(entry)
            else:
                run_entry(session, entry)
                if entry.kind == "trigger":
                    self.programs.append(entry)
        for entry in entries(self.structure.post):
            if entry.kind == "trigger":
                failed = self._tried(entry)
                if not failed:
                    session.run(f"DROP TRIGGER {quoted(entry.name)}")
                lost += failed
            elif entry.kind == "default":
                self.programs.append(entry)
        return tuple(lost)

    def adopt(self) -> None:
        """Know again what :meth:`create` made in the database, before anything followed the rows. Raises ConnectorError."""
        self.session.run(f"USE {quoted(self.database)}")
        sql = (
            "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s UNION ALL "
            "SELECT table_name FROM information_schema.views WHERE table_schema = %s UNION ALL "
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s"
        )
        there = {name for (name,) in self.session.run(sql, (self.database,) * 3)}
        self.programs = [e for e in entries(self.structure.pre) if e.kind in _PROGRAMS and e.name in there]
        for entry in entries(self.structure.post):
            if entry.kind == "trigger" and not self._tried(entry):
                self.session.run(f"DROP TRIGGER {quoted(entry.name)}")
            elif entry.kind == "default":
                self.programs.append(entry)

    def _tried(self, entry: Entry) -> list[str]:
        try:
            run_entry(self.session, entry)
        except ConnectorError as error:
            name = TableName(self.structure.schema.default_schema, entry.name)
            return [f"{entry.kind} {name}: {str(error).removeprefix(f'{entry.kind} {entry.name}: ')}"]
        self.programs.append(entry)
        return []

    def finish(self, progress: Callable[[str], None]) -> None:
        """Indexes, foreign keys, sequences, triggers, statistics. Raises ConnectorError."""
        session = self.session
        standing = {(e.kind, e.name) for e in self.programs}
        post = list(entries(self.structure.post))
        progress("indexes")
        for entry in post:
            if entry.kind == "index":
                run_entry(session, entry)
        progress("foreign keys")
        # Checked, each would be a copy of its table; their rows are counted instead (broken_rows).
        session.run("SET SESSION foreign_key_checks = 0")
        for entry in post:
            if entry.kind == "foreign key":
                run_entry(session, entry)
        session.run("SET SESSION foreign_key_checks = 1")
        progress("sequences")
        self._sequences()
        progress("triggers and statistics")
        for entry in post:
            if entry.kind == "trigger" and (entry.kind, entry.name) in standing:
                run_entry(session, entry)
        names = [quoted(t.name.name) for t in self.structure.tables if t.rows]
        for at in range(0, len(names), 100):
            session.run(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {', '.join(names[at : at + 100])}")

    def _sequences(self) -> None:
        """Past the highest masked key; InnoDB moves AUTO_INCREMENT past what is written by itself."""
        rows = {t.name: t for t in self.structure.tables}
        for sequence in self.structure.schema.sequences:
            last = sequence.last_value
            if sequence.owner is not None:
                table, column = sequence.owner
                target = rows.get(table)
                if target is None or column in target.dropped:
                    continue
                best = "MAX" if sequence.increment > 0 else "MIN"
                last = self.session.value(f"SELECT {best}({quoted(column)}) FROM {quoted(table.name)}")  # noqa: S608
            if last is not None:
                with suppress(ConnectorError):  # a key beyond what the sequence counts
                    self.session.run(f"SELECT SETVAL({quoted(sequence.name.name)}, {int(last)})")


def broken_rows(
    session: Session, database: str, structure: Structure, swapped: Collection[TableName] = (), rest: str = ""
) -> Mapping[str, int]:
    """Rows without a parent by "table.key", for each key whose both ends are in the replica. Raises ConnectorError.

    With ``rest`` the keys that touch ``swapped`` tables, which are in ``database``; the other tables are in ``rest``.
    """
    present = {t.name: t for t in structure.tables}
    found = {}
    for target in structure.tables:
        for key in _whole_keys(target, present):
            if rest and not {target.name, key.ref_table} & set(swapped):
                continue
            label = f"{target.name}.{key.name or '+'.join(key.columns)}"
            here, there = (database if not rest or n in swapped else rest for n in (target.name, key.ref_table))
            found[label] = _count(session, (here, there), target.name, key)
    return found


def _whole_keys(target: TargetTable, present: Mapping[TableName, TargetTable]) -> Iterable[ForeignKey]:
    for key in target.table.foreign_keys:
        parent = present.get(key.ref_table)
        if parent is None or set(key.columns) & set(target.dropped) or set(key.ref_columns) & set(parent.dropped):
            continue
        yield key


def _count(session: Session, databases: tuple[str, str], child: TableName, key: ForeignKey) -> int:
    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    known = " AND ".join(f"c.{quoted(c)} IS NOT NULL" for c, _ in pairs)
    same = " AND ".join(f"p.{quoted(r)} = c.{quoted(c)}" for c, r in pairs)
    sql = (
        f"SELECT COUNT(*) FROM {quoted(databases[0], child.name)} c WHERE {known} AND NOT EXISTS "  # noqa: S608
        f"(SELECT 1 FROM {quoted(databases[1], key.ref_table.name)} p WHERE {same})"
    )
    return int(session.value(sql))
