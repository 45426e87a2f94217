"""Connections through SQLAlchemy: by which driver, as gentle as the dialect permits, errors without values, rows as columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import ColumnType, TableName
from dbmask.spi import Batch, Pads
from dbmask_connectors._batches import BatchSize
from dbmask_connectors._generic_types import maker

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlglot import exp

__all__ = ["GenericReader", "engine", "opened", "said", "snapshot", "translated"]

_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}
_GRAMMARS = {"mariadb": "mysql", "postgresql": "postgres", "mssql": "tsql"}
"""sqlglot's names for SQLAlchemy's dialects, where they differ."""
_SESSIONS = {
    "mysql": ("SET time_zone = '+00:00'", "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"),
    "postgresql": ("SET TIME ZONE 'UTC'",),
    "oracle": ("ALTER SESSION SET TIME_ZONE = 'UTC'",),
}
_READ_ONLY = {
    "mysql": ("SET SESSION TRANSACTION READ ONLY",),
    "postgresql": ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",),
    "sqlite": ("PRAGMA query_only = ON",),
}
_LEVELS = ("SNAPSHOT", "REPEATABLE READ", "SERIALIZABLE")
"""Isolation in which a transaction sees one state, the gentlest first."""


def engine(url: str) -> Engine:
    """SQLAlchemy's engine for a URL, with or without ``generic+`` before it. Raises UsageError."""
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    try:
        parsed = make_url(url.removeprefix("generic+"))
        if "+" not in parsed.drivername:
            parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        threads = {"check_same_thread": False} if parsed.get_backend_name() == "sqlite" else {}
        return create_engine(parsed, poolclass=NullPool, hide_parameters=True, connect_args=threads)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UsageError("SQLAlchemy knows no such database; write generic+DIALECT://user@host/database") from None
    except ImportError as error:
        raise UsageError(f"the driver {error.name} of this database is not installed") from None


def said(of: Engine) -> str:
    """Where an engine leads, without the password."""
    url = of.url
    place = f"{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    return f"{url.get_backend_name()} {place.lstrip('/') if not url.host else place}"


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ConnectorError, unchained: a driver's message may quote a value."""
    from sqlalchemy import exc

    try:
        yield
    except exc.SQLAlchemyError as error:
        what = next(words for kind, words in _kinds() if isinstance(error, kind))
        orig = getattr(error, "orig", None)
        number = orig.args[0] if orig is not None and orig.args and isinstance(orig.args[0], int) else ""
        raise ConnectorError(
            f"{where}: {what} ({type(orig or error).__name__}{f' {number}' if number else ''})"
        ) from None


def _kinds() -> tuple[tuple[type[Exception], str], ...]:
    from sqlalchemy import exc

    return (
        (exc.IntegrityError, "a constraint does not hold"),
        (exc.DataError, "a value does not fit its column"),
        (exc.OperationalError, "the database refused it or could not be reached"),
        (exc.ProgrammingError, "the statement is not valid here, or the right to it is missing"),
        (exc.SQLAlchemyError, "the database or its driver refused it"),
    )


@contextlib.contextmanager
def opened(of: Engine, *, reading: bool = False, each: bool = True) -> Iterator[Connection]:
    """A connection whose statements are committed one by one (``each``), in UTC where its database has a word for that."""
    with translated(said(of)):
        connection = of.connect()
        if each:
            connection.execution_options(isolation_level="AUTOCOMMIT")
    with connection:
        with translated(said(of)):
            name = of.dialect.name.replace("mariadb", "mysql")
            for statement in (*_SESSIONS.get(name, ()), *(_READ_ONLY.get(name, ()) if reading else ())):
                connection.exec_driver_sql(statement)
        yield connection


@contextlib.contextmanager
def snapshot(of: Engine) -> Iterator[Connection]:
    """A connection within one transaction that reads, in the strictest isolation that does not lock, as far as there is one."""
    with opened(of, reading=True) as connection:
        with translated(said(of)):
            if of.dialect.name == "sqlite":  # its driver begins none for a SELECT
                connection.exec_driver_sql("BEGIN")
            else:
                known = set(of.dialect.get_isolation_level_values(connection.connection.dbapi_connection))  # type: ignore[arg-type]
                level = next((name for name in _LEVELS if name in known), None)
                connection.rollback()
                connection.execution_options(isolation_level=level or of.dialect.default_isolation_level)
        yield connection


class GenericReader:
    """Rows of one connection; ``types`` are those of columns by table, ``placed`` says what a table of the source is called in it.

    ``position`` is the name of the state that is read, where there is one.
    """

    def __init__(
        self,
        connection: Connection,
        where: str,
        types: Mapping[TableName, Mapping[str, ColumnType]],
        placed: Mapping[TableName, str] | None = None,
        position: str = "",
    ) -> None:
        self.position = position
        self._connection, self._where, self._types, self._placed = connection, where, types, placed
        self.grammar = _GRAMMARS.get(connection.dialect.name, connection.dialect.name)

    def use_keys(self, pads: Pads) -> None:
        """No query of this reader has keys."""

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT and stream its rows. Raises ConnectorError."""
        from sqlalchemy import text

        makers = [maker(type_) for type_ in self._projected(query)]
        statement = text(self._rendered(query).replace(":", "\\:"))
        size = BatchSize(batch_rows)
        with translated(self._where):
            result = self._connection.execution_options(stream_results=True, max_row_buffer=1_000).execute(statement)
            try:
                while rows := result.fetchmany(size.rows):
                    size.saw(rows)
                    columns = zip(*rows, strict=True)
                    yield [list(map(make, column)) for make, column in zip(makers, columns, strict=True)]
            finally:
                result.close()

    def _projected(self, query: exp.Expression) -> list[ColumnType | None]:
        """The types of a query's projections, where they are columns of one table."""
        from sqlglot import exp

        select = query.find(exp.Select)
        source = select.args.get("from_") or select.args.get("from") if select else None
        table = source.this if source else None
        name = TableName(table.db, table.name) if isinstance(table, exp.Table) else TableName("", "")
        known = self._types.get(name, {})
        shown = [p.unalias() for p in select.selects] if select else []
        return [known.get(p.name) if isinstance(p, exp.Column) else None for p in shown]

    def _rendered(self, query: exp.Expression) -> str:
        from sqlglot import exp
        from sqlglot.dialects.dialect import Dialect

        made = query.copy()
        for node in list(made.find_all(exp.Table)):
            if self._placed is not None:
                name = self._placed.get(TableName(node.db, node.name), node.name)
                node.set("this", exp.to_identifier(name, quoted=True))
                node.set("db", None)
        return made.sql(dialect=self.grammar if Dialect.get(self.grammar) else "")
