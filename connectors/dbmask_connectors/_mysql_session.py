"""Connections to MariaDB and MySQL: settings, statements, and ending what runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from dbmask.errors import ConnectorError, UsageError
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_errors import refusal, translated
from dbmask_connectors._mysql_wire import Load, Stream

__all__ = ["Session", "literal", "quoted"]

SQL_MODE = "STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict, but taking what a source may hold: zero dates, 31 February, 0 in an AUTO_INCREMENT column."""
_SETTINGS = (
    f"sql_mode = '{SQL_MODE}'",
    "time_zone = '+00:00'",
    "net_read_timeout = 7200",
    "net_write_timeout = 7200",
    "wait_timeout = 604800",
    "lock_wait_timeout = 60",
    "max_error_count = 64",
    "sql_notes = 0",
    "sql_quote_show_create = 1",
    "group_concat_max_len = 1048576",
)
# Not known everywhere, or not to be set by everyone: tried one by one.
_WISHES = (
    "max_statement_time = 0",
    "idle_transaction_timeout = 0",
    "sql_safe_updates = 0",
    "sql_select_limit = DEFAULT",
)


def quoted(*names: str) -> str:
    """A name, or names joined by dots, as identifiers in SQL."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def literal(text: str) -> str:
    """A text as a literal in SQL, right under SQL_MODE."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


class Session:
    """One connection in autocommit mode. Raises ConnectorError wherever the server refuses."""

    def __init__(self, address: Address, database: str | None = None) -> None:
        self.address = address
        self.where = str(address)
        self._raw = _connected(address, database)
        self._stream: Stream | None = None
        self.bounds = ""  # the temporary table of a query's bounds (_mysql_parts)
        self.thread = int(self._raw.thread_id())
        self.run("SET SESSION " + ", ".join(_SETTINGS))
        for wish in _WISHES:
            with contextlib.suppress(ConnectorError):
                self.run(f"SET SESSION {wish}")

    @property
    def raw(self) -> Any:
        """PyMySQL's connection, ready for a statement."""
        if self._stream is not None:
            raise ConnectorError(f"{self.where}: rows of another query are still being read on this connection")
        return self._raw

    def run(self, sql: str, args: Sequence[Any] | None = None, where: str = "") -> list[tuple[Any, ...]]:
        """Run a statement; its rows, where it has any. ``where`` says what is being done, for errors."""
        with translated(where or self.where), self.raw.cursor() as cursor:
            cursor.execute(sql, args)
            return list(cursor.fetchall())

    def affected(self, sql: str, where: str = "") -> int:
        """Run a statement; the number of rows that it changed."""
        with translated(where or self.where), self.raw.cursor() as cursor:
            return int(cursor.execute(sql))

    def value(self, sql: str, args: Sequence[Any] | None = None) -> Any:
        """The first value of the first row; None where there is no row."""
        rows = self.run(sql, args)
        return rows[0][0] if rows else None

    def variable(self, name: str) -> Any:
        """A system variable; None where the server does not know it."""
        with contextlib.suppress(ConnectorError):
            return self.value(f"SELECT @@{name}")
        return None

    @contextlib.contextmanager
    def streaming(self, sql: str, where: str = "") -> Iterator[Stream]:
        """Run a SELECT whose rows are read as they come. Rows that nobody read are cancelled on the server."""
        with translated(where or self.where):
            stream = Stream(self.raw, sql)
            self._stream = stream
            try:
                yield stream
            finally:
                if not stream.done:
                    self._abandon(stream)
                self._stream = None

    def _abandon(self, stream: Stream) -> None:
        with contextlib.suppress(ConnectorError):
            end(self.address, self.thread, "QUERY")
        try:
            stream.drain()
        except (OSError, EOFError):
            self._raw._force_close()

    def load(self, sql: str) -> Load:
        """Begin LOAD DATA LOCAL; the caller translates errors."""
        return Load(self.raw, sql)

    def warnings(self) -> list[str]:
        """What the last statement warned of, in words without values, each once."""
        from dbmask_connectors._mysql_errors import describe

        rows = self.run("SHOW WARNINGS")
        return list(dict.fromkeys(describe(int(code), str(message)) for _level, code, message in rows))

    def kill(self) -> None:
        """End this connection and what it runs on the server, whatever state it is in."""
        with contextlib.suppress(ConnectorError):
            end(self.address, self.thread, "CONNECTION")
        self._raw._force_close()

    def close(self) -> None:
        """Close; a second call does nothing."""
        self._raw._force_close()


def end(address: Address, thread: int, what: str) -> None:
    """Kill a QUERY or a CONNECTION of this user's, over a connection of its own. Raises ConnectorError."""
    raw = _connected(address, None)
    try:
        with translated(str(address)), raw.cursor() as cursor:
            cursor.execute(f"KILL {what} {thread:d}")
    finally:
        raw._force_close()


def _connected(address: Address, database: str | None) -> Any:
    try:
        import pymysql
    except ImportError:
        raise UsageError("MySQL and MariaDB need the driver PyMySQL: install dbmask with its extra `mysql`") from None
    from pymysql.constants import CLIENT

    given = address.parameters()
    try:
        # LOCAL_FILES lets this program send data; local_infile=False keeps PyMySQL from sending a file on its own.
        return pymysql.connect(
            **given,
            database=database,
            charset="utf8mb4",
            autocommit=True,
            local_infile=False,
            client_flag=CLIENT.LOCAL_FILES,
            program_name="dbmask",
        )
    except pymysql.err.MySQLError as error:
        place = f"{address}" if database is None or database == address.database else f"{address} ({database})"
        raise ConnectorError(f"cannot connect to {place}: {refusal(error)[1]}") from None
    except (OSError, EOFError):
        raise ConnectorError(f"cannot connect to {address}: no server answers there") from None
