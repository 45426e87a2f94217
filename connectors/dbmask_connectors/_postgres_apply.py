"""Masking a PostgreSQL database in its place: every table rewritten, all in one transaction.

Masked rows go into temporary tables first. Then indexes, keys and triggers are taken off, the tables are emptied by
TRUNCATE, which gives them new files, the masked rows come back, and what was taken off is put on again. Until the commit
others see the old rows or wait; afterwards the old files are gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbmask.errors import UsageError
from dbmask.schema import Schema, TableKind, TableName
from dbmask.spi import Batch, Pads, Reader, Sink, Structure, TargetTable
from dbmask_connectors._postgres_build import early, fit_columns, refresh_views
from dbmask_connectors._postgres_copy import CopySink, table_sql
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_keys import check_foreign_keys
from dbmask_connectors._postgres_parts import Keys, Parts, Triggers
from dbmask_connectors._postgres_reader import PostgresReader, rendered
from dbmask_connectors._postgres_sequences import set_sequences
from dbmask_connectors._postgres_session import Address, connect
from dbmask_connectors._postgres_shared import reading

if TYPE_CHECKING:
    import psycopg
    from sqlglot import exp

__all__ = ["LockedReader", "PostgresRewriting", "require_owner", "rewriting", "with_heirs"]

_PARALLEL = """
SELECT set_config('parallel_tuple_cost', '0', true), set_config('parallel_setup_cost', '0', true),
       set_config('min_parallel_table_scan_size', '1MB', true)
"""


class _Staged:
    """Reads what was masked by the names of the tables that it is for."""

    def __init__(self, inner: PostgresReader, stages: Mapping[TableName, str]) -> None:
        self._inner = inner
        self._stages = stages

    @property
    def position(self) -> str:
        """That of the transaction."""
        return self._inner.position

    def use_keys(self, pads: Pads) -> None:
        """As the transaction's own reader."""
        self._inner.use_keys(pads)

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT over masked rows."""
        from sqlglot import exp

        made = query.copy()
        for table in made.find_all(exp.Table):
            stage = self._stages.get(TableName(table.db, table.name))
            if stage is not None:
                table.set("this", exp.to_identifier(stage, quoted=True))
                table.set("db", exp.to_identifier("pg_temp"))
                table.set("only", False)
        return self._inner.read(made, batch_rows)


class PostgresRewriting:
    """One transaction. ``reader`` sees the rows as they were until :meth:`exchange`, ``masked`` what they become."""

    def __init__(self, connection: psycopg.Connection[Any], reader: PostgresReader, address: Address) -> None:
        self.connection = connection
        self.address = address
        self.reader: Reader = reader
        self._inner = reader
        self._stages: dict[TableName, str] = {}
        self.masked: Reader = _Staged(reader, self._stages)

    def raw(self) -> AbstractContextManager[Reader]:
        """Another session that reads what nobody may write now, for masks that run in Python."""
        return reading(self.address)

    def _stage(self, table: TargetTable) -> str:
        return self._stages.setdefault(table.name, f"dbmask_stage_{len(self._stages) + 1}")

    def relay(self, table: TargetTable, query: exp.Expression) -> int:
        """Mask a table's rows by a SELECT; their number."""
        from psycopg import sql

        self._inner.require_idle()
        made = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS ").format(sql.Identifier(self._stage(table)))
        with translated(f"{self.address}: {table.name}"):
            # Masks cost more than rows do on their way: PostgreSQL's costs of parallel plans do not know that.
            self.connection.execute(_PARALLEL)
            return self.connection.execute(made.as_bytes(self.connection) + rendered(query).encode()).rowcount

    @contextmanager
    def sink(self, table: TargetTable) -> Iterator[Sink]:
        """Take masked rows from Python."""
        from psycopg import sql

        self._inner.require_idle()
        known = {c.name for c in table.table.columns}
        made = [
            sql.Identifier(c)
            if c in known
            else sql.SQL("NULL::{} AS {}").format(sql.SQL(table.types[c].sql or "text"), sql.Identifier(c))
            for c in table.columns
        ]
        stage = self._stage(table)
        with translated(f"{self.address}: {table.name}"):
            create = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
            name = table_sql(table.name.schema, table.name.name)
            self.connection.execute(create.format(sql.Identifier(stage), sql.SQL(", ").join(made), name))
            into = replace(table, table=replace(table.table, name=TableName("pg_temp", stage)))
            with CopySink.opened(self.connection, into) as sink:
                yield sink

    def exchange(
        self,
        structure: Structure,
        tables: Sequence[TargetTable],
        skipped: Sequence[TableName],
        progress: Callable[[str], None],
    ) -> tuple[str, ...]:
        """Put the masked rows in the place of the old ones; what is lost by it, in words. Raises ConnectorError."""
        with translated(str(self.address)):
            return self._exchange(structure, tables, skipped, progress)

    def _exchange(
        self,
        structure: Structure,
        tables: Sequence[TargetTable],
        skipped: Sequence[TableName],
        progress: Callable[[str], None],
    ) -> tuple[str, ...]:
        from psycopg import sql

        run = self.connection.execute
        names = [t.name for t in tables]
        keys, parts = Keys(self.connection, str(self.address)), Parts(self.connection, str(self.address))
        triggers = Triggers(self.connection)
        progress("rows")
        lost = keys.take(names, skipped)
        parts.take(names)
        triggers.switch_off(with_heirs(structure.schema, names), {(e.schema, e.name) for e in early(structure)})
        for table in tables:
            with translated(f"{self.address}: {table.name}"):
                self._refill(table)
        if skipped:
            run(sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(table_sql(n.schema, n.name) for n in skipped)))
        progress("indexes and keys")
        run("SELECT set_config('maintenance_work_mem', '256MB', true)")
        parts.put_back()
        progress("sequences")
        set_sequences(self.connection, structure.schema, undone=True)
        progress("foreign keys")
        keys.put_back()
        progress("derived values")
        refresh_views(self.connection, str(self.address))
        progress("statistics")
        lost += self._analyze(tables)
        triggers.switch_on()
        return tuple(lost)

    def _refill(self, table: TargetTable) -> None:
        from psycopg import sql

        name = table_sql(table.name.schema, table.name.name)
        alone = sql.SQL("" if table.table.kind is TableKind.PARTITIONED else "ONLY ")
        self.connection.execute(sql.SQL("TRUNCATE {}{}").format(alone, name))
        fit_columns(self.connection, table)
        if table.rows:
            listed = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}")
            stage = sql.Identifier("pg_temp", self._stages[table.name])
            self.connection.execute(insert.format(name, listed, listed, stage))
            self.connection.execute(sql.SQL("DROP TABLE {}").format(stage))

    def _analyze(self, tables: Sequence[TargetTable]) -> list[str]:
        """Statistics hold values: they are made anew, and removed where a table without rows would keep the old ones."""
        from psycopg import errors, sql

        run = self.connection.execute
        lost = []
        for table in tables:
            name = table_sql(table.name.schema, table.name.name)
            run(sql.SQL("ANALYZE {}").format(name))
            row = run(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(name)).fetchone()
            if row and row[0]:
                continue
            place = (table.name.schema, table.name.name)
            left = run("SELECT count(*) FROM pg_stats WHERE (schemaname, tablename) = (%s, %s)", place).fetchone()
            if not left or not left[0]:
                continue
            try:
                with self.connection.transaction():
                    run("DELETE FROM pg_statistic WHERE starelid = to_regclass(%s)", (name.as_string(self.connection),))
            except errors.InsufficientPrivilege:
                lost.append(f"{table.name} is empty, and the planner's statistics still hold old values of it")
        return lost

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Rows that break each key, after the exchange."""
        with translated(str(self.address)):
            return check_foreign_keys(self.connection, structure)


class LockedReader(PostgresReader):
    """A transaction that locks before it takes its snapshot: it sees every row that it is going to replace."""

    def __init__(self, connection: psycopg.Connection[Any], where: str, names: Sequence[TableName]) -> None:
        from psycopg import sql

        locking = sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE")
        listed = sql.SQL(", ").join(table_sql(n.schema, n.name) for n in names)
        self._locking = locking.format(listed).as_bytes(connection) if names else b""
        super().__init__(connection, where)

    def _began(self) -> None:
        if self._locking:
            self.connection.execute(self._locking)


@contextmanager
def rewriting(address: Address, schema: Schema, names: Sequence[TableName]) -> Iterator[PostgresRewriting]:
    """One transaction over these tables, which nobody else may write meanwhile; it is committed when the block ends well.

    Raises ConnectorError, and UsageError where this user does not own what it would rewrite.
    """
    with contextlib.closing(connect(address)) as connection:
        with translated(str(address)):
            require_owner(connection, address, names)
        reader = LockedReader(connection, str(address), names)
        try:
            yield PostgresRewriting(connection, reader, address)
            with translated(str(address)):
                connection.commit()
        finally:
            reader.close()


def require_owner(connection: psycopg.Connection[Any], address: Address, names: Sequence[TableName]) -> None:
    """Raise UsageError unless this user owns these tables and may write."""
    query = (
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE')"
    )
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row and row[0]:
        raise UsageError(f"{address} is a standby, which cannot be written to")
    foreign = {TableName(s, n) for s, n in connection.execute(query.encode()).fetchall()}.intersection(names)
    if foreign:
        raise UsageError(
            f"only an owner can rewrite a table, and this user is none of {', '.join(map(str, sorted(foreign)))}"
        )


def with_heirs(schema: Schema, names: Sequence[TableName]) -> list[TableName]:
    """Tables and, at every depth, their partitions, in which rows arrive."""
    found = dict.fromkeys(names)
    while True:
        more = [
            n
            for n, t in schema.tables.items()
            if t.kind is TableKind.PARTITION and n not in found and any(p in found for p in t.parents)
        ]
        if not more:
            return list(found)
        found |= dict.fromkeys(more)
