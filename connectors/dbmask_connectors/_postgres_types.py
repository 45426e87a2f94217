"""PostgreSQL's types as kinds."""

from __future__ import annotations

import re

from dbmask.schema import ColumnType, Kind

__all__ = ["column_type"]

_KINDS = {
    "int2": (Kind.INTEGER, 16),
    "int4": (Kind.INTEGER, 32),
    "int8": (Kind.INTEGER, 64),
    "numeric": (Kind.DECIMAL, None),
    "float4": (Kind.FLOAT, 32),
    "float8": (Kind.FLOAT, 64),
    "bool": (Kind.BOOLEAN, None),
    "text": (Kind.TEXT, None),
    "varchar": (Kind.TEXT, None),
    "bpchar": (Kind.TEXT, None),
    "citext": (Kind.TEXT, None),
    "name": (Kind.TEXT, None),
    "date": (Kind.DATE, None),
    "time": (Kind.TIME, None),
    "timestamp": (Kind.TIMESTAMP, None),
    "timestamptz": (Kind.TIMESTAMPTZ, None),
    "uuid": (Kind.UUID, None),
    "json": (Kind.JSON, None),
    "jsonb": (Kind.JSON, None),
    "bytea": (Kind.BYTES, None),
}
_NUMBERS = re.compile(r"\((\d+)(?:,(-?\d+))?\)")
_NAME_BYTES = 63


def column_type(
    written: str,
    base: str,
    base_written: str,
    *,
    domain: str | None = None,
    deterministic: bool = True,
    labels: tuple[str, ...] = (),
    element: ColumnType | None = None,
) -> ColumnType:
    """A type from its catalog row: ``written`` is format_type of the column, ``base`` the type under its domains."""
    if labels:
        return ColumnType(Kind.ENUM, written, values=labels, domain=domain)
    if element is not None:
        return ColumnType(Kind.ARRAY, written, element=element, domain=domain)
    kind, bits = _KINDS.get(base, (Kind.OTHER, None))
    numbers = _NUMBERS.search(base_written)
    first = int(numbers[1]) if numbers else None
    second = int(numbers[2]) if numbers and numbers[2] else None
    if kind is Kind.TEXT:
        length = _NAME_BYTES if base == "name" else first
        folded = base == "citext" or not deterministic
        return ColumnType(kind, written, length=length, padded=base == "bpchar", folded=folded, domain=domain)
    if kind is Kind.DECIMAL:
        return ColumnType(kind, written, precision=first, scale=second or (0 if first else None), domain=domain)
    return ColumnType(kind, written, bits=bits, domain=domain)
