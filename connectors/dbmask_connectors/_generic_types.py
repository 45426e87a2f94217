"""SQLAlchemy's types as dbmask's, and what they are called where a replica is made; values as Python's plain ones."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dbmask.schema import ColumnType, Kind
from dbmask_connectors._foreign import SPAN, holds_spans
from dbmask_connectors._mysql_types import folds

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["column_type", "declared", "maker", "storable"]

_LONGEST = 4_000
"""Characters: longer texts have no length that all databases would take."""
_FOLDS = frozenset({"mysql", "mariadb", "mssql"})
_DAY = dt.timedelta(days=1)
_BY_NAME = {"tinyint": 8, "smallint": 16, "smallserial": 16, "mediumint": 24, "integer": 32, "bigint": 64}


def column_type(type_: TypeEngine[Any], dialect: str) -> ColumnType:
    """The type of a reflected column. Unless a collation says otherwise, MySQL's and SQL Server's texts fold case."""
    from sqlalchemy import types as sa

    word = type_.__visit_name__.lower()
    name = type(type_).__name__.lower()
    base = _base(name, word, type_)
    if base is not None:
        return base
    collation = str(getattr(type_, "collation", None) or "")
    if dialect in ("mysql", "mariadb"):
        folded = folds(name, collation or "the table's")
    else:
        folded = dialect in _FOLDS and not collation.lower().endswith(("_bin", "_bin2", "_cs_as"))
    if isinstance(type_, sa.Integer):
        bits = 64 if dialect == "sqlite" else _BY_NAME.get(name, _BY_NAME.get(word, 32))
        return ColumnType(Kind.INTEGER, name, bits=bits, unsigned=bool(getattr(type_, "unsigned", False)))
    if isinstance(type_, sa.Float):
        return ColumnType(Kind.FLOAT, name)
    if isinstance(type_, sa.Numeric):
        return ColumnType(Kind.DECIMAL, name, precision=type_.precision, scale=type_.scale)
    if isinstance(type_, sa.Enum):
        return ColumnType(Kind.ENUM, name, values=tuple(type_.enums), folded=folded)
    if isinstance(type_, sa.String):
        made = ColumnType(Kind.TEXT, name, length=type_.length, folded=folded)
        return replace(made, padded="char" in word and "var" not in word and dialect != "sqlite")
    return _of_kind(type_, name, dialect)


def _base(name: str, word: str, type_: TypeEngine[Any]) -> ColumnType | None:
    """MySQL's types that look like others'."""
    if name == "bit":
        one = getattr(type_, "length", None) in (None, 1)
        return ColumnType(Kind.BOOLEAN if one else Kind.OTHER, "bit")
    if name == "year":
        return ColumnType(Kind.INTEGER, "year", bits=16, unsigned=True)
    if name == "set":
        return ColumnType(Kind.OTHER, "set", values=tuple(getattr(type_, "values", ())))
    return None


def _of_kind(type_: TypeEngine[Any], name: str, dialect: str) -> ColumnType:
    from sqlalchemy import types as sa

    if isinstance(type_, sa.DateTime):
        zoned = type_.timezone or (name == "timestamp" and dialect in ("mysql", "mariadb"))
        return ColumnType(Kind.TIMESTAMPTZ if zoned else Kind.TIMESTAMP, name)
    if isinstance(type_, sa.Time):
        return ColumnType(Kind.TIME, SPAN if dialect in ("mysql", "mariadb") else name)
    kinds: tuple[tuple[Any, Kind], ...] = (
        (sa.Boolean, Kind.BOOLEAN),
        (sa.Date, Kind.DATE),
        (sa.Uuid, Kind.UUID),
        (sa.JSON, Kind.JSON),
        ((sa.LargeBinary, sa.BINARY, sa.VARBINARY), Kind.BYTES),
    )
    return ColumnType(next((kind for cls, kind in kinds if isinstance(type_, cls)), Kind.OTHER), name)


def declared(type_: ColumnType, dialect: str, source: str, key: bool) -> TypeEngine[Any]:
    """SQLAlchemy's type for a replica's column; ``key`` says that it is in a key or an index."""
    import sqlalchemy as sa

    made: dict[Kind, Callable[[], TypeEngine[Any]]] = {
        Kind.FLOAT: sa.Double,
        Kind.BOOLEAN: sa.Boolean,
        Kind.DATE: sa.Date,
        Kind.BYTES: lambda: _long(sa.LargeBinary(), "LONGBLOB"),
        Kind.TIMESTAMP: lambda: _fine(sa.DateTime(), "DATETIME"),
        Kind.TIMESTAMPTZ: lambda: _fine(sa.DateTime(timezone=True), "DATETIME"),
        Kind.UUID: lambda: sa.String(36),
    }
    if type_.kind is Kind.INTEGER:
        bits = (type_.bits or 64) + (1 if type_.unsigned else 0)
        names: tuple[tuple[int, Any], ...] = ((16, sa.SmallInteger), (32, sa.Integer), (64, sa.BigInteger))
        return next((cls() for most, cls in names if bits <= most), sa.Numeric(20 if bits <= 65 else 38, 0))
    if type_.kind is Kind.DECIMAL:
        return sa.Numeric(type_.precision, type_.scale)
    if type_.kind is Kind.TIME and not (holds_spans(type_, source) and dialect not in ("mysql", "mariadb")):
        return _fine(sa.Time(), "TIME")
    if type_.kind in made:
        return made[type_.kind]()
    length = 20 if type_.kind is Kind.TIME else type_.length
    collation = "utf8mb4_bin" if dialect in ("mysql", "mariadb") else None
    if length is None and key and dialect in (*_FOLDS, "oracle"):
        length = 255
    if length is not None and length <= _LONGEST:
        return sa.String(length, collation)
    return _long(sa.Text(), "LONGTEXT", collation)


def _fine(type_: TypeEngine[Any], name: str) -> TypeEngine[Any]:
    """With microseconds in MySQL and SQL Server too."""
    from sqlalchemy.dialects import mssql, mysql

    made = type_.with_variant(getattr(mysql, name)(fsp=6), "mysql", "mariadb")
    finest: Any = mssql.DATETIME2  # SQLAlchemy gives it no types
    return made if name == "TIME" else made.with_variant(finest(), "mssql")


def _long(type_: TypeEngine[Any], name: str, collation: str | None = None) -> TypeEngine[Any]:
    from sqlalchemy.dialects import mysql

    options = {"collation": collation} if collation else {}
    return type_.with_variant(getattr(mysql, name)(**options), "mysql", "mariadb")


def maker(type_: ColumnType | None) -> Callable[[Any], Any]:
    """What makes a driver's values those that all connectors have; ``type_`` is None where it is not known."""
    if type_ is not None and type_.kind is Kind.TIMESTAMPTZ:
        return _in_utc
    if type_ is not None and type_.sql == "bit":
        return _truth if type_.kind is Kind.BOOLEAN else _bits
    return _plain


def _in_utc(value: Any) -> Any:
    """MySQL's driver does not say that its sessions are in UTC."""
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo is None else _plain(value)


def _bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else _plain(value)


def _truth(value: Any) -> Any:
    return bool(_bits(value)) if isinstance(value, bytes) else _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | Decimal | dt.date | dt.time | bytes | float | UUID):
        return value
    if isinstance(value, dt.timedelta):
        return (dt.datetime.min + value).time() if dt.timedelta(0) <= value < _DAY else _span(value)
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _span(value: dt.timedelta) -> str:
    seconds, micros = divmod(abs(value) // dt.timedelta(microseconds=1), 1_000_000)
    text = f"{'-' if value < dt.timedelta(0) else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{micros:06}" if micros else text


def storable(dialect: str) -> Callable[[Any], Any]:
    """What makes a value one that the driver of a dialect takes."""
    return _FOR.get(dialect, _common)


def _common(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _for_mysql(value: Any) -> Any:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return _common(value)


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else _common(value)


_FOR: dict[str, Callable[[Any], Any]] = {"mysql": _for_mysql, "mariadb": _for_mysql, "sqlite": _for_sqlite}
