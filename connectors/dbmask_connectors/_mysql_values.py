"""Values of a result as Python's: bytes of the text protocol by the types that the server tells.

What Python's types cannot hold (0000-00-00, 31 February, 838:59:59) stays the text that it is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from dbmask_connectors._mysql_wire import Field

__all__ = ["as_columns", "is_float"]

_BINARY = 63
_DECIMALS = frozenset({0, 246})
_INTEGERS = frozenset({1, 2, 3, 8, 9, 13})  # 13 is YEAR
_FLOAT, _DOUBLE = 4, 5
_TIMESTAMP, _DATE, _TIME, _DATETIME, _NEWDATE = 7, 10, 11, 12, 14
_BIT, _GEOMETRY = 16, 255
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?\Z")


def is_float(field: Field) -> bool:
    """Whether the server would write the values with six digits only."""
    return field.type_code == _FLOAT


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _date(value: bytes) -> dt.date | str:
    text = value.decode("ascii")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return text


def _datetime(value: bytes) -> dt.datetime | str:
    text = value.decode("ascii")
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return text


def _timestamp(value: bytes) -> dt.datetime | str:
    made = _datetime(value)
    return made.replace(tzinfo=dt.UTC) if isinstance(made, dt.datetime) else made


def _time(value: bytes) -> dt.time | str:
    text = value.decode("ascii")
    return dt.time.fromisoformat(text) if _TIME_OF_DAY.match(text) else text


def _decimal(value: bytes) -> Decimal:
    return Decimal(value.decode("ascii"))


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _truth(value: bytes) -> bool:
    return value != b"\0"


_BY_CODE: dict[int, Callable[[bytes], Any]] = {
    **dict.fromkeys(_DECIMALS, _decimal),
    **dict.fromkeys(_INTEGERS, int),
    _FLOAT: float,
    _DOUBLE: float,
    _TIMESTAMP: _timestamp,
    _DATE: _date,
    _NEWDATE: _date,
    _TIME: _time,
    _DATETIME: _datetime,
    _BIT: _bits,
}


def _converter(field: Field) -> Callable[[bytes], Any] | None:
    """What makes a Python value; None where the bytes are it."""
    if field.type_code == _BIT and field.length == 1:
        return _truth
    known = _BY_CODE.get(field.type_code)
    if known is not None:
        return known
    return None if field.charset == _BINARY or field.type_code == _GEOMETRY else _text


def as_columns(rows: Sequence[Sequence[bytes | None]], fields: Sequence[Field]) -> list[list[Any]]:
    """Rows of bytes as columns of Python values."""
    columns = []
    for raw, field in zip(zip(*rows, strict=True), fields, strict=True):
        make = _converter(field)
        columns.append(list(raw) if make is None else [None if v is None else make(v) for v in raw])
    return columns
