"""DuckDB connections: opening, errors without values, keys in a session, and reading columns from a query."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError
from dbmask.schema import Kind
from dbmask.spi import Batch, Held, Pads
from dbmask_connectors._batches import BatchSize
from dbmask_connectors._interruptible import Interruptible
from dbmask_connectors._types_duckdb import column_type, is_lossless
from dbmask_sql.duckdb_keys import KEYS, key_columns, rendered
from dbmask_sql.keyref import key_names

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlglot import exp

    from dbmask.schema import Table

__all__ = [
    "DOES_NOT_FIT",
    "IN_USE",
    "DuckDBReader",
    "connect",
    "hold_keys",
    "literal",
    "position_of",
    "rendered",
    "translated",
]

HELD = "dbmask_held"
IN_USE = "has the database open"
DOES_NOT_FIT = "a value does not fit the type of its column"
_QUIET = {
    # Nothing is fetched from the network, whatever a query or a view asks for.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}

_NOT_NULL = re.compile(r"NOT NULL constraint failed: [^\n]*\Z")
_MISSING = re.compile(r"(Table|View|Schema|Index|Sequence|Type) with name \S+ does not exist!")
_COLUMN = re.compile(r'(Referenced column "[^"\n]*" not found)')


def literal(text: str) -> str:
    """A text as a literal in SQL."""
    return "'" + text.replace("'", "''") + "'"


def connect(path: str, settings: Mapping[str, str], read_only: bool = False) -> DuckDBPyConnection:
    """Open a database (``:memory:`` for none). Raises ConnectorError."""
    import duckdb

    with translated(path):
        db = duckdb.connect(path, read_only=read_only, config={**_QUIET, **settings})
        db.execute("SET enable_progress_bar = false")  # it would be drawn into standard output
        return db


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn DuckDB's errors into ConnectorError, without what they may quote. ``where`` says what was being done."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise ConnectorError(f"{where}: {_said(error)}") from None


def _said(error: Exception) -> str:
    """What happened, in words that can hold names but no values."""
    text = str(error)
    kind = type(error).__name__.removesuffix("Exception")
    if kind == "Constraint":
        return _constraint(text)
    if kind in ("Conversion", "OutOfRange", "InvalidTypeError", "TypeMismatch"):
        return DOES_NOT_FIT
    if kind == "OutOfMemory":
        disk = "disk space" in text or "max_temp_directory_size" in text
        return (
            "the disk is full" if disk else "the memory limit is reached (raise it with ?memory_limit=4GB in the URL)"
        )
    for phrase, said in (
        ("No space left", "the disk is full"),
        ("not a valid DuckDB database file", "the file is not a DuckDB database"),
        ("Could not set lock", f"another process {IN_USE}"),
        ("different configuration", f"this process {IN_USE}"),
        ("database does not exist", "there is no such file"),
        ("Permission denied", "permission denied"),
        ("cannot encode str as UTF-8", "a text is not valid UTF-8"),
    ):
        if phrase in text:
            return said
    if kind == "IO":
        return "the disk could not be read or written"
    found = _MISSING.search(text) or _COLUMN.search(text)
    return found[0] if found else f"DuckDB refused the statement ({kind})"


def _constraint(text: str) -> str:
    found = _NOT_NULL.search(text)
    if found:
        return found[0]
    if "foreign key" in text:
        return "a foreign key is violated"
    if "duplicate key" in text.lower():
        return "a primary key or unique constraint is violated"
    return "a CHECK constraint is violated" if "CHECK" in text else "a constraint is violated"


def hold_keys(db: DuckDBPyConnection, pads: Pads) -> None:
    """Let this session's queries read pads as a table over Python's own memory: none is in SQL, on disk, or folded into a plan."""
    if not pads:
        return
    with translated("the session's keys"):
        db.register(KEYS, key_columns(pads))


class DuckDBReader:
    """Queries over one database, each on a connection of its own, so that none ends another's stream."""

    def __init__(self, db: DuckDBPyConnection, where: str, position: str = "", catalog: str = "") -> None:
        self.db = db
        self.where = where
        self.pads: dict[str, tuple[bytes, bytes]] = {}
        self._position = position
        self._catalog = catalog
        self._sets = 0

    @property
    def position(self) -> str:
        """The file's size and time of change."""
        return self._position

    def use_keys(self, pads: Pads) -> None:
        """Keep the pads for the sessions to come, which read them from this process's memory."""
        self.pads.update(pads)

    def needed(self, query: exp.Expression) -> dict[str, tuple[bytes, bytes]]:
        """The pads that a query refers to. Raises ConnectorError where one was not given: the result would be NULL."""
        names = key_names(query)
        if not self.pads.keys() >= set(names):
            raise ConnectorError(f"{self.where}: the query refers to a key that the session was not given")
        return {name: self.pads[name] for name in names}

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT and stream its columns.

        Intervals, nanoseconds, structs, maps and lists of them come as DuckDB's text, which it reads back; infinite dates
        come as "infinity"; zoned timestamps come in UTC. Raises ConnectorError.
        """
        with (
            translated(self.where),
            contextlib.closing(self.db.cursor()) as cursor,
            contextlib.closing(Interruptible(cursor.interrupt)) as waiting,
        ):
            if self._catalog:
                cursor.execute(f"USE {self._catalog}")
            hold_keys(cursor, self.needed(query))
            sql = rendered(self._placed(cursor, query))
            wrapped = _Wrapped([row[1] for row in cursor.execute(f"DESCRIBE {sql}").fetchall()])
            waiting.run(cursor.execute, wrapped.around(sql))
            size = BatchSize(batch_rows)
            while rows := waiting.run(cursor.fetchmany, size.rows):
                size.saw(rows)
                yield wrapped.columns([list(column) for column in zip(*rows, strict=True)])

    def row_id(self, table: Table) -> tuple[str, ...]:
        """The rowid, where no column has its name."""
        return () if table.column("rowid") else ("rowid",)

    def hold(self, query: exp.Select) -> Held:
        """Keep keys in a database in memory, which every connection to this one's sees."""
        from sqlglot import exp

        self._sets += 1
        name = f"{HELD}.main.held_{self._sets}"
        with (
            translated(self.where),
            contextlib.closing(self.db.cursor()) as cursor,
            contextlib.closing(Interruptible(cursor.interrupt)) as waiting,
        ):
            cursor.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {HELD} (READ_WRITE)")
            hold_keys(cursor, self.needed(query))
            waiting.run(cursor.execute, f"CREATE OR REPLACE TABLE {name} AS {rendered(self._placed(cursor, query))}")
            (count,) = cursor.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)  # noqa: S608 - a name of our own
        return Held(exp.table_(f"held_{self._sets}", db="main", catalog=HELD, quoted=True), count)

    def extend(self, held: Held, more: Held) -> Held:
        """Add the keys of another set."""
        with translated(self.where), contextlib.closing(self.db.cursor()) as cursor:
            cursor.execute(f"INSERT INTO {held.relation.sql('duckdb')} SELECT * FROM {more.relation.sql('duckdb')}")  # noqa: S608 - names are our own
        return Held(held.relation, held.rows + more.rows)

    def _placed(self, cursor: DuckDBPyConnection, query: exp.Expression) -> exp.Expression:
        """The query with tables of a schema that the database does not have looked for in ``main``, where the default schema of
        another database has gone.
        """
        from sqlglot import exp

        listed = cursor.execute("SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()")
        there = {name for (name,) in listed.fetchall()}
        made = query.copy()
        for table in made.find_all(exp.Table):
            if table.db and table.db not in there:
                table.set("db", exp.to_identifier("main", quoted=True))
        return made


class _Wrapped:
    """A query around a query, so that every value reaches Python whole."""

    def __init__(self, types: list[str]) -> None:
        self.types = [column_type(t) for t in types]
        self.names = [f"c{i}" for i in range(len(types))]
        self.dated = [i for i, t in enumerate(self.types) if t.is_temporal and t.sql != "TIMESTAMP_NS"]
        # DuckDB makes Decimals four times slower than Python does from their text.
        self.decimals = [i for i, t in enumerate(self.types) if t.kind is Kind.DECIMAL]
        self.plain = not self.dated and not self.decimals and all(is_lossless(t) for t in self.types)

    def around(self, sql: str) -> str:
        """The wrapping query; temporal columns are followed by the text of those values that Python cannot hold."""
        if self.plain:
            return sql
        shown = [self._shown(n, i) for i, n in enumerate(self.names)]
        shown += [
            f"CASE WHEN NOT isfinite({self.names[i]}) THEN CAST({self.names[i]} AS VARCHAR) END" for i in self.dated
        ]
        return f"SELECT {', '.join(shown)} FROM ({sql}) AS t({', '.join(self.names)})"  # noqa: S608 - names are our own

    def _shown(self, name: str, at: int) -> str:
        type_ = self.types[at]
        if type_.kind is Kind.TIMESTAMPTZ:
            # As a naive timestamp in UTC: DuckDB's own conversion wants a module of time zones.
            return f"CASE WHEN isfinite({name}) THEN make_timestamp(epoch_us({name})) END"
        native = at in self.dated or type_.kind is Kind.TIME or is_lossless(type_)
        if native and at not in self.decimals:
            return name
        return f"CAST({name} AS VARCHAR)"

    def columns(self, raw: Batch) -> Batch:
        """The query's own columns, whole."""
        made = raw[: len(self.types)]
        for place in self.decimals:
            made[place] = [None if v is None else Decimal(v) for v in made[place]]
        for place, extra in zip(self.dated, raw[len(self.types) :], strict=True):
            if self.types[place].kind is Kind.TIMESTAMPTZ:
                made[place] = [_in_utc(v) for v in made[place]]
            if any(v is not None for v in extra):
                made[place] = [v if text is None else text for v, text in zip(made[place], extra, strict=True)]
        return made


def _in_utc(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC)
    return value if value is None else f"{value}+00"  # a year that Python does not have


def position_of(path: Path) -> str:
    """What identifies a file that nobody may write while it is open."""
    found = path.stat()
    changed = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC)
    return f"{found.st_size} bytes, file changed {changed.isoformat('T', 'microseconds')}"
