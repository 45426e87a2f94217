"""LOAD DATA LOCAL from Python values, and what it takes for every type to arrive as it left.

Data are read as bytes (CHARACTER SET binary): a column in UTF-8 or of bytes takes them as they are, and any other has
them converted by the server. LOCAL makes the server swallow what it cannot store: it stores something else and warns,
or passes over the row. Here a warning, or a row too few, is an error.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from dbmask.errors import ConnectorError
from dbmask.spi import Batch, TargetTable
from dbmask_connectors._mysql_errors import translated
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_types import binary_like
from dbmask_connectors._mysql_wire import Load

__all__ = ["Dest", "Loader", "MySQLSink", "destinations", "load_sql"]

_PLAIN = frozenset(
    {
        *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"),
        *("date", "time", "datetime", "timestamp", "year"),
    }
)
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_STATEMENT_BYTES = 256 * 2**20
_TABBED = r"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'"


@dataclass(frozen=True)
class Dest:
    """A column that is loaded: its type's bare name and its character set."""

    name: str
    data_type: str
    charset: str = ""

    @property
    def is_bytes(self) -> bool:
        """Whether it takes bytes as they are."""
        return binary_like(self.data_type)

    @property
    def is_plain(self) -> bool:
        """Whether its values are numbers, dates or times, in which nothing need be quoted."""
        return self.data_type in _PLAIN

    @property
    def in_bytes(self) -> bool:
        """Whether a value that its own type made arrives as the same bytes: not so for a uuid, which is written as text."""
        return self.is_bytes or self.is_plain or bool(self.charset)

    @property
    def converted(self) -> str:
        """What makes the column's value of the text that was read; empty where nothing need."""
        variable = "@" + quoted(f"dbmask {self.name}")
        if self.data_type == "bit":
            return f"CAST({variable} AS UNSIGNED)"
        if self.is_bytes or self.is_plain or self.charset in _UTF8:
            return ""
        return f"CONVERT({variable} USING utf8mb4)"


def destinations(session: Session, database: str, table: TargetTable) -> list[Dest]:
    """The columns that a table's rows are written to, as they are in the replica. Raises ConnectorError."""
    rows = session.run(
        "SELECT column_name, data_type, character_set_name FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s",
        (database, table.name.name),
    )
    known = {name: Dest(name, data_type.lower(), charset or "") for name, data_type, charset in rows}
    missing = [c for c in table.columns if c not in known]
    if missing:
        raise ConnectorError(f"{table.name}: the replica has no column {missing[0]}")
    return [known[c] for c in table.columns]


def load_sql(table: str, dests: Sequence[Dest], raw: Sequence[bool], form: str = _TABBED) -> str:
    """The LOAD statement; where ``raw`` says so a column takes the bytes that its own type made."""
    listed, settings = [], []
    for dest, as_is in zip(dests, raw, strict=True):
        if dest.converted and not as_is:
            listed.append("@" + quoted(f"dbmask {dest.name}"))
            settings.append(f"{quoted(dest.name)} = {dest.converted}")
        else:
            listed.append(quoted(dest.name))
    setting = f" SET {', '.join(settings)}" if settings else ""
    return f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {quoted(table)} CHARACTER SET binary {form} ({', '.join(listed)}){setting}"


class Loader:
    """Lines into one table, as LOAD statements of bounded size: a transaction that is given up is undone in bounded time."""

    def __init__(self, session: Session, sql: str, where: str) -> None:
        self._session, self._sql, self._where = session, sql, where
        self._load: Load | None = None
        self._rows = self._bytes = self._total = 0

    def write(self, lines: bytes, rows: int) -> None:
        """Send lines that hold so many rows. Raises ConnectorError."""
        with translated(self._where):
            if self._load is None:
                self._load = self._session.load(self._sql)
            self._load.write(lines)
        self._rows += rows
        self._bytes += len(lines)
        if self._bytes >= _STATEMENT_BYTES:
            self._settle()

    def finish(self) -> int:
        """End the data; the number of rows. Raises ConnectorError where a row or a value did not arrive as it was."""
        self._settle()
        return self._total

    def give_up(self) -> None:
        """End the data, whatever became of them. Raises ConnectorError."""
        if self._load is not None:
            with translated(self._where):
                self._load.finish()
            self._load = None

    def _settle(self) -> None:
        load, sent = self._load, self._rows
        if load is None:
            return
        self._load, self._rows, self._bytes = None, 0, 0
        with translated(self._where):
            stored, warnings = load.finish()
        if warnings:
            said = "; ".join(self._session.warnings()) or "the server warned of values that it changed"
            raise ConnectorError(f"{self._where}: {said}")
        if stored != sent:
            raise ConnectorError(f"{self._where}: {sent - stored} of {sent} rows were not stored")
        self._total += stored


class MySQLSink:
    """Batches into one table."""

    def __init__(self, session: Session, table: TargetTable, dests: Sequence[Dest]) -> None:
        self._where = str(table.name)
        self._makers = [_maker(d) for d in dests]
        self._loader = Loader(session, load_sql(table.name.name, dests, [False] * len(dests)), self._where)

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        if not batch or not batch[0]:
            return
        try:
            columns = [make(values) for make, values in zip(self._makers, batch, strict=True)]
            lines = "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"
            data = lines.encode("utf-8", "surrogateescape")
        except (ValueError, TypeError, ArithmeticError):
            raise ConnectorError(f"{self._where}: a value cannot be written to its column's type") from None
        self._loader.write(data, len(batch[0]))

    def end(self) -> int:
        """End the data; the number of rows. Raises ConnectorError."""
        return self._loader.finish()


_SPECIAL = re.compile(r"[\\\t\n\0]")
_ESCAPES: Mapping[int, str] = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", 0: "\\0"}
_NULL = "\\N"


def _escaped(values: list[str | None]) -> list[str]:
    """Texts as LOAD reads them. Most columns hold nothing to escape: all of a batch is looked at in one go."""
    texts = [v for v in values if v is not None]
    if not _SPECIAL.search("".join(texts)):
        return texts if len(texts) == len(values) else [_NULL if v is None else v for v in values]
    return [_NULL if v is None else v.translate(_ESCAPES) for v in values]


def _maker(dest: Dest) -> Callable[[list[Any]], list[str]]:
    if dest.data_type == "bit":
        one: Callable[[Any], str] | None = _bits
    elif dest.data_type == "year":
        one = _year
    else:
        one = _bytes if dest.is_bytes else None
    return lambda values: _escaped(_made(values, one))


def _made(values: list[Any], one: Callable[[Any], str] | None) -> list[str | None]:
    """Texts of a column's values; what makes them is chosen once a batch where they are all of one type."""
    kinds = set(map(type, values)) - {type(None)}
    if one is None:
        if kinds <= {str}:
            return values
        one = _maker_of(kinds.pop()) if len(kinds) == 1 else _text
    return [None if v is None else one(v) for v in values]


def _bits(value: Any) -> str:
    return str(int.from_bytes(value, "big") if isinstance(value, bytes | bytearray | memoryview) else int(value))


def _year(value: Any) -> str:
    """Four digits: 0 would be 2000, 0000 is the year 0."""
    return f"{value:04}" if isinstance(value, int) else _text(value)


def _bytes(value: Any) -> str:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return bytes(value).decode("utf-8", "surrogateescape")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _span(value: dt.timedelta) -> str:
    micros = abs(value) // dt.timedelta(microseconds=1)
    seconds, rest = divmod(micros, 1_000_000)
    sign = "-" if value < dt.timedelta(0) else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def _moment(value: dt.datetime) -> str:
    if value.tzinfo is dt.UTC:
        return str(value)[: -len("+00:00")]
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return str(value)


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("MySQL has no such number")
    return repr(value)


def _maker_of(kind: type) -> Callable[[Any], str]:
    return next((make for base, make in _MADE if issubclass(kind, base)), str)


def _text(value: Any) -> str:
    return _maker_of(type(value))(value)


_MADE: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (Enum, lambda v: _text(v.value)),
    (str, str),
    (bool, lambda v: "1" if v else "0"),
    (int, int.__repr__),
    (float, _number),
    (Decimal, lambda v: format(v, "f")),
    (dt.datetime, _moment),
    (dt.date, dt.date.isoformat),
    (dt.time, lambda v: v.replace(tzinfo=None).isoformat()),
    (dt.timedelta, _span),
    (bytes, _bytes),
    (bytearray, _bytes),
    (memoryview, _bytes),
    (dict, _json),
    (list, _json),
    (tuple, _json),
)
