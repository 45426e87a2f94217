"""A PostgreSQL database as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from dbmask.schema import Schema, Table, TableName
from dbmask.spi import Capabilities, PartSum, Reader, Shared, Span, Structure, TargetTable
from dbmask_connectors import _postgres_compare as compare
from dbmask_connectors._postgres_apply import PostgresRewriting, rewriting
from dbmask_connectors._postgres_catalog import read_schema
from dbmask_connectors._postgres_errors import translated
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors._postgres_session import Address, connect
from dbmask_connectors._postgres_shared import exported, narrowed, page_spans, reading, unchanged
from dbmask_connectors._postgres_structure import read_structure

if TYPE_CHECKING:
    import psycopg
    from sqlglot import exp

__all__ = ["PostgresSource", "identity_of"]


def identity_of(connection: psycopg.Connection[Any]) -> str:
    """The cluster's system identifier and the database's oid: the same whatever host name led here."""
    row = connection.execute(
        "SELECT system_identifier::text || '/' || oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
    ).fetchone()
    return f"postgresql:{row[0]}" if row else ""


class PostgresSource:
    """Reads one database; every snapshot has a connection of its own."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.connection = connect(address)
        with translated(str(address)):
            row = self.connection.execute(
                "SELECT pg_is_in_recovery(), has_database_privilege(current_database(), 'TEMP'), "
                "current_setting('server_version_num')::int / 10000"
            ).fetchone()
        facts: tuple[bool, bool, int] = row or (False, True, 0)
        self._standby, self._temporary, self.version = facts

    @property
    def capabilities(self) -> Capabilities:
        """What this database can do: keyed masks run in Python where no temporary table can be made."""
        why = ""
        if self._standby:
            why = "a standby has no temporary tables, so keys cannot reach the session without a trace"
        elif not self._temporary:
            why = "this user may make no temporary tables here (GRANT TEMPORARY ON DATABASE), and keys travel in one"
        return Capabilities("postgres", keys_in_session=not why, keyed_why_not=why)

    def identity(self) -> str:
        """System identifier and database."""
        with translated(str(self.address)):
            return identity_of(self.connection)

    def schema(self) -> Schema:
        """The structure, read anew."""
        with translated(str(self.address)):
            return read_schema(self.connection)

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """Tables that this user may not read, or whose row security would hide rows from it."""
        query = """
            SELECT n.nspname, c.relname,
                   NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT')
                     AND NOT (SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT'))
                              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                   row_security_active(c.oid)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
              AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        """
        wanted = set(tables)
        found = {}
        with translated(str(self.address)):
            for schema, name, denied, hidden in self.connection.execute(query):
                table = TableName(schema, name)
                if table not in wanted:
                    continue
                if denied:
                    found[table] = "this user has no SELECT privilege on it"
                elif hidden:
                    found[table] = (
                        "row security would hide rows from this user (grant it BYPASSRLS, or read as the table's owner)"
                    )
        return found

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """pg_dump's entries, without the tables that are skipped and without what hangs on them.

        Raises ConnectorError, and UsageError where pg_dump is missing or a wanted table cannot stand.
        """
        with translated(str(self.address)):
            return read_structure(self.connection, self.address, self.version, schema, tables)

    def snapshot(self) -> AbstractContextManager[PostgresReader]:
        """A REPEATABLE READ transaction on a connection of its own."""
        return reading(self.address)

    def export(self) -> AbstractContextManager[Shared]:
        """Hold a snapshot for others to join."""
        return exported(self.address)

    def join(self, shared: Shared) -> AbstractContextManager[PostgresReader]:
        """Read a snapshot that another session holds."""
        return reading(self.address, shared=shared)

    def spans(self, reader: Reader, table: Table, size: int) -> list[Span]:
        """Ranges of pages; of partitions where the table has them."""
        return page_spans(reader, table, size)

    def narrowed(self, query: exp.Select, span: Span) -> exp.Select:
        """The query over one span."""
        return narrowed(query, span)

    def unchanged(self, reader: Reader, parts: Sequence[tuple[Span, int]], since: Shared) -> list[bool]:
        """Whether spans hold the row versions that an earlier snapshot saw."""
        return unchanged(reader, parts, since)

    def moment(self, reader: Reader) -> str:
        """The oldest transaction that a snapshot saw running."""
        return compare.moment(reader)

    def still(self, reader: Reader, since: str) -> bool:
        """Whether transaction numbers since then tell rows apart."""
        return compare.still(reader, since)

    def bounds(self, reader: Reader, table: Table, column: str, rows: int) -> list[str]:
        """Values that cut a table into parts."""
        return [] if self._standby or not self._temporary else compare.bounds(reader, table, column, rows)

    def part_sums(
        self,
        reader: Reader,
        table: Table,
        column: str,
        bounds: Sequence[str],
        since: str,
        values: Sequence[str] = (),
    ) -> list[PartSum]:
        """Rows and checksums of parts."""
        return compare.part_sums(reader, table, column, bounds, since, values)

    def changed(
        self,
        reader: Reader,
        query: exp.Select,
        table: Table,
        column: str,
        bounds: Sequence[str],
        parts: Sequence[int],
        since: str,
    ) -> exp.Select:
        """The query over parts."""
        return compare.changed(reader, query, table, column, bounds, parts, since)

    def highest(self, reader: Reader, table: Table, column: str) -> str | None:
        """The highest value of a column as text."""
        return compare.highest(reader, table, column)

    def beyond(
        self, reader: Reader, query: exp.Select, table: Table, column: str, value: str, also: bool
    ) -> exp.Select:
        """The query over rows above a value."""
        return compare.beyond(reader, query, table, column, value, also)

    def rewriting(self, schema: Schema, names: Sequence[TableName]) -> AbstractContextManager[PostgresRewriting]:
        """One transaction in which tables are rewritten in their place."""
        return rewriting(self.address, schema, names)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
