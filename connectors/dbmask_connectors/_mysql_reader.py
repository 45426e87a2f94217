"""Queries over one session: keys that no log records, rows as batches of columns."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.spi import Batch, Held, Pads
from dbmask_connectors._batches import BatchSize
from dbmask_connectors._mysql_errors import translated
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_values import as_columns, is_float
from dbmask_connectors._mysql_wire import fields_of

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask.schema import Table

__all__ = ["KeyTable", "MySQLReader", "exact", "leaves_statement_log", "why_no_keys"]


def why_no_keys(session: Session) -> str:
    """Why pads cannot reach sessions like this one without a trace; empty where they can.

    A temporary table filled by LOAD DATA LOCAL is in no log, except in a binary log of statements: that one would
    hold the data themselves.
    """
    if not session.variable("local_infile"):
        return "LOAD DATA LOCAL is switched off on the server (local_infile), so keys cannot reach a session without a trace"
    if not leaves_statement_log(session):
        return (
            "the binary log records statements and this user may not leave it (BINLOG ADMIN), "
            "so keys would be written into it"
        )
    try:
        session.run("CREATE TEMPORARY TABLE dbmask_probe (x int) ENGINE=MEMORY")
        session.run("DROP TEMPORARY TABLE dbmask_probe")
    except ConnectorError:
        return "this user may not CREATE TEMPORARY TABLES in the database, so keys cannot reach its sessions without a trace"
    return ""


def leaves_statement_log(session: Session) -> bool:
    """Whether what this session writes into temporary tables stays out of the binary log; to be asked outside a transaction."""
    if not session.variable("log_bin") or session.variable("binlog_format") != "STATEMENT":
        return True
    for setting in ("binlog_format = ROW", "sql_log_bin = 0"):
        with contextlib.suppress(ConnectorError):
            session.run(f"SET SESSION {setting}")
            return True
    return False


class KeyTable:
    """The session's pads: one row of a temporary table, a column for each pad.

    A temporary table can stand but once in a query of MariaDB's. Joined as the one row that it is, it stands there once
    for any number of keys, and the optimizer reads it before the query begins and takes its values for constants.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._unlogged = leaves_statement_log(session)
        self.pads: dict[str, tuple[bytes, bytes]] = {}
        self._table = ""

    def add(self, pads: Pads) -> None:
        """Take more keys. Raises ConnectorError where the session's binary log would record them."""
        fresh = {name: pair for name, pair in pads.items() if name not in self.pads}
        if not fresh:
            return
        session = self.session
        if not self._unlogged:
            raise ConnectorError(f"{session.where}: the binary log would record keys; none was sent")
        self.pads.update(fresh)
        # A name of its own each time: it hides no table of the database's, and none stands in its way.
        table = f"dbmask_keys_{secrets.token_hex(6)}"
        names = [c for at in range(len(self.pads)) for c in _columns(at)]
        columns = ", ".join(f"{name} varbinary(64) NOT NULL" for name in names)
        session.run(f"CREATE TEMPORARY TABLE {quoted(table)} ({columns}) ENGINE=MEMORY")
        sql = (
            f"LOAD DATA LOCAL INFILE 'keys' INTO TABLE {quoted(table)} CHARACTER SET binary "
            f"FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({', '.join(names)})"
        )
        line = b",".join(_escaped(pad) for pair in self.pads.values() for pad in pair)
        with translated(f"{session.where}: keys"):
            load = session.load(sql)
            load.write(line + b"\n")
            done = load.finish()
        if done != (1, 0):
            raise ConnectorError(f"{session.where}: the keys did not arrive whole")
        if self._table:
            session.run(f"DROP TEMPORARY TABLE {quoted(self._table)}")
        self._table = table

    def join(self, query: exp.Expression) -> exp.Expression:
        """The query with its keys resolved to columns of the table, which is joined where there are any. Raises ConnectorError."""
        from sqlglot import exp

        from dbmask_sql.keyref import INNER, key_names, resolve_keys

        names = key_names(query)
        if not names:
            return query
        missing = [name for name in names if name not in self.pads]
        if missing or not isinstance(query, exp.Select):
            raise ConnectorError(f"{self.session.where}: a query refers to keys that the session does not have")
        place = {name: at for at, name in enumerate(self.pads)}
        made = resolve_keys(
            query,
            lambda name, part: exp.column(
                _columns(place[name])[0 if part == INNER else 1], table=self._table, quoted=True
            ),
        )
        assert isinstance(made, exp.Select)  # noqa: S101 - for the type checker: it was one before
        return made.join(exp.to_table(self._table, quoted=True), join_type="cross", copy=False)


_SPECIAL = {0: b"\\0", **{byte: b"\\" + bytes([byte]) for byte in b"\\,\n\r\t"}}


def _escaped(data: bytes) -> bytes:
    return b"".join(_SPECIAL.get(byte) or bytes([byte]) for byte in data)


def _columns(at: int) -> tuple[str, str]:
    return f"dbmask_k{at}_inner", f"dbmask_k{at}_outer"


class MySQLReader:
    """Reads within whatever transaction its session holds.

    ``place`` is the database where the tables really are: a replica's are asked for by the source's names.
    """

    def __init__(self, session: Session, position: str = "", place: str = "") -> None:
        self.session = session
        self.keys = KeyTable(session)
        self._position = position
        self._place = place

    @property
    def position(self) -> str:
        """The binary log's position of the snapshot; empty where there is no binary log."""
        return self._position

    def use_keys(self, pads: Pads) -> None:
        """Put these pads into the session's temporary table. Raises ConnectorError."""
        self.keys.add(pads)

    def prepared(self, query: exp.Expression) -> exp.Expression:
        """The query with keys and bounds resolved and tables found."""
        from sqlglot import exp

        from dbmask_connectors._mysql_parts import bounded

        made = bounded(self.session, self.keys.join(query.copy()))
        for node in made.find_all(exp.Table, exp.Column) if self._place else ():
            if node.text("db"):
                node.set("db", exp.to_identifier(self._place, quoted=True))
        return made

    def row_id(self, table: Table) -> tuple[str, ...]:
        """Nothing: rows without a key cannot be told apart."""
        return ()

    def hold(self, query: exp.Select) -> Held:
        """Keep keys in a temporary table."""
        from sqlglot import exp

        from dbmask_connectors._mysql_held import hold

        made = exact(self.session, self.prepared(query))
        assert isinstance(made, exp.Select)  # noqa: S101 - for the type checker: it was one before
        return hold(self.session, made)

    def extend(self, held: Held, more: Held) -> Held:
        """Add the keys of another set."""
        from dbmask_connectors._mysql_held import extend

        return extend(self.session, held, more)

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT and stream its rows. Raises ConnectorError."""
        made = exact(self.session, self.prepared(query))
        size = BatchSize(batch_rows)
        waiting: list[list[bytes | None]] = []
        with self.session.streaming(made.sql(dialect="mysql")) as stream:
            for rows in stream.rows():
                waiting += rows
                while len(waiting) >= size.rows:
                    now, waiting = waiting[: size.rows], waiting[size.rows :]
                    size.saw(now)
                    yield as_columns(now, stream.fields)
            if waiting:
                yield as_columns(waiting, stream.fields)


def exact(session: Session, query: exp.Expression) -> exp.Expression:
    """The query with FLOAT columns as doubles: as they are, the server would round them to six digits."""
    from sqlglot import exp

    if not isinstance(query, exp.Select) or query.is_star:
        return query
    with translated(session.where):
        fields = fields_of(session.raw, query.limit(0).sql(dialect="mysql"))
    for projection, field in zip(list(query.expressions), fields, strict=True):
        if is_float(field):
            value = projection.unalias()
            double = exp.Cast(this=value.copy(), to=exp.DataType.build("DOUBLE", dialect="mysql"))
            projection.replace(exp.alias_(double, field.name, quoted=True))
    return query
