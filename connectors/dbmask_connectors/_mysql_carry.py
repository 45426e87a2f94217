"""Rows of the replica that serves, taken over into the tables that are built beside it, within the server.

Meanwhile another session holds the replica's tables: they can be read, and nobody writes what would be taken over unseen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbmask.schema import TableName
from dbmask.spi import Progress, Reader, Source, TargetTable
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_compare import part_span, runs
from dbmask_connectors._mysql_load import MySQLSink, destinations
from dbmask_connectors._mysql_parts import relation, within
from dbmask_connectors._mysql_reader import MySQLReader, leaves_statement_log
from dbmask_connectors._mysql_refresh import Kept, sum_of
from dbmask_connectors._mysql_relay import stream_rows
from dbmask_connectors._mysql_session import Session, quoted

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["PATIENCE", "Carried", "held"]

PATIENCE = 60
"""So many seconds those who write to a replica have to come to an end."""
_PARTS = 64
"""So many parts are one statement: what is given up is undone in bounded time."""
_FEW = 32
"""So many stretches are summed up one by one; of more the whole table is, when it is built."""
_NEW, _ALL = "dbmask_new_keys", "dbmask_all_keys"


@contextmanager
def held(address: Address, database: str, tables: Collection[str]) -> Iterator[None]:
    """Keep others from writing to tables. Raises ConnectorError where somebody does not stop."""
    session = Session(address, database)
    try:
        if tables:
            listed = ", ".join(f"{quoted(database, name)} READ" for name in sorted(tables))
            session.run(f"SET SESSION lock_wait_timeout = {PATIENCE:d}")
            session.run(f"LOCK TABLES {listed}", where=f"{address}: keeping the replica as it is")
        yield
        session.run("DO 1", where=f"{address}: keeping the replica as it is")  # a session that was ended held nothing
    finally:
        session.close()


@dataclass
class _Keys:
    """Takes the keys of rows into a table of their own."""

    session: Session
    area: str

    def _renamed(self, table: TargetTable) -> TargetTable:
        return replace(table, table=replace(table.table, name=TableName(table.name.schema, _ALL)))

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """As lines that are never parsed."""
        if not isinstance(reader, MySQLReader):
            return None
        own = self._renamed(table)
        dests = destinations(self.session, self.area, own)
        return stream_rows(reader, self.session, own, dests, query, progress, f"TRUNCATE TABLE {quoted(_ALL)}")

    @contextmanager
    def sink(self, table: TargetTable) -> Iterator[MySQLSink]:
        """Python values."""
        own = self._renamed(table)
        made = MySQLSink(self.session, own, destinations(self.session, self.area, own))
        yield made
        made.end()


class Carried:
    """What of a replica, in ``database``, goes on in the ``area`` that is built beside it."""

    def __init__(self, session: Session, database: str, area: str) -> None:
        self.session, self.database, self.area = session, database, area
        self.kept: dict[str, Kept] = {}
        leaves_statement_log(session)
        # In REPEATABLE READ, INSERT ... SELECT would lock every row that it reads.
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def carry(
        self, table: TargetTable, column: str = "", bounds: Sequence[str] = (), parts: Sequence[int] | None = None
    ) -> int:
        """Rows of these parts, or all; their number. Raises ConnectorError."""
        if parts is None:
            return self._insert(table, f"FROM {quoted(self.database, table.name.name)} AS dbmask_src")
        ends = [None, *bounds, None]
        place = TableName(self.database, table.name.name)
        others = sorted(set(range(len(ends) - 1)) - set(parts))
        spans = [part_span(place, column, ends[first], ends[after]) for first, after in runs(others, len(ends))]
        if len(spans) <= _FEW:
            self.kept[table.name.name] = Kept(spans, *sum_of(self.session, self.database, table.name.name, spans))
        return sum(
            self._insert(table, self._rows_of(place, column, ends[first], ends[after]))
            for first, after in runs(parts, _PARTS)
        )

    def _rows_of(self, place: TableName, column: str, low: str | None, high: str | None) -> str:
        from sqlglot import exp

        query = exp.select("1").from_(relation(place))
        sql = within(self.session, query, part_span(place, column, low, high)).sql(dialect="mysql")
        return sql[sql.index(" FROM ") + 1 :]

    def _insert(self, table: TargetTable, rows: str) -> int:
        into = ", ".join(map(quoted, table.columns))
        listed = ", ".join(f"dbmask_src.{quoted(c)}" for c in table.columns)
        sql = f"INSERT INTO {quoted(self.area, table.name.name)} ({into}) SELECT {listed} {rows}"
        return self.session.affected(sql, f"{table.name}: what stays as it is")

    def gone(
        self,
        table: TargetTable,
        key: Sequence[str],
        column: str = "",
        bounds: Sequence[str] = (),
        parts: Sequence[int] | None = None,
    ) -> int:
        """How many rows of these parts, or all, have keys that no built row has. Raises ConnectorError."""
        place, ends = TableName(self.database, table.name.name), [None, *bounds, None]
        missing = f"NOT {self._there(table.name.name, key)}"

        def count(rows: str) -> int:
            return int(self.session.value(f"SELECT COUNT(*) {rows} AND {missing}"))

        if parts is None:
            return count(f"FROM {quoted(place.schema, place.name)} AS dbmask_src WHERE 1")
        return sum(count(self._rows_of(place, column, ends[a], ends[b])) for a, b in runs(parts, len(ends)))

    def forget(self, table: TargetTable) -> None:
        """Empty what is built of a table."""
        self.session.run(f"TRUNCATE TABLE {quoted(self.area, table.name.name)}")
        self.kept.pop(table.name.name, None)
        self._drop()

    def note_new(self, table: TargetTable, key: Sequence[str]) -> None:
        """Note the keys of the rows that are built so far."""
        self._make(_NEW, table, key, "")

    def keys(self, table: TargetTable, key: Sequence[str]) -> _Keys:
        """Takes all keys that the table is to have."""
        self._make(_ALL, table, key, "LIMIT 0")
        return _Keys(self.session, self.area)

    def _make(self, name: str, table: TargetTable, key: Sequence[str], rows: str) -> None:
        listed, place = ", ".join(map(quoted, key)), quoted(self.area, name)
        self.session.run(f"DROP TABLE IF EXISTS {place}")
        self.session.run(
            f"CREATE TABLE {place} (PRIMARY KEY ({listed})) ENGINE=InnoDB "  # noqa: S608 - quoted names
            f"SELECT {listed} FROM {quoted(self.area, table.name.name)} {rows}",
            where=str(table.name),
        )

    def _rest(self, table: TargetTable, key: Sequence[str], among: bool) -> str:
        more = f" AND {self._there(_ALL, key)}" if among else ""
        new = self._there(_NEW, key)
        return f"FROM {quoted(self.database, table.name.name)} AS dbmask_src WHERE NOT {new}{more}"

    def _there(self, name: str, key: Sequence[str]) -> str:
        same = " AND ".join(f"k.{quoted(c)} = dbmask_src.{quoted(c)}" for c in key)
        return f"EXISTS (SELECT 1 FROM {quoted(self.area, name)} AS k WHERE {same})"  # noqa: S608 - quoted names

    def rest(self, table: TargetTable, key: Sequence[str], among: bool = False) -> int:
        """How many rows :meth:`carry_rest` would bring."""
        return int(self.session.value(f"SELECT COUNT(*) {self._rest(table, key, among)}"))

    def carry_rest(self, table: TargetTable, key: Sequence[str], among: bool = False) -> int:
        """Rows whose keys are not those of new ones and, where ``among``, are among :meth:`keys`."""
        made = self._insert(table, self._rest(table, key, among))
        self._drop()
        return made

    def _drop(self) -> None:
        for name in (_NEW, _ALL):
            self.session.run(f"DROP TABLE IF EXISTS {quoted(self.area, name)}")
