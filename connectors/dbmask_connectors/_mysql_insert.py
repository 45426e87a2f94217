"""Whole tables within one server: INSERT ... SELECT, and the proof that it saw what the snapshot sees.

In REPEATABLE READ, INSERT ... SELECT reads what is newest and locks it against every writer. In READ COMMITTED it reads
without locks, but in a snapshot of its own, which no statement can be given. So a table of which every column is kept is
copied in READ COMMITTED, while the reader's snapshot computes CHECKSUM TABLE over what it sees; the same over what was
stored tells whether that is it. Where it is not, somebody wrote in between: the copy is thrown away, and the rows are
streamed from the snapshot. (The checksum is the sum of the rows' CRC-32: another table has the same by a chance of 2^-32.)

Tables with masked columns are streamed: the proof would mask every row once more, and cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask.schema import TableKind, TableName
from dbmask.spi import Progress, TargetTable
from dbmask_connectors._mysql_reader import leaves_statement_log
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_source import Snapshot

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["WORTH_ROWS", "Inserter", "all_kept"]

WORTH_ROWS = 20_000
"""Smaller tables are streamed before the sessions for the proof are open."""
_POLL_SECONDS = 0.5


def all_kept(table: TargetTable, query: exp.Expression) -> bool:
    """Whether a query brings a table as it is, with every row and column."""
    from sqlglot import exp

    values = [p.unalias() for p in query.expressions]
    own = {c.name: c.type for c in table.table.columns if c.generated is None}
    changed = [c for c, t in table.types.items() if c not in own or (t.kind, t.sql) != (own[c].kind, own[c].sql)]
    if table.dropped or changed or set(own) != set(table.columns) or table.table.kind is TableKind.FOREIGN:
        return False
    if any(query.args.get(part) is not None for part in ("where", "joins", "limit", "group", "distinct")):
        return False
    return len(values) == len(table.columns) and all(
        isinstance(v, exp.Column) and v.name == c for v, c in zip(values, table.columns, strict=True)
    )


@dataclass
class Inserter:
    """Copies tables of ``reader``'s snapshot into the session's database, on the same server; ``watch`` opens one more session."""

    reader: Snapshot
    session: Session
    database: str
    watch: Callable[[], Session]

    def copy(self, table: TargetTable, progress: Progress, undo: str) -> int | None:
        """The number of rows; None, with nothing left behind (by ``undo``), where the copy is not the snapshot's or cannot be made.

        Raises ConnectorError.
        """
        source, name = quoted(table.name.schema, table.name.name), quoted(table.name.name)
        if not leaves_statement_log(self.session):
            return None  # a binary log of statements takes none in READ COMMITTED
        try:
            self.session.run(f"SELECT * FROM {source} LIMIT 0")  # noqa: S608 - quoted names
            self.session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except ConnectorError:
            return None  # the target's user may not read the source
        columns = ", ".join(map(quoted, table.columns))
        insert = f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {source}"  # noqa: S608
        count, seen = self._run(table, insert, progress)
        if seen is not None and seen == self.session.run(_checksum(TableName(self.database, table.name.name)))[0][1]:
            return count
        progress(-count)
        self.session.run(undo)
        return None

    def _run(self, table: TargetTable, insert: str, progress: Progress) -> tuple[int, Any]:
        """Copy, and sum up the snapshot meanwhile; a third session sees how far it is."""
        where = str(table.name)
        watch = self.watch()
        try:
            with ThreadPoolExecutor(2) as pool:
                copying = pool.submit(self.session.affected, insert, where)
                summing = pool.submit(self.reader.session.run, _checksum(table.name), None, where)
                try:
                    told = self._watched(watch, table, (copying, summing), progress)
                except BaseException:  # Ctrl-C: the server would go on with both
                    self.session.kill()
                    self.reader.session.kill()
                    raise
            count = copying.result()
            progress(count - told)
            return count, summing.result()[0][1]
        finally:
            watch.close()

    def _watched(self, watch: Session, table: TargetTable, work: Sequence[Future[Any]], progress: Progress) -> int:
        """Wait for both; the number of rows that progress was told of, by the server's running estimate."""
        told = 0
        sql = "SELECT table_rows FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
        while wait(work, timeout=_POLL_SECONDS).not_done:
            with suppress(ConnectorError):
                now = min(watch.value(sql, (self.database, table.name.name)) or 0, table.table.rows or 0)
                if now > told:
                    progress(now - told)
                    told = now
        return told


def _checksum(name: TableName) -> str:
    return f"CHECKSUM TABLE {quoted(name.schema, name.name)}"
