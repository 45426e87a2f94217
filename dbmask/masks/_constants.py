"""Constants that a policy writes (``value: "2000-01-01"``) as values of a column's type, in Python and in SQL."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from dbmask.errors import BindError
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Scalar", "as_constant", "constant_sql"]

Scalar = str | int | float | bool
"""What a policy can write for a value."""


def _text(value: Scalar, type_: ColumnType) -> str:
    made = canonical_text(Kind.BOOLEAN if isinstance(value, bool) else Kind.TEXT)(value)
    if "\0" in made:
        raise ValueError("holds the character NUL, which databases refuse")
    made.encode()  # a lone surrogate raises
    if type_.length is not None and len(made) > type_.length:
        raise ValueError(f"has {len(made)} characters, and the column is {type_}")
    return made


def _integer(value: Scalar, type_: ColumnType) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("is no integer")
    made = int(value)
    low, high = type_.int_range
    if not low <= made <= high:
        raise ValueError(f"does not fit {type_}")
    return made


def _decimal(value: Scalar, type_: ColumnType) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("is no number")
    made = Decimal(str(value))
    if not made.is_finite():
        raise ValueError("is no finite number")
    if type_.precision is not None:
        scale = type_.scale or 0
        if made != round(made, scale) or abs(made) >= Decimal(10) ** (type_.precision - scale):
            raise ValueError(f"does not fit {type_}")
    return made


def _float(value: Scalar, type_: ColumnType) -> float:
    if isinstance(value, bool):
        raise ValueError("is no number")
    return float(value)


def _boolean(value: Scalar, type_: ColumnType) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False}
    return known[str(value).lower()]


def _moment(value: Scalar) -> dt.datetime:
    return dt.datetime.fromisoformat(str(value))


def _timestamp(value: Scalar, type_: ColumnType) -> dt.datetime:
    return _moment(value).replace(tzinfo=None)


def _timestamptz(value: Scalar, type_: ColumnType) -> dt.datetime:
    made = _moment(value)
    return made.replace(tzinfo=dt.UTC) if made.tzinfo is None else made.astimezone(dt.UTC)


def _enum(value: Scalar, type_: ColumnType) -> str:
    if type_.values and value not in type_.values:
        raise ValueError(f"is none of the column's values, {', '.join(type_.values)}")
    return str(value)


def _json(value: Scalar, type_: ColumnType) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    json.loads(text)
    return text


_MADE: dict[Kind, Callable[[Any, ColumnType], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: lambda v, _: _moment(v).date(),
    Kind.TIME: lambda v, _: dt.time.fromisoformat(str(v)),
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamptz,
    Kind.UUID: lambda v, _: uuid.UUID(str(v)),
    Kind.ENUM: _enum,
    Kind.JSON: _json,
    Kind.BYTES: lambda v, _: str(v).encode(),
}


def as_constant(value: Scalar, type_: ColumnType, parameter: str) -> Any:
    """``value`` as Python holds values of ``type_``. Raises BindError, naming ``parameter``, where it is none.

    >>> as_constant("2000-02-29", ColumnType(Kind.DATE), "value")
    datetime.date(2000, 2, 29)
    """
    made = _MADE.get(type_.kind, _text)
    try:
        return made(value, type_)
    except (ValueError, KeyError, InvalidOperation, OverflowError) as error:
        said = str(error) if isinstance(error, ValueError) and " " in str(error) else ""
        own = (
            said if said.startswith(("has ", "holds ", "is ", "does ")) else f"is no value for a column of type {type_}"
        )
        raise BindError(f"`{parameter}` {own}", f"write a value that fits {type_}") from None


def constant_sql(value: Any, kind: Kind, dialect: Dialect) -> exp.Expression:
    """A constant of as_constant as SQL."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer, number, text

    if kind is Kind.INTEGER:
        return integer(value)
    if kind is Kind.DECIMAL:
        return number(value)
    if kind is Kind.FLOAT:
        return dialect.typed(text(repr(value)), kind)
    if kind is Kind.BOOLEAN:
        return exp.true() if value else exp.false()
    if kind is Kind.BYTES:
        return dialect.bytes_literal(value)
    if kind is Kind.TIMESTAMPTZ:
        return dialect.typed(text(f"{value:%Y-%m-%d %H:%M:%S.%f}{dialect.utc_suffix}"), kind)
    if kind is Kind.TIMESTAMP:
        return dialect.typed(text(value.isoformat(" ", "microseconds")), kind)
    if kind is Kind.JSON or isinstance(value, str):
        return dialect.typed(text(value), kind)
    return dialect.typed(text(canonical_text(kind)(value)), kind)
