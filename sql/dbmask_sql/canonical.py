"""Canonical text of a value: what a PRF reads, the same from every database and from Python.

The SQL side of the same table is ``Dialect.canonical``; the conformance suite holds the two together.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from dbmask_sql.kinds import Kind
from dbmask_sql.numbers import plain_number

__all__ = ["canonical_text", "canonicalizer", "tuple_text", "utf8_bytes"]


def _text(value: Any) -> str:
    # SQLite's text columns may hold bytes.
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _padded(value: Any) -> str:
    return _text(value).rstrip(" ")


def _integer(value: Any) -> str:
    return str(int(value))


def _decimal(value: Any) -> str:
    if value.__class__ is int:
        return str(value)
    if value.__class__ is float and "e" not in (text := repr(value)) and "n" not in text:
        whole = text.rstrip("0").rstrip(".")
        return "0" if whole == "-0" else whole
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return plain_number(number) if number.is_finite() else str(number)


def _boolean(value: Any) -> str:
    return "true" if value else "false"


# Dates that Python cannot hold (far ones, those before year 1) as databases write them.
_FAR = re.compile(r"(\d{4,})-(\d\d)-(\d\d)( \(?BC\)?)?(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?)?( BC)?")


def _parsed(value: Any) -> Any:
    """A temporal value that a database without such types (SQLite) keeps as ISO text; other text stays as it is."""
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def _far(value: Any, clock: bool, zone: str = "") -> str:
    found = _FAR.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return str(value)
    year, month, day, early, time, fraction, late = found.groups()
    stamp = f"T{time or '00:00:00'}.{(fraction or '').ljust(6, '0')}{zone}" if clock else ""
    return f"{year}-{month}-{day}{stamp}{' BC' if early or late else ''}"


def _date(value: Any) -> str:
    if value.__class__ is str and len(value) == 10 and value[4] == value[7] == "-":
        return str(value)  # written so already, or no date
    value = _parsed(value)
    if isinstance(value, dt.datetime):
        value = value.date()
    return str(value.isoformat()) if isinstance(value, dt.date) else _far(value, clock=False)


def _time(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = dt.time.fromisoformat(value)
        except ValueError:
            return str(value)
    return value.isoformat("microseconds") if isinstance(value, dt.time) else str(value)


def _timestamp(value: Any) -> str:
    value = _parsed(value)
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat("T", "microseconds")
    return _far(value, clock=True)


def _timestamptz(value: Any) -> str:
    value = _parsed(value)
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.UTC)
        return str(value.replace(tzinfo=None).isoformat("T", "microseconds")) + "Z"
    return _far(value, clock=True, zone="Z")


def _uuid(value: Any) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))


def _float(value: Any) -> str:
    number = float(value)
    if math.isnan(number):
        return "nan"
    if number == 0:
        return "0.0"  # negative zero compares equal to zero
    return repr(number)


def _json(value: Any) -> str:
    from dbmask_sql.jcs import canonical_json

    return canonical_json(json.loads(value) if isinstance(value, str | bytes) else value)


_BY_KIND: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text,
    Kind.ENUM: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamptz,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
}


def canonical_text(kind: Kind, padded: bool = False) -> Callable[[Any], str]:
    """The function from a non-null value of ``kind`` to its canonical text (bytes have none: see canonicalizer).

    A value that is none of its kind, which SQLite's columns may hold, is its own text.
    """
    plain = _padded if padded else _BY_KIND.get(kind, _text)
    if plain in (_text, _padded):
        return plain

    def total(value: Any) -> str:
        try:
            return plain(value)
        except (ArithmeticError, ValueError, TypeError):
            return str(value)

    return total


def canonicalizer(kind: Kind, padded: bool = False) -> Callable[[Any], bytes]:
    """The function from a non-null value of ``kind`` to the bytes that the PRF reads."""
    if kind is Kind.BYTES:
        return bytes
    text = canonical_text(kind, padded)
    return lambda value: utf8_bytes(text(value))


def utf8_bytes(text: str) -> bytes:
    """A text's UTF-8. What was no UTF-8 in its database (and came as surrogates, PEP 383) is its bytes again.

    Any other lone surrogate cannot come from a database; from a file it is masked, not refused.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def tuple_text(texts: Sequence[str | None]) -> str:
    """Canonical texts of several values as one text, framed like netstrings: different tuples never read alike.

    >>> tuple_text(["7", "a,b"])
    '1:7,3:a,b,'
    """
    filled = ["~" if text is None else text for text in texts]
    return "".join([f"{len(text)}:{text}," for text in filled])
