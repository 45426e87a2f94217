"""How values come out of PostgreSQL: plain types as Python's, everything else as the text that PostgreSQL writes.

Dates and times that Python cannot hold (infinity, BC, year 10000, 24:00) come as text too. Values of the plain types
travel in binary, which costs half of what text does; a result with any other type travels as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["Shape", "adapt", "shape_of"]

_SHORT = 260  # characters: below it a row is not worth measuring

_DAY = 86_400_000_000  # microseconds
_EPOCH = 730_425  # days from 0000-03-01 to 2000-01-01, PostgreSQL's epoch
# Types whose text psycopg turns into values of Python.
_PARSED = frozenset(
    {
        *("int2", "int4", "int8", "oid", "numeric", "float4", "float8", "bool", "uuid", "bytea"),
        *("text", "varchar", "bpchar", "name", "date", "time", "timestamp", "timestamptz"),
    }
)
# A float4's shortest text is lost in binary, so it is not among these.
_BINARY = (_PARSED - {"float4"}) | {"json", "jsonb"}
_TEMPORAL = ("date", "time", "timestamp", "timestamptz")


def adapt(connection: psycopg.Connection[Any]) -> frozenset[int]:
    """Register the loaders on a connection; return the oids of the types that may travel in binary."""
    from psycopg.types import string

    found = set()
    for info in connection.adapters.types:
        if info.name in _BINARY:
            found.add(info.oid)
        if info.name in _TEMPORAL:
            _lenient(connection, info.name, info.oid)
        elif info.name not in _PARSED:
            connection.adapters.register_loader(info.oid, string.TextLoader)
        if info.array_oid:
            connection.adapters.register_loader(info.array_oid, string.TextLoader)
    _json(connection)
    # Types of this database that are text by another name.
    for (oid,) in connection.execute("SELECT oid::bigint FROM pg_type WHERE typtype = 'e' OR typname = 'citext'"):
        connection.adapters.register_loader(oid, string.TextBinaryLoader)
        found.add(oid)
    return frozenset(found)


@dataclass(frozen=True)
class Shape:
    """A result before it is read: whether it may travel in binary, and the places of columns without a short limit."""

    binary: bool
    wide: tuple[int, ...]


def shape_of(connection: psycopg.Connection[Any], query: bytes, plain: frozenset[int]) -> Shape:
    """Have the server describe a query's result; nothing is run."""
    from psycopg import pq
    from psycopg.errors import error_from_result

    for answer in (connection.pgconn.prepare(b"", query), described := connection.pgconn.describe_prepared(b"")):
        if answer.status != pq.ExecStatus.COMMAND_OK:
            raise error_from_result(answer)
    places = range(described.nfields)
    fixed = [described.fsize(i) > 0 or 0 < described.fmod(i) <= _SHORT for i in places]
    return Shape(all(described.ftype(i) in plain for i in places), tuple(i for i in places if not fixed[i]))


def _json(connection: psycopg.Connection[Any]) -> None:
    from psycopg.types import string

    class JsonbLoader(string.TextBinaryLoader):
        """The text behind the version byte."""

        def load(self, data: Any) -> Any:
            return super().load(bytes(data)[1:])

    types = connection.adapters.types
    for name, loader in (("json", string.TextBinaryLoader), ("jsonb", JsonbLoader)):
        info = types[name]
        connection.adapters.register_loader(info.oid, loader)


def _lenient(connection: psycopg.Connection[Any], name: str, oid: int) -> None:
    """Load what Python can hold, and the rest as text."""
    from psycopg import DataError
    from psycopg.types import datetime as types

    text, binary = {
        "date": (types.DateLoader, types.DateBinaryLoader),
        "time": (types.TimeLoader, types.TimeBinaryLoader),
        "timestamp": (types.TimestampLoader, types.TimestampBinaryLoader),
        "timestamptz": (types.TimestamptzLoader, types.TimestamptzBinaryLoader),
    }[name]
    load_text, load_binary = text.load, binary.load

    def from_text(self: Any, data: Any) -> Any:
        try:
            return load_text(self, data)
        except DataError:
            return bytes(data).decode()

    def from_binary(self: Any, data: Any) -> Any:
        try:
            return load_binary(self, data)
        except DataError:
            return written(name, int.from_bytes(bytes(data), "big", signed=True))

    connection.adapters.register_loader(oid, type(f"Lenient{text.__name__}", (text,), {"load": from_text}))
    connection.adapters.register_loader(oid, type(f"Lenient{binary.__name__}", (binary,), {"load": from_binary}))


def written(name: str, number: int) -> str:
    """What PostgreSQL writes, in ISO style and UTC, for a date (days) or time (microseconds) by its number.

    >>> written("date", -2451507)
    '4713-01-01 BC'
    >>> written("timestamptz", 2**63 - 1)
    'infinity'
    """
    if name == "time":
        return _clock(number)
    bits = 31 if name == "date" else 63
    if number == 2**bits - 1:
        return "infinity"
    if number == -(2**bits):
        return "-infinity"
    days, micros = (number, None) if name == "date" else divmod(number, _DAY)
    year, month, day = _calendar(days)
    text = f"{year if year > 0 else 1 - year:04}-{month:02}-{day:02}"
    if micros is not None:
        text += f" {_clock(micros)}{'+00' if name == 'timestamptz' else ''}"
    return text if year > 0 else f"{text} BC"


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") if fraction else text


def _calendar(days: int) -> tuple[int, int, int]:
    """Year (0 is 1 BC), month and day of the proleptic Gregorian calendar, by eras of 400 years that begin in March."""
    era, of_era = divmod(days + _EPOCH, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year_of_era + (month <= 2), month, day
