"""A replica brought up to date while it serves: one transaction, in which only rows that differ are written.

Masked rows wait in temporary tables until all of them are there; only then tables are locked against readers, for as long
as foreign keys are taken off, rows exchanged, and what follows from them is made anew. Rows go by DELETE, never TRUNCATE, so that
whoever reads an older snapshot goes on seeing all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dbmask.schema import TableKind, TableName
from dbmask.spi import Progress, Reader, Receiver, Refreshing, Sink, Source, Structure, TargetTable, Written
from dbmask_connectors._postgres_apply import LockedReader, require_owner, with_heirs
from dbmask_connectors._postgres_build import early, refresh_views
from dbmask_connectors._postgres_copy import CopySink, relay, table_sql
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_parts import Keys, Triggers
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors._postgres_sequences import set_sequences
from dbmask_connectors._postgres_session import Address, connect

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from sqlglot import exp

__all__ = ["PostgresRefreshing", "note", "noted", "refreshing"]

_MARK = "; baseline "
_SHAPE = """
SELECT n.nspname, c.relname, a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull, a.attgenerated::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' AND n.nspname <> 'dbmask_ledger'
ORDER BY 1, 2, a.attnum
"""
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
"""


def noted(admin: psycopg.Connection[Any], database: str, marker: str) -> str:
    """The token in a database's comment, if the database is dbmask's."""
    row = admin.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (database,)
    ).fetchone()
    text = str(row[0]) if row and row[0] else ""
    return text.partition(_MARK)[2] if text.startswith(marker) else ""


def note(connection: psycopg.Connection[Any], marker: str, token: str, own: Sequence[str] = ()) -> str:
    """Put a token into the comment of the database that this connection is in; what later writes are told by."""
    from psycopg import sql

    row = connection.execute(
        "SELECT current_database(), pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text, "
        "pg_current_xact_id_if_assigned()::text FROM pg_current_snapshot() AS s"
    ).fetchone()
    database, horizon, end, current = row or ("", "0", "0", None)
    comment = sql.SQL("COMMENT ON DATABASE {} IS {}")
    connection.execute(comment.format(sql.Identifier(database), sql.Literal(f"{marker}{_MARK}{token}")))
    known = {x for x in own if int(x) >= int(horizon)}
    if current is not None:
        known.add(current)
    elif (
        horizon != end
    ):  # somebody works elsewhere on this server: what was written here meanwhile is ours all the same
        known |= _written_since(connection, horizon)
    shape = _shape(connection)
    return json.dumps({"horizon": horizon, "own": sorted(known), "shape": shape})


def _written_since(connection: psycopg.Connection[Any], horizon: str) -> set[str]:
    from psycopg import sql

    found: set[str] = set()
    for schema, name in connection.execute(_TABLES.encode()).fetchall():
        query = sql.SQL("SELECT DISTINCT xmin::text FROM ONLY {} WHERE age(xmin) <= age({}::xid)").format(
            table_sql(schema, name), sql.Literal(str(int(horizon) % 2**32))
        )
        base = int(horizon) >> 32
        for (short,) in connection.execute(query).fetchall():
            full = (base << 32) + int(short)
            found.add(str(full if full >= int(horizon) else full + 2**32))
    return found


def _shape(connection: psycopg.Connection[Any]) -> str:
    rows = connection.execute(_SHAPE.encode()).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


@dataclass
class _Waiting:
    """What waits for one table."""

    stage: str
    keys: str = ""
    whole: bool = False
    doomed: int = 0


class PostgresRefreshing:
    """One transaction. ``connection`` is its session."""

    def __init__(
        self, connection: psycopg.Connection[Any], reader: PostgresReader, address: Address, marker: str
    ) -> None:
        self.connection = connection
        self.address = address
        self._reader = reader
        self._marker = marker
        self._waiting: dict[TableName, _Waiting] = {}
        self._rows: dict[TableName, int] = {}
        self._own: list[str] = []
        self._made = 0

    # -- what is there --------------------------------------------------------------------------------------------

    def reshaped(self, since: Written) -> bool:
        """Whether somebody changed columns."""
        with translated(str(self.address)):
            return _shape(self.connection) != str(json.loads(since.token)["shape"])

    def touched(self, since: Written) -> Mapping[TableName, str]:
        """Tables that hold row versions which dbmask did not write, or another number of rows."""
        facts = json.loads(since.token)
        self._own = facts["own"]
        found: dict[TableName, str] = {}
        with translated(str(self.address)):
            row = self.connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text").fetchone()
            far = not 0 <= int(row[0] if row else 0) - int(facts["horizon"]) < 2**31 - 2**20
            for name, rows in since.rows.items():
                why = self._touched(name, rows, facts["horizon"], far)
                if why:
                    found[name] = why
        return found

    def _touched(self, name: TableName, rows: int, horizon: str, far: bool) -> str:
        from psycopg import sql

        short = [str(int(x) % 2**32) for x in self._own]
        query = sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE age(xmin) <= (SELECT age({}::xid)) AND NOT xmin::text = ANY({})) FROM {}"
        ).format(sql.Literal(str(int(horizon) % 2**32)), sql.Literal(short), table_sql(name.schema, name.name))
        there, foreign = self.connection.execute(query).fetchone() or (0, 0)
        self._rows[name] = there
        if foreign:
            return f"somebody else wrote {foreign:,} of its rows"
        if there != rows:
            return f"it holds {there:,} rows, and held {rows:,}"
        return "too many transactions ago to tell whether somebody else wrote to it" if far and there else ""

    # -- what waits -----------------------------------------------------------------------------------------------

    def _into(self, table: TargetTable, columns: Sequence[str], kind: str) -> TargetTable:
        """The temporary table that a table's rows, or keys, wait in."""
        from psycopg import sql

        one = self._waiting.setdefault(table.name, _Waiting(""))
        name = getattr(one, kind)
        if not name:
            self._made += 1
            name = f"dbmask_{kind}_{self._made}"
            setattr(one, kind, name)
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            made = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
            place = table_sql(table.name.schema, table.name.name)
            self.connection.execute(made.format(sql.Identifier(name), listed, place))
        return replace(table, table=replace(table.table, name=TableName("pg_temp", name)))

    def relay(
        self,
        source: Source,
        reader: Reader,
        table: TargetTable,
        query: exp.Expression,
        progress: Progress,
        kind: str = "stage",
    ) -> int | None:
        """COPY to COPY, binary, blocks unparsed; only from PostgreSQL."""
        if not isinstance(reader, PostgresReader):
            return None
        reader.require_idle()
        with translated(f"{self.address}: {table.name}"):
            return relay(reader.connection, self.connection, self._into(table, table.columns, kind), query, progress)

    def sink(self, table: TargetTable, kind: str = "stage") -> AbstractContextManager[Sink]:
        """Masked rows from Python."""
        return self._sink(table, kind)

    @contextmanager
    def _sink(self, table: TargetTable, kind: str) -> Iterator[Sink]:
        with (
            translated(f"{self.address}: {table.name}"),
            CopySink.opened(self.connection, self._into(table, table.columns, kind)) as sink,
        ):
            yield sink

    def forget(self, table: TargetTable) -> None:
        """Drop the temporary tables of a table."""
        from psycopg import sql

        one = self._waiting.pop(table.name, None)
        with translated(f"{self.address}: {table.name}"):
            for name in filter(None, (one.stage, one.keys) if one else ()):
                self.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("pg_temp", name)))

    def keys(self) -> Receiver:
        """Takes masked keys."""
        return _Keyed(self)

    # -- what it comes to -----------------------------------------------------------------------------------------

    def settle(self, table: TargetTable, key: Sequence[str], whole: bool) -> tuple[int, int]:
        """Leave of what waits only what differs from the table."""
        from psycopg import sql

        with translated(f"{self.address}: {table.name}"):
            self._into(table, table.columns, "stage")
            one = self._waiting[table.name]
            one.whole = whole
            stage, name = sql.Identifier("pg_temp", one.stage), _alone(table)
            self.connection.execute(sql.SQL("ANALYZE {}").format(stage))
            if not key:
                (count,) = self.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(stage)).fetchone() or (0,)
                return count, count if whole else self._count(table) + count
            if whole:
                one.keys = one.stage.replace("stage", "whole")
                made = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {}")
                self.connection.execute(made.format(sql.Identifier(one.keys), _listed(key), stage))
            same = sql.SQL("DELETE FROM {} AS s USING {} AS t WHERE {} AND record_image_eq({}, {})").format(
                stage, name, _match(key), _row("s", table.columns), _row("t", table.columns)
            )
            self.connection.execute(same)
            query = sql.SQL(
                "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})) FROM {} AS s"
            )
            count, new = self.connection.execute(query.format(name, _match(key), stage)).fetchone() or (0, 0)
            return count, self._count(table) + new

    def _count(self, table: TargetTable) -> int:
        from psycopg import sql

        if table.name not in self._rows:
            row = self.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_alone(table))).fetchone()
            self._rows[table.name] = row[0] if row else 0
        return self._rows[table.name]

    def doomed(self, table: TargetTable, key: Sequence[str]) -> int:
        """Rows whose keys nobody has any more; all of them where there is no key."""
        from psycopg import sql

        with translated(f"{self.address}: {table.name}"):
            one = self._waiting[table.name]
            if not key:
                return self._count(table)
            keys = sql.Identifier("pg_temp", one.keys)
            self.connection.execute(sql.SQL("ANALYZE {}").format(keys))
            query = sql.SQL("SELECT count(*) FROM {} AS t WHERE NOT EXISTS (SELECT FROM {} AS s WHERE {})")
            row = self.connection.execute(query.format(_alone(table), keys, _match(key))).fetchone()
            one.doomed = row[0] if row else 0
            return one.doomed

    def exchange(
        self, structure: Structure, tables: Mapping[TableName, Sequence[str]], progress: Callable[[str], None]
    ) -> Mapping[TableName, int]:
        """Write rows, and what follows from them."""
        with translated(str(self.address)):
            return self._exchange(structure, tables, progress)

    def _exchange(
        self, structure: Structure, tables: Mapping[TableName, Sequence[str]], progress: Callable[[str], None]
    ) -> Mapping[TableName, int]:
        from psycopg import sql

        run = self.connection.execute
        targets = {t.name: t for t in structure.tables}
        keys, triggers = Keys(self.connection, str(self.address)), Triggers(self.connection)
        progress("rows")
        if tables:
            keys.take(list(tables), ())
            triggers.switch_off(
                with_heirs(structure.schema, list(tables)), {(e.schema, e.name) for e in early(structure)}
            )
        for name, key in tables.items():
            with translated(f"{self.address}: {name}"):
                self._write(targets[name], key)
                run("SET CONSTRAINTS ALL IMMEDIATE")
        progress("sequences")
        set_sequences(self.connection, structure.schema, undone=True)
        if tables:
            progress("foreign keys")
            keys.put_back()
            progress("derived values")
            refresh_views(self.connection, str(self.address))
            progress("statistics")
        counts = {}
        for name in tables:
            run(sql.SQL("ANALYZE {}").format(table_sql(name.schema, name.name)))
            row = run(sql.SQL("SELECT count(*) FROM {}").format(_alone(targets[name]))).fetchone()
            counts[name] = row[0] if row else 0
        triggers.switch_on()
        return counts

    def _write(self, table: TargetTable, key: Sequence[str]) -> None:
        from psycopg import sql

        run = self.connection.execute
        one, name = self._waiting[table.name], _alone(table)
        stage = sql.Identifier("pg_temp", one.stage)
        if not key and one.whole:
            run(sql.SQL("DELETE FROM {}").format(name))
        if one.doomed:
            gone = sql.SQL("DELETE FROM {} AS t WHERE NOT EXISTS (SELECT FROM {} AS s WHERE {})")
            run(gone.format(name, sql.Identifier("pg_temp", one.keys), _match(key)))
        if key:
            run(sql.SQL("DELETE FROM {} AS t USING {} AS s WHERE {}").format(name, stage, _match(key)))
        insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}")
        listed = _listed(table.columns)
        run(insert.format(table_sql(table.name.schema, table.name.name), listed, listed, stage))

    def note(self, token: str) -> str:
        """Put the token into the database's comment."""
        with translated(str(self.address)):
            return note(self.connection, self._marker, token, self._own)


class _Keyed:
    """Takes keys in the stead of rows."""

    def __init__(self, inner: PostgresRefreshing) -> None:
        self._inner = inner

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """As PostgresRefreshing.relay."""
        return self._inner.relay(source, reader, table, query, progress, "keys")

    def sink(self, table: TargetTable) -> AbstractContextManager[Sink]:
        """As PostgresRefreshing.sink."""
        return self._inner.sink(table, "keys")


def _alone(table: TargetTable) -> sql.Composable:
    from psycopg import sql

    name = table_sql(table.name.schema, table.name.name)
    return name if table.table.kind is TableKind.PARTITIONED else sql.SQL("ONLY {}").format(name)


def _listed(columns: Sequence[str]) -> sql.Composable:
    from psycopg import sql

    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _match(key: Sequence[str]) -> sql.Composable:
    from psycopg import sql

    return sql.SQL(" AND ").join(sql.SQL("{} = {}").format(sql.Identifier("s", c), sql.Identifier("t", c)) for c in key)


def _row(alias: str, columns: Sequence[str]) -> sql.Composable:
    from psycopg import sql

    return sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier(alias, c) for c in columns))


@contextmanager
def refreshing(address: Address, marker: str, tables: Sequence[TargetTable]) -> Iterator[Refreshing]:
    """One transaction over a replica. Raises ConnectorError, and UsageError where this user does not own its tables."""
    names = [t.name for t in tables]
    with contextlib.closing(connect(address)) as connection:
        with translated(str(address)):
            require_owner(connection, address, names)
        reader = LockedReader(connection, str(address), names)
        try:
            with translated(str(address)):
                # Where few rows of a large table change they are looked up: it has just been read, and is in memory as far as it fits.
                connection.execute("SET LOCAL random_page_cost = 1.1")
            yield PostgresRefreshing(connection, reader, address, marker)
            with translated(str(address)):
                connection.commit()
        finally:
            reader.close()
